"""``python -m analyses.explorer``: the command ``probe app``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("app"))
