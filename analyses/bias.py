"""``python -m analyses.bias``: the command ``probe bias``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("bias"))
