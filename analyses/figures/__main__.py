"""``python -m analyses.figures``: the command ``probe figures``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("figures"))
