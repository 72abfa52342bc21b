"""``python -m analyses.vectors``: the command ``probe vectors``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("vectors"))
