"""Cutting a model down: importances against plain gradients, pruning against masks, the command."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import probe
from analyses.compression import command
from analyses.compression.grid_figure import heatmaps
from analyses.compression.importance import importance
from analyses.compression.measures import masked_accuracy
from analyses.compression.pruning import (
    Cell,
    choose,
    grid,
    kept_layers,
    layout_of,
    most_important,
    prune,
    random_importance,
    save,
)
from analyses.tables.forms import read_table
from tests.command import GOLD, PLAIN, conllu, ran
from tests.conftest import ModelFolder
from tests.figure_tables import texts
from tests.pruned_models import check_pruned
from tests.tiny import SENTENCES

WORDS = [sentence.split()[:5] for sentence in SENTENCES[:6]]


@pytest.fixture(scope="module")
def bert(model_folder: ModelFolder) -> probe.Probe:
    """A tiny BERT in float64."""
    return probe.load(str(model_folder("bert")), device="cpu", dtype="float64")


def test_the_layers_that_stay_are_those_of_dynabert() -> None:
    for n in (6, 12, 24):
        assert kept_layers(n, 1) == tuple(range(n))
        # Dropped are d = 1, 3, 5, ... and d = 3, 7, 11, ..., counted from 1.
        assert kept_layers(n, 0.5) == tuple(range(1, n, 2))
        assert kept_layers(n, 0.75) == tuple(d for d in range(n) if (d + 2) % 4)
    assert kept_layers(3, 0.01) == (2,)


def test_the_most_important() -> None:
    assert most_important([0.1, 0.5, 0.3, 0.4], 0.5).tolist() == [1, 3]
    assert most_important([0.1, 0.5], 0.01).tolist() == [1]
    assert most_important([1, 1, 1, 1], 0.75).tolist() == [0, 1, 2]
    assert grid([1, 0.5], [1]) == [Cell(0.5, 1), Cell(1, 1)]


@pytest.mark.parametrize("kind", ["bert", "distilbert", "mpnet"])
def test_importance_equals_the_gradients_of_weights(model_folder: ModelFolder, kind: str) -> None:
    """One sentence is one batch: |sum of grad * weight|, and for heads the change of the loss by a factor."""
    whole = probe.load(str(model_folder(kind)), device="cpu", dtype="float64")
    model, layout = whole.model, layout_of(whole)
    found = importance(whole, WORDS[0:1], seed=3)
    ids, labels = _batch(whole, WORDS[0], seed=3)

    def loss() -> torch.Tensor:
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return torch.nn.functional.cross_entropy(logits[0], labels)

    for at, layer in enumerate(layout.layers(model)):
        into, out = (layer.get_submodule(name).weight for name in (layout.into, layout.out))
        for weight in (into, out):
            weight.requires_grad_(True)
        with torch.enable_grad():
            grads = torch.autograd.grad(loss(), [into, out])
        for weight in (into, out):
            weight.requires_grad_(False)
        expected = ((grads[0] * into).sum(1) + (grads[1] * out).sum(0)).abs()
        np.testing.assert_allclose(found.neurons[at], expected.detach(), atol=1e-12)
        size, dense = layout.head_size(layer), layer.get_submodule(layout.mixing)
        for head in range(found.heads.shape[1]):
            part = slice(head * size, (head + 1) * size)
            kept, step, values = dense.weight.clone(), 1e-6, []
            for sign in (1, -1):
                dense.weight[:, part] = kept[:, part] * (1 + sign * step)
                values.append(float(loss()))
            dense.weight[:] = kept
            slope = abs(values[0] - values[1]) / (2 * step)
            assert found.heads[at, head] == pytest.approx(slope, rel=1e-4, abs=1e-8)
    assert not layout.layers(model)[0].get_submodule(layout.out)._forward_pre_hooks


def _batch(bert: probe.Probe, words: list[str], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The masked pieces of a sentence, by the draws of the first batch, and what stood there."""
    from analyses.compression.importance import _masked
    from probe.word_states import PieceTable, encoder_of

    batch = PieceTable(encoder_of(bert), [words]).batch(np.array([0]))
    mask = bert.tokenizer.mask_token_id
    ids, labels = _masked(batch.ids, batch.at, mask, np.random.default_rng(seed))
    assert ((ids == mask) == (labels >= 0)).all() and (labels >= 0).sum() == max(
        1, round(0.15 * len(batch.at))
    )
    return torch.from_numpy(ids), torch.from_numpy(labels[0])


