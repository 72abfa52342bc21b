"""Decoding many matrices together: sorted by size, those of like size in one padded array."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Tree = TypeVar("Tree")

# Entries of one padded array [batch, n, n]. A decoder holds about ten of them: near 20 MB, most of it in cache.
BATCH_ENTRIES = 2**18
# A batch of fewer matrices than this takes slightly larger ones in: its steps cost more than the padding.
_FEW = 128


def decode_batches(arrays: Sequence[Floats], decode: Callable[[list[int]], Iterable[Tree]]) -> list[Tree]:
    """Decode arrays of any sizes; return the trees in order.

    Args:
        arrays: the matrices, of which only the lengths are read.
        decode: takes places in `arrays`, shorter arrays first, and gives a tree for each.
    """
    trees: dict[int, Tree] = {}
    for batch in _batches([len(array) for array in arrays]):
        trees.update(zip(batch, decode(batch), strict=True))
    return [trees[k] for k in range(len(arrays))]


def stacked(arrays: Sequence[Floats]) -> Floats:
    """Put arrays into one, smaller ones padded with 0 at their ends. Shape: [batch, rows, columns]."""
    rows, columns = max(array.shape for array in arrays)
    if all(array.shape == (rows, columns) for array in arrays):
        return np.stack(arrays)
    result = np.zeros((len(arrays), rows, columns))
    for place, array in zip(result, arrays, strict=True):
        place[: array.shape[0], : array.shape[1]] = array
    return result


def best_in_order(values: Floats, counts: Ints) -> Ints:
    """Return the place of the first largest value of each row, of which only the first `counts` are there.

    Shape: values [rows, places], overwritten; counts [rows]; result [rows].
    """
    np.copyto(values, -np.inf, where=np.arange(values.shape[1]) >= counts[:, np.newaxis])
    best: Ints = values.argmax(axis=1)
    return best


def _batches(sizes: list[int]) -> Iterator[list[int]]:
    """Yield the indices of `sizes`, sorted by size, in groups of (nearly) one size below the bound."""
    batch: list[int] = []
    for index in sorted(range(len(sizes)), key=sizes.__getitem__):
        size = sizes[index]
        if batch:
            first = sizes[batch[0]]
            full = (len(batch) + 1) * size**2 > BATCH_ENTRIES
            larger = size > sizes[batch[-1]] and (len(batch) >= _FEW or size > first + first // 4 + 1)
            if full or larger:
                yield batch
                batch = []
        batch.append(index)
    if batch:
        yield batch
