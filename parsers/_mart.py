"""MART, the top-down constituency decoder of perturbed masking (Wu et al., ACL 2020, section 4)."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from parsers._batches import best_in_order, decode_batches, stacked
from parsers._spans import (
    Floats,
    Ints,
    block_sums,
    check_impact,
    coins,
    entries,
    fairest_best,
    grow,
    scaled,
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
    return _decoder(variant)([check_impact(impact)])[0]


def mart_many(matrices: Sequence[ArrayLike], variant: MartVariant = "paper") -> list[Bracketing]:
    """Return `mart` of every matrix: the same trees, ties included, but faster.

    Matrices of like sizes are decoded together, all spans that one step makes in the next one.

    Shape: matrices[k] [n_k, n_k].

    Raises:
        ValueError: as for `mart`, naming the matrix.
    """
    arrays = [check_impact(matrix, name=f"matrices[{k}]") for k, matrix in enumerate(matrices)]
    decode = _decoder(variant)
    return decode_batches(arrays, lambda batch: decode([arrays[k] for k in batch]))


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
    """`wu2020_distances` of a checked matrix. Shape: [n, n] -> [n, n]."""
    with np.errstate(over="ignore"):  # a difference of -inf has the right exponential, 0
        exponentials = np.exp(impact - impact.max(axis=0))
    distances: Floats = 1 - exponentials / exponentials.sum(axis=0)
    np.fill_diagonal(distances, 0.0)
    return distances


def _decoder(variant: str) -> Callable[[Sequence[Floats]], list[Bracketing]]:
    """The decoder of checked matrices of like sizes."""
    if variant not in MART_VARIANTS:
        raise ValueError(f"expected a variant out of {', '.join(MART_VARIANTS)}, got {variant!r}")
    return _paper if variant == "paper" else _released


def _paper(impacts: Sequence[Floats]) -> list[Bracketing]:
    """Split the spans of every matrix from the top down."""
    tosses = coins(impacts)
    sums = block_sums(stacked([scaled(impact) for impact in impacts]))

    def split(sentence: Ints, start: Ints, end: Ints) -> Ints:
        first, last, k = start[:, np.newaxis], end[:, np.newaxis], np.arange(1, (end - start).max())
        after = np.maximum(last - first - k, 1)  # words behind the split; no split is where there are none
        left = entries(sums, sentence, first, first + k)
        right = entries(sums, sentence, first + k, last)
        between = entries(sums, sentence, first, last) - (left + right)
        values = left / k**2 + right / after**2 - between / (2 * k * after)
        return start + 1 + fairest_best(values, start, end - start - 1, tosses[sentence])

    return grow(np.array([len(impact) for impact in impacts]), split)


def _released(impacts: Sequence[Floats]) -> list[Bracketing]:
    """Split the spans of every matrix from the top down."""
    # One row more: the rest behind the last word of a sentence, which is empty.
    sums = np.pad(block_sums(stacked([_distances(impact) for impact in impacts])), [(0, 0), (0, 1), (0, 0)])

    def split(sentence: Ints, start: Ints, end: Ints) -> Ints:
        first, last, k = start[:, np.newaxis], end[:, np.newaxis], np.arange(1, (end - start).max())
        word, after = first + k, np.maximum(last - first - k, 1)  # as above
        left, rest = entries(sums, sentence, first, word), entries(sums, sentence, word + 1, last)
        # What is left of the whole without the impacts within word and rest and within left and word.
        between = (
            entries(sums, sentence, first, last)
            - entries(sums, sentence, word, last)
            - entries(sums, sentence, first, word + 1)
        )
        values = left / (2 * k) + rest / (2 * after) - between / (k * after)
        return start + 1 + best_in_order(-values, end - start - 1)

    return grow(np.array([len(impact) for impact in impacts]), split, left_word_rest=True)
