"""First-order projective dependency parsing (Eisner 1996), vectorised over sentences and spans."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parsers._batches import best_in_order, decode_batches, stacked
from parsers._scores import check_many, check_scores

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Places = NDArray[np.intp]

# Scores above this are scaled down by a power of two, which does not round them, so that sums stay finite.
_HUGE = 2.0**960
# From this many sentences on, following their splits together takes less than one after another.
_TOGETHER = 10


def eisner(scores: ArrayLike, root: int | None = None, *, single_root: bool = True) -> Ints:
    """Return the projective dependency tree with the highest sum of arc scores.

    The dynamic programme of Eisner (1996, "Three new probabilistic models for dependency parsing", COLING) in
    the first-order form of McDonald et al. (2005, "Online large-margin training of dependency parsers", ACL).
    Sums are float64. Ties go to the smallest root, then to the smallest split point of each span.

    Shape: scores [n + 1, n + 1], scores[head, dependent], index 0 = ROOT; result [n].

    Args:
        scores: finite arc scores. The diagonal and column 0 are not read; with `root`, neither are row 0 and
            column `root`.
        root: the word (counted from 1) that must be the only child of ROOT.
        single_root: exactly one word attaches to ROOT; if false, at least one does.

    Returns:
        The heads: heads[d - 1] is the head of word d, 0 for ROOT.

    Raises:
        ValueError: `scores` is not square, has no word or a score that is not finite, or `root` is not one of
            the words 1..n or comes with `single_root=False`.

    Example:
        >>> import numpy as np
        >>> from parsers import eisner
        >>> scores = np.zeros((4, 4))
        >>> scores[0, 2] = scores[2, 1] = scores[2, 3] = 1.0  # ROOT -> 2, 2 -> 1, 2 -> 3
        >>> eisner(scores).tolist()
        [2, 0, 2]
        >>> eisner(scores, root=3).tolist()
        [2, 3, 0]
    """
    array = check_scores(scores, root, single_root=single_root)
    return _decode([array], [root], single_root)[0]


def eisner_many(
    matrices: Sequence[ArrayLike],
    roots: Sequence[int | None] | None = None,
    *,
    single_root: bool = True,
) -> list[Ints]:
    """Return `eisner` of every matrix: the same trees, ties included, but faster.

    Matrices of like sizes are decoded together, all spans of one width in one step; memory stays bounded.

    Shape: matrices[k] [n_k + 1, n_k + 1]; result[k] [n_k].

    Args:
        matrices: score matrices of any sizes, as for `eisner`.
        roots: for each matrix its root or None.
        single_root: as for `eisner`.

    Raises:
        ValueError: as for `eisner`, naming the matrix, or there are not as many roots as matrices.

    Example:
        >>> import numpy as np
        >>> from parsers import eisner_many
        >>> [heads.tolist() for heads in eisner_many([np.ones((2, 2)), np.eye(3, k=1)])]
        [[0], [0, 1]]
    """
    arrays, known = check_many(matrices, roots, single_root=single_root)
    return decode_batches(
        arrays,
        lambda batch: _decode([arrays[k] for k in batch], [known[k] for k in batch], single_root),
    )


def _decode(arrays: Sequence[Floats], roots: list[int | None], single_root: bool) -> list[Ints]:
    """Decode checked matrices of like sizes, of which each has the tree that it has alone."""
    scores = stacked(arrays)
    huge = np.abs(scores).max(axis=(1, 2)) > _HUGE
    scores[huge] *= 2.0**-63
    sizes = np.array([len(array) for array in arrays])
    if not single_root:
        chart = _Chart(scores)
        return _trees(chart.heads(np.zeros_like(sizes), sizes), sizes)
    chart = _Chart(scores[:, 1:, 1:])
    best = chart.best_root(scores[:, 0, 1:], sizes - 1)
    given = [b if root is None else root - 1 for b, root in zip(best.tolist(), roots, strict=True)]
    # The words count from 0 in this chart; ROOT is the head of the root, whose own is -1.
    return _trees(np.pad(chart.heads(np.array(given), sizes - 1) + 1, [(0, 0), (1, 0)]), sizes)


def _trees(heads: Ints, sizes: Places) -> list[Ints]:
    """Cut off ROOT and the padding. Shape: heads [batch, n + 1]; results [n_k]."""
    return [row[1:size].copy() for row, size in zip(heads, sizes.tolist(), strict=True)]


class _Chart:
    """The values of all spans of a batch, from which the splits of those that make the tree are found again.

    There are three ways to join two parts in a span from `start` to `end`, `width` positions apart:

    - 0: headed by its start: an arc from there, and the rest, which the dependent heads;
    - 1: headed by its end: the same from right to left;
    - 2: an arc between the ends, whose dependent lacks its outer half: two complete spans.

    A first part is stored beside its start, a second one beside its end. The `width` ways to split a span are
    then the columns 0 to width - 1 of its start, and of its end backwards.

    Shape: parts [way, column, position, batch]; the batch is last, so that every step runs over adjacent
    numbers.
    """

    def __init__(self, scores: Floats) -> None:
        """Fill the chart, one width at a time. Shape: scores [batch, m, m], scores[head, dependent]."""
        m, batch = scores.shape[1], len(scores)
        scores = np.ascontiguousarray(scores.transpose(1, 2, 0))
        self._first, self._second = (np.zeros((3, m, m, batch)) for _ in range(2))
        first, second = self._first, self._second
        sums = np.empty(2 * batch * (m // 2) * (m - m // 2))
        for w in range(1, m):
            start, end = slice(0, m - w), slice(w, m)
            between = sums[: w * (m - w) * batch].reshape(w, m - w, batch)
            np.add(first[2, :w, start], second[2, w - 1 :: -1, end], out=between)
            inside = between.max(axis=0)
            np.add(inside, scores.diagonal(w).T, out=first[0, w - 1, start])
            np.add(inside, scores.diagonal(-w).T, out=second[1, w - 1, end])
            both = sums[: 2 * w * (m - w) * batch].reshape(2, w, m - w, batch)
            np.add(first[:2, :w, start], second[:2, w - 1 :: -1, end], out=both)
            from_start, from_end = both.max(axis=1)
            first[2, w, start] = second[0, w, end] = from_start
            first[1, w, start] = second[2, w, end] = from_end

    def best_root(self, from_root: Floats, lengths: Places) -> Places:
        """Return the best head of all positions: it has a complete span on either side.

        Shape: from_root [batch, m], lengths [batch]; result [batch].
        """
        positions, sentences = np.arange(from_root.shape[1]), np.arange(len(lengths))
        before = self._first[1, :, 0].T
        last = lengths[:, np.newaxis] - 1
        after = self._second[0][last - positions, last, sentences[:, np.newaxis]]
        return best_in_order(before + after + from_root, lengths)

    def heads(self, tops: Places, lengths: Places) -> Ints:
        """Return the head position of every position; the top of a sentence gets -1.

        Shape: tops [batch], lengths [batch]; result [batch, m].
        """
        heads = np.full((len(tops), self._first.shape[1]), -1, dtype=np.int64)
        if len(tops) >= _TOGETHER:
            self._follow_together(tops, lengths, heads)
        else:
            for sentence, (top, length) in enumerate(zip(tops.tolist(), lengths.tolist(), strict=True)):
                self._follow(sentence, top, length, heads[sentence])
        return heads

    def _follow(self, sentence: int, top: int, length: int, heads: Ints) -> None:
        """Write the heads of one sentence. Shape: heads [m]."""
        # Complete spans still to be opened.
        spans = [(0, top, 1), (top, length - 1, 0)]
        while spans:
            start, end, way = spans.pop()
            if start == end:
                continue
            split = self._split(sentence, start, end, way)
            if way == 0:
                low, high = start, split + 1
                heads[high] = start
                spans.append((high, end, 0))
            else:
                low, high = split, end
                heads[low] = end
                spans.append((start, low, 1))
            middle = self._split(sentence, low, high, 2)
            spans += [(low, middle, 0), (middle + 1, high, 1)]

    def _split(self, sentence: int, start: int, end: int, way: int) -> int:
        """Return the position of the first best split of one span."""
        width = end - start
        parts = self._first[way, :width, start, sentence], self._second[way, width - 1 :: -1, end, sentence]
        return start + int((parts[0] + parts[1]).argmax())

    def _follow_together(self, tops: Places, lengths: Places, heads: Ints) -> None:
        """Write the heads of all sentences: what one step finds in any of them, the next one opens.

        Shape: as for `heads`.
        """
        sentence, none = np.arange(len(tops)), np.zeros_like(tops)
        spans = _longer_than_one(
            np.append(sentence, sentence),
            np.append(none, tops),
            np.append(tops, lengths - 1),
            np.append(none + 1, none),
        )
        while len(spans[0]):
            sentence, start, end, way = spans
            split = self._splits(sentence, start, end, way)
            to_right = way == 0
            dependent = split + to_right
            heads[sentence, dependent] = np.where(to_right, start, end)
            low, high = np.where(to_right, start, dependent), np.where(to_right, dependent, end)
            middle = self._splits(sentence, low, high, 2)
            none = np.zeros_like(way)
            spans = _longer_than_one(
                np.concatenate([sentence, sentence, sentence]),
                np.concatenate([np.where(to_right, dependent, start), low, middle + 1]),
                np.concatenate([np.where(to_right, end, dependent), middle, high]),
                np.concatenate([way, none, none + 1]),
            )

    def _splits(self, sentence: Places, start: Places, end: Places, way: Places | int) -> Places:
        """Return `_split` of many spans. Shape of all: [spans]."""
        _, m, _, batch = self._first.shape
        width = end - start
        column = np.arange(width.max()) * (m * batch)
        base = way * (m * m * batch) + sentence
        sums = self._first.take((base + start * batch)[:, np.newaxis] + column)
        # Columns before the first one are other numbers, but no splits either.
        sums += self._second.take((base + end * batch + (width - 1) * (m * batch))[:, np.newaxis] - column)
        return start + best_in_order(sums, width)


def _longer_than_one(sentence: Places, start: Places, end: Places, way: Places) -> tuple[Places, ...]:
    """Keep the spans of more than one position. Shape of all: [spans]."""
    kept = np.flatnonzero(start < end)
    return sentence[kept], start[kept], end[kept], way[kept]
