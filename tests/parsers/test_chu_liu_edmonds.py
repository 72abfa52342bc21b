"""The Chu-Liu-Edmonds decoder against all arborescences of few words, and against networkx on longer ones."""

import doctest
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from parsers import _chu_liu_edmonds, chu_liu_edmonds, chu_liu_edmonds_many, eisner
from tests.parsers.test_eisner import ALL_DRAWS, spoil_ignored
from tests.trees import all_trees, exact_total, is_tree, totals

Floats = NDArray[np.float64]


@pytest.mark.parametrize("kind", ALL_DRAWS)
@pytest.mark.parametrize("n", range(1, 6))
@pytest.mark.parametrize("single_root", [True, False])
def test_best_of_all_arborescences(kind: str, n: int, single_root: bool) -> None:
    matrices = ALL_DRAWS[kind](np.random.default_rng(n), (60, n + 1, n + 1))
    trees = all_trees(n, single_root=single_root, projective=False)
    for scores, heads in zip(
        matrices, chu_liu_edmonds_many(list(spoil_ignored(matrices)), single_root=single_root), strict=True
    ):
        assert heads.dtype == np.int64
        assert (trees == heads).all(axis=1).any()
        assert totals(scores, heads) == totals(scores, trees).max()


@pytest.mark.parametrize("kind", ALL_DRAWS)
@pytest.mark.parametrize("n", range(1, 6))
def test_best_of_all_arborescences_with_a_given_root(kind: str, n: int) -> None:
    matrices = ALL_DRAWS[kind](np.random.default_rng(n), (20, n + 1, n + 1))
    for root in range(1, n + 1):
        trees = all_trees(n, single_root=True, projective=False)
        trees = trees[trees[:, root - 1] == 0]
        for scores in matrices:
            scores[0] = 0.0  # so that the sums of a tree and of the reference round alike
            spoilt = scores.copy()
            spoilt[0] = spoilt[:, root] = -np.inf  # not read where the root is given
            heads = chu_liu_edmonds(spoilt, root)
            assert (trees == heads).all(axis=1).any()
            assert totals(scores, heads) == totals(scores, trees).max()


