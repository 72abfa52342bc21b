"""``python -m analyses.figures``."""

import sys

from analyses.figures.command import main

if __name__ == "__main__":
    sys.exit(main())
