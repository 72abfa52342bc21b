"""The Eisner decoder against all projective trees of few words, its batches against single calls."""

import numpy as np
import pytest
from numpy.typing import NDArray

from parsers import _batches, eisner, eisner_many
from tests.draws import DRAWS, Draw
from tests.trees import all_trees, is_projective, is_tree, totals

Floats = NDArray[np.float64]


def from_root(shape: tuple[int, ...]) -> Floats:
    """Return 1 for the arcs from ROOT and 0 for the others. Shape: [n + 1, 1], to be broadcast."""
    return np.eye(shape[-1], 1)


ALL_DRAWS: dict[str, Draw] = {
    **DRAWS,
    "root arcs attract": lambda rng, shape: rng.random(shape) + 1e6 * from_root(shape),
    "root arcs repel": lambda rng, shape: rng.random(shape) - 1e6 * from_root(shape),
}


def spoil_ignored(matrices: Floats) -> Floats:
    """Put NaN where the decoder may not look."""
    spoilt = matrices.copy()
    spoilt[:, :, 0] = np.nan
    diagonal = np.arange(matrices.shape[-1])
    spoilt[:, diagonal, diagonal] = np.nan
    return spoilt


@pytest.mark.parametrize("kind", ALL_DRAWS)
@pytest.mark.parametrize("n", range(1, 7))
@pytest.mark.parametrize("single_root", [True, False])
def test_best_of_all_projective_trees(kind: str, n: int, single_root: bool) -> None:
    matrices = ALL_DRAWS[kind](np.random.default_rng(n), (60, n + 1, n + 1))
    trees = all_trees(n, single_root=single_root, projective=True)
    for scores, heads in zip(
        matrices, eisner_many(list(spoil_ignored(matrices)), single_root=single_root), strict=True
    ):
        assert heads.dtype == np.int64
        assert (trees == heads).all(axis=1).any()
        best = totals(scores, trees).max()
        np.testing.assert_allclose(totals(scores, heads), best, rtol=1e-12, atol=1e-14 * np.abs(scores).max())


@pytest.mark.parametrize("kind", ALL_DRAWS)
@pytest.mark.parametrize("n", range(1, 6))
def test_best_of_all_projective_trees_with_a_given_root(kind: str, n: int) -> None:
    matrices = ALL_DRAWS[kind](np.random.default_rng(n), (20, n + 1, n + 1))
    for root in range(1, n + 1):
        trees = all_trees(n, single_root=True, projective=True)
        trees = trees[trees[:, root - 1] == 0]
        for scores in matrices:
            spoilt = scores.copy()
            spoilt[0] = spoilt[:, root] = np.inf  # not read where the root is given
            heads = eisner(spoilt, root)
            assert (trees == heads).all(axis=1).any()
            best = totals(scores, trees).max()
            tolerance = 1e-14 * np.abs(scores).max()
            np.testing.assert_allclose(totals(scores, heads), best, rtol=1e-12, atol=tolerance)


@pytest.mark.parametrize("single_root", [True, False])
def test_sums_of_the_largest_numbers_do_not_overflow(single_root: bool) -> None:
    rng = np.random.default_rng(0)
    trees = all_trees(5, single_root=single_root, projective=True)
    for _ in range(50):
        scores = rng.uniform(-1, 1, (6, 6)) * np.finfo(np.float64).max
        scaled = scores * 2.0**-8
        heads = eisner(scores, single_root=single_root)
        np.testing.assert_allclose(totals(scaled, heads), totals(scaled, trees).max(), rtol=1e-12)


@pytest.mark.parametrize("single_root", [True, False])
def test_a_planted_tree_is_found(single_root: bool) -> None:
    for n in (1, 2, 3, 4, 5):
        for tree in all_trees(n, single_root=single_root, projective=True):
            scores = np.zeros((n + 1, n + 1))
            scores[tree, np.arange(1, n + 1)] = 1.0
            assert eisner(scores, single_root=single_root).tolist() == tree.tolist()


def test_long_sentences_give_single_root_projective_trees() -> None:
    rng = np.random.default_rng(1)
    for n in (40, 97):
        heads = eisner(rng.normal(size=(n + 1, n + 1)))
        assert is_tree(heads)
        assert is_projective(heads)
        assert (heads == 0).sum() == 1


