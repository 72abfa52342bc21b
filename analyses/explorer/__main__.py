"""``python -m analyses.explorer``."""

import sys

from analyses.explorer.command import main

if __name__ == "__main__":
    sys.exit(main())
