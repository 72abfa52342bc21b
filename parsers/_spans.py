"""What the constituency decoders share: checks, sums over spans, splits without a preferred side."""

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parsers.bracketing import Bracketing

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# Entries above this are scaled down by a power of two, which does not round them, so that sums stay finite.
_HUGE = 2.0**900


def check_impact(impact: ArrayLike, *, name: str = "impact") -> Floats:
    """Return a float64 copy of an impact matrix with a diagonal of 0: no decoder reads the diagonal.

    Shape: impact [n, n]; the result has the same shape.

    Raises:
        ValueError: the matrix is not square, has no word or an impact that is not finite.
    """
    array = np.array(impact, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not len(array):
        raise ValueError(f"{name}: expected shape [n, n] with n >= 1 words, got {list(array.shape)}")
    np.fill_diagonal(array, 0.0)
    _check_finite(array, name, "impact")
    return array + 0.0  # -0.0 becomes 0.0, so that equal matrices have equal bytes


def check_span_scores(span_scores: ArrayLike, *, shortest: int, name: str = "span_scores") -> Floats:
    """Return a float64 copy of span scores in which the entries no decoder may read are 0.

    These are the whole sentence and the spans of fewer than `shortest` words (and what is no span).

    Shape: span_scores [n, n + 1], span (i, j) at [i, j]; the result has the same shape.

    Raises:
        ValueError: the shape is wrong, there is no word, or a score is not finite.
    """
    array = np.array(span_scores, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != array.shape[0] + 1 or not len(array):
        raise ValueError(f"{name}: expected shape [n, n + 1] with n >= 1 words, got {list(array.shape)}")
    array[np.tri(len(array), len(array) + 1, k=shortest - 1, dtype=np.bool_)] = 0.0
    array[0, -1] = 0.0
    _check_finite(array, name, "score")
    return array + 0.0  # as above


def scaled(array: Floats) -> Floats:
    """Return the array, scaled down if it holds numbers so large that sums of them could overflow."""
    return array * 2.0**-120 if np.abs(array).max() > _HUGE else array


def block_sums(impact: Floats) -> Floats:
    """Return for each span the sum of the impacts of its words on each other.

    Only adds, so a span without a large number does not round like one that has it.

    Shape: impact [..., n, n], diagonal 0; result [..., n, n + 1], span (i, j) at [i, j].
    """
    pairs = np.triu(impact + np.swapaxes(impact, -1, -2))
    # Over the first words of the pairs from the bottom up, then over the second ones.
    sums = np.flip(np.flip(pairs, -2).cumsum(axis=-2), -2).cumsum(axis=-1)
    padding = [(0, 0)] * (impact.ndim - 1) + [(1, 0)]
    return np.pad(sums, padding)


def spans_of(width: int, n: int) -> tuple[Ints, Ints, Ints]:
    """Return start, split and end of every way to split every span of `width` words.

    Shape: start [spans, 1], split [spans, width - 1], end [spans, 1]; they broadcast against each other.
    """
    start = np.arange(n - width + 1)[:, np.newaxis]
    return start, start + np.arange(1, width), start + width


def coins(arrays: Floats) -> Ints:
    """Return a number for each array of a batch whose bits serve as coins: the CRC-32 of its bytes.

    They fall without a pattern, and always the same way for the same array, alone or in a batch.

    Shape: arrays [batch, ...]; result [batch].
    """
    return np.array([zlib.crc32(array.tobytes()) for array in arrays], dtype=np.intp)


def fairest_best(values: Floats, start: Ints, coins: Ints) -> Ints:
    """Return the place of the best split of each span; ties are broken without a preferred side.

    Of equally good splits the one nearest the middle is taken, and of two equally near ones the side is
    decided by a bit of the coins, another bit for every span of one width.

    Shape: values [batch, spans, splits], start [spans, 1], coins [batch]; result [batch, spans].
    """
    splits = values.shape[-1]
    from_middle = 2 * np.arange(splits) - (splits - 1)
    rank = 2 * np.abs(from_middle) + (np.stack([from_middle, -from_middle]) > 0)
    side = coins[:, np.newaxis] >> ((start[:, 0] + splits) % 32) & 1
    tied = values == values.max(axis=-1, keepdims=True)
    # Larger than any rank, so that a worse split never wins.
    best: Ints = np.where(tied, rank[side], 2 * splits + 2).argmin(axis=-1)
    return best


def trees_of(splits: Ints) -> list[Bracketing]:
    """Follow the splits of all spans from the whole sentence down.

    Shape: splits [batch, n, n + 1], that of the span [i, j) at [i, j].
    """

    def tree(rows: list[list[int]]) -> Bracketing:
        return Bracketing.from_splits(len(rows), lambda start, end: rows[start][end])

    return [tree(rows) for rows in splits.tolist()]


def _check_finite(array: Floats, name: str, kind: str) -> None:
    """Refuse NaN and infinity, naming the first place."""
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name}[{row}, {column}]: expected a finite {kind}, got {array[row, column]}")
