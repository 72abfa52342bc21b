"""Both variants of MART against plain loops over their formulas."""

import re
from collections.abc import Callable
from math import exp
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from parsers import Bracketing, _batches, branching, mart, mart_many, wu2020_distances
from parsers._mart import MartVariant
from tests.binary_trees import Spans, all_binary_trees, mirrored, splits_of

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
VARIANTS: tuple[MartVariant, ...] = get_args(MartVariant)

DRAWS: dict[str, Draw] = {
    "uniform": lambda rng, shape: rng.random(shape),
    "impacts": lambda rng, shape: rng.gamma(2.0, 3.0, size=shape),
    "negative": lambda rng, shape: -rng.gamma(2.0, size=shape),
    "mixed": lambda rng, shape: 5 * rng.normal(size=shape),
    "tied": lambda rng, shape: rng.integers(-1, 2, shape).astype(np.float64),
    "large": lambda rng, shape: rng.normal(size=shape) * 1e6,
    "heavy-tailed": lambda rng, shape: np.exp(3 * rng.normal(size=shape)),
}


def draw(kind: str, seed: int, number: int, n: int) -> list[Floats]:
    """Random matrices with a diagonal of 0."""
    matrices = DRAWS[kind](np.random.default_rng(seed), (number, n, n))
    matrices[:, np.arange(n), np.arange(n)] = 0.0
    return list(matrices)


def naive_distances(impact: Floats) -> Floats:
    """1 - softmax of each column, with a diagonal of 0, entry by entry."""
    n = len(impact)
    result = np.zeros((n, n))
    for b in range(n):
        top = max(impact[:, b])
        total = sum(exp(impact[a, b] - top) for a in range(n))
        for a in range(n):
            result[a, b] = 0.0 if a == b else 1 - exp(impact[a, b] - top) / total
    return result


def released_value(d: Floats, k: int) -> float:
    """What the published code minimises over k, for the matrix of one span."""
    m = len(d)
    within = d[:k, :k].sum() / (2 * k) + d[k + 1 :, k + 1 :].sum() / (2 * (m - k))
    return float(within - (d[:k, k + 1 :].sum() + d[k + 1 :, :k].sum()) / (k * (m - k)))


def naive_released(d: Floats, start: int, end: int) -> Spans:
    """The published splits of the words [start, end): left part, then word k and the rest."""
    if end - start < 2:
        return frozenset()
    values = [released_value(d[start:end, start:end], k) for k in range(1, end - start)]
    k = start + 1 + values.index(min(values))
    here = {(start, end)} | ({(k, end)} if end - k > 1 else set())
    return frozenset(here) | naive_released(d, start, k) | naive_released(d, k + 1, end)


def paper_value(impact: Floats, k: int) -> float:
    """What the paper maximises over k, for the matrix of one span."""
    between = np.concatenate([impact[:k, k:].ravel(), impact[k:, :k].ravel()])
    return float(impact[:k, :k].mean() + impact[k:, k:].mean() - between.mean())


def naive_paper(impact: Floats, start: int, end: int) -> Spans:
    """The splits of the words [start, end) as the paper has them, without regard to ties."""
    if end - start < 2:
        return frozenset()
    values = [paper_value(impact[start:end, start:end], k) for k in range(1, end - start)]
    k = start + 1 + int(np.argmax(values))
    return frozenset({(start, end)}) | naive_paper(impact, start, k) | naive_paper(impact, k, end)


