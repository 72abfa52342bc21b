"""``python -m analyses.order``: the command ``probe perplexity``."""

import sys

from probe.commands import start

if __name__ == "__main__":
    sys.exit(start("perplexity"))
