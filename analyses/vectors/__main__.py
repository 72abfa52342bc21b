"""``python -m analyses.vectors``."""

import sys

from analyses.vectors.command import main

if __name__ == "__main__":
    sys.exit(main())
