"""``python -m analyses.minimal_pairs``."""

import sys

from analyses.minimal_pairs.command import main

if __name__ == "__main__":
    sys.exit(main())
