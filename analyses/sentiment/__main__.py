"""``python -m analyses.sentiment``."""

import sys

from analyses.sentiment.command import main

if __name__ == "__main__":
    sys.exit(main())
