"""Binary bracketing from span scores: exact by a chart (CKY), and greedy from the top."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from parsers._batches import decode_batches, stacked
from parsers._spans import Floats, Ints, check_span_scores, coins, entries, fairest_best, grow, scaled
from parsers.bracketing import Bracketing


def chart(span_scores: ArrayLike) -> Bracketing:
    """Return the binary tree with the highest sum of span scores.

    The dynamic programme of Cocke, Kasami and Younger over spans, as in Stern et al. (2017, "A minimal
    span-based neural constituency parser", ACL, section 3). Sums are float64. A constant added to all scores
    or a positive factor does not change the best tree, since all binary trees have n - 1 spans.

    No side is preferred: where no coin falls, the mirrored scores give the mirrored tree. Ties go to the
    split nearest the middle of its span; of two equally near ones a bit of the CRC-32 of the scores takes
    one: as good as a coin, but always the same for the same scores.

    Shape: span_scores [n, n + 1], span (i, j) at [i, j], the end exclusive.

    Args:
        span_scores: finite scores. The whole sentence and single words, which are in every tree, and
            what is no span (j <= i) are not read.

    Raises:
        ValueError: the shape is wrong, there is no word, or a score that is read is not finite.

    Example:
        >>> import numpy as np
        >>> from parsers import chart
        >>> scores = np.zeros((4, 5))
        >>> scores[1, 3] = scores[1, 4] = 1.0
        >>> chart(scores).brackets("the old cat sleeps".split())
        '(X the (X (X old cat) sleeps))'
    """
    return _chart([check_span_scores(span_scores, shortest=2)])[0]


def chart_many(matrices: Sequence[ArrayLike]) -> list[Bracketing]:
    """Return `chart` of every matrix: the same trees, ties included, but faster.

    Matrices of like sizes are decoded together, all spans of one width in one step.

    Shape: matrices[k] [n_k, n_k + 1].

    Raises:
        ValueError: as for `chart`, naming the matrix.
    """
    arrays = _check_many(matrices, shortest=2)
    return decode_batches(arrays, lambda batch: _chart([arrays[k] for k in batch]))


def top_down(span_scores: ArrayLike) -> Bracketing:
    """Return a binary tree grown greedily from the top: each span splits where its two parts score highest.

    The top-down inference of Stern et al. (2017, section 4): split [i, j) at the k with the highest
    score(i, k) + score(k, j). Single words do count here, and a constant added to the scores of longer
    spans alone may change the tree. Not exact: see `chart`. Ties and mirrored scores as there.

    Shape: span_scores [n, n + 1], span (i, j) at [i, j], the end exclusive.

    Args:
        span_scores: finite scores. The whole sentence and what is no span (j <= i) are not read.

    Raises:
        ValueError: the shape is wrong, there is no word, or a score that is read is not finite.

    Example:
        >>> import numpy as np
        >>> from parsers import top_down
        >>> scores = np.zeros((3, 4))
        >>> scores[0, 2] = 1.0
        >>> top_down(scores).brackets("cats sleep well".split())
        '(X (X cats sleep) well)'
    """
    return _top_down([check_span_scores(span_scores, shortest=1)])[0]


def top_down_many(matrices: Sequence[ArrayLike]) -> list[Bracketing]:
    """Return `top_down` of every matrix: the same trees, ties included, but faster.

    Shape: matrices[k] [n_k, n_k + 1].

    Raises:
        ValueError: as for `top_down`, naming the matrix.
    """
    arrays = _check_many(matrices, shortest=1)
    return decode_batches(arrays, lambda batch: _top_down([arrays[k] for k in batch]))


def _check_many(matrices: Sequence[ArrayLike], *, shortest: int) -> list[Floats]:
    return [
        check_span_scores(matrix, shortest=shortest, name=f"matrices[{k}]")
        for k, matrix in enumerate(matrices)
    ]


def _chart(arrays: Sequence[Floats]) -> list[Bracketing]:
    """Decode checked scores of like sizes.

    The value of a span is its score with those of the best tree below it. The sum of two parts does not
    depend on their order, so neither does the tree of the mirrored sentence.

    A value is stored beside its span's start and beside its end, so that the width - 1 ways to split a span
    are the columns 0 to width - 2 of its start, and of its end backwards. The batch is the last axis, so that
    every step runs over adjacent numbers.
    """
    scores = np.ascontiguousarray(stacked([scaled(array) for array in arrays]).transpose(1, 2, 0))
    n, _, batch = scores.shape
    # Shape: [width - 1, start, batch] and [width - 1, end - 1, batch].
    by_start, by_end = (np.zeros((n, n, batch)) for _ in range(2))
    buffer = np.empty((n // 2 + 1) ** 2 * batch)
    for width in range(2, n + 1):
        start, end = slice(0, n - width + 1), slice(width - 1, n)
        sums = buffer[: (width - 1) * (n - width + 1) * batch].reshape(width - 1, n - width + 1, batch)
        np.add(by_start[: width - 1, start], by_end[width - 2 :: -1, end], out=sums)
        by_start[width - 1, start] = by_end[width - 1, end] = scores.diagonal(width).T + sums.max(axis=0)
    tosses = coins(arrays)

    def split(sentence: Ints, start: Ints, end: Ints) -> Ints:
        width = end - start
        column = np.arange(width.max() - 1) * (n * batch)
        values = by_start.take((start * batch + sentence)[:, np.newaxis] + column)
        # Columns before the first one are other numbers, but no splits either.
        last = ((width - 2) * n + end - 1) * batch + sentence
        values += by_end.take(last[:, np.newaxis] - column)
        return start + 1 + fairest_best(values, start, width - 1, tosses[sentence])

    return grow(np.array([len(array) for array in arrays]), split)


def _top_down(arrays: Sequence[Floats]) -> list[Bracketing]:
    """Decode checked scores of like sizes."""
    scores = stacked([scaled(array) for array in arrays])
    tosses = coins(arrays)

    def split(sentence: Ints, start: Ints, end: Ints) -> Ints:
        first, last = start[:, np.newaxis], end[:, np.newaxis]
        middle = first + np.arange(1, (end - start).max())
        values = entries(scores, sentence, first, middle) + entries(scores, sentence, middle, last)
        return start + 1 + fairest_best(values, start, end - start - 1, tosses[sentence])

    return grow(np.array([len(array) for array in arrays]), split)
