"""Baseline trees: hand-worked cases, uniform random trees, the chains on PUD."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from parsers.baselines import adjacent, left_chain, random_projective, right_chain
from tests.trees import all_trees, is_projective, is_tree

Ints = NDArray[np.int64]


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        (left_chain(1), [0]),
        (left_chain(4), [0, 1, 2, 3]),
        (left_chain(4, 1), [0, 1, 2, 3]),
        (left_chain(4, 3), [0, 1, 0, 3]),
        (left_chain(4, 4), [0, 1, 2, 0]),
        (right_chain(1), [0]),
        (right_chain(1, 1), [0]),
        (right_chain(4), [2, 3, 4, 0]),
        (right_chain(4, 4), [2, 3, 4, 0]),
        (right_chain(4, 2), [2, 0, 4, -1]),
        (right_chain(4, 1), [0, 3, 4, -1]),
        (adjacent(1), [0]),
        (adjacent(2), [2, 0]),
        (adjacent(3), [2, 0, 2]),
        (adjacent(4), [2, 3, 0, 3]),
        (adjacent(5), [2, 3, 0, 3, 4]),
        (adjacent(4, 1), [0, 1, 2, 3]),
        (adjacent(4, 4), [2, 3, 4, 0]),
    ],
)
def test_hand_worked(heads: Ints, expected: list[int]) -> None:
    assert heads.dtype == np.int64
    assert heads.tolist() == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(n=st.integers(1, 60), seed=st.integers(0, 2**32), data=st.data())
def test_random_trees_are_projective_and_have_one_root(n: int, seed: int, data: st.DataObject) -> None:
    root = data.draw(st.none() | st.integers(1, n))
    heads = random_projective(n, seed=seed, root=root)
    assert heads.shape == (n,)
    assert heads.dtype == np.int64
    assert is_tree(heads)
    assert is_projective(heads)
    assert (heads == 0).sum() == 1
    assert root is None or heads[root - 1] == 0
    assert heads.tolist() == random_projective(n, seed=seed, root=root).tolist()


@pytest.mark.parametrize(("n", "root"), [(2, None), (3, None), (4, None), (5, None), (4, 2), (5, 1), (5, 3)])
def test_random_trees_are_uniform(n: int, root: int | None) -> None:
    trees = all_trees(n, single_root=True, projective=True)
    if root is not None:
        trees = trees[trees[:, root - 1] == 0]
    rng = np.random.default_rng(0)
    draws = 100 * len(trees)
    counts = Counter(tuple(random_projective(n, seed=rng, root=root).tolist()) for _ in range(draws))
    assert set(counts) == {tuple(tree) for tree in trees.tolist()}
    chi_square = sum((count - 100) ** 2 / 100 for count in counts.values())
    # Mean and standard deviation of chi-square with k degrees of freedom are k and sqrt(2k).
    freedom = len(trees) - 1
    assert chi_square < freedom + 4 * (2 * freedom) ** 0.5


def test_random_trees_of_long_sentences() -> None:
    heads = random_projective(2000, seed=3)
    assert is_tree(heads)
    assert (heads == 0).sum() == 1


def test_a_generator_is_advanced() -> None:
    rng = np.random.default_rng(4)
    first, second = random_projective(30, seed=rng), random_projective(30, seed=rng)
    assert first.tolist() != second.tolist()
    assert first.tolist() == random_projective(30, seed=4).tolist()


def random_tree(n: int, root: int | None) -> Ints:
    """Draw a random tree with the signature of the other baselines."""
    return random_projective(n, seed=0, root=root)


@pytest.mark.parametrize("tree", [left_chain, right_chain, adjacent, random_tree])
def test_bad_input(tree: Callable[[int, int | None], Ints]) -> None:
    with pytest.raises(ValueError, match="n: expected at least 1 word, got 0"):
        tree(0, None)
    for root in (-1, 0, 4):
        with pytest.raises(ValueError, match=rf"root: expected a word in 1\.\.3, got {root}"):
            tree(3, root)


@pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")
def test_chains_on_pud() -> None:
    """UAS of Wu et al. (2020, Table 1 baselines): 35.0 and 10.7 of 21,176 words, the gold root given."""
    text = Path(os.environ["PROBE_DATA"], "ud", "en_pud-wu2020.conllu").read_text(encoding="utf-8")
    right = left = words = 0
    for block in text.strip().split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if not line.startswith("#")]
        gold = np.array([int(row[6]) for row in rows if row[0].isdecimal()])
        root = int(np.argmax(gold == 0)) + 1
        right += int((right_chain(len(gold), root) == gold).sum())
        left += int((left_chain(len(gold), root) == gold).sum())
        words += len(gold)
    assert words == 21176
    assert (round(100 * right / words, 2), round(100 * left / words, 2)) == (35.04, 10.74)