@pytest.mark.parametrize(
    "kind", ["bert", "roberta", "xlm_roberta", "electra", "ernie", "deberta_v2", "distilbert", "mpnet"]
)
def test_a_pruned_model_is_the_whole_one_with_zeros(
    model_folder: ModelFolder, tmp_path: Path, kind: str
) -> None:
    model = probe.load(str(model_folder(kind)), device="cpu", dtype="float64")
    check_pruned(model, WORDS[0], tmp_path / "small")


def test_all_of_it_is_the_model_itself(bert: probe.Probe) -> None:
    ranks = importance(bert, WORDS)
    assert (ranks.heads > 0).all() and ranks.neurons.shape == (3, 32)
    same = prune(bert, choose(ranks, Cell(1, 1)), name="same")
    np.testing.assert_array_equal(same.impact(WORDS[0]).values, bert.impact(WORDS[0]).values)
    drawn = random_importance(ranks, np.random.default_rng(0))
    assert drawn.heads.shape == ranks.heads.shape


def test_a_saved_model_is_loaded_and_cut_again(bert: probe.Probe, tmp_path: Path) -> None:
    ranks = importance(bert, WORDS)
    small = prune(bert, choose(ranks, Cell(0.5, 0.75)), name="small")
    save(small, tmp_path / "small", chosen="by hand")
    loaded = probe.load(tmp_path / "small", device="cpu", dtype="float64")
    np.testing.assert_allclose(loaded.impact(WORDS[1]).values, small.impact(WORDS[1]).values, atol=1e-5)
    assert (loaded.best.layer, loaded.best.pool) == (
        small.best.layer % 4,
        "mean",
    ) or loaded.best == small.best
    assert loaded.with_random_weights().impact(WORDS[1]).values.max() > 0
    again = prune(loaded, choose(importance(loaded, WORDS), Cell(1, 0.5)), name="smaller")
    assert again.n_layers < loaded.n_layers


def test_masked_accuracy_equals_a_plain_loop(bert: probe.Probe) -> None:
    right, total = masked_accuracy(bert, WORDS[:2], batch_tokens=20)
    for place, words in enumerate(WORDS[:2]):
        pieces = bert.tokenizer(" ".join(words))["input_ids"]
        hits = 0
        for at in range(1, len(pieces) - 1):
            ids = torch.tensor([pieces])
            ids[0, at] = bert.tokenizer.mask_token_id
            with torch.no_grad():
                hits += int(bert.model(input_ids=ids).logits[0, at].argmax() == pieces[at])
        assert (right[place], total[place]) == (hits, len(pieces) - 2)


TREE = "( (S (NP (NNS Rivers)) (VP (VBP carry) (NP (NN sand))) (. .)) )\n"
BLIMP = (
    '{{"sentence_good": "{0}", "sentence_bad": "{1}", "field": "f", "linguistics_term": "t", "UID": "u"}}\n'
)


def options(tmp_path: Path, model: Path) -> list[object]:
    (tmp_path / "some.conllu").write_text(GOLD, encoding="utf-8")
    pairs = BLIMP.format("Rivers carry sand .", "Rivers sand carry .")
    (tmp_path / "pairs.jsonl").write_text(pairs, encoding="utf-8")
    (tmp_path / "some.mrg").write_text(TREE * 2, encoding="utf-8")
    given = ["--data", tmp_path / "some.conllu", "--pairs", tmp_path / "pairs.jsonl", "--limit", 3]
    given += ["--trees", tmp_path / "some.mrg"]
    return [*given, "--model", model, *PLAIN, "--quiet", "--width", 0.5, 1, "--depth", 0.5, 1]


