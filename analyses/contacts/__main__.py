"""``python -m analyses.contacts``: the command ``probe contacts``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("contacts"))