any_scores = st.integers(1, 4).flatmap(
    lambda n: arrays(
        np.float64,
        (n + 1, n + 1),
        elements=st.one_of(
            st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from([0.0, 1.0, -1.0, 1e300, -1e300, 1e-300, 5e-324, np.finfo(np.float64).max]),
        ),
    )
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(scores=any_scores, single_root=st.booleans())
def test_exact_for_any_finite_scores(scores: Floats, single_root: bool) -> None:
    trees = all_trees(len(scores) - 1, single_root=single_root, projective=False)
    heads = chu_liu_edmonds(scores, single_root=single_root)
    assert (trees == heads).all(axis=1).any()
    assert exact_total(scores, heads) == max(exact_total(scores, tree) for tree in trees)


def test_a_difference_that_float64_sums_lose_still_decides() -> None:
    scores = np.full((4, 4), 1e300)
    scores[2, 3] = np.nextafter(1e300, np.inf)
    scores[1, 2] = 1e-300
    scores[3, 2] = 2e-300
    trees = all_trees(3, single_root=True, projective=False)
    best = max(exact_total(scores, tree) for tree in trees)
    assert exact_total(scores, chu_liu_edmonds(scores)) == best
    # Word 1 is the root: 2 -> 3 needs 1 -> 2, and otherwise 3 -> 2 is better than 1 -> 2 by 1e-300.
    assert chu_liu_edmonds(scores, root=1).tolist() == [0, 1, 2]
    scores[2, 3] = 1e300
    assert chu_liu_edmonds(scores, root=1).tolist() == [0, 3, 1]


@pytest.mark.parametrize("n", range(10, 31, 4))
def test_networkx_finds_no_better_tree(n: int) -> None:
    networkx: Any = pytest.importorskip("networkx")
    rng = np.random.default_rng(n)
    shape = (n + 1, n + 1)
    for scores in (rng.random(shape), rng.normal(size=shape), rng.random(shape) ** 9):
        graph = networkx.DiGraph()
        graph.add_weighted_edges_from(
            (h, d, scores[h, d]) for h in range(n + 1) for d in range(1, n + 1) if h != d
        )
        tree = networkx.maximum_spanning_arborescence(graph)
        expected = [next(iter(tree.pred[d])) for d in range(1, n + 1)]
        assert chu_liu_edmonds(scores, single_root=False).tolist() == expected


def test_single_root_is_the_best_of_all_given_roots() -> None:
    rng = np.random.default_rng(5)
    for n in (8, 15, 23):
        scores = rng.normal(size=(n + 1, n + 1)) + 2 * (np.arange(n + 1) == 0)[:, np.newaxis]
        heads = chu_liu_edmonds(scores)
        assert is_tree(heads)
        assert (heads == 0).sum() == 1
        rooted = [chu_liu_edmonds(scores, root) for root in range(1, n + 1)]
        best = max(rooted, key=lambda tree: exact_total(scores, tree))
        assert heads.tolist() == best.tolist()
        assert exact_total(scores, heads) >= exact_total(scores, eisner(scores))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("single_root", [True, False])
def test_large_scores_overflow_nowhere(single_root: bool) -> None:
    largest = np.finfo(np.float64).max
    for scores in (np.full((4, 4), 1e307), np.full((4, 4), largest), np.where(np.eye(4), -largest, largest)):
        together = list(chu_liu_edmonds_many([scores] * 6, single_root=single_root))
        alone = chu_liu_edmonds(scores, single_root=single_root)
        assert all((heads == alone).all() for heads in together)
    signs = np.random.default_rng(0).choice([-largest, largest], (6, 5, 5))
    for heads in chu_liu_edmonds_many(list(signs), single_root=single_root):
        assert is_tree(heads)


def test_nested_cycles() -> None:
    # 1 <-> 2 is the best cycle, {1, 2} <-> 3 the next, {1, 2, 3} <-> 4 the last; ROOT enters at 4.
    scores = np.zeros((5, 5))
    scores[1, 2] = scores[2, 1] = 10
    scores[3, 1] = scores[2, 3] = 8
    scores[4, 3] = scores[1, 4] = 6
    scores[0, 4] = 1
    # 0 -> 4 -> 3 -> 1 -> 2: 1 + 6 + 8 + 10
    assert chu_liu_edmonds(scores).tolist() == [3, 1, 4, 0]
    assert chu_liu_edmonds(scores, single_root=False).tolist() == [3, 1, 4, 0]


def test_relabelled_words_give_the_relabelled_tree() -> None:
    rng = np.random.default_rng(6)
    for n in (3, 9, 25):
        scores = rng.normal(size=(n + 1, n + 1))
        old = np.concatenate([[0], 1 + rng.permutation(n)])  # [new label] -> old label
        new = np.argsort(old)
        heads, relabelled = chu_liu_edmonds(scores), chu_liu_edmonds(scores[np.ix_(old, old)])
        assert relabelled.tolist() == new[heads[old[1:] - 1]].tolist()


def test_scores_are_head_by_dependent() -> None:
    for tree in all_trees(4, single_root=True, projective=False):
        scores = np.zeros((5, 5))
        scores[tree, np.arange(1, 5)] = 1.0
        assert chu_liu_edmonds(scores).tolist() == tree.tolist()


def test_ties_are_broken_the_same_way_every_time() -> None:
    assert chu_liu_edmonds(np.zeros((5, 5)), single_root=False).tolist() == [0, 0, 0, 0]
    # 1 takes 2 and 2 takes 1; into {1, 2} comes 3, which takes 1; then 4; ROOT enters at 1.
    assert chu_liu_edmonds(np.zeros((5, 5))).tolist() == [0, 1, 1, 1]
    assert chu_liu_edmonds(np.full((5, 5), -7e250)).tolist() == [0, 1, 1, 1]


def test_many_equals_one_by_one() -> None:
    rng = np.random.default_rng(7)
    sizes = rng.integers(2, 15, 100)
    matrices = [rng.integers(-1, 2, (size, size)) for size in sizes]
    roots = [int(rng.integers(1, size)) if size % 2 else None for size in sizes]
    together = chu_liu_edmonds_many(matrices, roots)
    alone = [chu_liu_edmonds(matrix, root) for matrix, root in zip(matrices, roots, strict=True)]
    assert [heads.tolist() for heads in together] == [heads.tolist() for heads in alone]
    assert chu_liu_edmonds_many([]) == []


def test_the_input_is_left_alone() -> None:
    scores = np.random.default_rng(8).random((6, 6), dtype=np.float32)
    before = scores.copy()
    chu_liu_edmonds(scores, root=2)
    assert (scores == before).all()


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"scores: expected shape .* got \[2, 3\]"):
        chu_liu_edmonds(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"scores\[1, 2\]: expected a finite score, got inf"):
        chu_liu_edmonds(np.array([[0, 0, 0], [0, 0, np.inf], [0, 0, 0]]))
    with pytest.raises(ValueError, match=r"expected a root in 1\.\.2, got 3"):
        chu_liu_edmonds(np.zeros((3, 3)), 3)
    with pytest.raises(ValueError, match=r"root=1 needs single_root=True"):
        chu_liu_edmonds(np.zeros((3, 3)), 1, single_root=False)
    with pytest.raises(ValueError, match=r"matrices\[0\]: expected shape .* got \[1, 1\]"):
        chu_liu_edmonds_many([np.zeros((1, 1))])
    with pytest.raises(ValueError, match=r"roots: expected one for each of the 1 matrices, got 0"):
        chu_liu_edmonds_many([np.zeros((2, 2))], [])


def test_docstring_examples() -> None:
    result = doctest.testmod(_chu_liu_edmonds)
    assert result.attempted > 0
    assert result.failed == 0
