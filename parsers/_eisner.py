"""First-order projective dependency parsing (Eisner 1996), vectorised over sentences and spans."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parsers._batches import decode_batches
from parsers._scores import check_many, check_scores

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Scores above this are scaled down by a power of two, which does not round them, so that sums stay finite.
_HUGE = 2.0**960


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
    return _decode(array[np.newaxis], [root], single_root)[0]


def eisner_many(
    matrices: Sequence[ArrayLike],
    roots: Sequence[int | None] | None = None,
    *,
    single_root: bool = True,
) -> list[Ints]:
    """Return `eisner` of every matrix: the same trees, ties included, but faster.

    Matrices of one size are decoded together, all spans of one width in one step; memory stays bounded.

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
        arrays, lambda stacked, batch: _decode(stacked, [known[k] for k in batch], single_root)
    )


@dataclass(frozen=True, slots=True)
class _Chart:
    """Best split points of all spans, and values of the complete spans at the edges of the sentence.

    Shape: splits [batch, start, width]; from_first [batch, width], spans headed by their last position;
    to_last [batch, width], spans headed by their first position.
    """

    arc_split: NDArray[np.intp]
    right_split: NDArray[np.intp]
    left_split: NDArray[np.intp]
    from_first: Floats
    to_last: Floats


def _decode(scores: Floats, roots: list[int | None], single_root: bool) -> list[Ints]:
    """Decode checked matrices of one size. Shape: scores [batch, n + 1, n + 1]."""
    # Each matrix is scaled by itself, so that its tree does not depend on the batch it is in.
    huge = np.abs(scores).max(axis=(1, 2), keepdims=True) > _HUGE
    scores = np.where(huge, scores * 2.0**-63, scores)
    if not single_root:
        return _trees(_fill(scores), [0] * len(scores), first=0)
    chart = _fill(scores[:, 1:, 1:])
    # Over words only, a tree is its root with a complete span on either side, so one root costs O(n) more.
    totals = chart.from_first + chart.to_last[:, ::-1] + scores[:, 0, 1:]
    best = totals.argmax(axis=1).tolist()
    heads = [b if root is None else root - 1 for b, root in zip(best, roots, strict=True)]
    return _trees(chart, heads, first=1)


def _fill(scores: Floats) -> _Chart:
    """Fill the chart of a batch, one width at a time.

    A value is stored by its span's start or end, beside its width, so that the two parts of all splits of all
    spans of a width are plain slices, of which the second runs backwards.

    Shape: scores [batch, m, m], scores[head, dependent].
    """
    m = scores.shape[1]
    # Complete spans: right = headed by the first position, left = headed by the last one.
    right_by_start, right_by_end, left_by_start, left_by_end = (np.zeros(scores.shape) for _ in range(4))
    # Incomplete spans: an arc between the two ends, whose dependent lacks its outer half.
    arc_right_by_start, arc_left_by_end = (np.zeros(scores.shape) for _ in range(2))
    arc_split, right_split, left_split = (np.zeros(scores.shape, dtype=np.intp) for _ in range(3))
    for w in range(1, m):
        start, end = slice(0, m - w), slice(w, m)
        inside, arc_split[:, start, w] = _best(right_by_start[:, start, :w], left_by_end[:, end, :w])
        arc_right_by_start[:, start, w] = inside + scores.diagonal(w, axis1=1, axis2=2)
        arc_left_by_end[:, end, w] = inside + scores.diagonal(-w, axis1=1, axis2=2)
        right, right_split[:, start, w] = _best(
            arc_right_by_start[:, start, 1 : w + 1], right_by_end[:, end, :w]
        )
        left, left_split[:, start, w] = _best(left_by_start[:, start, :w], arc_left_by_end[:, end, 1 : w + 1])
        right_by_start[:, start, w] = right_by_end[:, end, w] = right
        left_by_start[:, start, w] = left_by_end[:, end, w] = left
    return _Chart(arc_split, right_split, left_split, left_by_start[:, 0], right_by_end[:, -1])


def _best(first: Floats, second: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return the best sum of two parts and its first split.

    Shape: parts [batch, spans, splits], splits of `second` in reverse; results [batch, spans].
    """
    sums = first + second[:, :, ::-1]
    return sums.max(axis=2), sums.argmax(axis=2)


def _trees(chart: _Chart, heads: list[int], *, first: int) -> list[Ints]:
    """Follow the splits from the head position of each sentence. `first` is the index of position 0."""
    splits = zip(chart.arc_split, chart.right_split, chart.left_split, strict=True)
    trees = []
    for (arc, right, left), head in zip(splits, heads, strict=True):
        positions = _follow(arc.tolist(), right.tolist(), left.tolist(), head)
        tree = np.array(positions, dtype=np.int64) + first
        tree[head] = 0
        trees.append(tree[1 - first :])
    return trees


def _follow(arc: list[list[int]], right: list[list[int]], left: list[list[int]], head: int) -> list[int]:
    """Return the head position of every position of one sentence; `head` itself gets -1."""
    heads = [-1] * len(arc)
    # Complete spans still to be opened: (start, end, is it headed by its start).
    spans = [(0, head, False), (head, len(arc) - 1, True)]
    while spans:
        start, end, to_right = spans.pop()
        if start == end:
            continue
        if to_right:
            dependent = start + 1 + right[start][end - start]
            low, high = start, dependent
            heads[dependent] = start
            spans.append((dependent, end, True))
        else:
            dependent = start + left[start][end - start]
            low, high = dependent, end
            heads[dependent] = end
            spans.append((start, dependent, False))
        middle = low + arc[low][high - low]
        spans += [(low, middle, True), (middle + 1, high, False)]
    return heads
