"""``python -m analyses.discourse``: the command ``probe discourse``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("discourse"))
