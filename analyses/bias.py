"""``python -m analyses.bias``: forwards to ``analyses.constituency.bias_command``."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    from analyses.constituency.bias_command import main

    return main(argv)


if __name__ == "__main__":
    sys.exit(main())
