"""``python -m analyses.report``: the command ``probe report``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("report"))
