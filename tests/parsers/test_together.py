"""Many sentences decoded together have the trees that each of them has alone, ties included."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import parsers
from parsers import _batches, _eisner
from parsers._arborescences import clear_trees
from parsers._scores import check_many
from tests.binary_trees import all_binary_trees, indicator
from tests.draws import DRAWS
from tests.trees import all_trees

Floats = NDArray[np.float64]


def heads(found: Sequence[NDArray[np.int64]]) -> list[list[int]]:
    return [tree.tolist() for tree in found]


# Together, alone, and the shape of the scores of n words.
Decoder = tuple[
    Callable[[Sequence[Floats]], list[Any]], Callable[[Floats], Any], Callable[[int], tuple[int, int]]
]
DECODERS: dict[str, Decoder] = {
    "eisner": (
        lambda found: heads(parsers.eisner_many(found)),
        lambda scores: parsers.eisner(scores).tolist(),
        lambda n: (n + 1, n + 1),
    ),
    "eisner, any roots": (
        lambda found: heads(parsers.eisner_many(found, single_root=False)),
        lambda scores: parsers.eisner(scores, single_root=False).tolist(),
        lambda n: (n + 1, n + 1),
    ),
    "cle": (
        lambda found: heads(parsers.chu_liu_edmonds_many(found)),
        lambda scores: parsers.chu_liu_edmonds(scores).tolist(),
        lambda n: (n + 1, n + 1),
    ),
    "cle, any roots": (
        lambda found: heads(parsers.chu_liu_edmonds_many(found, single_root=False)),
        lambda scores: parsers.chu_liu_edmonds(scores, single_root=False).tolist(),
        lambda n: (n + 1, n + 1),
    ),
    "chart": (parsers.chart_many, parsers.chart, lambda n: (n, n + 1)),
    "top-down": (parsers.top_down_many, parsers.top_down, lambda n: (n, n + 1)),
    "mart": (parsers.mart_many, parsers.mart, lambda n: (n, n)),
    "mart, released": (
        lambda found: parsers.mart_many(found, "released"),
        lambda scores: parsers.mart(scores, "released"),
        lambda n: (n, n),
    ),
}


@pytest.mark.parametrize("decoder", DECODERS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=30),
    kinds=st.lists(st.sampled_from(sorted(DRAWS)), min_size=1, max_size=3),
    entries=st.sampled_from([300, 2**18]),
    seed=st.integers(0, 2**32 - 1),
)
def test_batches_of_mixed_lengths(
    decoder: str, sizes: list[int], kinds: list[str], entries: int, seed: int
) -> None:
    together, alone, shape = DECODERS[decoder]
    rng = np.random.default_rng(seed)
    matrices = [DRAWS[kinds[k % len(kinds)]](rng, shape(n)) for k, n in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_batches, "BATCH_ENTRIES", entries)
        assert together(matrices) == [alone(matrix) for matrix in matrices]


@pytest.mark.parametrize("n", range(1, 7))
def test_all_dependency_trees(n: int) -> None:
    """Each tree from the scores that have 1 for its arcs; between these and no others everything ties."""
    for projective, decode in ((True, parsers.eisner_many), (False, parsers.chu_liu_edmonds_many)):
        trees = all_trees(n, single_root=True, projective=projective)
        scores = np.zeros((len(trees), n + 1, n + 1))
        np.put_along_axis(scores[:, :, 1:], trees[:, np.newaxis], 1.0, axis=1)
        assert heads(decode(list(scores))) == trees.tolist()
        # With the arcs of every other word alone, the rest of the tree is ties.
        scores[:, :, ::2] = 0.0
        few = scores[:: max(1, len(trees) // 60)]
        single = parsers.eisner if projective else parsers.chu_liu_edmonds
        assert heads(decode(list(few))) == [single(each).tolist() for each in few]


@pytest.mark.parametrize("decode", [parsers.chart_many, parsers.top_down_many])
@pytest.mark.parametrize("n", range(1, 7))
def test_all_binary_trees(n: int, decode: Callable[[Sequence[Floats]], list[parsers.Bracketing]]) -> None:
    scores = indicator(n) + np.eye(n, n + 1, k=1)  # single words, which `top_down` reads
    assert [tree.spans for tree in decode(list(scores))] == list(all_binary_trees(n))


@pytest.mark.parametrize("kind", DRAWS)
def test_splits_are_followed_alike_together_and_in_turn(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    matrices = [DRAWS[kind](rng, (n, n)) for n in rng.integers(2, 25, 60).tolist()]
    together = heads(parsers.eisner_many(matrices))
    monkeypatch.setattr(_eisner, "_TOGETHER", 10**9)
    assert heads(parsers.eisner_many(matrices)) == together


def clear(matrices: Sequence[Floats], *, single_root: bool = True) -> list[NDArray[np.int64] | None]:
    return clear_trees(*check_many(matrices, None, single_root=single_root), single_root)


@pytest.mark.parametrize("single_root", [True, False])
def test_trees_are_clear_but_for_ties(single_root: bool) -> None:
    rng = np.random.default_rng(10)
    plain = [rng.normal(size=(n + 1, n + 1)) for n in (1, 2, 3, 9, 22, 60, 100)]
    assert all(tree is not None for tree in clear(plain, single_root=single_root))
    assert clear([np.zeros((4, 4))], single_root=single_root) == [None]
    assert clear([1e300 * plain[3]], single_root=single_root) == [None]  # too large to be sure


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(2, 9), digits=st.integers(0, 17), single_root=st.booleans(), seed=st.integers(0, 2**32 - 1)
)
def test_a_clear_tree_is_the_exact_one(n: int, digits: int, single_root: bool, seed: int) -> None:
    """Whole numbers that tie, and noise that decides in the given digit."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(20, n + 1, n + 1)) * 10.0**-digits
    matrices = list(rng.integers(-1, 2, noise.shape) + noise)
    for scores, tree in zip(matrices, clear(matrices, single_root=single_root), strict=True):
        exact = parsers.chu_liu_edmonds(scores, single_root=single_root)
        assert tree is None or tree.tolist() == exact.tolist()
