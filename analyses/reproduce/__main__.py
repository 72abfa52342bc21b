"""``python -m analyses.reproduce``: the command ``probe reproduce``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("reproduce"))
