"""``python -m analyses.static_vectors``: forwards to ``analyses.vectors.command``."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    from analyses.vectors.command import main

    return main(argv)


if __name__ == "__main__":
    sys.exit(main())
