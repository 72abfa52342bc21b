"""Span scores against plain loops over their definitions, and their invariances."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, permutations, product

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from parsers import Bracketing, chart, chart_many, top_down_many
from parsers.span_scores import block_contrast, neighbour_contrast, row_similarity
from tests.binary_trees import mirrored, mirrored_scores

Floats = NDArray[np.float64]
Score = Callable[[ArrayLike], Floats]
Decode = Callable[[Sequence[ArrayLike]], list[Bracketing]]
SIZES = [1, 2, 3, 4, 7, 10]


def mean(values: Iterable[float]) -> float:
    """Mean, and 0 of nothing."""
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def naive_block(impact: Floats, start: int, end: int) -> float:
    inside = range(start, end)
    outside = [word for word in range(len(impact)) if word not in inside]
    across = [pair for a, b in product(inside, outside) for pair in ((a, b), (b, a))]
    return mean(impact[pair] for pair in permutations(inside, 2)) - mean(impact[pair] for pair in across)


def naive_neighbour(impact: Floats, start: int, end: int) -> float:
    def tie(word: int) -> float:
        return float(impact[word, word + 1] + impact[word + 1, word]) / 2

    contrasts = []
    if start > 0:
        contrasts.append((tie(start) if end - start > 1 else 0.0) - tie(start - 1))
    if end < len(impact):
        contrasts.append((tie(end - 2) if end - start > 1 else 0.0) - tie(end - 1))
    return mean(contrasts)


def naive_row(impact: Floats, start: int, end: int) -> float:
    def distance(a: int, b: int) -> float:
        others = [c for c in range(len(impact)) if c not in (a, b)]
        return float(np.sqrt(mean((impact[a, c] - impact[b, c]) ** 2 for c in others)))

    return -mean(distance(a, b) for a, b in combinations(range(start, end), 2))


NAIVE: dict[Score, Callable[[Floats, int, int], float]] = {
    block_contrast: naive_block,
    neighbour_contrast: naive_neighbour,
    row_similarity: naive_row,
}


def draw(seed: int, n: int) -> Floats:
    return np.random.default_rng(seed).normal(1.0, 3.0, (n, n))


@pytest.mark.parametrize("score", NAIVE)
@pytest.mark.parametrize("n", SIZES)
def test_scores_are_their_definitions(score: Score, n: int) -> None:
    for seed in range(10):
        impact = draw(seed, n)
        expected = np.zeros((n, n + 1))
        for start, end in combinations(range(n + 1), 2):
            expected[start, end] = NAIVE[score](impact, start, end)
        spoilt = impact.copy()
        np.fill_diagonal(spoilt, np.nan)  # is not read
        np.testing.assert_allclose(score(spoilt), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("score", NAIVE)
@pytest.mark.parametrize("n", SIZES)
def test_the_reversed_sentence_has_the_mirrored_scores(score: Score, n: int) -> None:
    for seed in range(40):
        impact = draw(seed, n)
        backwards = score(impact[::-1, ::-1])
        np.testing.assert_allclose(backwards, mirrored_scores(score(impact)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("decode", [chart_many, top_down_many])
@pytest.mark.parametrize(
    "score", [block_contrast, row_similarity]
)  # neighbour contrasts cancel, so trees tie
@pytest.mark.parametrize("n", SIZES)
def test_the_reversed_sentence_has_the_mirrored_tree(decode: Decode, score: Score, n: int) -> None:
    impacts = [draw(seed, n) for seed in range(40)]
    trees = decode([score(impact) for impact in impacts])
    backwards = decode([score(impact[::-1, ::-1]) for impact in impacts])
    for tree, other in zip(trees, backwards, strict=True):
        assert mirrored(tree.spans, n) == other.spans


@pytest.mark.parametrize("score", NAIVE)
def test_invariances(score: Score) -> None:
    n = 8
    impact = draw(0, n)
    scores = score(impact)
    inner = np.tri(n, n + 1, k=1) == 0  # spans of more than one word
    inner[0, n] = False
    shifted = score(impact + 5.0)
    np.testing.assert_allclose(shifted[inner], scores[inner], rtol=0, atol=1e-12)
    np.testing.assert_allclose(score(3.0 * impact), 3.0 * scores, rtol=1e-12, atol=1e-12)
    transposed = score(impact.T)
    assert np.allclose(transposed, scores) == (score is not row_similarity)
    if score is row_similarity:
        np.testing.assert_allclose(shifted, scores, rtol=0, atol=1e-12)
        column = impact + 4.0 * (np.arange(n) == 2)
        np.testing.assert_allclose(score(column), scores, rtol=0, atol=1e-12)


@pytest.mark.parametrize("score", NAIVE)
def test_what_is_no_span_is_0(score: Score) -> None:
    scores = score(-draw(1, 6))
    below = scores[np.tri(6, 7, dtype=np.bool_)]
    assert (below == 0).all() and not np.signbit(below).any()
    assert score([[3.0]]).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("score", NAIVE)
def test_two_blocks_of_words_become_two_brackets(score: Score) -> None:
    impact = np.full((7, 7), 1.0)
    impact[:3, :3] = impact[3:, 3:] = 9.0
    assert {(0, 3), (3, 7)} <= chart(score(impact)).spans


@pytest.mark.parametrize("score", NAIVE)
def test_bad_input(score: Score) -> None:
    with pytest.raises(ValueError, match=r"impact: expected shape \[n, n\] with n >= 1 words, got \[2, 3\]"):
        score(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"impact\[0, 1\]: expected a finite impact, got nan"):
        score([[0.0, np.nan], [1.0, 0.0]])
    with pytest.raises(ValueError, match="expected impacts below 1e150"):
        score(np.repeat([1.7e308, -1.7e308], 4)[:, np.newaxis] * np.ones(8))
