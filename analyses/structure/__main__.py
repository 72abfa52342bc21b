"""``python -m analyses.structure``: the command ``probe structure``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("structure"))
