"""Run directories: what is read is what was computed, and a disturbed run ends as an undisturbed one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import probe
from probe import ImpactMatrix, ImpactSet, ModelError, OptionError, Probe, SentenceError
from probe.fingerprint import tokenizer_sha256, weights_sha256, words_sha256
from probe.manifest import MANIFEST, Manifest
from probe.store import Store, StoreError
from tests.conftest import ModelFolder

ROOT = Path(__file__).parent.parent
TOO_LONG = ["a"] * 60
WORDS = [
    "Nobody slept .".split(),
    "The storm had broken most windows .".split(),
    TOO_LONG,
    ["Rivers"],
    "Rivers carry sand .".split(),
    "An owl called twice .".split(),
    "A careless waiter spilled tea .".split(),
]
SHARDS = 4
SHARD = "shard-000001.safetensors"
EVERYTHING: dict[str, Any] = {
    "metric": ["dist", "cos", "prob", "kl"],
    "layer": "all",
    "pool": ["first", "mean", "max", "state"],
    "perturb": ["pair", "single"],
}


@pytest.fixture(scope="module")
def model(model_folder: ModelFolder) -> Iterator[Probe]:
    """A tiny BERT, whose window is 32 pieces, computing on one thread: always in the same order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield probe.load(model_folder("bert"), device="cpu", dtype="float32")
    torch.set_num_threads(threads)


Fill = Callable[..., Store]


@pytest.fixture
def fill(model: Probe, tmp_path: Path) -> Fill:
    """Fill a run directory with shards of two sentences."""

    def call(folder: str = "run", probe: Any = model, words: Any = WORDS, **options: Any) -> Store:
        return Store.fill(tmp_path / folder, probe, words, **{"shard_sentences": 2, **options})

    return call


