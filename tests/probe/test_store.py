"""Run directories: what is read is what was computed, and other runs and other words are refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import probe
from probe import ImpactMatrix, ImpactSet, ModelError, OptionError, Probe, SentenceError
from probe.fingerprint import tokenizer_sha256, weights_sha256, words_sha256
from probe.options import Best
from probe.spaces import SpacedWords, count_unknown
from probe.store import Store, StoreError
from tests.conftest import ModelFolder
from tests.locks import held
from tests.store_runs import EVERYTHING, SHARD, TOO_LONG, WORDS, Fill, assert_equal, contents

ROOT = Path(__file__).parents[2]

# --- what is read


def test_matrices_are_those_of_the_model(fill: Fill, model: Probe) -> None:
    store = fill(**EVERYTHING)
    expected = [
        result
        for first in range(0, len(WORDS), 2)
        for result in model.impact_many(WORDS[first : first + 2], errors="return", **EVERYTHING)
    ]
    found = list(store.matrices(errors="return", **EVERYTHING))
    assert len(found) == len(store) == len(WORDS)
    for mine, its in zip(found, expected, strict=True):
        assert_equal(mine, its)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"metric": "cos", "layer": 2, "pool": "state", "perturb": "single"},
        {"metric": "kl", "layer": -2, "pool": "first"},
        {"metric": ["kl", "dist"], "layer": [3, 0], "pool": "max"},
    ],
    ids=str,
)
def test_some_of_the_settings_are_picked(fill: Fill, settings: dict[str, Any]) -> None:
    store = fill(**EVERYTHING)
    all_of_them = store.matrices(errors="return", **EVERYTHING)
    for found, everything in zip(store.matrices(errors="return", **settings), all_of_them, strict=True):
        if isinstance(everything, SentenceError):
            assert_equal(found, everything)
            continue
        assert isinstance(everything, ImpactSet) and not isinstance(found, SentenceError)
        listed = [found] if isinstance(found, ImpactMatrix) else list(found)
        order = [(m.metric, m.layer, m.pool, m.perturb) for m in listed]
        assert order == store.resolve(**settings).combinations()
        for m in listed:
            its = everything.select(metric=m.metric, layer=m.layer, pool=m.pool, perturb=m.perturb)
            assert_equal(m, its)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "kl"}, "no matrices with metric kl; there are dist, cos"),
        ({"layer": "all"}, "no matrices with layer 0; there are 1, 3"),
        ({"pool": "state"}, "no matrices with pool state; there are mean"),
        ({"perturb": ["pair", "single"]}, "no matrices with perturb single; there are pair"),
        ({"metric": "dst"}, "unknown metric 'dst': did you mean 'dist'?"),
        ({"layer": 4}, "layer 4: the model has layers 0"),
    ],
    ids=str,
)
def test_settings_that_are_not_there(fill: Fill, settings: dict[str, Any], message: str) -> None:
    store = fill(metric=["cos", "dist"], layer=[-1, 1])
    with pytest.raises(OptionError, match=message.replace("?", r"\?")):
        store.matrices(**settings)


def test_best_is_that_of_the_model(fill: Fill, model: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "best", replace(model.best, layer=1, pool="max"))
    store = fill(layer="all", pool=["mean", "max"])
    found = next(Store.open(store.folder).matrices())
    assert isinstance(found, ImpactMatrix)
    assert (found.layer, found.pool) == (1, "max")


def test_best_is_that_of_the_model_for_each_perturbation(
    fill: Fill, model: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "best", replace(model.best, layer=1, layers={"single": 2}))
    store = fill(layer="all", perturb=["pair", "single"])
    for perturb in ("pair", "single"):
        for found, expected in zip(
            Store.open(store.folder).matrices(perturb=perturb, errors="return"),
            model.impact_many(WORDS, perturb=perturb, errors="return"),
            strict=True,
        ):
            assert str(found) == str(expected)
            if isinstance(found, ImpactMatrix):
                assert found.layer == {"pair": 1, "single": 2}[perturb]


@pytest.mark.parametrize("name", ["batch_tokens", "shard_sentences"])
def test_nothing_is_made_in_batches_of_nothing(name: str, fill: Fill, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"{name}: a whole number above 0 is expected, found 0"):
        fill(**{name: 0})
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("perturb", ["substitute:9999", "piece:nosuch", "substitute:\u2603\u2604"])
def test_what_the_vocabulary_lacks_is_refused_before_anything_is_written(
    perturb: str, fill: Fill, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=r"pieces to choose from|is no piece of"):
        fill(perturb=perturb)
    assert not any(tmp_path.iterdir())


def test_float64_stays_float64(fill: Fill, model_folder: ModelFolder) -> None:
    double = probe.load(model_folder("bert"), device="cpu", dtype="float64")
    store = fill(probe=double)
    assert store.dtype == "float64"
    for found, expected in zip(
        store.matrices(errors="return"), double.impact_many(WORDS, errors="return"), strict=True
    ):
        if isinstance(found, ImpactMatrix) and isinstance(expected, ImpactMatrix):
            assert found.values.dtype == np.float64
            np.testing.assert_allclose(found.values, expected.values, atol=1e-12)


def test_failures_are_kept_with_their_reasons(fill: Fill) -> None:
    store = fill()
    assert store.failures() == [(2, "62 pieces are more than the model's window of 32")]
    assert [sentence.words for sentence in store.sentences()] == [tuple(words) for words in WORDS]
    stream = store.matrices()
    assert [len(next(stream)) for _ in range(2)] == [3, 7]  # type: ignore[arg-type]
    with pytest.raises(SentenceError, match="62 pieces are more"):
        next(stream)


@pytest.mark.parametrize("words", [[], [TOO_LONG], [TOO_LONG] * 3])
def test_nothing_to_keep(fill: Fill, words: Any) -> None:
    store = fill(words=words)
    assert [str(found)[:9] for found in store.matrices(errors="return")] == ["62 pieces"] * len(words)
    assert len(store.failures()) == len(words)


def test_one_shard_at_a_time_is_read(fill: Fill) -> None:
    store = fill()
    stream = store.matrices(errors="return")
    (store.folder / SHARD).unlink()
    assert isinstance(next(stream), ImpactMatrix) and isinstance(next(stream), ImpactMatrix)
    with pytest.raises(StoreError, match=rf"{SHARD}: missing, cut short or altered"):
        next(stream)


# --- in place of a model


def test_a_store_stands_in_for_its_model(fill: Fill, model: Probe) -> None:
    store = fill(layer="all")
    assert (store.name, store.n_layers, store.dtype) == (model.name, model.n_layers, "float32")
    found = list(store.impact_many(WORDS[:2], layer=1))
    for mine, its in zip(found, model.impact_many(WORDS[:2], layer=1), strict=True):
        assert_equal(mine, its)
    assert len(list(store.impact_many(iter(WORDS), errors="return"))) == len(WORDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*WORDS, ["more"]], "has 7 sentences, the input has 8"),
        ([WORDS[0], WORDS[1][:-1]], "sentence 2 differs from the input's: it has 7 words, the input's has 6"),
        (
            [WORDS[0], [*WORDS[1][:3], "shattered", *WORDS[1][4:]]],
            "sentence 2 differs from the input's: word 4 is 'broken', the input's is 'shattered'",
        ),
    ],
)
def test_other_words_are_refused(fill: Fill, words: Any, message: str) -> None:
    store = fill()
    with pytest.raises(StoreError, match=message):
        store.impact_many(words)


# --- a directory of another run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": ["dist", "kl"]}, r"metric: dist there, dist kl here"),
        ({"layer": [0, 3]}, r"layer: 3 there, 0 3 here"),
        ({"pool": "state"}, "pool: mean there, state here"),
        ({"perturb": "single"}, "perturb: pair there, single here"),
        ({"batch_tokens": 100}, "batch_tokens: 4096 there, 100 here"),
        ({"shard_sentences": 3}, "shard_sentences: 2 there, 3 here"),
        ({"words": WORDS[:3]}, r"sentences: 7 there, 3 here; words_sha256: \w{12}… there, \w{12}… here"),
        ({"words": [["A"], *WORDS[1:]]}, r"words_sha256: \w{12}… there, \w{12}… here"),
    ],
    ids=["metric", "layer", "pool", "perturb", "batch_tokens", "shard_sentences", "fewer", "others"],
)
def test_another_configuration_is_refused(fill: Fill, options: dict[str, Any], message: str) -> None:
    before = contents(fill().folder)
    with pytest.raises(StoreError, match=f"holds a run of another configuration: .*{message}") as caught:
        fill(**options)
    assert "\n" not in str(caught.value)
    assert contents(fill().folder) == before


def test_another_model_is_refused(fill: Fill, model: Probe, model_folder: ModelFolder) -> None:
    fill()
    blank = model.with_random_weights(seed=1)
    with pytest.raises(
        StoreError,
        match=r"configuration: weights_sha256: \w{12}… there, \w{12}… here: name another directory$",
    ):
        fill(probe=blank)
    double = probe.load(model_folder("bert"), device="cpu", dtype="float64")
    with pytest.raises(StoreError, match=r"dtype: float32 there, float64 here"):
        fill(probe=double)
    with pytest.raises(StoreError, match=r"tokenizer_sha256: \w{12}… there"):
        fill(probe=probe.load(model_folder("roberta"), device="cpu", dtype="float32"))


def test_other_versions_are_refused(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    fill()
    monkeypatch.setattr("probe.manifest.version", lambda name: "9.9")
    with pytest.raises(
        StoreError, match=r"versions: probe .*, torch .* there, probe .*, torch 9\.9, .* here"
    ):
        fill()


def test_weights_that_are_drawn_at_every_load_make_no_difference(
    fill: Fill, model_folder: ModelFolder
) -> None:
    for _ in range(2):
        fill(probe=probe.load(model_folder("bert_without_head"), device="cpu", dtype="float32"))


def test_what_makes_no_difference_is_no_other_configuration(
    fill: Fill, model: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(fill(metric=["dist", "cos"], layer=[0, 3]).folder)
    monkeypatch.setattr(model, "name", "elsewhere")
    store = fill(metric=["cos", "dist", "cos"], layer=[-1, 0], words=[tuple(words) for words in WORDS])
    assert contents(store.folder) == before


@pytest.mark.parametrize("name", ["notes.txt", SHARD])
def test_a_directory_with_other_things_is_left_alone(fill: Fill, tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("kept", encoding="utf-8")
    with pytest.raises(StoreError, match=r"run: neither empty nor a run directory"):
        fill()
    assert contents(tmp_path / "run") == {name: b"kept"}


def test_folders_that_cannot_be_made(fill: Fill, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("kept", encoding="utf-8")
    for name in ("run", "run/below"):
        with pytest.raises(StoreError, match="cannot be made a run directory"):
            fill(name)
    assert (tmp_path / "run").read_text(encoding="utf-8") == "kept"


def test_what_the_model_cannot_give_is_refused_first(
    fill: Fill, tmp_path: Path, model_folder: ModelFolder
) -> None:
    headless = probe.load(model_folder("bert_without_head"), device="cpu", dtype="float32")
    with pytest.raises(ModelError, match="no masked-LM head"):
        fill(probe=headless, metric="prob")
    for options in ({"layer": 9}, {"pool": "men"}, {"shard_sentences": 0}):
        with pytest.raises(OptionError):
            fill(**options)
    assert list(tmp_path.iterdir()) == []


def test_two_runs_in_one_directory(fill: Fill) -> None:
    refused = []

    def second(places: range, made: bool) -> None:
        with pytest.raises(StoreError, match="run: another process is filling this directory"):
            fill()
        refused.append(places)

    fill(on_shard=second)
    assert refused == [range(0, 2), range(2, 4), range(4, 6), range(6, 7)]
    fill()


def test_a_lock_is_that_of_a_living_process(fill: Fill, tmp_path: Path) -> None:
    fill()
    (folder,) = tmp_path.iterdir()
    with held(folder / ".lock") as process:
        with pytest.raises(StoreError, match="another process is filling this directory") as caught:
            fill()
        assert "\n" not in str(caught.value)
        process.kill()
        process.wait()
        fill()


# --- fingerprints


def test_fingerprint_of_words() -> None:
    assert words_sha256([["a", "b"], ["c"]]) == words_sha256([("a", "b"), ("c",)])
    others = [[["a"], ["b", "c"]], [["a b"], ["c"]], [["c"], ["a", "b"]], [["a", "b", "c"]]]
    assert len({words_sha256(words) for words in [[["a", "b"], ["c"]], *others]}) == 5


def test_fingerprint_of_a_model(model: Probe, model_folder: ModelFolder) -> None:
    again = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    before = weights_sha256(model.model), tokenizer_sha256(model.tokenizer)
    model.impact(["Nobody", "slept"])
    model.tokenizer(["a", "a b c"], padding=True, truncation=True, max_length=3)
    assert (weights_sha256(model.model), tokenizer_sha256(model.tokenizer)) == before
    assert (weights_sha256(again.model), tokenizer_sha256(again.tokenizer)) == before
    others = [
        model.with_random_weights(seed=0).model,
        probe.load(model_folder("bert"), device="cpu", dtype="bfloat16").model,
        probe.load(model_folder("bert"), device="cpu", dtype="float64").model,
    ]
    assert len({before[0], *(weights_sha256(other) for other in others)}) == 4


def test_fingerprint_of_a_model_sees_its_configuration(model: Probe, model_folder: ModelFolder) -> None:
    other = probe.load(model_folder("bert"), device="cpu", dtype="float32").model
    other.config.layer_norm_eps *= 2
    assert weights_sha256(other) != weights_sha256(model.model)


def test_spaces_belong_to_a_run(model: Probe, tmp_path: Path) -> None:
    glued, apart = (SpacedWords(("a", "cat"), (space, False)) for space in (False, True))
    store = Store.fill(tmp_path, model, [glued], layer=1)
    assert store.text == "running" and next(store.sentences()).spaces == (False, False)
    store.check_words([glued])
    for other in (apart, ["a", "cat"]):
        with pytest.raises(StoreError, match="sentence 1 differs from the input's: other spaces"):
            store.check_words([other])
        with pytest.raises(StoreError, match="words_sha256"):
            Store.fill(tmp_path, model, [other], layer=1)
    assert Store.fill(tmp_path / "words", model, [["a", "cat"]], layer=1).text == "spaced"


def test_unknown_words_are_kept(model: Probe, tmp_path: Path) -> None:
    words = ["a", "猫", "cat"]
    store = Store.fill(tmp_path / "run", model, [words, ["a", "cat"]], layer=1)
    first, second = store.matrices(layer=1)
    assert isinstance(first, ImpactMatrix) and isinstance(second, ImpactMatrix)
    assert (first.unknown, second.unknown) == ((1,), ())
    first.save(tmp_path / "one.safetensors")
    assert ImpactMatrix.load(tmp_path / "one.safetensors").unknown == (1,)


def test_unknown_words_are_counted(model: Probe) -> None:
    assert count_unknown(model.pieces, [["a", "猫"], ["猫", "cat", "猫"]]) == (3, 5)


def test_best_is_that_of_the_perturbation(model_folder: ModelFolder, tmp_path: Path) -> None:
    """A directory filled with the best layer of knockout is read by it, too."""
    loaded = probe.load(str(model_folder("bert")), device="cpu", dtype="float32")
    loaded.best = Best(1, "mean", layers={"knockout": 2})
    store = Store.fill(tmp_path / "run", loaded, [["Nobody", "slept"]], perturb="knockout")
    for directory in (store, Store.open(tmp_path / "run")):
        (found,) = directory.matrices(perturb="knockout")
        assert isinstance(found, probe.ImpactMatrix) and found.layer == 2
