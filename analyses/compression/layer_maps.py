"""How alike the layers of two models are: rank correlation of their impacts, and alignment of their kernels.

Kornblith et al. (ICML 2019), "Similarity of Neural Network Representations Revisited"; Nguyen et al. (ICLR 2021)
for the estimate without bias; Jiao et al. (2020), "TinyBERT", for the uniform map of layers.

>>> import numpy as np
>>> from analyses.compression.layer_maps import gram, linear_cka, uniform_layer
>>> states = np.random.default_rng(0).normal(size=(1, 50, 8))
>>> turned = states @ np.linalg.qr(states[0, :8])[0]  # another basis
>>> round(float(linear_cka(gram(states), gram(turned))[0, 0]), 6)
1.0
>>> [uniform_layer(m, 6, 12) for m in range(7)]
[0, 2, 4, 6, 8, 10, 12]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analyses.intervals import Interval

Floats = NDArray[np.float64]
GROUPS = 20
"""Of sentences, that the jackknife leaves out in turn."""
_NORMAL = 1.959964


def uniform_layer(layer: int, n_layers: int, n_others: int) -> int:
    """The layer of a model of ``n_others`` that TinyBERT's uniform map gives a layer, g(m) = m N / M, rounded."""
    return round(layer * n_others / n_layers)


def rank_correlations(first: ArrayLike, second: ArrayLike) -> Floats:
    """Spearman's correlation of the impacts of one sentence, for every pair of layers.

    The cells off the diagonal are compared: what each word does to each other one.

    Shapes:
        first: [a, n, n]; second: [b, n, n], of the same words; returns [a, b], NaN where the impacts of a layer
        are all the same, as those below three words may be

    Raises:
        ValueError: the shapes do not fit.
    """
    from scipy.stats import rankdata  # type: ignore[import-untyped]

    both = [np.asarray(each, dtype=np.float64) for each in (first, second)]
    n = both[0].shape[-1]
    if any(each.ndim != 3 or each.shape[1:] != (n, n) for each in both):
        raise ValueError(f"expected [layers, n, n] twice, found {both[0].shape} and {both[1].shape}")
    off = ~np.eye(n, dtype=bool)
    scaled = []
    for each in both:
        ranks = rankdata(each[:, off], axis=1)
        centred = ranks - ranks.mean(axis=1, keepdims=True)
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        scaled.append(np.divide(centred, norms, out=np.full_like(centred, np.nan), where=norms > 0))
    return np.asarray(np.clip(scaled[0] @ scaled[1].T, -1, 1))


def gram(states: ArrayLike) -> Floats:
    """The linear kernel of the states of each layer, its mean taken off first.

    Shapes:
        states: [layers, n, size]; returns [layers, n, n]
    """
    values = np.asarray(states, dtype=np.float64)
    values = values - values.mean(axis=1, keepdims=True)
    return np.asarray(values @ values.swapaxes(1, 2))


def linear_cka(first: Floats, second: Floats) -> Floats:
    """Linear centred kernel alignment of every pair of layers, the estimate without bias.

    The plain estimate is near 1 for any states of more dimensions than words; this one is 0 on average for states
    that have nothing in common, and can be below 0 (Song et al. 2012, equation 5; Nguyen et al. 2021, equation 3).

    Shapes:
        first: [a, n, n]; second: [b, n, n], of ``gram``, n > 3; returns [a, b], NaN where the states of a layer
        are all the same

    Raises:
        ValueError: the shapes do not fit, or n is below 4.
    """
    n = first.shape[-1]
    if n < 4 or first.shape[1:] != (n, n) or second.shape[1:] != (n, n):
        raise ValueError(f"expected [layers, n, n] twice, n > 3, found {first.shape} and {second.shape}")
    own = [np.sqrt(np.maximum(_hsic(each, each, paired=True), 0)) for each in (first, second)]
    scale = own[0][:, None] * own[1][None, :]
    found = _hsic(first, second)
    return np.asarray(np.divide(found, scale, out=np.full_like(found, np.nan), where=scale > 0))


def _hsic(first: Floats, second: Floats, *, paired: bool = False) -> Floats:
    """Song et al. (2012), equation 5, of all pairs of layers, or of each layer with its like."""
    n = first.shape[-1]
    off = ~np.eye(n, dtype=bool)
    a, b = ((each * off).reshape(len(each), -1) for each in (first, second))
    rows = [each.reshape(len(each), n, n).sum(axis=1) for each in (a, b)]
    totals = [each.sum(axis=1) for each in rows]
    if paired:
        cross, inner, product = (a * b).sum(axis=1), (rows[0] * rows[1]).sum(axis=1), totals[0] * totals[1]
    else:
        cross, inner, product = a @ b.T, rows[0] @ rows[1].T, np.outer(*totals)
    return np.asarray((cross + product / ((n - 1) * (n - 2)) - 2 * inner / (n - 2)) / (n * (n - 3)))


def cka_errors(first: Floats, second: Floats, group_of: ArrayLike) -> tuple[Floats, Floats]:
    """The alignment of every pair of layers, and its standard error by leaving groups of sentences out in turn.

    The delete-a-group jackknife (Efron and Tibshirani 1993, chapter 11); a bootstrap would draw words twice, and
    those agree with themselves.

    Args:
        first, second: as for ``linear_cka``.
        group_of: int [n], the group of each word.

    Returns:
        Two arrays [a, b]; the errors are NaN of fewer than two groups, or where too few words are left.
    """
    groups = np.asarray(group_of)
    names = np.unique(groups)
    found = linear_cka(first, second)
    left = [np.flatnonzero(groups != name) for name in names]
    if len(names) < 2 or min(map(len, left)) < 4:
        return found, np.full_like(found, np.nan)
    each = np.array([linear_cka(first[:, at][:, :, at], second[:, at][:, :, at]) for at in left])
    errors = np.sqrt((len(names) - 1) * each.var(axis=0))
    return found, np.asarray(errors)


def cka_interval(value: float, error: float) -> Interval | None:
    """The 95% interval of an alignment, 1 at most, with this standard error; None where that is not known."""
    if not np.isfinite(error):
        return None
    return Interval(value - _NORMAL * error, min(1.0, value + _NORMAL * error))


def nearest(similarity: Floats, *, but_itself: bool = False) -> NDArray[np.int64]:
    """For each row the column of the highest value, -1 for rows of NaN.

    Args:
        similarity: [a, b].
        but_itself: whether the column of the same number does not count.
    """
    values = np.where(np.isfinite(similarity), similarity, -np.inf)
    if but_itself:
        np.fill_diagonal(values, -np.inf)
    best = values.argmax(axis=1)
    return np.where(np.isneginf(values.max(axis=1)), -1, best).astype(np.int64)
