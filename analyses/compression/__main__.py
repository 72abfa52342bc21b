"""``python -m analyses.compression``: the command ``probe compress``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("compress"))
