"""``python -m analyses.reproduce``."""

import sys

from analyses.reproduce.command import main

if __name__ == "__main__":
    sys.exit(main())
