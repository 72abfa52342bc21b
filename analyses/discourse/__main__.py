"""``python -m analyses.discourse``."""

import sys

from analyses.discourse.command import main

if __name__ == "__main__":
    sys.exit(main())
