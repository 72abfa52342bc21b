"""Closed forms against their definitions, on random vectors."""

from itertools import combinations

import numpy as np
import pytest
import torch

from analyses import bootstrap
from analyses.geometry.measures import (
    bootstrap_means,
    explained,
    iso_score,
    maximum_explained,
    mean_pairwise_cosine,
    without_rogue,
)
from analyses.geometry.stream import Blocks
from analyses.geometry.summary import intra_sentence

RNG = np.random.default_rng(3)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def units(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def rotation(size: int) -> np.ndarray:
    return np.linalg.qr(RNG.normal(size=(size, size)))[0]


def test_mean_pairwise_cosine_is_the_mean_over_pairs() -> None:
    x = RNG.normal(size=(7, 5)) + 1
    pairs = np.mean([cosine(a, b) for a, b in combinations(x, 2)])
    found = mean_pairwise_cosine(units(x).sum(axis=0), 7)
    np.testing.assert_allclose(found, pairs)
    turned = units(x @ rotation(5)).sum(axis=0)
    np.testing.assert_allclose(mean_pairwise_cosine(turned, 7), pairs)


def test_mean_pairwise_cosine_of_identical_and_of_single_vectors() -> None:
    x = units(RNG.normal(size=4))
    assert mean_pairwise_cosine(5 * x, 5) == pytest.approx(1)
    assert np.isnan(mean_pairwise_cosine(x, 1))


def test_explained_is_the_share_of_the_first_singular_value() -> None:
    x = torch.from_numpy(RNG.normal(size=(3, 6, 9)) + 0.7).float()
    found = explained(x)
    for values, mev, released in zip(x.double().numpy(), found.mev, found.released, strict=True):
        _, s, vt = np.linalg.svd(values, full_matrices=False)
        assert mev == pytest.approx(s[0] ** 2 / (s**2).sum(), rel=1e-5)
        assert released == pytest.approx((values @ vt[0]).var() / values.var(axis=0).sum(), rel=1e-4)


def test_explained_of_identical_states_and_under_rotation() -> None:
    same = torch.from_numpy(RNG.normal(size=(1, 8))).float().repeat(5, 1)
    assert explained(same).mev == pytest.approx(1)
    assert np.isnan(explained(same).released)
    x = RNG.normal(size=(6, 8)) + 1
    turned = torch.from_numpy(x @ rotation(8)).float()
    np.testing.assert_allclose(explained(turned), explained(torch.from_numpy(x).float()), rtol=1e-4)


@pytest.mark.parametrize("m", [1, 6, 20])
def test_maximum_explained_is_that_of_the_singular_values(m: int) -> None:
    x = torch.from_numpy(RNG.normal(size=(2, 3, m, 9)) + 0.7).float()
    s = np.linalg.svd(x.double().numpy(), compute_uv=False)
    found = maximum_explained(x)
    np.testing.assert_allclose(found, s[..., 0] ** 2 / (s**2).sum(axis=-1), rtol=1e-5)
    np.testing.assert_allclose(found, explained(x).mev, rtol=1e-5)
    assert np.isnan(maximum_explained(torch.zeros(m, 9)))


def test_measures_of_sentences_and_dimensions_are_rotation_invariant() -> None:
    x, turn = RNG.normal(size=(4, 6, 5)) + 0.5, rotation(5)
    for measure in (intra_sentence, maximum_explained):
        before, after = (measure(torch.from_numpy(values).float()) for values in (x, x @ turn))
        np.testing.assert_allclose(after, before, rtol=1e-4)
    states = x.reshape(-1, 5)
    np.testing.assert_allclose(iso_score(np.cov((states @ turn).T)), iso_score(np.cov(states.T)))
    means = units(x).mean(axis=1)[:, None]
    squares, sizes = np.square(means).sum(axis=-1), np.ones(4, dtype=np.int64)
    blocks = [Blocks(sums=values, squares=squares, sizes=sizes) for values in (means, means @ turn)]
    np.testing.assert_allclose(blocks[0].anisotropy(), blocks[1].anisotropy())


def test_intra_sentence_is_the_mean_cosine_with_the_mean() -> None:
    x = RNG.normal(size=(2, 4, 5)) + 0.5
    expected = [np.mean([cosine(word, words.mean(axis=0)) for word in words]) for words in x]
    np.testing.assert_allclose(intra_sentence(torch.from_numpy(x)), expected)


def test_iso_score_by_the_steps_of_the_paper() -> None:
    points = RNG.normal(size=(50, 6)) * [1, 2, 3, 1, 0.5, 4]
    n = 6
    centred = points - points.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2]
    variances = np.cov((centred @ directions.T).T).diagonal()
    scaled = np.sqrt(n) * variances / np.linalg.norm(variances)
    defect = np.linalg.norm(scaled - np.ones(n)) / np.sqrt(2 * (n - np.sqrt(n)))
    used = (n - defect**2 * (n - np.sqrt(n))) ** 2 / n**2
    found = iso_score(np.cov(points.T))
    assert found == pytest.approx((n * used - 1) / (n - 1))
    assert iso_score(np.cov((points @ rotation(n)).T)) == pytest.approx(found)


