"""Scores of spans from an impact matrix, for `parsers.chart` and `parsers.top_down`.

None prefers a side: the scores of the reversed sentence are the mirrored scores. Entries that are no span
(j <= i) are 0. None reads the diagonal of the matrix.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parsers._spans import Floats, block_sums, check_impact


def block_contrast(impact: ArrayLike) -> Floats:
    """Score a span by the mean impact inside it minus the mean impact across its borders.

    score(i, j) = mean of M[a, b] over a, b inside [i, j), a != b, minus the mean of M[a, b] over the pairs of
    which exactly one word is inside. A mean over no pair (inside one word, or across the borders of the whole
    sentence) is 0. MART asks the same of splits (Wu et al., ACL 2020, section 4).

    The scores of spans of 2 to n - 1 words do not change when a constant is added to all impacts. They scale
    with the impacts, and do not change when the matrix is transposed.

    Shape: impact [n, n], the influence of word j on word i at [i, j]; result [n, n + 1], that of the span [i,
    j) at [i, j].

    Raises:
        ValueError: the matrix is not square, has no word, an impact that is not finite or too large ones.

    Example:
        >>> from parsers import span_scores
        >>> float(span_scores.block_contrast([[0, 4, 1], [4, 0, 1], [1, 1, 0]])[0, 2])
        3.0
    """
    array = check_impact(impact)
    n, width = len(array), _widths(len(array))
    with np.errstate(all="ignore"):
        inside = block_sums(array)
        of_words = np.zeros_like(inside)
        of_words[:, 1:] = np.triu(np.tile(array.sum(axis=0) + array.sum(axis=1), (n, 1))).cumsum(axis=1)
        # The sum over the words of a span counts an impact inside it for both of its words.
        across = of_words - 2 * inside
        scores = inside / np.maximum(width * (width - 1), 1) - across / np.maximum(2 * width * (n - width), 1)
    return _scores(scores, width)


def neighbour_contrast(impact: ArrayLike) -> Floats:
    """Score a span by how much more its outermost words are tied to their neighbours inside than outside.

    With the tie of neighbours t(a) = (M[a, a + 1] + M[a + 1, a]) / 2, the contrast at the left border i is
    t(i) - t(i - 1), at the right border j it is t(j - 2) - t(j - 1), and score(i, j) is their mean. An edge
    of the sentence is no border and has no contrast; one word has no ties inside, which count as 0. Only the
    impacts of neighbours on each other are read. That a boundary is where the association of neighbours drops
    is from Magerman and Marcus (1990, "Parsing a natural language using mutual information statistics",
    AAAI).

    Constants, factors and transposes of the matrix change the scores as they change `block_contrast`.

    Shape: as for `block_contrast`.

    Raises:
        ValueError: as for `block_contrast`.

    Example:
        >>> from parsers import span_scores
        >>> float(span_scores.neighbour_contrast([[0, 4, 1], [4, 0, 1], [1, 1, 0]])[0, 2])
        3.0
    """
    array = check_impact(impact)
    n, width = len(array), _widths(len(array))
    starts, ends = np.arange(n)[:, np.newaxis], np.arange(n + 1)
    with np.errstate(all="ignore"):
        # ties[b] is across border b; 0 at the edges of the sentence and beyond.
        ties = np.pad((array.diagonal(1) + array.diagonal(-1)) / 2, [(1, 2)])
        left = np.where(width > 1, ties[starts + 1], 0.0) - ties[starts]
        right = np.where(width > 1, ties[ends - 1], 0.0) - ties[ends]
        borders = 1 * (starts > 0) + (ends < n)
        contrasts = np.where(starts > 0, left, 0.0) + np.where(ends < n, right, 0.0)
    return _scores(contrasts / np.maximum(borders, 1), width)


def row_similarity(impact: ArrayLike) -> Floats:
    """Score a span by how alike its words are in what influences them: minus the mean distance of their rows.

    score(i, j) = minus the mean, over a < b inside [i, j), of the root mean square of M[a, c] - M[b, c] over
    the words c other than a and b, for which an impact would be compared with the diagonal. A mean over
    nothing is 0. This is the pair score of Kim, Li and Lee (2020, "Chart-based zero-shot constituency parsing
    on multiple languages", arXiv:2004.13805), with rows of impacts in the place of the attention or hidden
    states, whose distances Kim et al. (2020, "Are pre-trained language models aware of phrases?", ICLR)
    introduced.

    The scores do not change when a constant is added to all impacts or to all of one column. They scale with
    the impacts. Transposing the matrix changes them.

    Shape: as for `block_contrast`.

    Raises:
        ValueError: as for `block_contrast`.

    Example:
        >>> from parsers import span_scores
        >>> float(span_scores.row_similarity([[0, 4, 1], [4, 0, 3], [1, 3, 0]])[0, 2])
        -2.0
    """
    array = check_impact(impact)
    n, width = len(array), _widths(len(array))
    distances = np.zeros((n, n))
    with np.errstate(all="ignore"):
        for word, row in enumerate(array):
            differences = array - row
            differences[:, word] = 0.0
            np.fill_diagonal(differences, 0.0)
            distances[word] = np.sqrt((differences**2).sum(axis=1) / max(n - 2, 1))
        scores = -block_sums(distances) / np.maximum(width * (width - 1), 1)
    return _scores(scores, width)


def _widths(n: int) -> NDArray[np.intp]:
    """Number of words of each span. Shape: [n, n + 1], span (i, j) at [i, j]."""
    return np.arange(n + 1) - np.arange(n)[:, np.newaxis]


def _scores(scores: Floats, width: NDArray[np.intp]) -> Floats:
    """Put 0 where there is no span; refuse scores that have overflowed."""
    if not np.isfinite(scores).all():
        raise ValueError("impact: expected impacts below 1e150, found larger ones, whose scores overflow")
    return np.where(width > 0, scores, 0.0) + 0.0  # no -0.0
