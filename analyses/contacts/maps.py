"""Impacts to contact maps, and how many of the highest scores are contacts.

>>> import numpy as np
>>> from analyses.contacts.maps import contact_map, precision
>>> impacts = np.zeros((4, 4))
>>> impacts[0, 3] = impacts[1, 3] = 1.0
>>> touch = np.zeros((4, 4), dtype=bool)
>>> touch[0, 3] = touch[3, 0] = True
>>> precision(contact_map(impacts, apc=False), touch, top=2, separation=2)
0.5
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SEPARATION = 6
"""Least distance along the sequence, |i - j|, of the pairs that are scored."""


def contact_map(impacts: ArrayLike, *, apc: bool = True) -> Floats:
    """Scores of contacts out of impacts: the mean of both directions, corrected.

    Shapes:
        impacts: [n, n]; returns float64 [n, n], symmetric, the diagonal 0

    Raises:
        ValueError: the impacts are not [n, n], or not finite.
    """
    matrix = np.array(impacts, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise ValueError(f"finite impacts [n, n] are expected, found {list(matrix.shape)}")
    np.fill_diagonal(matrix, 0)
    symmetric: Floats = (matrix + matrix.T) / 2
    return average_product_corrected(symmetric) if apc else symmetric


def average_product_corrected(scores: Floats) -> Floats:
    """Scores less the product of the means of both residues over the mean of all (Dunn et al. 2008, eq. 4).

    Means are over the other residues: a residue has no score with itself. Scores that are all 0 stay.

    Shapes: [n, n], symmetric, the diagonal 0 -> the same
    """
    n = len(scores)
    total = scores.sum()
    if n < 2 or total == 0:
        return scores
    means = scores.sum(axis=0) / (n - 1)
    corrected = scores - np.outer(means, means) / (total / (n * (n - 1)))
    np.fill_diagonal(corrected, 0)
    return np.asarray(corrected)


def distance_scores(n: int) -> Floats:
    """The nearest pairs along the sequence score highest: the baseline that knows no structure. [n, n]"""
    place = np.arange(n)
    found: Floats = -np.abs(place[:, None] - place).astype(np.float64)
    return found


def eligible(n: int, known: Bools | None = None, *, separation: int = SEPARATION) -> Bools:
    """The pairs i < j that are scored: so far apart, and known. Shapes: bool [n, n], or None for all known."""
    pairs = np.triu(np.ones((n, n), dtype=bool), k=separation)
    return pairs if known is None else pairs & known


def precision(
    scores: Floats,
    touch: Bools,
    *,
    top: int,
    known: Bools | None = None,
    separation: int = SEPARATION,
) -> float:
    """Share of contacts among the ``top`` pairs of the highest scores.

    Where pairs tie at the end of the list, what is expected of drawing among them: constant scores give what
    random pairs are expected to have. Fewer pairs than ``top`` are all taken.

    Shapes: scores [n, n], touch and known bool [n, n]

    Raises:
        ValueError: there are no pairs so far apart, or ``top`` is not above 0.
    """
    pairs = eligible(len(scores), known, separation=separation)
    if top < 1 or not pairs.any():
        raise ValueError(f"pairs {separation} residues apart and top from 1 are expected, found top {top}")
    values, hits = scores[pairs], touch[pairs]
    top = min(top, len(values))
    least = np.partition(values, len(values) - top)[len(values) - top]
    above, ties = values > least, values == least
    expected = hits[above].sum() + (top - above.sum()) * hits[ties].mean()
    return float(expected / top)


def best_pairs(scores: Floats, *, top: int, separation: int = SEPARATION) -> list[tuple[int, int, float]]:
    """The ``top`` pairs i < j, from 0, of the highest scores, with them; ties in the order of the sequence."""
    first, second = np.nonzero(eligible(len(scores), separation=separation))
    order = np.argsort(-scores[first, second], kind="stable")[:top]
    return [(int(first[at]), int(second[at]), float(scores[first[at], second[at]])) for at in order]
