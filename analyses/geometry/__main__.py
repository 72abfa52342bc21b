"""``python -m analyses.geometry``."""

import sys

from analyses.geometry.command import main

if __name__ == "__main__":
    sys.exit(main())
