"""``python -m analyses.constituency``."""

import sys

from analyses.constituency.command import main

if __name__ == "__main__":
    sys.exit(main())