def test_iso_score_ends_at_0_and_1() -> None:
    np.testing.assert_allclose(
        iso_score(np.stack([np.eye(5), np.diag([1.0, 0, 0, 0, 0])])), [1, 0], atol=1e-9
    )


def blocks_of(vectors: np.ndarray, sizes: list[int]) -> Blocks:
    """``vectors``: a sentence's mean unit vector each, [sentences, layers, size]."""
    parts = np.split(vectors, np.cumsum(sizes)[:-1])
    return Blocks(
        sums=np.stack([part.sum(axis=0) for part in parts]),
        squares=np.stack([(part**2).sum(axis=(0, 2)) for part in parts]),
        sizes=np.array(sizes),
    )


def test_anisotropy_is_the_mean_over_pairs_of_words_of_two_sentences() -> None:
    sentences = [units(RNG.normal(size=(n, 4)) + 0.5) for n in (1, 3, 2, 5)]
    pairs = [(a @ b.T).mean() for a, b in combinations(sentences, 2)]
    means = np.stack([words.mean(axis=0) for words in sentences])[:, None]
    blocks = blocks_of(means, [2, 2])
    np.testing.assert_allclose(blocks.anisotropy(), [np.mean(pairs)])
    contributions = blocks.contributions((means**2).sum(axis=0))
    by_hand = np.mean([a[0] * b[0] for a, b in combinations(means, 2)], axis=0)
    np.testing.assert_allclose(contributions, [by_hand])
    np.testing.assert_allclose(contributions.sum(axis=-1), blocks.anisotropy())


def test_resampled_anisotropy_leaves_out_pairs_of_a_sentence_and_itself() -> None:
    means = RNG.normal(size=(5, 2, 3))
    sizes = [2, 2, 1]
    found = blocks_of(means, sizes).resampled(resamples=4, seed=1)
    rng = np.random.default_rng(1)
    block = np.repeat(np.arange(3), sizes)
    for resample in found:
        drawn = [s for b in rng.integers(3, size=3) for s in np.flatnonzero(block == b)]
        pairs = [(means[s] * means[t]).sum(axis=-1) for s in drawn for t in drawn if s != t]
        np.testing.assert_allclose(resample, np.mean(pairs, axis=0))


def test_rogue_dimensions_are_removed() -> None:
    states = RNG.normal(size=(9, 2, 5))
    states[:, :, 3] += 8
    mean, deviation = states.mean(axis=0), states.std(axis=0)
    contributions = np.zeros((2, 5))
    contributions[:, 3], contributions[:, 0] = 2, 1
    found = without_rogue(states, contributions, mean, deviation, removed=(1, 2))
    for layer in range(2):
        x = states[:, layer]

        def across(values: np.ndarray) -> float:
            return float(np.mean([cosine(a, b) for a, b in combinations(values, 2)]))

        assert found.whole[layer] == pytest.approx(across(x))
        assert found.without[1][layer] == pytest.approx(across(x[:, [0, 1, 2, 4]]))
        assert found.without[2][layer] == pytest.approx(across(x[:, [1, 2, 4]]))
        assert found.standardized[layer] == pytest.approx(across((x - mean[layer]) / deviation[layer]))


def test_bootstrap_means_are_those_of_the_project() -> None:
    values = RNG.normal(size=(20, 2))
    low, high = np.quantile(bootstrap_means(values, seed=4)[:, 1], (0.025, 0.975))
    interval = bootstrap(values[:, 1], np.ones(20), seed=4)
    np.testing.assert_allclose((low, high), (interval.low, interval.high))


def test_bootstrap_means_pass_over_nan() -> None:
    values = np.array([[1.0, np.nan], [1.0, np.nan], [np.nan, np.nan]])
    draws = bootstrap_means(values, resamples=20)
    assert set(draws[np.isfinite(draws)]) == {1.0}
    assert np.isnan(draws[:, 1]).all()
