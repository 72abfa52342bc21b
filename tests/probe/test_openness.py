"""Openness against a plain loop, beside impacts, in files and in stores; what is not finite is no result."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import probe
from probe.manifest import Manifest
from probe.matrix import CUES
from probe.store import Store
from tests.conftest import ModelFolder
from tests.naive import Naive
from tests.store_runs import forget_cues

WORDS = ("The", "painters", "slept", ".")
OTHERS = ("Nobody", "reads", "the", "old", "letters", ".")


@pytest.fixture(scope="module")
def bert(model_folder: ModelFolder) -> probe.Probe:
    """A tiny BERT in float64."""
    return probe.load(str(model_folder("bert")), device="cpu", dtype="float64")


@pytest.fixture(scope="module")
def roberta(model_folder: ModelFolder) -> probe.Probe:
    """A model of another vocabulary."""
    return probe.load(str(model_folder("roberta")), device="cpu", dtype="float64")


def plain(naive: Naive, loaded: probe.Probe, words: Any, spans: Any = None) -> list[float]:
    """Entropy at every piece of a unit that is masked as a whole, one unit a pass, the mean over its pieces."""
    alignment, found = loaded.align(words, spans), []
    for unit in range(len(alignment.units)):
        own = alignment.positions[alignment.unit_of == unit].tolist()
        logs = naive.run(tuple(alignment.ids.tolist()), frozenset(own))[1][-1]
        entropies = [-sum(float(p.exp() * p) for p in logs[at]) for at in own]
        found.append(sum(entropies) / len(own))
    return found


@pytest.mark.parametrize("name", ["bert", "modernbert", "deberta_v3", "distilbert"])
def test_is_the_entropy_of_a_plain_loop(name: str, model_folder: ModelFolder) -> None:
    loaded = probe.load(str(model_folder(name)), device="cpu", dtype="float64")
    naive = Naive(model_folder(name), dtype=torch.float64)
    found = loaded.openness(WORDS)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, plain(naive, loaded, WORDS), atol=1e-10)


def plain_cues(naive: Naive, loaded: probe.Probe, words: Any) -> np.ndarray:
    """The cues, one unit, piece and pass after another."""
    alignment = loaded.align(words)
    ids, n = tuple(alignment.ids.tolist()), len(alignment.units)
    bias = naive.model.get_output_embeddings().bias.tolist()
    frequent = sorted(range(len(bias)), key=lambda piece: -bias[piece])[:200]
    states, logs = naive.run(ids, frozenset())
    found = np.zeros((4, n))
    for unit in range(n):
        own = alignment.positions[alignment.unit_of == unit].tolist()
        masked_states, masked_logs = naive.run(ids, frozenset(own))
        for at in own:
            found[0, unit] += float(masked_logs[-1][at].exp()[frequent].sum()) / len(own)
            found[1, unit] += -sum(float(p.exp() * p) for p in logs[-1][at]) / len(own)
            found[2, unit] += float((states[0][at] ** 2).sum().sqrt()) / len(own)
        found[3, unit] = float(((masked_states[-1][0] - states[-1][0]) ** 2).sum().sqrt())
    return found


@pytest.mark.parametrize("name", ["bert", "modernbert", "distilbert"])
@pytest.mark.parametrize("batch_tokens", [1, 30, 4096])
def test_cues_are_those_of_a_plain_loop(name: str, batch_tokens: int, model_folder: ModelFolder) -> None:
    loaded = probe.load(str(model_folder(name)), device="cpu", dtype="float64")
    head: Any = loaded.model.get_output_embeddings()
    naive = Naive(model_folder(name), dtype=torch.float64)
    other: Any = naive.model.get_output_embeddings()
    # Biases of their own, so that some pieces are more frequent than others.
    drawn = torch.randn(len(head.bias), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    head.bias.data[:] = other.bias.data[:] = drawn
    sentences: list[Any] = [WORDS, OTHERS, WORDS[::-1]]
    passes: list[int] = []
    several = loaded.impact_many(
        sentences, perturb="single", openness=True, batch_tokens=batch_tokens, on_passes=passes.append
    )
    for words, found in zip(sentences, several, strict=True):
        assert found.cues is not None and found.cues.dtype == np.float64  # type: ignore[union-attr]
        np.testing.assert_allclose(found.cues, plain_cues(naive, loaded, words), atol=1e-10)  # type: ignore[union-attr]
    # single: n + 1 passes of each sentence; openness: n; cues: 1
    assert sum(passes) == sum(2 * len(words) + 2 for words in sentences)


@pytest.mark.parametrize("batch_tokens", [1, 30, 4096])
def test_many_sentences_come_in_input_order(bert: probe.Probe, batch_tokens: int) -> None:
    passes: list[int] = []
    sentences: list[Any] = [WORDS, (), OTHERS, WORDS[::-1], WORDS]
    found = list(
        bert.openness_many(sentences, batch_tokens=batch_tokens, on_passes=passes.append, errors="return")
    )
    assert isinstance(found[1], probe.SentenceError)
    for at in (0, 2, 3, 4):
        np.testing.assert_allclose(found[at], bert.openness(sentences[at]), atol=1e-10)  # type: ignore[arg-type]
    assert sum(passes) == 3 * len(WORDS) + len(OTHERS)
    with pytest.raises(probe.SentenceError, match="no words"):
        list(bert.openness_many(sentences))


def test_stands_beside_impacts(bert: probe.Probe, roberta: probe.Probe) -> None:
    assert bert.impact(WORDS).openness is None  # type: ignore[union-attr]
    one: Any = bert.impact(WORDS, perturb="knockout", openness=True)
    np.testing.assert_allclose(one.openness, bert.openness(WORDS), atol=1e-10)
    np.testing.assert_array_equal(one.values, bert.impact(WORDS, perturb="knockout").values)  # type: ignore[union-attr]
    several: Any = bert.impact(WORDS, layer="all", openness=roberta)
    for matrix in several:
        np.testing.assert_allclose(matrix.openness, roberta.openness(WORDS), atol=1e-10)


@pytest.mark.parametrize(
    "attention", ["causal", "prefix:2", np.tri(4, dtype=bool) | np.eye(4, k=1, dtype=bool)]
)
def test_under_an_attention_of_ones_own(bert: probe.Probe, attention: Any) -> None:
    found = bert.openness(WORDS, attention=attention)
    assert np.array_equal(found, bert.impact(WORDS, attention=attention, openness=True).openness)
    assert not np.allclose(found, bert.openness(WORDS))


def test_attention_of_many_sentences(bert: probe.Probe) -> None:
    sees = [np.tri(len(words), dtype=bool) for words in (WORDS, OTHERS)]
    many = list(bert.openness_many([WORDS, OTHERS], attention=sees))
    alone = [bert.openness(words, attention=own) for words, own in zip((WORDS, OTHERS), sees, strict=True)]
    assert all(map(np.array_equal, many, alone))
    with pytest.raises(probe.OptionError, match="a matrix for each sentence"):
        list(bert.openness_many([WORDS, OTHERS], attention=sees[:1]))
    with pytest.raises(probe.OptionError, match="causl"):
        bert.openness(WORDS, attention="causl")


@pytest.mark.parametrize("perturb", ["pair", "knockout"])
def test_passes_are_those_that_run(bert: probe.Probe, roberta: probe.Probe, perturb: str) -> None:
    for openness in (False, True, roberta):
        ran: list[int] = []
        list(bert.impact_many([WORDS], perturb=perturb, openness=openness, on_passes=ran.append))
        assert sum(ran) == bert.passes(WORDS, [perturb], openness=openness)


def test_of_spans(bert: probe.Probe, model_folder: ModelFolder) -> None:
    spans = [(0, 2), (3, 4)]
    found = bert.impact_spans(WORDS, spans, openness=True)
    naive = Naive(model_folder("bert"), dtype=torch.float64)
    assert found.openness is not None
    np.testing.assert_allclose(found.openness, plain(naive, bert, WORDS, spans), atol=1e-10)


def test_is_kept_in_files(bert: probe.Probe, tmp_path: Path) -> None:
    saved: Any = bert.impact(WORDS, openness=True)
    saved.save(tmp_path / "m")
    loaded = probe.ImpactMatrix.load(tmp_path / "m")
    assert loaded.openness is not None
    np.testing.assert_array_equal(loaded.openness, saved.openness)
    np.testing.assert_array_equal(loaded.cues, saved.cues)


def test_is_kept_in_stores(bert: probe.Probe, roberta: probe.Probe, tmp_path: Path) -> None:
    sentences: list[Any] = [WORDS, (), OTHERS]
    store = Store.fill(tmp_path / "own", bert, sentences, openness=True)
    for words, matrix in zip(
        sentences, store.impact_many(sentences, openness=True, errors="return"), strict=True
    ):
        if words:
            assert isinstance(matrix, probe.ImpactMatrix) and matrix.openness is not None
            np.testing.assert_allclose(matrix.openness, bert.openness(words), atol=1e-10)
            fresh: Any = bert.impact(words, openness=True)
            np.testing.assert_allclose(matrix.cues, fresh.cues, atol=1e-10)
    with pytest.raises(probe.OptionError, match="keeps the model's own"):
        store.impact_many(sentences, openness=roberta)
    with pytest.raises(probe.StoreError, match="openness: itself there, None here"):
        Store.fill(tmp_path / "own", bert, sentences)
    other = Store.fill(tmp_path / "other", bert, [WORDS], openness=roberta)
    (found,) = other.impact_many([WORDS], openness=roberta, errors="raise")
    assert isinstance(found, probe.ImpactMatrix) and found.openness is not None
    np.testing.assert_allclose(found.openness, roberta.openness(WORDS), atol=1e-10)
    with pytest.raises(probe.OptionError, match="keeps that of another model"):
        other.impact_many([WORDS], openness=True)
    without = Store.fill(tmp_path / "without", bert, [WORDS])
    with pytest.raises(probe.OptionError, match="keeps none"):
        without.impact_many([WORDS], openness=True)


def test_a_run_directory_from_before_the_cues(bert: probe.Probe, tmp_path: Path) -> None:
    store = Store.fill(tmp_path / "run", bert, [WORDS, OTHERS], openness=True, shard_sentences=1)
    assert store.configuration.cues == CUES
    forget_cues(store.folder)
    old = Store.open(store.folder)
    assert old.configuration.cues == ()
    for found in old.impact_many([WORDS, OTHERS], openness=True, errors="raise"):
        assert isinstance(found, probe.ImpactMatrix) and found.openness is not None and found.cues is None
    message = "configuration: .*cues: none there, frequent seen norm summary here: name another directory$"
    for sentences in ([WORDS, OTHERS], [WORDS, OTHERS, WORDS]):  # the same, and more
        with pytest.raises(probe.StoreError, match=message):
            Store.fill(store.folder, bert, sentences, openness=True, shard_sentences=1)


def test_shards_that_lack_what_the_manifest_says_are_refused(bert: probe.Probe, tmp_path: Path) -> None:
    kept = Store.fill(tmp_path / "with", bert, [WORDS], openness=True)
    plain = Store.fill(tmp_path / "without", bert, [WORDS])
    manifest = Manifest.load(kept.folder)
    replace(manifest, shards=Manifest.load(plain.folder).shards).save(kept.folder)
    (shard,) = plain.folder.glob("*.safetensors")
    shard.replace(kept.folder / shard.name)
    with pytest.raises(probe.StoreError, match=f"{shard.name}: missing, cut short or altered"):
        list(Store.open(kept.folder).impact_many([WORDS], openness=True))


def test_a_manifest_of_unknown_cues_is_none(bert: probe.Probe, tmp_path: Path) -> None:
    Store.fill(tmp_path / "run", bert, [WORDS], openness=True)
    manifest = Manifest.load(tmp_path / "run")
    replace(manifest, configuration=replace(manifest.configuration, cues=("norm",))).save(tmp_path / "run")
    with pytest.raises(probe.StoreError, match="cues: nothing or frequent seen norm summary is expected"):
        Store.open(tmp_path / "run")


def test_a_model_without_a_head_has_none(model_folder: ModelFolder, bert: probe.Probe) -> None:
    loaded = probe.load(str(model_folder("bert_without_head")), device="cpu", dtype="float64")
    with pytest.raises(probe.ModelError, match="no masked-LM head"):
        loaded.openness(WORDS)
    found: Any = loaded.impact(WORDS, openness=bert)
    assert len(found.openness) == len(WORDS)


def test_what_is_not_finite_is_an_error_of_its_sentence(model_folder: ModelFolder, tmp_path: Path) -> None:
    broken = probe.load(str(model_folder("bert")), device="cpu", dtype="float32")
    alignment = broken.align(WORDS)
    piece = next(p for p in alignment.ids.tolist() if p not in broken.align(OTHERS).ids)
    broken.model.get_input_embeddings().weight.data[piece] = torch.nan  # type: ignore[index,operator,union-attr]
    sentences = [OTHERS, WORDS]
    for perturb in ("pair", "knockout"):
        with pytest.raises(probe.SentenceError, match="not finite"):
            broken.impact(WORDS, perturb=perturb)
        first, second = broken.impact_many(sentences, perturb=perturb, errors="return")
        assert isinstance(first, probe.ImpactMatrix) and isinstance(second, probe.SentenceError)
    assert Store.fill(tmp_path / "run", broken, sentences).failures() == [
        (1, "the model's states of this sentence are not finite numbers")
    ]
    with pytest.raises(probe.SentenceError, match="not finite"):
        broken.openness(WORDS)


@pytest.mark.parametrize("word", ["\ud800", None, 3, b"cat"])
def test_one_bad_word_is_an_error_of_its_sentence(bert: probe.Probe, tmp_path: Path, word: Any) -> None:
    sentences: list[Any] = [WORDS, ("The", word), OTHERS]
    found = list(bert.impact_many(sentences, perturb="single", errors="return"))
    assert [isinstance(one, probe.SentenceError) for one in found] == [False, True, False]
    assert "word 2" in str(found[1])
    store = Store.fill(tmp_path / "run", bert, sentences, perturb="single")
    assert [place for place, _ in store.failures()] == [1]
    assert len(list(store.impact_many(sentences, perturb="single", errors="return"))) == 3


@pytest.mark.parametrize("sentence", [None, 3, iter(WORDS)])
def test_what_is_no_list_of_words_is_an_error_of_its_own(bert: probe.Probe, sentence: Any) -> None:
    found = list(bert.impact_many([WORDS, sentence, OTHERS], perturb="single", errors="return"))
    assert [isinstance(one, probe.SentenceError) for one in found] == [False, True, False]
    assert str(found[1]).startswith("a sentence is a list of words, not of type ")
