"""The engine gives, for every architecture and option, what the naive reference gives."""

from collections.abc import Callable
from functools import cache
from itertools import cycle, islice, product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import parsers
import probe
from probe.alignment import align
from probe.options import Pool
from tests.conftest import ModelFolder
from tests.naive import Naive
from tests.tiny import LAYERS, MASKED_LMS, WINDOW

METRICS: tuple[str, ...] = ("dist", "cos", "prob", "kl")
POOLS: tuple[Pool, ...] = ("first", "mean", "max", "state")
PERTURBS: tuple[str, ...] = ("pair", "single")
SETTINGS: tuple[tuple[str, int, Pool, str], ...] = (
    ("dist", 1, "mean", "pair"),
    ("cos", -1, "state", "single"),
    ("kl", 2, "max", "pair"),
)
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
DTYPES = ("float32", "float64")
WORDS = ("The", "painters", "slept", ".")
SENTENCES = (
    WORDS,
    ("Foxes", "sleep", "."),
    ("Nobody", "reads", "the", "old", "letters", "."),
    ("Yes",),
    ("Owls", "called", "."),
    ("The", "sailors", "slept", "."),
)

LoadProbe = Callable[[str, str], probe.Probe]
LoadNaive = Callable[[str, str], Naive]


@pytest.fixture(scope="module")
def load_probe(model_folder: ModelFolder) -> LoadProbe:
    """The engine for a tiny model and a dtype."""
    return cache(lambda name, dtype: probe.load(str(model_folder(name)), device="cpu", dtype=dtype))


@pytest.fixture(scope="module")
def load_naive(model_folder: ModelFolder) -> LoadNaive:
    """The reference for a tiny model and a dtype."""
    return cache(lambda name, dtype: Naive(model_folder(name), dtype=getattr(torch, dtype)))


def as_set(found: probe.ImpactMatrix | probe.ImpactSet | probe.SentenceError) -> probe.ImpactSet:
    """The matrices of one sentence under several settings."""
    assert isinstance(found, probe.ImpactSet)
    return found


def assert_close(
    got: NDArray[np.floating[Any]], want: NDArray[np.floating[Any]], *, tolerance: float
) -> None:
    """No error is above `tolerance`, nor, where all values are below 1, above that share of the largest.

    A few roundings of a number near 1 are always allowed: cosines and probabilities are differences of such.
    """
    scale = min(1, np.abs(want).max())
    assert np.isfinite(want).all()
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale + 4 * np.finfo(got.dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MASKED_LMS)
def test_matches_the_naive_reference(
    name: str, dtype: str, load_probe: LoadProbe, load_naive: LoadNaive
) -> None:
    layers = (1, LAYERS)
    found = as_set(
        load_probe(name, dtype).impact(WORDS, metric=METRICS, layer=layers, pool=POOLS, perturb=PERTURBS)
    )
    settings = {(m.metric, m.layer, m.pool, m.perturb) for m in found}
    undefined = set(product(("prob", "kl"), layers, ("state",), PERTURBS))
    assert settings == set(product(METRICS, layers, POOLS, PERTURBS)) - undefined
    assert len(found) == len(settings)
    for m in found:
        values, on_cls = load_naive(name, dtype).impact(
            WORDS, metric=m.metric, layer=m.layer, pool=m.pool, perturb=m.perturb
        )
        assert m.values.dtype == m.on_cls.dtype == dtype
        assert m.values.shape == (len(WORDS), len(WORDS))
        assert (np.diagonal(m.values) == 0).all()
        assert np.abs(values).max() > 1e-5  # the comparison is not one of zeros
        assert_close(m.values, values, tolerance=TOLERANCE[dtype])
        assert_close(m.on_cls, on_cls, tolerance=TOLERANCE[dtype])


