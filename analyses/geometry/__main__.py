"""``python -m analyses.geometry``: the command ``probe geometry``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("geometry"))