def contents(folder: Path) -> dict[str, bytes]:
    """Name and bytes of all that a folder holds, hidden files included."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def assert_equal(found: Any, expected: Any) -> None:
    """The same matrices, to the bit, or the same failures."""
    assert type(found) is type(expected)
    if isinstance(expected, SentenceError):
        assert str(found) == str(expected)
        return
    if isinstance(expected, ImpactSet):
        assert len(found) == len(expected)
    pairs = zip(found, expected, strict=True) if isinstance(expected, ImpactSet) else [(found, expected)]
    for mine, its in pairs:
        about = ("units", "model", "metric", "layer", "pool", "perturb")
        assert [getattr(mine, key) for key in about] == [getattr(its, key) for key in about]
        assert mine.values.dtype == its.values.dtype
        np.testing.assert_array_equal(mine.values, its.values)
        np.testing.assert_array_equal(mine.on_cls, its.on_cls)


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
    with pytest.raises(StoreError, match=r"configuration: weights_sha256: \w{12}… there, \w{12}… here$"):
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


# --- damage


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "last byte": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "head": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "longer": lambda data: data + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_shard_is_found_and_made_again(fill: Fill, damage: Callable[[bytes], bytes]) -> None:
    store = fill()
    before = contents(store.folder)
    (store.folder / SHARD).write_bytes(damage(before[SHARD]))
    with pytest.raises(StoreError, match=rf"{SHARD}: missing, cut short or altered"):
        list(store.matrices(errors="return"))
    made: list[bool] = []
    fill(on_shard=lambda places, now: made.append(now))
    assert made == [False, True, False, False]
    assert contents(store.folder) == before


def test_a_missing_shard_is_found_and_made_again(fill: Fill) -> None:
    store = fill()
    before = contents(store.folder)
    (store.folder / SHARD).unlink()
    with pytest.raises(StoreError, match=rf"{SHARD}: missing"):
        store.failures()
    assert contents(fill().folder) == before


def test_shards_are_not_exchanged_unnoticed(fill: Fill) -> None:
    store = fill()
    (store.folder / SHARD).write_bytes((store.folder / "shard-000002.safetensors").read_bytes())
    with pytest.raises(StoreError, match=SHARD):
        list(store.matrices(errors="return"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "not the manifest of a run directory"),
        (lambda text: text[:-20], "not the manifest of a run directory"),
        (lambda text: "[]", "not the manifest of a run directory"),
        (lambda text: text.replace('"float32"', '"float16"'), "does not match its own checksum"),
        (lambda text: text.replace("probe.Store/1", "probe.Store/9"), "probe.Store/1 is expected, found"),
    ],
)
def test_a_damaged_manifest_is_an_error(fill: Fill, change: Callable[[str], str], message: str) -> None:
    folder = fill().folder
    path = folder / MANIFEST
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = contents(folder)
    attempts: list[Callable[[], Store]] = [lambda: Store.open(folder), fill]
    for attempt in attempts:
        with pytest.raises(StoreError, match=f"{MANIFEST}: .*{message}") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert contents(folder) == before


def test_what_is_no_run_directory_is_not_opened(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(StoreError, match=r"No such file or directory.*: is .* a run directory"):
            Store.open(folder)


# --- interrupted runs


class Stopped(BaseException):
    """What stops a run in the tests: nothing catches it but clean-up."""


def test_an_incomplete_directory_is_not_opened(fill: Fill, tmp_path: Path) -> None:
    def stop(places: range, made: bool) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        fill(on_shard=stop)
    with pytest.raises(StoreError, match="run: 1 of 4 shards are there"):
        Store.open(tmp_path / "run")


@pytest.mark.parametrize("after", [False, True], ids=["before it is named", "after it is named"])
@pytest.mark.parametrize("step", range(2 * SHARDS + 1))
def test_a_run_that_dies_at_any_file_goes_on(
    fill: Fill, step: int, after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = contents(fill("whole").folder)
    whole, calls = Path.replace, iter(range(1_000))

    def dying(self: Path, target: Path) -> Path:
        died = next(calls) == step
        if after or not died:
            whole(self, target)
        if died:
            raise Stopped
        return target

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        patched.setattr(Path, "unlink", lambda self, missing_ok: None)  # a dead process cleans nothing up
        with pytest.raises(Stopped):
            fill()
    made: list[bool] = []
    assert contents(fill(on_shard=lambda places, now: made.append(now)).folder) == expected
    shards_before = (step - 1 + after) // 2 if step else 0
    assert made == [False] * shards_before + [True] * (SHARDS - shards_before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_run_killed_at_random_times_ends_with_the_same_bytes(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    from tests.killed_runs import SHARDS

    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_runs", str(model_folder("bert")), str(tmp_path), "20"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    expected = contents(tmp_path / "whole")
    assert len(report) == 20 and len(expected) == SHARDS + 2
    for number, counts in enumerate(report):
        assert contents(tmp_path / str(number)) == expected
        assert counts["begun"] <= SHARDS + 1, "at most one shard is repeated"
    assert len({counts["finished"] for counts in report}) > 4, "the kills fall at different moments"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("name", [SHARD, MANIFEST])
def test_a_full_disk_leaves_what_was_written_whole(fill: Fill, name: str, tmp_path: Path) -> None:
    expected = contents(fill("whole").folder)
    folder, made = tmp_path / "run", []

    def on_shard(places: range, now: bool) -> None:
        made.append(now)
        if len(made) == 1:
            (folder / f".{name}.partial").symlink_to("/dev/full")  # whatever is written there is too much

    with pytest.raises(StoreError, match=rf"{name}: cannot be written \(No space left on device\); what was"):
        fill(on_shard=on_shard)
    assert made == [True]
    manifest = Manifest.load(folder)
    assert list(manifest.shards) == ["shard-000000.safetensors"]
    assert not list(folder.glob(".*.partial"))
    again: list[bool] = []
    assert contents(fill(on_shard=lambda places, now: again.append(now)).folder) == expected
    assert again == [False, True, True, True]


def test_a_disk_that_is_really_full(model: Probe, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        everything = {**EVERYTHING, "shard_sentences": 2}
        with pytest.raises(StoreError, match=r"\(No space left on device\)"):
            Store.fill(disk / "run", model, WORDS, **everything)
        kept = Manifest.load(disk / "run").shards
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        made: list[bool] = []
        Store.fill(disk / "run", model, WORDS, **everything, on_shard=lambda places, now: made.append(now))
        assert made == [False] * len(kept) + [True] * (SHARDS - len(kept))
        expected = Store.fill(tmp_path / "whole", model, WORDS, **everything).folder
        assert contents(disk / "run") == contents(expected)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


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
