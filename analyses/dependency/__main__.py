"""``python -m analyses.dependency``: the command ``probe dependency``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("dependency"))
