"""Eisner's algorithm in plain Python loops over lists, with which the decoders are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Chart = list[list[float]]
Splits = list[list[int]]


def plain_eisner(matrix: NDArray[np.float64]) -> list[int]:
    """Return the heads of the best projective tree with one root. Shape: [n + 1, n + 1] -> [n]."""
    scores: Chart = matrix[1:, 1:].tolist()
    from_root: list[float] = matrix[0, 1:].tolist()
    n = len(scores)
    # Spans headed by their first word (right) and by their last one (left); "open" ones end in an arc.
    right, left, open_right, open_left = ([[0.0] * n for _ in range(n)] for _ in range(4))
    right_split, left_split, open_split = ([[0] * n for _ in range(n)] for _ in range(3))
    for width in range(1, n):
        for start in range(n - width):
            end = start + width
            inside, open_split[start][end] = max(
                (right[start][k] + left[k + 1][end], -k) for k in range(start, end)
            )
            open_right[start][end] = inside + scores[start][end]
            open_left[start][end] = inside + scores[end][start]
            right[start][end], right_split[start][end] = max(
                (open_right[start][k] + right[k][end], -k) for k in range(start + 1, end + 1)
            )
            left[start][end], left_split[start][end] = max(
                (left[start][k] + open_left[k][end], -k) for k in range(start, end)
            )
    root = max(range(n), key=lambda word: left[0][word] + right[word][n - 1] + from_root[word])
    return _follow(root, right_split, left_split, open_split)


def _follow(root: int, right: Splits, left: Splits, between: Splits) -> list[int]:
    """Return the heads that the splits, stored with a minus, lead to."""
    n = len(right)
    heads = [0] * n
    spans = [(0, root, False), (root, n - 1, True)]
    while spans:
        start, end, to_right = spans.pop()
        if start == end:
            continue
        if to_right:
            dependent = -right[start][end]
            heads[dependent] = start + 1
            spans.append((dependent, end, True))
            low, high = start, dependent
        else:
            dependent = -left[start][end]
            heads[dependent] = end + 1
            spans.append((start, dependent, False))
            low, high = dependent, end
        middle = -between[low][high]
        spans += [(low, middle, True), (middle + 1, high, False)]
    return heads
