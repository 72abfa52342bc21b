"""``python -m analyses.minimal_pairs``: the command ``probe minimal-pairs``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("minimal-pairs"))