@pytest.mark.parametrize("kind", sorted(set(DRAWS) - {"tied", "large"}))
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 13])
def test_both_variants_are_their_formulas(kind: str, n: int) -> None:
    matrices = draw(kind, n, 60, n)
    for impact, tree in zip(matrices, mart_many(matrices, "paper"), strict=True):
        assert tree.spans == naive_paper(impact, 0, n)
    for impact, tree in zip(matrices, mart_many(matrices, "released"), strict=True):
        assert tree.spans == naive_released(naive_distances(impact), 0, n)


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("n", [2, 3, 6, 9])
def test_every_split_of_the_paper_is_a_best_one(kind: str, n: int) -> None:
    matrices = draw(kind, n, 60, n)
    for impact, tree in zip(matrices, mart_many(matrices), strict=True):
        for (start, end), split in splits_of(tree.spans, n).items():
            inside = impact[start:end, start:end]
            best = max(paper_value(inside, k) for k in range(1, end - start))
            tolerance = 1e-13 * np.abs(impact).max()
            assert paper_value(inside, split - start) >= best - tolerance


@pytest.mark.parametrize("n", [3, 5, 8, 11])
def test_the_first_least_value_wins_in_the_released_code(n: int) -> None:
    """A softmax of large impacts is 0 or 1, so sums of distances are whole and ties are exact."""
    matrices = [1e6 * matrix for matrix in draw("large", n, 200, n)]
    ties = 0
    for impact, tree in zip(matrices, mart_many(matrices, "released"), strict=True):
        d = naive_distances(impact)
        assert set(np.unique(d)) <= {0.0, 1.0}
        values = [released_value(d, k) for k in range(1, n)]
        ties += values.count(min(values)) > 1
        assert tree.spans == naive_released(d, 0, n)
    assert ties > 0 or n == 3  # of 3 words the first split has the lower value unless all are 0


def test_the_released_code_splits_every_rest_after_its_first_word() -> None:
    """The output is nothing but (left (word rest)): of 42 trees over 6 words it can give at most 21."""

    def of_the_form(spans: Spans, n: int) -> bool:
        splits = splits_of(spans, n)
        todo = [(0, n)]
        while todo:
            start, end = todo.pop()
            if end - start < 2:
                continue
            k = splits[start, end]
            if end - k > 1 and splits[k, end] != k + 1:
                return False
            todo += [(start, k), (k + 1, end)]
        return True

    assert [sum(of_the_form(spans, n) for spans in all_binary_trees(n)) for n in range(2, 7)] == [
        1, 2, 4, 9, 21,
    ]  # fmt: skip
    for kind in DRAWS:
        assert all(of_the_form(tree.spans, 9) for tree in mart_many(draw(kind, 0, 50, 9), "released"))


def test_equal_impacts_branch_to_the_right_in_the_released_code() -> None:
    """With equal distances c the value of k is c (m / 2 - 4 + 3 / (m - k)), the least at k = 1."""
    for m in range(2, 41):
        c = 1 - 1 / m
        d = c * (1 - np.eye(m))
        expected = [c * (m / 2 - 4 + 3 / (m - k)) for k in range(1, m)]
        np.testing.assert_allclose(
            [released_value(d, k) for k in range(1, m)], expected, rtol=1e-12, atol=1e-12
        )
        assert mart(np.zeros((m, m)), "released") == branching.right_branching(m)


def test_three_words_always_branch_to_the_right_in_the_released_code() -> None:
    for kind in DRAWS:
        for tree in mart_many(draw(kind, 1, 100, 3), "released"):
            assert tree.spans == {(0, 3), (1, 3)}


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 20])
def test_the_mirrored_sentence_has_the_mirrored_tree_in_the_paper(n: int) -> None:
    for kind in ("uniform", "mixed", "heavy-tailed"):
        matrices = draw(kind, n, 50, n)
        reversed_ones = [matrix[::-1, ::-1] for matrix in matrices]
        for tree, other in zip(mart_many(matrices), mart_many(reversed_ones), strict=True):
            assert mirrored(tree.spans, n) == other.spans


def test_coins_prefer_no_side_in_the_paper() -> None:
    """All impacts are equal, so all splits of 3 words tie."""
    flat = [np.full((3, 3), value) for value in np.random.default_rng(2).random(2000)]
    assert 0.45 < np.mean([(0, 2) in tree.spans for tree in mart_many(flat)]) < 0.55


