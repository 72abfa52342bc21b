"""``python -m probe.parse``: the command ``probe parse``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("parse"))
