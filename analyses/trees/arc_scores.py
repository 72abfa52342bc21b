"""Arc scores of impact matrices, as the two protocols have them.

``fair`` takes the impacts themselves. The published evaluation of Wu et al. (ACL 2020, section 3) writes the
gold root into the matrix and has scores of its own for each of its two decoders.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]


def wu2020_eisner_scores(values: ArrayLike, on_cls: ArrayLike, root: int) -> Floats:
    """Arc scores of the published evaluation for the projective decoder.

    M [n + 1, n + 1] holds [CLS] at index 0, M[dependent, head]; the row of the gold root is 0 except
    M[root, 0] = 1. With E = exp(M - max M), S[a, b] = E[a, b] / (sum of row b of E): the published softmax
    divides along the wrong axis, and so does this one. The scores are meant for Eisner's algorithm with any
    number of roots, which may leave the gold root without the arc from ROOT.

    Args:
        values: [n, n], influence of word j on word i.
        on_cls: [n], influence of word j on the sentence representation.
        root: the gold root, 1-based.

    Returns:
        float64 [n + 1, n + 1], ``scores[head, dependent]``; times a constant where impacts are so far apart,
        by 700 and more, that they would not be finite.

    Raises:
        ValueError: for bad shapes, values that are not finite, or a root outside the sentence.
    """
    matrix = _rooted(values, on_cls, root)
    matrix -= matrix.max()
    exponentials = np.exp(matrix)
    with np.errstate(all="ignore"):
        scores = np.asarray((exponentials / exponentials.sum(axis=1)).T)
    if np.isfinite(scores).all():
        return scores
    # The exponentials of a whole row are 0. The decoder takes any multiple of the scores for the same.
    highest = matrix.max(axis=1, keepdims=True)
    sums = highest[:, 0] + np.log(np.exp(matrix - highest).sum(axis=1))
    logarithms = matrix - sums
    return np.asarray(np.exp(logarithms - logarithms.max()).T)


def wu2020_cle_scores(values: ArrayLike, on_cls: ArrayLike, root: int) -> Floats:
    """Arc scores of the published evaluation for the non-projective decoder.

    The published decoder maximises the product of M[dependent, head] over the arcs, with the row of [CLS]
    zeroed and the gold root as in :func:`wu2020_eisner_scores`. Here it is the sum of logarithms. In place of
    log 0 stands n (low - high) + high - 1, where low and high are the smallest and the largest logarithm of a
    positive entry: a tree with one such arc scores below n low, the least that a tree of positive arcs can
    have, so a zero product loses to any positive one, and among zero products fewer zeros win. The scores are
    meant for the maximum spanning arborescence with any number of roots.

    Args:
        values: [n, n], influence of word j on word i, not negative.
        on_cls: [n], influence of word j on the sentence representation.
        root: the gold root, 1-based.

    Returns:
        float64 [n + 1, n + 1], ``scores[head, dependent]``.

    Raises:
        ValueError: for bad shapes, values that are not finite or negative, or a root outside the sentence.
    """
    return log_scores(_rooted(values, on_cls, root))


def log_scores(matrix: ArrayLike) -> Floats:
    """Logarithms of the impacts that the published decoder multiplies; see :func:`wu2020_cle_scores` for log 0.

    Args:
        matrix: [n, n], M[dependent, head], with ROOT at index 0 and the gold root written into it.

    Returns:
        float64 [n, n], ``scores[head, dependent]``.

    Raises:
        ValueError: an arc has a negative impact.
    """
    arcs = np.array(matrix, dtype=np.float64)
    np.fill_diagonal(arcs, 0)
    arcs[0] = 0
    if (arcs < 0).any():
        raise ValueError(
            f"expected impacts >= 0, since the published CLE multiplies them, found {arcs.min():.6g}"
        )
    positive = arcs > 0
    logarithms = np.log(arcs, where=positive, out=np.zeros_like(arcs))
    low, high = (logarithms[positive].min(), logarithms[positive].max()) if positive.any() else (0.0, 0.0)
    logarithms[~positive] = (len(arcs) - 1) * (low - high) + high - 1
    return logarithms.T


def plain_scores(matrix: ArrayLike) -> Floats:
    """The impacts themselves. Shape: M[dependent, head] -> ``scores[head, dependent]``."""
    return np.asarray(matrix, dtype=np.float64).T


def fair_scores(values: ArrayLike, root: ArrayLike | None = None) -> Floats:
    """Arc scores of the ``fair`` protocol: the impacts themselves, transposed.

    No impact says which word is the root ([CLS] is never masked, so its column is 0), and every word's arc from
    ROOT is worth the same unless ``root`` scores it: the root is the word whose own arc is missed least. The
    influence on [CLS] as the score of ROOT was worse on a development treebank (``docs/parsing.md``).

    Args:
        values: [n, n], influence of word j on word i.
        root: [n], score of the arc from ROOT to each word, as adjustment ``root`` makes it; without, 0.

    Returns:
        float64 [n + 1, n + 1], ``scores[head, dependent]``; column 0 is 0.

    Raises:
        ValueError: for a bad shape or values that are not finite.
    """
    impact = _checked_values(values)
    scores = np.zeros((len(impact) + 1, len(impact) + 1))
    scores[1:, 1:] = impact.T
    if root is not None:
        scores[0, 1:] = root
    return scores


def _rooted(values: ArrayLike, on_cls: ArrayLike, root: int) -> Floats:
    """M [n + 1, n + 1] of protocol wu2020, M[dependent, head], with the gold root written into it."""
    impact, on_root = _checked(values, on_cls)
    n = len(impact)
    if not 1 <= root <= n:
        raise ValueError(f"expected a gold root from 1 to {n}, found {root}")
    matrix = np.zeros((n + 1, n + 1))
    matrix[1:, 1:] = impact
    matrix[0, 1:] = on_root
    matrix[root] = 0
    matrix[root, 0] = 1
    return matrix


def _checked(values: ArrayLike, on_cls: ArrayLike) -> tuple[Floats, Floats]:
    """Convert an impact matrix [n, n] and its on_cls [n] to float64, refusing bad shapes and values."""
    impact = _checked_values(values)
    on_root = np.asarray(on_cls, dtype=np.float64)
    if on_root.shape != (len(impact),):
        raise ValueError(f"expected impacts [n, n] and on_cls [n], found {impact.shape} and {on_root.shape}")
    if not np.isfinite(on_root).all():
        raise ValueError(
            "expected a finite on_cls, found NaN or infinity: has the model a [CLS] or <s> token?"
        )
    return impact, on_root


def _checked_values(values: ArrayLike) -> Floats:
    impact = np.asarray(values, dtype=np.float64)
    n = len(impact) if impact.ndim else 0
    if n == 0 or impact.shape != (n, n):
        raise ValueError(f"expected impacts [n, n] with n > 0, found {impact.shape}")
    if not np.isfinite(impact).all():
        raise ValueError("expected finite impacts, found NaN or infinity")
    return impact