def test_the_mirror_image_of_a_sentence_has_the_mirrored_tree() -> None:
    rng = np.random.default_rng(2)
    for n in (2, 7, 20):
        scores = rng.normal(size=(n + 1, n + 1))
        mirror = np.concatenate([[0], np.arange(n, 0, -1)])
        heads, mirrored = eisner(scores), eisner(scores[np.ix_(mirror, mirror)])
        assert np.where(heads == 0, 0, n + 1 - heads).tolist() == mirrored[::-1].tolist()


def test_ties_go_to_the_smallest_root_and_split() -> None:
    # Root 1; then each span gives its head the nearest dependent, which takes all the words behind it.
    assert eisner(np.zeros((5, 5))).tolist() == [0, 1, 2, 3]
    assert eisner(np.zeros((5, 5)), single_root=False).tolist() == [0, 1, 2, 3]
    # Left of a head, the smallest split is the farthest dependent, and the words between go to the head.
    assert eisner(np.zeros((5, 5)), root=3).tolist() == [3, 3, 0, 3]


@pytest.mark.parametrize("single_root", [True, False])
def test_many_equals_one_by_one(single_root: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_batches, "BATCH_ENTRIES", 1000)  # several batches of one size
    rng = np.random.default_rng(3)
    sizes = rng.integers(2, 15, 150)
    matrices = [rng.integers(-1, 2, (size, size)) * 10.0 ** rng.integers(-300, 308) for size in sizes]
    roots = [int(rng.integers(1, size)) if single_root and size % 2 else None for size in sizes]
    together = eisner_many(matrices, roots, single_root=single_root)
    alone = [eisner(m, root, single_root=single_root) for m, root in zip(matrices, roots, strict=True)]
    assert [heads.tolist() for heads in together] == [heads.tolist() for heads in alone]


def test_many_of_none() -> None:
    assert eisner_many([]) == []


def test_the_input_is_left_alone_and_may_be_a_list_or_float32() -> None:
    scores = np.random.default_rng(4).random((6, 6), dtype=np.float32)
    before = scores.copy()
    heads = eisner(scores, root=2)
    assert (scores == before).all()
    assert eisner(scores.tolist(), root=2).tolist() == heads.tolist()


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (np.zeros((3, 4)), {}, r"scores: expected shape \[n \+ 1, n \+ 1\] .* got \[3, 4\]"),
        (np.zeros(4), {}, r"got \[4\]"),
        (np.zeros((2, 3, 3)), {}, r"got \[2, 3, 3\]"),
        (np.zeros((1, 1)), {}, r"n >= 1 words, got \[1, 1\]"),
        (np.zeros((0, 0)), {}, r"got \[0, 0\]"),
        ([[0, 1, np.nan], [0, 0, 1], [0, 1, 0]], {}, r"scores\[0, 2\]: expected a finite score, got nan"),
        ([[0, 1, 1], [0, 0, 1], [0, -np.inf, 0]], {}, r"scores\[2, 1\]: expected a finite score, got -inf"),
        (np.zeros((3, 3)), {"root": 0}, r"scores: expected a root in 1\.\.2, got 0"),
        (np.zeros((3, 3)), {"root": 3}, r"expected a root in 1\.\.2, got 3"),
        (np.zeros((3, 3)), {"root": -1}, r"expected a root in 1\.\.2, got -1"),
        (np.zeros((3, 3)), {"root": 1, "single_root": False}, r"root=1 needs single_root=True"),
    ],
)
def test_bad_input(scores: Floats, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eisner(scores, **options)  # type: ignore[arg-type]


def test_bad_input_of_many_names_the_matrix() -> None:
    good = np.zeros((3, 3))
    with pytest.raises(ValueError, match=r"matrices\[1\]: expected shape"):
        eisner_many([good, np.zeros((2, 3))])
    with pytest.raises(ValueError, match=r"matrices\[1\]\[0, 1\]: expected a finite score"):
        eisner_many([good, np.full((3, 3), np.nan)])
    with pytest.raises(ValueError, match=r"matrices\[0\]: expected a root in 1..2, got 5"):
        eisner_many([good, good], [5, None])
    with pytest.raises(ValueError, match=r"roots: expected one for each of the 2 matrices, got 1"):
        eisner_many([good, good], [1])
