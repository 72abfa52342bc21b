"""The chart against all binary trees of up to 8 words, and greedy splitting against its definition."""

import doctest
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from parsers import Bracketing, _batches, _chart, chart, chart_many, top_down, top_down_many
from tests.binary_trees import all_binary_trees, indicator, mirrored, mirrored_scores, splits_of
from tests.draws import DRAWS, Draw

Floats = NDArray[np.float64]
Decode = Callable[[ArrayLike], Bracketing]

ALL_DRAWS: dict[str, Draw] = {
    **DRAWS,
    "heavy-tailed": lambda rng, shape: rng.standard_cauchy(shape),
}
MANY: dict[Decode, Callable[[Sequence[ArrayLike]], list[Bracketing]]] = {
    chart: chart_many,
    top_down: top_down_many,
}


def spoil_ignored(scores: Floats, shortest: int) -> Floats:
    """Put NaN where the decoder may not look. Shape: [..., n, n + 1]."""
    spoilt = scores.copy()
    spoilt[..., np.tri(scores.shape[-2], scores.shape[-1], k=shortest - 1, dtype=np.bool_)] = np.nan
    spoilt[..., 0, -1] = np.nan
    return spoilt


@pytest.mark.parametrize("kind", ALL_DRAWS)
@pytest.mark.parametrize("n", range(1, 9))
def test_best_of_all_binary_trees(kind: str, n: int) -> None:
    matrices = ALL_DRAWS[kind](np.random.default_rng(n), (100, n, n + 1))
    table = indicator(n).copy()
    table[:, 0, -1] = 0.0  # the whole sentence, which is in every tree
    found = chart_many(list(spoil_ignored(matrices, 2)))
    places = {spans: place for place, spans in enumerate(all_binary_trees(n))}
    for scores, tree in zip(matrices, found, strict=True):
        totals = np.tensordot(table, scores, 2)
        tolerance = 1e-14 * n * np.abs(scores).max()
        np.testing.assert_allclose(totals[places[tree.spans]], totals.max(), rtol=0, atol=tolerance)


def test_sums_of_the_largest_numbers_do_not_overflow() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        scores = rng.uniform(-1, 1, (6, 7)) * np.finfo(np.float64).max
        totals = np.tensordot(indicator(6), scores * 2.0**-8, 2)
        place = all_binary_trees(6).index(chart(scores).spans)
        assert totals[place] == pytest.approx(totals.max(), rel=1e-12)
    # Scaled by a power of two, so nothing else changes.
    moderate = rng.normal(size=(9, 10)) * 2.0**890
    for decode in MANY:
        assert decode(moderate) == decode(moderate * 2.0**120) == decode(moderate * 2.0**-120)


@pytest.mark.parametrize("decode", MANY)
def test_a_planted_tree_is_found(decode: Decode) -> None:
    for n in range(1, 8):
        for spans, scores in zip(all_binary_trees(n), indicator(n), strict=True):
            # Single words are in the tree, too, which `top_down` needs to know.
            assert decode(scores + np.eye(n, n + 1, k=1)).spans == spans


def test_a_constant_and_a_positive_factor_do_not_change_the_chart() -> None:
    rng = np.random.default_rng(1)
    for n in (3, 6, 12, 25):
        for _ in range(20):
            scores = rng.normal(size=(n, n + 1))
            assert chart(scores) == chart(scores + 7.0) == chart(3.0 * scores)


@pytest.mark.parametrize("kind", ALL_DRAWS)
@pytest.mark.parametrize("n", range(1, 11))
def test_top_down_splits_each_span_where_its_parts_score_highest(kind: str, n: int) -> None:
    matrices = ALL_DRAWS[kind](np.random.default_rng(n), (50, n, n + 1)) / 4
    for scores, tree in zip(matrices, top_down_many(list(spoil_ignored(matrices, 1))), strict=True):
        for (start, end), split in splits_of(tree.spans, n).items():
            sums = [scores[start, k] + scores[k, end] for k in range(start + 1, end)]
            assert sums[split - start - 1] == max(sums)


@pytest.mark.parametrize("decode", MANY)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 20])
def test_the_mirrored_scores_give_the_mirrored_tree(decode: Decode, n: int) -> None:
    rng = np.random.default_rng(n)
    matrices = [rng.normal(size=(n, n + 1)) for _ in range(100)]
    together = MANY[decode]([*matrices, *map(mirrored_scores, matrices)])
    for tree, other in zip(together[:100], together[100:], strict=True):
        assert mirrored(tree.spans, n) == other.spans


