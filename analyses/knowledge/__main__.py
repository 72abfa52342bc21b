"""``python -m analyses.knowledge``."""

import sys

from analyses.knowledge.command import main

if __name__ == "__main__":
    sys.exit(main())
