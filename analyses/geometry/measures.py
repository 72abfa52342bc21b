"""Closed forms of the geometry of word states.

Ethayarajh, "How Contextual are Contextualized Word Representations?" (EMNLP 2019); Rudman et al., "IsoScore"
(Findings of ACL 2022); Timkey and van Schijndel, "All Bark and No Bite" (EMNLP 2021).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analyses.intervals import resampled_sums

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]


def mean_pairwise_cosine(total: ArrayLike, count: ArrayLike) -> Floats:
    """Mean cosine over all pairs of m unit vectors from their sum alone: (|sum|^2 - m) / (m (m - 1)).

    Of the states of one word this is its self-similarity (Ethayarajh 2019, section 3.2).

    Shapes:
        total: [..., size], sums of unit vectors; count: broadcasts to [...]; returns [...], NaN below two
    """
    m = np.asarray(count, dtype=np.float64)
    squares = np.square(np.asarray(total, dtype=np.float64)).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(m > 1, (squares - m) / (m * (m - 1)), np.nan)


class Explained(NamedTuple):
    """Shares of the variance of a word's states that one direction explains, each [...].

    Attributes:
        mev: the largest squared singular value over the sum of all (Ethayarajh 2019, equation 3); no mean is
            taken off. At least 1 / m for m states.
        released: what the released figures hold: the variance around the mean of the projections on the same
            direction over the whole variance around the mean; scikit-learn's ``TruncatedSVD`` calls it
            ``explained_variance_ratio_``. NaN for identical states.
    """

    mev: Floats
    released: Floats


def maximum_explained(states: Tensor) -> Floats:
    """The ``mev`` of ``explained`` alone, which takes no singular vectors.

    Shapes:
        states: float32 [..., m, size], m > 0; returns [...]
    """
    import torch

    # Both have the squared singular values for eigenvalues.
    gram = states @ states.mT if states.shape[-2] <= states.shape[-1] else states.mT @ states
    values = torch.linalg.eigvalsh(gram.cpu().double())
    energy = values.sum(-1)
    return np.asarray(torch.where(energy > 0, values[..., -1] / energy, torch.nan).numpy())


def explained(states: Tensor) -> Explained:
    """Maximum explainable variance of sets of states, by the Gram matrix of each.

    Shapes:
        states: float32 [..., m, size], m > 0
    """
    import torch

    gram = (states @ states.mT).cpu().double()
    values, vectors = torch.linalg.eigh(gram)
    top, first = values[..., -1].clamp_min(0), vectors[..., -1]
    m = states.shape[-2]
    energy = gram.diagonal(dim1=-2, dim2=-1).sum(-1)
    variance = energy / m - gram.sum(dim=(-2, -1)) / m**2
    along = top * (1 / m - first.mean(-1) ** 2)
    # Identical states differ by rounding only, which is not variance.
    released = torch.where(variance > 1e-6 * energy / m, along.clamp_min(0) / variance, torch.nan)
    mev = torch.where(energy > 0, top / energy, torch.nan)
    return Explained(mev.numpy(), released.numpy())


def iso_score(covariance: ArrayLike) -> Floats:
    """How uniformly a cloud of points uses all dimensions, from 0 (one) to 1 (all alike); rotation-invariant.

    Rudman et al. (Findings of ACL 2022), section 4: variances along the principal components, scaled to norm
    sqrt(n); their distance from (1, ..., 1) gives the isotropy defect, and that the share of dimensions used.

    Shapes:
        covariance: [..., n, n], n > 1; returns [...]
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    n = matrix.shape[-1]
    variances = np.clip(np.linalg.eigvalsh(matrix), 0, None)
    scaled = np.sqrt(n) * variances / np.linalg.norm(variances, axis=-1, keepdims=True)
    defect = np.linalg.norm(scaled - 1, axis=-1) / np.sqrt(2 * (n - np.sqrt(n)))
    used = (n - defect**2 * (n - np.sqrt(n))) ** 2 / n**2
    return np.asarray((n * used - 1) / (n - 1))


class Rogue(NamedTuple):
    """Anisotropy of a sample of states when dimensions that dominate the cosine are taken out, each [layers].

    Attributes:
        whole: mean cosine of all pairs.
        without: without the k dimensions that contribute most, by k.
        standardized: with every dimension to mean 0 and variance 1.
    """

    whole: Floats
    without: dict[int, Floats]
    standardized: Floats


def without_rogue(
    states: NDArray[np.floating[Any]],
    contributions: Floats,
    mean: Floats,
    deviation: Floats,
    *,
    removed: Iterable[int] = (1, 3),
) -> Rogue:
    """Mean cosine with rogue dimensions removed, and with all standardised (Timkey and van Schijndel 2021).

    Shapes:
        states: [states, layers, size]; contributions, mean, deviation: [layers, size]
    """
    order = np.argsort(-contributions, axis=-1)

    def mean_cosine(values: Floats) -> Floats:
        norms = np.linalg.norm(values, axis=-1, keepdims=True)
        return mean_pairwise_cosine((values / np.where(norms > 0, norms, 1)).sum(axis=0), len(values))

    values = states.astype(np.float64)
    without = {}
    for k in removed:
        kept = values.copy()
        for layer, dimensions in enumerate(order[:, :k]):
            kept[:, layer, dimensions] = 0
        without[k] = mean_cosine(kept)
    scale = np.where(deviation > 0, deviation, 1)
    return Rogue(mean_cosine(values), without, mean_cosine((values - mean) / scale))


def bootstrap_means(values: Floats, *, resamples: int = 1_000, seed: int = 0) -> Floats:
    """Means of the columns over resamples of the rows, drawn as by ``analyses.bootstrap``; NaN is no value.

    Shapes:
        values: [items, columns]; returns [resamples, columns]
    """
    there = np.isfinite(values)
    both = np.concatenate([np.where(there, values, 0), there], axis=1)
    sums = resampled_sums(both.T, resamples=resamples, seed=seed).T
    with np.errstate(invalid="ignore"):
        return sums[:, : values.shape[1]] / sums[:, values.shape[1] :]