def test_the_command_and_going_on(
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("analyses.pictures.style.DPI", 40)
    given = [*options(tmp_path, model_folder("bert")), "--out", tmp_path / "out", "--format", "json"]
    done = ran(capsys, command.main, *given)
    assert done.code == 0, done.err
    (table,) = json.loads(done.out)
    names = [row["name"].replace(str(model_folder("bert")), "m") for row in table["rows"]]
    assert names == [
        "right-chain, right-branching",
        "m random weights",
        "m at random, width 0.5, depth 0.5",
        "m at random, width 0.5, depth 1",
        "m",
        "m width 0.5, depth 0.5",
        "m width 0.5, depth 1",
        "m width 1, depth 0.5",
    ]
    whole = table["rows"][4]["cells"]
    assert whole["correlation"]["value"] == pytest.approx(1) and "pairs" in whole
    assert {"width-0.5-depth-1", "width-1-depth-0.5"} < {
        p.name for p in (tmp_path / "out" / "models").iterdir()
    }
    figure = heatmaps(read_table(tmp_path / "out" / "compress-some.json"))
    assert {"UAS", "pairs", "at random\ndepth"} <= set(texts(figure))
    monkeypatch.setattr("analyses.compression.measures.Meter._measure", None)  # nothing is measured again
    assert ran(capsys, command.main, *given).out == done.out
    refused = ran(capsys, command.main, *given, "--seed", 1)
    assert refused.code == 2 and "holds a grid with another seed" in refused.err


def test_a_cell_scores_as_its_directory_does(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from analyses.dependency import command as dependency

    given = [*options(tmp_path, model_folder("bert")), "--text", tmp_path / "some.conllu", "--draws", 0]
    given += ["--seeds", 0, "--format", "json"]
    (table,) = json.loads(ran(capsys, command.main, *given, "--out", tmp_path / "out").out)
    (row,) = [row for row in table["rows"] if row["name"].endswith("width 0.5, depth 1")]
    model = ["--model", tmp_path / "out" / "models" / "width-0.5-depth-1", *PLAIN, "--quiet", "--seeds", 0]
    way = ["--method", "openness", "--protocol", "fair", "--decoder", "eisner", "--format", "json"]
    done = ran(capsys, dependency.main, "--data", tmp_path / "some.conllu", *model, *way)
    (scores,) = json.loads(done.out)
    for name in ("UAS", "UUAS"):
        assert scores["rows"][-1]["cells"][name]["value"] == pytest.approx(row["cells"][name]["value"])


def test_sentences_without_a_bracket_to_score_have_no_f1(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*options(tmp_path, model_folder("bert")), "--width", 1, "--depth", 1, "--draws", 0]
    (tmp_path / "some.mrg").write_text("( (S (NP (NNS Rivers)) (VP (VBP rise)) (. .)) )\n", encoding="utf-8")
    done = ran(capsys, command.main, *given, "--format", "json")
    assert done.code == 0, done.err
    (table,) = json.loads(done.out)
    assert len(table["rows"]) == 3
    assert all(row["cells"]["F1"] is None and row["cells"]["UAS"] for row in table["rows"])


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (["--width", "0"], 2, "a share above 0, at most 1, is expected, found '0'"),
        (["--depth", "nan"], 2, "found 'nan'"),
        (["--text", "/nowhere.txt"], 2, "/nowhere.txt"),
        (["--pairs", "/nowhere"], 2, "/nowhere"),
        (["--data", "ONE"], 2, "no sentence to rank by"),
    ],
)
def test_what_is_refused(
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: list[str],
    code: int,
    message: str,
) -> None:
    (tmp_path / "one.conllu").write_text(conllu(("Nobody slept .", [2, 0, 2])), encoding="utf-8")
    change = [str(tmp_path / "one.conllu") if each == "ONE" else each for each in change]
    given = [*options(tmp_path, model_folder("bert")), *change, "--out", tmp_path / "out"]
    done = ran(capsys, command.main, *given)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_a_model_of_another_kind(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = ran(capsys, command.main, *options(tmp_path, model_folder("albert")))
    assert done.code == 2 and "expected a masked LM of a kind that can be cut (bert, " in done.err
    assert "found albert" in done.err
