"""``python -m analyses.dependency``."""

import sys

from analyses.dependency.command import main

if __name__ == "__main__":
    sys.exit(main())
