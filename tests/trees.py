"""All dependency trees of a few words by brute force, and checks of trees, for the tests of the parsers."""

from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@cache
def all_trees(n: int, *, single_root: bool, projective: bool) -> Ints:
    """Return the heads of all trees of n words, sorted lexicographically. Shape: [trees, n]."""
    heads = np.indices((n + 1,) * n).reshape(n, -1).T
    keep = is_tree(heads)
    if single_root:
        keep &= (heads == 0).sum(axis=1) == 1
    if projective:
        keep &= is_projective(heads)
    return heads[keep]


def is_tree(heads: Ints) -> NDArray[np.bool_]:
    """Tell for each row whether every word reaches ROOT. Shape: [..., n] -> [...]."""
    with_root = np.concatenate([np.zeros_like(heads[..., :1]), heads], axis=-1)
    ancestors = heads
    for _ in range(heads.shape[-1]):
        ancestors = np.take_along_axis(with_root, ancestors, axis=-1)
    reached: NDArray[np.bool_] = (ancestors == 0).all(axis=-1)
    return reached


def is_projective(heads: Ints) -> NDArray[np.bool_]:
    """Tell for each row whether no two arcs cross, those from ROOT included. Shape: [..., n] -> [...]."""
    words = np.arange(1, heads.shape[-1] + 1)
    low, high = np.minimum(heads, words), np.maximum(heads, words)
    low_a, high_a = low[..., :, np.newaxis], high[..., :, np.newaxis]
    low_b, high_b = low[..., np.newaxis, :], high[..., np.newaxis, :]
    crossing = (low_a < low_b) & (low_b < high_a) & (high_a < high_b)
    result: NDArray[np.bool_] = np.logical_not(crossing.any(axis=(-2, -1)))
    return result


def totals(scores: Floats, trees: Ints) -> Floats:
    """Return the float64 sum of the arc scores of each tree. Shape: [n + 1, n + 1], [..., n] -> [...]."""
    sums: Floats = scores[trees, np.arange(1, trees.shape[-1] + 1)].sum(axis=-1)
    return sums


def exact_total(scores: Floats, heads: Ints) -> Fraction:
    """Return the sum of the arc scores of one tree without rounding."""
    return sum((Fraction(float(scores[head, d])) for d, head in enumerate(heads, 1)), Fraction())