def test_ties_go_to_the_split_nearest_the_middle() -> None:
    rng = np.random.default_rng(2)
    for n in (4, 7, 10):
        for _ in range(60):
            scores = rng.integers(-1, 2, (n, n + 1))
            nearest = nearest_splits(scores)
            for (start, end), split in splits_of(chart(scores).spans, n).items():
                assert split in nearest(start, end)
    assert chart(np.zeros((8, 9))).spans == frozenset(
        {(0, 8), (0, 4), (4, 8), (0, 2), (2, 4), (4, 6), (6, 8)}
    )


def nearest_splits(scores: NDArray[np.int64]) -> Callable[[int, int], set[int]]:
    """The best splits of a span that are nearest its middle, by memoised recursion in whole numbers."""

    @cache
    def best(start: int, end: int) -> Fraction:
        own = Fraction(int(scores[start, end])) if end - start > 1 else Fraction()
        parts = [best(start, k) + best(k, end) for k in range(start + 1, end)]
        return own + max(parts, default=Fraction())

    def nearest(start: int, end: int) -> set[int]:
        values = {k: best(start, k) + best(k, end) for k in range(start + 1, end)}
        tied = [k for k, value in values.items() if value == max(values.values())]
        distance = min(abs(2 * k - start - end) for k in tied)
        return {k for k in tied if abs(2 * k - start - end) == distance}

    return nearest


@pytest.mark.parametrize("decode", MANY)
def test_coins_prefer_no_side(decode: Decode) -> None:
    """All splits of 3 words tie; a fair coin is within .45 and .55 of 2,000 tosses but once in 100,000."""
    flat = [np.full((3, 4), float(value)) for value in np.random.default_rng(3).random(2000)]
    left = np.mean([(0, 2) in tree.spans for tree in MANY[decode](flat)])
    assert 0.45 < left < 0.55


@pytest.mark.parametrize("decode", MANY)
@pytest.mark.parametrize("kind", ["mixed", "tied"])
def test_neither_branching_is_preferred(decode: Decode, kind: str) -> None:
    n, number = 10, 3000
    trees = MANY[decode](list(ALL_DRAWS[kind](np.random.default_rng(4), (number, n, n + 1))))
    right = np.mean([sum((start, n) in tree.spans for start in range(1, n - 1)) for tree in trees])
    left = np.mean([sum((0, end) in tree.spans for end in range(2, n)) for tree in trees])
    assert abs(right - left) / (n - 2) < 0.03


@pytest.mark.parametrize("decode", MANY)
def test_many_equals_one_by_one(decode: Decode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_batches, "BATCH_ENTRIES", 500)  # several batches of one size
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 15, 150)
    matrices = [rng.integers(-1, 2, (n, n + 1)) * 10.0 ** rng.integers(-300, 308) for n in sizes]
    assert MANY[decode](matrices) == [decode(matrix) for matrix in matrices]
    assert MANY[decode]([]) == []


@pytest.mark.parametrize("decode", MANY)
def test_long_sentences(decode: Decode) -> None:
    tree = decode(np.random.default_rng(6).normal(size=(120, 121)))
    assert tree.n == 120 and len(tree.spans) == 119


@pytest.mark.parametrize("decode", MANY)
def test_the_input_is_left_alone_and_may_be_a_list_or_float32(decode: Decode) -> None:
    scores = np.random.default_rng(7).random((6, 7), dtype=np.float32)
    before = scores.copy()
    tree = decode(scores)
    assert (scores == before).all()
    assert decode(scores.tolist()) == tree


@pytest.mark.parametrize("decode", MANY)
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((3, 3)), r"span_scores: expected shape \[n, n \+ 1\] with n >= 1 words, got \[3, 3\]"),
        (np.zeros(4), r"got \[4\]"),
        (np.zeros((2, 3, 4)), r"got \[2, 3, 4\]"),
        (np.zeros((0, 1)), r"got \[0, 1\]"),
        (np.where(np.eye(4, 5, k=2), np.nan, 0), r"span_scores\[0, 2\]: expected a finite score, got nan"),
        (np.where(np.eye(4, 5, k=3), -np.inf, 0), r"span_scores\[0, 3\]: .* got -inf"),
    ],
)
def test_bad_input(decode: Decode, scores: Floats, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(scores)
    with pytest.raises(ValueError, match=message.replace("span_scores", r"matrices\[1\]")):
        MANY[decode]([np.zeros((2, 3)), scores])


def test_scores_of_single_words_are_read_by_top_down_alone() -> None:
    scores = np.zeros((3, 4))
    scores[1, 2] = np.nan
    assert chart(scores).n == 3
    with pytest.raises(ValueError, match=r"span_scores\[1, 2\]: expected a finite score, got nan"):
        top_down(scores)


def test_docstring_examples() -> None:
    result = doctest.testmod(_chart)
    assert result.attempted > 0
    assert result.failed == 0
