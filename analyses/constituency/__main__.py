"""``python -m analyses.constituency``: the command ``probe constituency``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("constituency"))