@pytest.mark.parametrize("name", MASKED_LMS)
def test_matches_the_naive_reference_on_spans(
    name: str, load_probe: LoadProbe, load_naive: LoadNaive
) -> None:
    words = ("Nobody", "reads", "the", "old", "letters", ".")
    spans = [(3, 5), (0, 2)]  # not in the order of the words; "the" and "." are context
    for metric, layer, pool, perturb in SETTINGS:
        m = load_probe(name, "float64").impact_spans(
            words, spans, metric=metric, layer=layer, pool=pool, perturb=perturb
        )
        values, on_cls = load_naive(name, "float64").impact(
            words, metric=metric, layer=layer, pool=pool, perturb=perturb, spans=spans
        )
        assert m.units == ("old letters", "Nobody reads")
        assert_close(m.values, values, tolerance=1e-10)
        assert_close(m.on_cls, on_cls, tolerance=1e-10)


@pytest.mark.parametrize("name", MASKED_LMS)
def test_matches_the_naive_reference_at_the_end_of_the_window(
    name: str, load_probe: LoadProbe, load_naive: LoadNaive
) -> None:
    loaded = load_probe(name, "float64")
    words = ["the"]
    while len(align(loaded.tokenizer, [*words, "s"], window=1000).ids) <= WINDOW:
        words.append("s")
    assert len(loaded.align(words).ids) == loaded.window == WINDOW
    spans = [(0, 2), (len(words) // 2, len(words) // 2 + 3), (len(words) - 4, len(words))]
    values, on_cls = load_naive(name, "float64").impact(
        words, metric="dist", layer=-1, pool="mean", perturb="pair", spans=spans
    )
    m = loaded.impact_spans(words, spans)
    assert_close(m.values, values, tolerance=1e-10)
    assert_close(m.on_cls, on_cls, tolerance=1e-10)
    with pytest.raises(probe.SentenceError, match=rf"\b{WINDOW + 1}\b.*\b{WINDOW}\b"):
        loaded.impact([*words, "s"])


@pytest.mark.parametrize("name", MASKED_LMS)
def test_the_embeddings_of_a_piece_do_not_see_the_others(name: str, load_probe: LoadProbe) -> None:
    for m in as_set(load_probe(name, "float64").impact(WORDS, layer=[0], perturb=PERTURBS)):
        assert m.layer == 0
        assert np.abs(m.values).max() < 1e-12
        assert np.abs(m.on_cls).max() < 1e-12


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MASKED_LMS)
def test_batches_do_not_change_matrices_or_trees(name: str, dtype: str, load_probe: LoadProbe) -> None:
    loaded = load_probe(name, dtype)
    one_by_one = list(loaded.impact_many(SENTENCES, batch_tokens=1))
    together = list(loaded.impact_many(SENTENCES, batch_tokens=4096))
    for words, single, batched in zip(SENTENCES, one_by_one, together, strict=True):
        assert single.units == batched.units == words
        assert_close(batched.values, single.values, tolerance=TOLERANCE[dtype])
        assert_close(batched.on_cls, single.on_cls, tolerance=TOLERANCE[dtype])
        assert parsers.eisner(arc_scores(batched)).tolist() == parsers.eisner(arc_scores(single)).tolist()


def arc_scores(matrix: probe.ImpactMatrix) -> NDArray[np.float64]:
    """Scores [head, dependent] of a sentence, index 0 the root: the head is what the dependent listens to."""
    scores = np.zeros((len(matrix) + 1, len(matrix) + 1))
    scores[1:, 1:] = matrix.values.T
    return scores


@pytest.mark.parametrize("batch_tokens", [1, 25, 4096])
def test_many_sentences_come_in_input_order(
    batch_tokens: int, load_probe: LoadProbe, load_naive: LoadNaive
) -> None:
    sentences = [SENTENCES[index] for index in (0, 2, 0, 3, 4, 1, 1, 5)]
    found = list(
        load_probe("bert", "float64").impact_many(
            iter(sentences),
            metric=("dist", "kl"),
            layer=(2, -1),
            pool=("first", "state"),
            batch_tokens=batch_tokens,
        )
    )
    assert [item.units for item in found] == sentences
    for words, item in zip(sentences, map(as_set, found), strict=True):
        assert {m.layer for m in item} == {2, LAYERS}
        for m in item:
            values, on_cls = load_naive("bert", "float64").impact(
                words, metric=m.metric, layer=m.layer, pool=m.pool, perturb=m.perturb
            )
            assert_close(m.values, values, tolerance=1e-10)
            assert_close(m.on_cls, on_cls, tolerance=1e-10)


def test_a_sentence_given_twice_gives_one_result(load_probe: LoadProbe) -> None:
    first, other, second = load_probe("roberta", "float32").impact_many([WORDS, SENTENCES[2], WORDS])
    assert_close(first.values, second.values, tolerance=1e-5)
    assert_close(first.on_cls, second.on_cls, tolerance=1e-5)
    assert other.values.shape == (6, 6)


def test_many_sentences_are_streamed(load_probe: LoadProbe) -> None:
    found = islice(load_probe("bert", "float32").impact_many(cycle(SENTENCES), perturb="single"), 40)
    assert [m.units for m in found] == list(islice(cycle(SENTENCES), 40))


def test_a_sentence_that_cannot_be_probed_keeps_its_place(load_probe: LoadProbe) -> None:
    sentences: list[tuple[str, ...]] = [WORDS, (), SENTENCES[1], ("s",) * WINDOW, WORDS]
    loaded = load_probe("bert", "float32")
    found = list(loaded.impact_many(sentences, errors="return"))
    assert [isinstance(item, probe.SentenceError) for item in found] == [False, True, False, True, False]
    assert isinstance(found[4], probe.ImpactMatrix)
    assert_close(found[4].values, loaded.impact(WORDS).values, tolerance=1e-4)
    with pytest.raises(probe.SentenceError, match="no words"):
        list(loaded.impact_many(sentences))


@pytest.mark.parametrize("name", MASKED_LMS)
def test_one_word(name: str, load_probe: LoadProbe, load_naive: LoadNaive) -> None:
    for m in as_set(load_probe(name, "float64").impact(["Yes"], pool=POOLS, perturb=PERTURBS)):
        _, on_cls = load_naive(name, "float64").impact(
            ["Yes"], metric="dist", layer=-1, pool="mean", perturb="pair"
        )
        assert m.values.tolist() == [[0.0]]
        assert_close(m.on_cls, on_cls, tolerance=1e-10)


@pytest.mark.parametrize(("metric", "layer", "pool", "perturb"), SETTINGS)
def test_one_setting_is_that_of_the_set(
    metric: str, layer: int, pool: Pool, perturb: str, load_probe: LoadProbe
) -> None:
    loaded = load_probe("electra", "float64")
    one = loaded.impact(WORDS, metric=metric, layer=layer, pool=pool, perturb=perturb)
    every = as_set(loaded.impact(WORDS, metric=METRICS, layer="all", pool=POOLS, perturb=PERTURBS))
    assert isinstance(one, probe.ImpactMatrix)
    assert one.layer == layer % (LAYERS + 1)
    same = every.select(metric=metric, layer=one.layer, pool=pool, perturb=perturb)
    assert_close(one.values, same.values, tolerance=1e-12)
    assert_close(one.on_cls, same.on_cls, tolerance=1e-12)


def test_an_encoder_without_head(load_probe: LoadProbe, load_naive: LoadNaive) -> None:
    loaded = load_probe("bert_without_head", "float64")
    of_states: tuple[str, ...] = ("dist", "cos")
    for metric in of_states:
        values, on_cls = load_naive("bert_without_head", "float64").impact(
            WORDS, metric=metric, layer=-1, pool="mean", perturb="pair"
        )
        m = loaded.impact(WORDS, metric=metric)
        assert_close(m.values, values, tolerance=1e-10)
        assert_close(m.on_cls, on_cls, tolerance=1e-10)
    of_predictions: tuple[str, ...] = ("prob", "kl")
    for metric in of_predictions:
        with pytest.raises(probe.ModelError, match=f"head.*{metric}"):
            loaded.impact(WORDS, metric=metric)
