"""A treebank and the run directory of its impacts, as benchmarks of adjustments are told of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.method_search import Sample, stored_sample
from probe.store import Store


def add_stored_options(parser: argparse.ArgumentParser) -> None:
    """``--data``, ``--matrices``, ``--limit`` and ``--layer``."""
    parser.add_argument("--data", type=Path, required=True, help="the treebank of the matrices, CoNLL-U")
    parser.add_argument("--matrices", type=Path, required=True, help="run directory, with openness")
    parser.add_argument("--limit", type=int, help="its first sentences only")
    parser.add_argument("--layer", type=int, help="where the run directory has several")


def read_stored(args: argparse.Namespace) -> tuple[Sample, str]:
    """The sentences with their impacts, and a line that says what they are.

    Raises:
        DataError, OSError: the treebank cannot be read.
        probe.ProbeError: the run directory is not one of this treebank, or has no such matrices.
    """
    store = Store.open(args.matrices)
    layer = store.configuration.layer[0] if args.layer is None else args.layer
    sample = stored_sample(args.data, store, layer=layer, limit=args.limit)
    return sample, f"{store.name}, layer {layer}, {args.data.stem}, {len(sample.sentences):,} sentences"
