"""What the constituency decoders share: checks, sums over spans, splits without a preferred side."""

import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parsers.bracketing import Bracketing

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Split: TypeAlias = Callable[[Ints, Ints, Ints], Ints]

# Entries above this are scaled down by a power of two, which does not round them, so that sums stay finite.
_HUGE = 2.0**900


def check_impact(impact: ArrayLike, *, name: str = "impact") -> Floats:
    """Return a float64 copy of an impact matrix with a diagonal of 0: no decoder reads the diagonal.

    Shape: impact [n, n]; the result has the same shape.

    Raises:
        ValueError: the matrix is not square, has no word or an impact that is not finite.
    """
    array = np.array(impact, dtype=np.float64, order="C")
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not len(array):
        raise ValueError(f"{name}: expected shape [n, n] with n >= 1 words, got {list(array.shape)}")
    array.reshape(-1)[:: len(array) + 1] = 0.0
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
    np.copyto(array, 0.0, where=_not_read(len(array), shortest))
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


def coins(arrays: Sequence[Floats]) -> Ints:
    """Return a number for each array whose bits serve as coins: the CRC-32 of its bytes.

    They fall without a pattern, and always the same way for the same array, alone or among others.
    """
    return np.array([zlib.crc32(array.tobytes()) for array in arrays], dtype=np.intp)


def fairest_best(values: Floats, start: Ints, counts: Ints, coins: Ints) -> Ints:
    """Return the place of the best split of each span; ties are broken without a preferred side.

    Of equally good splits the one nearest the middle is taken, and of two equally near ones the side is
    decided by a bit of the coins of its sentence, another bit for every span of one width.

    Shape: values [spans, splits], overwritten, of which the first counts[k] of row k are there; start, counts
    and coins [spans]; result [spans].
    """
    splits = np.arange(values.shape[1])
    np.copyto(values, -np.inf, where=splits >= counts[:, np.newaxis])
    from_middle = 2 * splits - (counts - 1)[:, np.newaxis]
    sign = 1 - 2 * (coins >> ((start + counts) % 32) & 1)
    rank = 2 * np.abs(from_middle) + (from_middle * sign[:, np.newaxis] > 0)
    tied = values == values.max(axis=1, keepdims=True)
    # Larger than any rank, so that a worse split never wins.
    best: Ints = np.where(tied, rank, 2 * len(splits) + 2).argmin(axis=1)
    return best


def entries(table: Floats, sentence: Ints, row: Ints, column: Ints) -> Floats:
    """Return table[sentence, row, column], and any number where that is outside the table.

    Shape: table [batch, rows, columns], sentence [spans], row and column [spans, splits] or [spans, 1].
    """
    _, rows, columns = table.shape
    found: Floats = table.take(
        (sentence * (rows * columns))[:, np.newaxis] + row * columns + column, mode="clip"
    )
    return found


def grow(lengths: Ints, split: Split, *, left_word_rest: bool = False) -> list[Bracketing]:
    """Split the spans of all sentences from the top down: those that one step makes, the next one splits.

    Args:
        lengths: words of each sentence, [batch].
        split: sentence, start and end of spans -> where they split.
        left_word_rest: a split is before a word, which makes (left (word rest)) of the span.
    """
    sentence, start, end = np.arange(len(lengths)), np.zeros_like(lengths), lengths
    found: list[tuple[Ints, Ints, Ints]] = []
    while True:
        longer = np.flatnonzero(end - start > 1)
        if not len(longer):
            break
        sentence, start, end = sentence[longer], start[longer], end[longer]
        found.append((sentence, start, end))
        middle = split(sentence, start, end)
        rest = middle
        if left_word_rest:
            more = np.flatnonzero(end - middle > 1)
            found.append((sentence[more], middle[more], end[more]))
            rest = middle + 1
        sentence = np.append(sentence, sentence)
        start, end = np.append(start, rest), np.append(middle, end)
    return _bracketings(lengths.tolist(), found)


def _bracketings(lengths: list[int], found: list[tuple[Ints, Ints, Ints]]) -> list[Bracketing]:
    """Gather the spans (sentence, start, end) of each sentence: those of n words have n - 1."""
    spans: list[tuple[int, int]] = []
    if found:
        sentence, start, end = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = sentence.argsort(kind="stable")
        spans = list(zip(start[order].tolist(), end[order].tolist(), strict=True))
    trees, first = [], 0
    for n in lengths:
        trees.append(Bracketing(n, frozenset(spans[first : first + n - 1])))
        first += n - 1
    return trees


@lru_cache(maxsize=256)
def _not_read(n: int, shortest: int) -> NDArray[np.bool_]:
    """Where there are no spans of at least `shortest` words. Shape: [n, n + 1]."""
    return np.tri(n, n + 1, k=shortest - 1, dtype=np.bool_)


def _check_finite(array: Floats, name: str, kind: str) -> None:
    """Refuse NaN and infinity, naming the first place."""
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name}[{row}, {column}]: expected a finite {kind}, got {array[row, column]}")
