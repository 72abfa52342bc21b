"""Bootstrap: agreement with a naive loop, coverage, and the paired test."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analyses import Interval, PairedResult, bootstrap, paired_bootstrap, paired_t
from analyses.intervals import percent_interval


def corpus(n: int, rate: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Correct and all arcs of n sentences; arcs are correct with probability rate."""
    rng = np.random.default_rng(seed)
    total = rng.integers(1, 30, size=n)
    return rng.binomial(total, rate), total


def naive_ratios(numerator: list[int], denominator: list[int], resamples: int, seed: int) -> list[float]:
    """Resample sentence by sentence, on the same draws."""
    rng = np.random.default_rng(seed)
    ratios = []
    for _ in range(resamples):
        top = bottom = 0
        for index in rng.integers(len(numerator), size=len(numerator)):
            top += numerator[index]
            bottom += denominator[index]
        ratios.append(top / bottom)
    return ratios


def test_bootstrap_equals_a_naive_loop() -> None:
    numerator, denominator = corpus(40, 0.4, seed=1)
    ratios = naive_ratios(numerator.tolist(), denominator.tolist(), resamples=300, seed=7)
    interval = bootstrap(numerator, denominator, resamples=300, seed=7, confidence=0.9)
    assert interval == Interval(*np.quantile(ratios, (0.05, 0.95)).tolist())
    assert interval == bootstrap(numerator, denominator, resamples=300, seed=7, confidence=0.9)
    assert interval != bootstrap(numerator, denominator, resamples=300, seed=8, confidence=0.9)


def test_sentences_without_scored_words_change_nothing() -> None:
    numerator, denominator = corpus(40, 0.4, seed=2)
    padded = bootstrap(np.append(numerator, [0, 0]), np.append(denominator, [0, 0]), resamples=50)
    assert padded == bootstrap(numerator, denominator, resamples=50)


def test_interval_covers_the_true_rate_about_as_often_as_stated() -> None:
    covered = 0
    for trial in range(200):
        numerator, denominator = corpus(100, 0.4, seed=trial)
        interval = bootstrap(numerator, denominator, resamples=200, seed=trial)
        covered += interval.low <= 0.4 <= interval.high
    assert 180 <= covered <= 198


def test_one_sentence_gives_a_point() -> None:
    assert bootstrap([3], [4]) == Interval(0.75, 0.75)
    result = paired_bootstrap([3], [1], [4])
    assert (result.difference, result.interval, result.p_value) == (0.5, Interval(0.5, 0.5), 1.0)


def test_paired_bootstrap_equals_a_naive_loop() -> None:
    numerator_a, denominator = corpus(40, 0.45, seed=3)
    numerator_b = np.random.default_rng(4).binomial(denominator, 0.4)
    ratios_a = naive_ratios(numerator_a.tolist(), denominator.tolist(), resamples=300, seed=5)
    ratios_b = naive_ratios(numerator_b.tolist(), denominator.tolist(), resamples=300, seed=5)
    differences = [a - b for a, b in zip(ratios_a, ratios_b, strict=True)]
    observed = (numerator_a.sum() - numerator_b.sum()) / denominator.sum()
    mean = sum(differences) / len(differences)
    extreme = sum(abs(difference - mean) >= abs(observed) for difference in differences)

    result = paired_bootstrap(numerator_a, numerator_b, denominator, resamples=300, seed=5)
    assert result.difference == pytest.approx(observed)
    assert [result.interval.low, result.interval.high] == pytest.approx(
        np.quantile(differences, (0.025, 0.975)).tolist()
    )
    assert result.p_value == (1 + extreme) / 301
    assert 1 / 301 < result.p_value < 1

    swapped = paired_bootstrap(numerator_b, numerator_a, denominator, resamples=300, seed=5)
    assert (swapped.difference, swapped.p_value) == (-result.difference, result.p_value)


def test_paired_bootstrap_at_the_extremes() -> None:
    numerator, denominator = corpus(60, 0.4, seed=6)
    same = paired_bootstrap(numerator, numerator, denominator)
    assert (same.difference, same.interval, same.p_value) == (0.0, Interval(0.0, 0.0), 1.0)
    far = paired_bootstrap(denominator, numerator, denominator)
    assert far.p_value == 1 / 1001
    assert far.interval.low > 0.5


def test_paired_p_value_is_rarely_small_between_equal_systems() -> None:
    small = 0
    for trial in range(200):
        numerator_a, denominator = corpus(100, 0.4, seed=trial)
        numerator_b = np.random.default_rng(1000 + trial).binomial(denominator, 0.4)
        result = paired_bootstrap(numerator_a, numerator_b, denominator, resamples=200, seed=trial)
        small += result.p_value < 0.05
    assert 2 <= small <= 20


@pytest.mark.parametrize(
    ("numerator", "denominator", "options", "message"),
    [
        ([0, 0], [0, 0], {}, "at least one sentence with something to score"),
        ([], [], {}, "at least one sentence with something to score"),
        ([1, 1], [0, 2], {}, "numerator 0 wherever the denominator is 0"),
        ([1, 1], [-1, 2], {}, "denominators >= 0"),
        ([1], [1, 2], {}, "two flat arrays of one length"),
        ([np.nan], [1], {}, "finite"),
        ([1], [1], {"resamples": 0}, "at least one resample, found 0"),
        ([1], [1], {"confidence": 95}, "confidence between 0 and 1, found 95"),
    ],
)
def test_bad_input(
    numerator: list[float], denominator: list[float], options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap(numerator, denominator, **options)
    with pytest.raises(ValueError, match=message):
        paired_bootstrap(numerator, numerator, denominator, **options)


def test_paired_t_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t = 2 sqrt(3) with 2 degrees of freedom, where
    # the distribution function is 1/2 + t / (2 sqrt(2 + t^2)) and its .975 quantile 4.302653.
    result = paired_t([11, 22, 33], [10, 20, 30])
    t = 2 * 3**0.5
    assert result.difference == pytest.approx(2)
    assert result.p_value == pytest.approx(1 - t / (2 + t**2) ** 0.5)
    assert result.interval.low == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-5)
    assert result.interval.high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-5)
    swapped = paired_t([10, 20, 30], [11, 22, 33])
    assert swapped.difference == pytest.approx(-2) and swapped.p_value == pytest.approx(result.p_value)


def test_paired_t_without_variation() -> None:
    assert paired_t([1, 2], [1, 2]) == PairedResult(0.0, Interval(0.0, 0.0), 1.0)
    assert paired_t([2, 3], [1, 2]) == PairedResult(1.0, Interval(1.0, 1.0), 0.0)


@pytest.mark.parametrize(
    ("a", "b", "confidence", "message"),
    [
        ([1.0], [2.0], 0.95, "at least 2"),
        ([1.0, 2.0], [2.0], 0.95, "one length"),
        ([1.0, float("nan")], [2.0, 3.0], 0.95, "finite"),
        ([1.0, 2.0], [2.0, 4.0], 1.0, "confidence"),
    ],
)
def test_paired_t_refuses(a: list[float], b: list[float], confidence: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired_t(a, b, confidence=confidence)


def test_a_percent_interval_takes_ten_with_something_to_score() -> None:
    numerator, denominator = [1, 0] * 5, [2] * 10
    found = bootstrap(numerator, denominator, seed=3)
    assert percent_interval(numerator, denominator, seed=3) == Interval(100 * found.low, 100 * found.high)
    assert percent_interval([*numerator[:9], 0, 0], [*denominator[:9], 0, 0]) is None
    assert Interval(1 / 3, 1 / 3 + 1e-16).is_point and not Interval(0.0, 0.1).is_point
