"""``python -m analyses.report``."""

import sys

from analyses.report.command import main

if __name__ == "__main__":
    sys.exit(main())
