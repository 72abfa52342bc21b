"""MART, the top-down constituency decoder of perturbed masking (Wu et al., ACL 2020, section 4)."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from parsers._batches import decode_batches
from parsers._spans import (
    Floats,
    block_sums,
    check_impact,
    coins,
    fairest_best,
    scaled,
    spans_of,
    trees_of,
)
from parsers.bracketing import Bracketing

MartVariant: TypeAlias = Literal["paper", "released"]
MART_VARIANTS: tuple[MartVariant, ...] = get_args(MartVariant)


def mart(impact: ArrayLike, variant: MartVariant = "paper") -> Bracketing:
    """Return the binary tree that MART grows from the top of an impact matrix.

    Both variants split a span [0, m) at a k in 1..m-1 and then its parts.

    `paper`: the k with the largest mean impact within [0, k) plus mean impact within [k, m) minus mean impact
    between the two. A mean is over all entries of its block or blocks, the diagonal of 0 included, so the
    mean within one word is 0. Adding a constant to the impacts may change the tree, a positive factor does
    not. No side is preferred; ties are broken as in `chart`.

    `released`: the published code. With D = `wu2020_distances(impact)`, the first k with the least

        sum D[:k, :k] / 2k + sum D[k+1:, k+1:] / 2(m - k) - (sum D[:k, k+1:] + sum D[k+1:, :k]) / (k (m - k))

    where word k is in none of the sums. The span becomes (left (k rest)): the left part, then word k and the
    rest as one bracket; left and rest are split on. So every right part is split after its first word, and
    the trees lean to the right, whatever the impacts (`docs/bias.md`).

    Shape: impact [n, n], impact[i, j] = influence of word j on word i; the diagonal is not read.

    Raises:
        ValueError: the matrix is not square, has no word or an impact that is not finite, or the variant is
            unknown.

    Example:
        >>> import numpy as np
        >>> from parsers import mart
        >>> impact = np.array([[0, 5, 1, 1], [5, 0, 1, 1], [1, 1, 0, 5], [1, 1, 5, 0]])
        >>> mart(impact).brackets("the cat sat down".split())
        '(X (X the cat) (X sat down))'
        >>> mart(impact, "released").brackets("the cat sat down".split())
        '(X the (X cat (X sat down)))'
    """
    return _decoder(variant)(check_impact(impact)[np.newaxis])[0]


def mart_many(matrices: Sequence[ArrayLike], variant: MartVariant = "paper") -> list[Bracketing]:
    """Return `mart` of every matrix: the same trees, ties included, but faster.

    Matrices of one size are decoded together, all spans of one width in one step.

    Shape: matrices[k] [n_k, n_k].

    Raises:
        ValueError: as for `mart`, naming the matrix.
    """
    arrays = [check_impact(matrix, name=f"matrices[{k}]") for k, matrix in enumerate(matrices)]
    decode = _decoder(variant)
    return decode_batches(arrays, lambda stacked, _: decode(stacked))


def wu2020_distances(impact: ArrayLike) -> Floats:
    """Return the distances of the published constituency evaluation: 1 - softmax of each column, diagonal 0.

    D[a, b] = 1 - exp(M[a, b]) / sum over a' of exp(M[a', b]), with the diagonal of M, which is 0, in the sum.
    The published code subtracts max M from M first; here it is the maximum of the column, which gives the
    same quotient without a column of zeros.

    Shape: impact [n, n], influence of word b on word a; result [n, n].

    Raises:
        ValueError: the matrix is not square, has no word or an impact that is not finite.

    Example:
        >>> from parsers import wu2020_distances
        >>> wu2020_distances([[0, 0], [0, 0]]).tolist()
        [[0.0, 0.5], [0.5, 0.0]]
    """
    return _distances(check_impact(impact))


def _distances(impact: Floats) -> Floats:
    """`wu2020_distances` of checked matrices. Shape: [..., n, n] -> [..., n, n]."""
    with np.errstate(over="ignore"):  # a difference of -inf has the right exponential, 0
        exponentials = np.exp(impact - impact.max(axis=-2, keepdims=True))
    distances: Floats = 1 - exponentials / exponentials.sum(axis=-2, keepdims=True)
    diagonal = np.arange(impact.shape[-1])
    distances[..., diagonal, diagonal] = 0.0
    return distances


def _decoder(variant: str) -> Callable[[Floats], list[Bracketing]]:
    """The decoder of checked matrices of one size. Shape of its argument: [batch, n, n]."""
    if variant not in MART_VARIANTS:
        raise ValueError(f"expected a variant out of {', '.join(MART_VARIANTS)}, got {variant!r}")
    return _paper if variant == "paper" else _released


def _paper(impacts: Floats) -> list[Bracketing]:
    """Split every span of every matrix, then follow the splits. Shape: impacts [batch, n, n]."""
    tosses = coins(impacts)
    sums = block_sums(np.stack([scaled(impact) for impact in impacts]))
    n = impacts.shape[-1]
    splits = np.zeros(sums.shape, dtype=np.intp)
    for width in range(2, n + 1):
        start, middle, end = spans_of(width, n)
        k = np.arange(1, width)
        left, right = sums[:, start, middle], sums[:, middle, end]
        between = sums[:, start, end] - (left + right)
        values = left / k**2 + right / (width - k) ** 2 - between / (2 * k * (width - k))
        splits[:, start[:, 0], end[:, 0]] = fairest_best(values, start, tosses) + start[:, 0] + 1
    return trees_of(splits)


def _released(impacts: Floats) -> list[Bracketing]:
    """Split every span of every matrix, then follow the splits. Shape: impacts [batch, n, n]."""
    # One row more: the rest behind the last word of a sentence, which is empty.
    sums = np.pad(block_sums(_distances(impacts)), [(0, 0), (0, 1), (0, 0)])
    n = impacts.shape[-1]
    splits = np.zeros(sums.shape, dtype=np.intp)
    for width in range(2, n + 1):
        start, word, end = spans_of(width, n)
        k = np.arange(1, width)
        left, rest = sums[:, start, word], sums[:, word + 1, end]
        # What is left of the whole without the impacts within word and rest and within left and word.
        between = sums[:, start, end] - sums[:, word, end] - sums[:, start, word + 1]
        values = left / (2 * k) + rest / (2 * (width - k)) - between / (k * (width - k))
        splits[:, start[:, 0], end[:, 0]] = values.argmin(axis=-1) + start[:, 0] + 1
    return [_left_word_rest(rows) for rows in splits[:, :n].tolist()]


def _left_word_rest(splits: list[list[int]]) -> Bracketing:
    """Follow the splits of one sentence, each of which makes (left (word rest)). Shape: splits [n, n + 1]."""
    n = len(splits)
    spans, todo = set(), [(0, n)]
    while todo:
        start, end = todo.pop()
        if end - start < 2:
            continue
        word = splits[start][end]
        spans.add((start, end))
        if end - word > 1:
            spans.add((word, end))
        todo += [(start, word), (word + 1, end)]
    return Bracketing(n, frozenset(spans))
