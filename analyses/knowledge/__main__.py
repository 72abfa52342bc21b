"""``python -m analyses.knowledge``: the command ``probe knowledge``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("knowledge"))
