"""Masked words along trees: the engine against a plain loop, ways to see, the command and its figure."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import probe
from analyses.structure import command
from analyses.structure.figures import accuracy_by_relation
from analyses.structure.readings import compare, mean_reading, pseudo_perplexity, read_masked
from analyses.structure.views import (
    CHAIN,
    EVERYTHING,
    GOLD,
    INDUCED,
    NOTHING,
    RANDOM,
    WORDS,
    along,
    trees_of,
    without_trees,
)
from analyses.tables.forms import read_table
from analyses.trees.methods import METHODS
from probe import run
from probe.structure import mask_of
from tests.command import PLAIN, ran
from tests.conftest import ModelFolder
from tests.countdown import Countdown

SENTENCES = [["The", "painters", "slept", "."], ["Rivers", "carry", "sand"], ["Nobody"]]
HEADS = [np.array([2, 3, 0, 3]), np.array([2, 0, 2]), np.array([0])]


@pytest.fixture(scope="module")
def tiny(model_folder: ModelFolder) -> probe.Probe:
    """A tiny BERT."""
    return probe.load(model_folder("bert"), device="cpu", dtype="float64")


def plain_loop(model: probe.Probe, words: list[str], sees: np.ndarray) -> tuple[int, float]:
    """Words right and the sum of log-probabilities, one word a pass, the mask written out pair by pair."""
    found = model.align(words)
    word = np.full(len(found.ids), -1)
    word[found.positions] = found.unit_of
    hidden = torch.zeros(1, 1, len(word), len(word), dtype=torch.float64)
    for query, mine in enumerate(word):
        for key, its in enumerate(word):
            if its >= 0 and (mine < 0 or not sees[mine, its]):
                hidden[0, 0, query, key] = torch.finfo(torch.float64).min
    right, total = 0, 0.0
    for at in range(len(words)):
        ids = torch.tensor(found.ids)[None]
        pieces = np.flatnonzero(word == at)
        true = ids[0, pieces].clone()
        ids[0, pieces] = model.tokenizer.mask_token_id
        with torch.inference_mode():
            logits = model.model(input_ids=ids, attention_mask=hidden).logits[0, pieces]
        right += int((logits.argmax(-1) == true).all())
        total += float(logits.log_softmax(-1)[range(len(pieces)), true].sum())
    return right, total


@pytest.mark.parametrize("relation", ["parent", "nearest:1", "distance:2"])
def test_readings_are_those_of_a_plain_loop(tiny: probe.Probe, relation: str) -> None:
    masks = [mask_of(heads, relation) for heads in HEADS]
    found = read_masked(tiny, SENTENCES, masks, batch_tokens=1)
    for at, (words, sees) in enumerate(zip(SENTENCES, masks, strict=True)):
        right, logs = plain_loop(tiny, words, sees)
        assert found.right[at] == right and found.seen[at] == sees.sum() - len(words)
        np.testing.assert_allclose(found.logs[at], logs, rtol=1e-9)
    together = read_masked(tiny, SENTENCES, masks)
    np.testing.assert_allclose(together.logs, found.logs, rtol=1e-9)


def test_full_attention_is_the_model_itself(tiny: probe.Probe) -> None:
    passes: list[int] = []
    found = read_masked(tiny, SENTENCES, ["full"] * 3, on_passes=passes.append)
    assert sum(passes) == 8 and found.seen.tolist() == [12, 6, 0]
    ids = torch.tensor(tiny.align(["Nobody"]).ids)[None]
    where = tiny.align(["Nobody"]).positions
    true = ids[0, where].clone()
    ids[0, where] = tiny.tokenizer.mask_token_id
    with torch.inference_mode():
        logs = tiny.model(input_ids=ids).logits[0, where].log_softmax(-1)
    np.testing.assert_allclose(found.logs[2], float(logs[range(len(true)), true].sum()), rtol=1e-9)


def test_every_tree_shows_as_many_words() -> None:
    sizes = [4, 3, 1]
    trees = trees_of(sizes, gold=HEADS, induced=HEADS, draws=2, seed=3)
    assert list(trees) == [CHAIN, RANDOM, INDUCED, GOLD]
    for k in (1, 2, 9):
        for view in along(trees, f"nearest:{k}"):
            assert len(view.draws) == (2 if view.name == RANDOM else 1)
            for draw in view.draws:
                seen = [np.unique(np.sum(sees, axis=1)).tolist() for sees in draw]
                assert seen == [[min(n, k + 1)] for n in sizes]
    again = trees_of(sizes, gold=None, induced=HEADS, draws=2, seed=3)
    np.testing.assert_array_equal(again[RANDOM][1][0], trees[RANDOM][1][0])
    assert GOLD not in again
    assert [view.name for view in without_trees(sizes)] == [NOTHING, WORDS, EVERYTHING]


def test_measures(tiny: probe.Probe) -> None:
    one = read_masked(tiny, SENTENCES, ["full"] * 3)
    other = read_masked(tiny, SENTENCES, [np.eye(len(words), dtype=bool) for words in SENTENCES])
    value, interval = pseudo_perplexity(one)
    assert value == pytest.approx(np.exp(-one.logs.sum() / one.pieces.sum())) and interval is None
    assert mean_reading([one, other]).logs == pytest.approx((one.logs + other.logs) / 2)
    right, logs = compare(one, other)
    assert logs.difference == pytest.approx((one.logs - other.logs).sum() / one.pieces.sum())
    assert right.difference == pytest.approx((one.right - other.right).sum() / 8)


# --- the command


def test_tables_and_figure(
    model_folder: ModelFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = ("--model", model_folder("bert"), *PLAIN, "--limit", 10, "--draws", 2)
    done = ran(capsys, command.main, *model, "--relation", "nearest:2", "parent", "--out", tmp_path)
    assert done.code == 0, done.err
    accuracy = json.loads((tmp_path / "structure-accuracy.json").read_text(encoding="utf-8"))
    names = [row["name"].split(": ")[-1] for row in accuracy["rows"]]
    assert names[1:] == [NOTHING, WORDS, CHAIN, RANDOM, INDUCED, GOLD, EVERYTHING]
    assert "random weights" in names[0]
    seen = json.loads((tmp_path / "structure-seen.json").read_text(encoding="utf-8"))
    of_trees = [row["cells"]["nearest:2"]["value"] for row in seen["rows"][3:7]]
    assert len(set(of_trees)) == 1 and of_trees[0] <= 2
    assert "Paired bootstrap" in done.out and "gold trees - chains" in done.out
    figure = accuracy_by_relation(read_table(tmp_path / "structure-accuracy.json"))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["nearest:2", "parent"]
    with pytest.raises(ValueError, match="expected a row of trees"):
        accuracy_by_relation(read_table(tmp_path / "structure-differences.json"))


FEW = ("--limit", 10, "--draws", 2, "--relation", "nearest:2", "--quiet")


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("structure-*")}


@pytest.mark.usefixtures("one_thread")
def test_an_interrupted_run_goes_on_where_it_was(
    model_folder: ModelFolder,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ("--model", model_folder("bert"), *PLAIN, *FEW)
    whole, interrupted = tmp_path / "whole", tmp_path / "interrupted"
    assert ran(capsys, command.main, *options, "--out", whole).code == 0
    read = Countdown(read_masked, 3)
    monkeypatch.setattr("analyses.structure.command.read_masked", read)
    assert ran(capsys, command.main, *options, "--out", interrupted).code == 130
    assert not tables(interrupted)
    read.left = 99
    assert ran(capsys, command.main, *options, "--out", interrupted).code == 0
    assert 99 - read.left == 9 - 3
    assert tables(interrupted) == tables(whole)
    read.left = 0  # nothing is read any more
    assert ran(capsys, command.main, *options, "--out", interrupted).code == 0
    kept = next((interrupted / "measured").rglob("chains*"))
    kept.write_text(kept.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    assert ran(capsys, command.main, *options, "--out", interrupted).code == 130  # it is made again
    read.left = 99
    fewer = ran(capsys, command.main, *options, "--limit", 9, "--out", interrupted)
    assert fewer.code == 2 and "holds a run of another configuration" in fewer.err


@pytest.mark.usefixtures("one_thread")
def test_induced_trees_come_from_a_run_directory(
    model_folder: ModelFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = ("--model", model_folder("bert"), *PLAIN)
    perturb = METHODS["openness"].perturb
    made = ran(
        capsys, run.main, *model, "--perturb", perturb, "--openness", "--out", tmp_path / "run", "--quiet"
    )
    assert made.code == 0, made.err
    matrices = ("--matrices", tmp_path / "run")
    done = ran(capsys, command.main, *model, *FEW, *matrices)
    assert done.code == 0 and done.out == ran(capsys, command.main, *model, *FEW).out
    other = ran(capsys, command.main, "--model", model_folder("roberta"), *PLAIN, *FEW, *matrices)
    assert other.code == 2 and "whose weights are not" in other.err and len(other.err.splitlines()) == 1
    two = ran(capsys, command.main, *model[:2], model_folder("roberta"), *PLAIN, *matrices)
    assert two.code == 2 and "--matrices are of one model" in two.err


def test_text_has_no_gold_trees_and_what_cannot_be_read_is_named(
    model_folder: ModelFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "in.txt"
    path.write_text("Nobody slept .\n" + "a " * 60 + "\n", encoding="utf-8")
    options = (
        "--model",
        model_folder("bert"),
        *PLAIN,
        "--data",
        path,
        "--draws",
        1,
        "--seeds",
        0,
        "--strict",
    )
    done = ran(capsys, command.main, *options, "--relation", "siblings")
    assert done.code == 1 and "in.txt:2: sentence 2 skipped: " in done.err
    assert GOLD not in done.out and "random weights" not in done.out and "skipped:1" in done.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--relation", "parents"), "did you mean 'parent'"),
        (("--draws", "0"), "a whole number above 0"),
        (("--data", "none.conllu"), "none.conllu"),
    ],
)
def test_wrong_use_is_one_line(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = ran(capsys, command.main, *options, "--out", tmp_path / "out")
    assert done.code == 2 and said in done.err and len(done.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_causal_model_is_refused(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> None:
    done = ran(capsys, command.main, "--model", model_folder("gpt2"), *PLAIN, "--limit", 2)
    assert done.code != 0 and "predicting masked words needs" in done.err
