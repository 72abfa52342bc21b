"""``python -m analyses.sentiment``: the command ``probe sentiment``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("sentiment"))
