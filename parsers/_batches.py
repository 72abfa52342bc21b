"""Decoding many matrices: those of one size together, in batches that a memory bound allows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Tree = TypeVar("Tree")

# Entries of one [batch, n, n] array; a chart holds about ten of them, so this keeps a batch near 40 MB.
BATCH_ENTRIES = 2**19


def decode_batches(
    arrays: Sequence[Floats], decode: Callable[[Floats, list[int]], Iterable[Tree]]
) -> list[Tree]:
    """Decode arrays of any sizes; return the trees in order.

    Args:
        arrays: of which those of one length have one shape.
        decode: takes stacked arrays and their places in `arrays`, and gives a tree for each.
    """
    trees: dict[int, Tree] = {}
    for batch in _batches([len(array) for array in arrays]):
        trees.update(zip(batch, decode(np.stack([arrays[k] for k in batch]), batch), strict=True))
    return [trees[k] for k in range(len(arrays))]


def _batches(sizes: list[int]) -> Iterator[list[int]]:
    """Yield the indices of `sizes` in groups of equal size, none larger than the memory bound allows."""
    by_size: defaultdict[int, list[int]] = defaultdict(list)
    for index, size in enumerate(sizes):
        by_size[size].append(index)
    for size, indices in by_size.items():
        step = max(1, BATCH_ENTRIES // size**2)
        for start in range(0, len(indices), step):
            yield indices[start : start + step]
