"""Binary bracketing from span scores: exact by a chart (CKY), and greedy from the top."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from parsers._batches import decode_batches
from parsers._spans import (
    Floats,
    check_span_scores,
    coins,
    fairest_best,
    scaled,
    spans_of,
    trees_of,
)
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
    return _chart(check_span_scores(span_scores, shortest=2)[np.newaxis])[0]


def chart_many(matrices: Sequence[ArrayLike]) -> list[Bracketing]:
    """Return `chart` of every matrix: the same trees, ties included, but faster.

    Matrices of one size are decoded together, all spans of one width in one step.

    Shape: matrices[k] [n_k, n_k + 1].

    Raises:
        ValueError: as for `chart`, naming the matrix.
    """
    return decode_batches(_check_many(matrices, shortest=2), lambda stacked, _: _chart(stacked))


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
    return _top_down(check_span_scores(span_scores, shortest=1)[np.newaxis])[0]


def top_down_many(matrices: Sequence[ArrayLike]) -> list[Bracketing]:
    """Return `top_down` of every matrix: the same trees, ties included, but faster.

    Shape: matrices[k] [n_k, n_k + 1].

    Raises:
        ValueError: as for `top_down`, naming the matrix.
    """
    return decode_batches(_check_many(matrices, shortest=1), lambda stacked, _: _top_down(stacked))


def _check_many(matrices: Sequence[ArrayLike], *, shortest: int) -> list[Floats]:
    return [
        check_span_scores(matrix, shortest=shortest, name=f"matrices[{k}]")
        for k, matrix in enumerate(matrices)
    ]


def _chart(scores: Floats) -> list[Bracketing]:
    """Decode checked scores of one size. Shape: scores [batch, n, n + 1]."""
    return _decode(scores, accumulate=True)


def _top_down(scores: Floats) -> list[Bracketing]:
    """Decode checked scores of one size. Shape: scores [batch, n, n + 1]."""
    return _decode(scores, accumulate=False)


def _decode(scores: Floats, *, accumulate: bool) -> list[Bracketing]:
    """Find the best split of every span, one width at a time.

    With `accumulate` the value of a span is its score with those of the best tree below it, else its score.
    The sum of two parts does not depend on their order, so neither does the tree of the mirrored sentence.
    """
    tosses = coins(scores)
    n = scores.shape[1]
    values = np.stack([scaled(array) for array in scores])
    splits = np.zeros(values.shape, dtype=np.intp)
    for width in range(2, n + 1):
        start, middle, end = spans_of(width, n)
        sums = values[:, start, middle] + values[:, middle, end]
        splits[:, start[:, 0], end[:, 0]] = fairest_best(sums, start, tosses) + start[:, 0] + 1
        if accumulate:
            values[:, start[:, 0], end[:, 0]] += sums.max(axis=-1)
    return trees_of(splits)
