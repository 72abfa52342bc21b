"""Bootstrap intervals and paired significance tests for ratios of sums over sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_UNITS = 10
"""Sentences, documents, items or seeds; of fewer nothing is tested, and there is no interval."""
TOO_FEW = "too few to test"
_DRAWS = 1 << 20
"""Sentences drawn at once: bounds the memory of a bootstrap."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval, in the unit of the statistic it belongs to."""

    low: float
    high: float

    @property
    def is_point(self) -> bool:
        """Whether both ends are the same, as far as a double tells: every resample gave one value."""
        return abs(self.high - self.low) <= 1e-12 * max(1.0, abs(self.low))


@dataclass(frozen=True)
class PairedResult:
    """Difference a - b of two systems on the same sentences, its interval, and the two-sided p-value."""

    difference: float
    interval: Interval
    p_value: float


def p_text(p_value: float) -> str:
    """``p = 0.012``, or ``p < 0.001``, as also for the smallest p-value of 1,000 resamples, 1/1001."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def bootstrap(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of ``sum(numerator) / sum(denominator)`` over sentences.

    Efron and Tibshirani (An Introduction to the Bootstrap, 1993), chapter 13. Resample ``b`` is the ``b``-th
    draw ``rng.integers(n, size=n)`` of ``rng = numpy.random.default_rng(seed)``. A sentence with nothing to
    score (denominator 0) is no part of the n sentences drawn from. Memory is O(sentences + resamples).

    Args:
        numerator: [sentences], for example the correct arcs of each sentence.
        denominator: [sentences], for example all arcs of each sentence; not negative.
        resamples: number of resamples.
        seed: seed of the draws.
        confidence: probability that the interval is to cover, between 0 and 1.

    Raises:
        ValueError: if shapes differ, a value is not finite, every denominator is 0, a denominator is
            negative or is 0 beside a numerator that is not, or an option is out of range.
    """
    top, bottom = _columns(numerator, denominator)
    sums = resampled_sums(np.stack((top, bottom)), resamples=resamples, seed=seed)
    return _percentiles(sums[0] / sums[1], confidence)


def percent_interval(
    numerator: ArrayLike, denominator: ArrayLike, *, resamples: int = 1000, seed: int = 0
) -> Interval | None:
    """95% interval of :func:`bootstrap` in percent; None of fewer than ``MIN_UNITS`` with something to score.

    Raises:
        ValueError: as :func:`bootstrap`.
    """
    found = bootstrap(numerator, denominator, resamples=resamples, seed=seed)
    if np.count_nonzero(np.asarray(denominator)) < MIN_UNITS:
        return None
    return Interval(100 * found.low, 100 * found.high)


def paired_bootstrap(
    numerator_a: ArrayLike,
    numerator_b: ArrayLike,
    denominator: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> PairedResult:
    """Paired bootstrap test of two systems scored on the same sentences (Koehn, EMNLP 2004).

    Both systems are scored on the same resamples, drawn as in :func:`bootstrap`. The interval is the
    percentile interval of the resampled differences. The p-value is two-sided: the resampled differences are
    shifted to mean 0, which is what they would be if the systems were equally good, and the p-value is
    (1 + number of them at least as far from 0 as the observed difference) / (1 + resamples), as in sacrebleu
    (Post, WMT 2018) and Riezler and Maxwell (2005). One sentence shows no variation: the interval is then
    a point and the p-value 1.

    Args:
        numerator_a: [sentences], of system a.
        numerator_b: [sentences], of system b.
        denominator: [sentences], shared by both.
        resamples: number of resamples.
        seed: seed of the draws.
        confidence: probability that the interval is to cover, between 0 and 1.

    Raises:
        ValueError: as :func:`bootstrap`.
    """
    top_a, bottom = _columns(numerator_a, denominator)
    top_b, _ = _columns(numerator_b, denominator)
    # The difference of the ratios is the ratio of the differences, since the denominator is shared.
    sums = resampled_sums(np.stack((top_a - top_b, bottom)), resamples=resamples, seed=seed)
    difference = float((top_a - top_b).sum() / bottom.sum())
    differences = sums[0] / sums[1]
    interval = _percentiles(differences, confidence)
    if len(bottom) == 1:
        return PairedResult(difference, interval, 1.0)
    extreme = np.abs(differences - differences.mean()) >= abs(difference)
    return PairedResult(difference, interval, float((1 + extreme.sum()) / (1 + resamples)))


def paired_t(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> PairedResult:
    """Paired t-test of two systems measured in the same few runs, such as seeds.

    For runs too few to resample: a bootstrap over five values makes the interval too narrow. Student's t on
    the n differences with n - 1 degrees of freedom, two-sided (Dror et al., ACL 2018).

    Args:
        a: [runs], score of system a in each run, at least two.
        b: [runs], of system b in the same runs.
        confidence: probability that the interval is to cover, between 0 and 1.

    Raises:
        ValueError: if shapes differ, a value is not finite, there are fewer than two runs, or ``confidence``
            is out of range.
    """
    from scipy.stats import ttest_1samp  # type: ignore[import-untyped]

    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        raise ValueError(
            f"expected two flat arrays of one length of at least 2, found shapes {first.shape}, {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("expected finite scores")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, found {confidence}")
    differences = first - second
    difference = float(differences.mean())
    if not np.ptp(differences):  # t is 0 / 0 or infinite
        return PairedResult(difference, Interval(difference, difference), float(difference == 0))
    found = ttest_1samp(differences, 0)
    low, high = found.confidence_interval(confidence)
    return PairedResult(difference, Interval(float(low), float(high)), float(found.pvalue))


def _columns(numerator: ArrayLike, denominator: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check the two columns and leave out the sentences that have nothing to score."""
    top = np.asarray(numerator, dtype=np.float64)
    bottom = np.asarray(denominator, dtype=np.float64)
    if top.ndim != 1 or top.shape != bottom.shape:
        raise ValueError(f"expected two flat arrays of one length, found shapes {top.shape}, {bottom.shape}")
    if not (np.isfinite(top).all() and np.isfinite(bottom).all()):
        raise ValueError("expected finite numerators and denominators")
    if (bottom < 0).any() or (top[bottom == 0] != 0).any():
        raise ValueError("expected denominators >= 0, and numerator 0 wherever the denominator is 0")
    if not bottom.any():
        raise ValueError("expected at least one sentence with something to score, found none")
    return top[bottom > 0], bottom[bottom > 0]


def resampled_sums(columns: NDArray[np.float64], *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Sums over resamples, drawn as by :func:`bootstrap`.

    Shapes:
        columns: [k, n], of n sentences or other items; returns [k, resamples]

    Raises:
        ValueError: ``resamples`` is not positive.
    """
    if resamples < 1:
        raise ValueError(f"expected at least one resample, found {resamples}")
    rng = np.random.default_rng(seed)
    n = columns.shape[1]
    step = max(1, _DRAWS // n)
    blocks = []
    for first in range(0, resamples, step):
        rows = min(step, resamples - first)
        draws = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(draws.ravel(), minlength=rows * n).reshape(rows, n)  # draws of each sentence
        blocks.append(columns @ counts.T)
    return np.concatenate(blocks, axis=1)


def _percentiles(values: NDArray[np.float64], confidence: float) -> Interval:
    """Cut the same share off both ends of the resampled values."""
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, found {confidence}")
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return Interval(float(low), float(high))
