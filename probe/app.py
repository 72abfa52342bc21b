"""``python -m probe.app``: the command ``probe app``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("app"))
