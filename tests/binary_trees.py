"""All binary trees over a few words by brute force, for the tests of the constituency decoders."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Spans = frozenset[tuple[int, int]]
Floats = NDArray[np.float64]


@cache
def all_binary_trees(n: int, start: int = 0) -> tuple[Spans, ...]:
    """Return the spans of more than one word of every binary tree over n words, counted from `start`."""
    if n == 1:
        return (frozenset(),)
    return tuple(
        left | right | {(start, start + n)}
        for k in range(1, n)
        for left in all_binary_trees(k, start)
        for right in all_binary_trees(n - k, start + k)
    )


@cache
def indicator(n: int) -> Floats:
    """Return 1 for the spans of each of `all_binary_trees`, 0 elsewhere. Shape: [trees, n, n + 1]."""
    table = np.zeros((len(all_binary_trees(n)), n, n + 1))
    for row, spans in zip(table, all_binary_trees(n), strict=True):
        for start, end in spans:
            row[start, end] = 1.0
    return table


def splits_of(spans: Spans, n: int) -> dict[tuple[int, int], int]:
    """Return where each span of a binary tree falls into its two parts."""
    nodes = spans | {(word, word + 1) for word in range(n)}
    found = {}
    for start, end in spans:
        (middle,) = (k for k in range(start + 1, end) if {(start, k), (k, end)} <= nodes)
        found[start, end] = middle
    return found


def mirrored(spans: Spans, n: int) -> Spans:
    """Return the spans of the tree of the reversed sentence."""
    return frozenset((n - end, n - start) for start, end in spans)


def mirrored_scores(scores: Floats) -> Floats:
    """Return the span scores of the reversed sentence. Shape: [n, n + 1] -> [n, n + 1]."""
    n = len(scores)
    mirror = np.zeros_like(scores)
    for start in range(n):
        for end in range(start + 1, n + 1):
            mirror[n - end, n - start] = scores[start, end]
    return mirror