def test_a_positive_factor_does_not_change_the_paper_variant() -> None:
    for impact in draw("mixed", 3, 50, 11):
        assert mart(impact) == mart(7.3 * impact) == mart(2.0**-1000 * impact) == mart(2.0**1000 * impact)


def test_the_largest_impacts_do_not_overflow() -> None:
    for impact in draw("uniform", 4, 20, 8):
        huge = impact * np.finfo(np.float64).max
        assert mart(huge) == mart(impact)
        assert mart(-huge) == mart(-impact)
        assert len(mart(huge, "released").spans) == 7


@pytest.mark.parametrize("kind", DRAWS)
def test_distances(kind: str) -> None:
    for n in (1, 2, 5, 9):
        for impact in draw(kind, n, 20, n):
            found = wu2020_distances(impact)
            np.testing.assert_allclose(found, naive_distances(impact), rtol=0, atol=1e-14)
            # The published code subtracts the maximum of the whole matrix first.
            if kind not in ("large", "heavy-tailed"):
                published = np.exp(impact - impact.max())
                published = 1 - published / published.sum(axis=0)
                np.fill_diagonal(published, 0.0)
                np.testing.assert_allclose(found, published, rtol=0, atol=1e-13)


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_and_two_words(variant: MartVariant) -> None:
    assert mart([[0.0]], variant) == Bracketing(1, frozenset())
    assert mart([[0, -3.0], [2.0, 0]], variant) == Bracketing(2, frozenset({(0, 2)}))


@pytest.mark.parametrize("variant", VARIANTS)
def test_many_equals_one_by_one(variant: MartVariant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_batches, "BATCH_ENTRIES", 500)  # several batches of one size
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 15, 120).tolist()
    matrices = [draw(str(rng.choice(list(DRAWS))), k, 1, n)[0] for k, n in enumerate(sizes)]
    assert mart_many(matrices, variant) == [mart(matrix, variant) for matrix in matrices]
    assert mart_many([], variant) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_diagonal_is_not_read_and_the_input_left_alone(variant: MartVariant) -> None:
    impact = np.random.default_rng(6).random((7, 7), dtype=np.float32)
    np.fill_diagonal(impact, np.nan)
    before = impact.copy()
    tree = mart(impact, variant)
    np.testing.assert_array_equal(impact, before)
    np.fill_diagonal(impact, 0.0)
    assert mart(impact.tolist(), variant) == tree


@pytest.mark.parametrize(
    ("impact", "message"),
    [
        (np.zeros((3, 4)), r"impact: expected shape \[n, n\] with n >= 1 words, got \[3, 4\]"),
        (np.zeros(4), r"got \[4\]"),
        (np.zeros((2, 3, 3)), r"got \[2, 3, 3\]"),
        (np.zeros((0, 0)), r"got \[0, 0\]"),
        ([[0, 1, np.nan], [0, 0, 1], [0, 1, 0]], r"impact\[0, 2\]: expected a finite impact, got nan"),
        ([[0, 1], [-np.inf, 0]], r"impact\[1, 0\]: expected a finite impact, got -inf"),
    ],
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_bad_input(impact: Floats, message: str, variant: MartVariant) -> None:
    with pytest.raises(ValueError, match=message):
        mart(impact, variant)
    with pytest.raises(ValueError, match=message):
        wu2020_distances(impact)
    of_many = re.sub(r"^impact(?=:|\\\[)", r"matrices\\[1\\]", message)
    with pytest.raises(ValueError, match=of_many):
        mart_many([np.zeros((2, 2)), impact], variant)


def test_an_unknown_variant() -> None:
    with pytest.raises(ValueError, match="expected a variant out of paper, released, got 'fair'"):
        mart(np.zeros((2, 2)), "fair")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a variant out of paper, released"):
        mart_many([], "fair")  # type: ignore[arg-type]
