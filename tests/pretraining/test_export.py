"""From a finished run to a model that `probe.load` takes, and its evaluation."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import probe
from data import load_sample, to_conllu
from pretraining import checkpoint, evaluate, export
from tests.tiny_run import STEPS


@pytest.fixture(scope="module")
def exported(finished: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exported")
    config = str(corpora / "c.toml")
    arguments = ["--config", config, "--corpora", str(corpora), "--run", str(finished), "--to", str(target)]
    assert export.main(arguments) == 0
    return target


def test_exported_model_is_the_trained_one_in_half_precision(exported: Path, finished: Path) -> None:
    newest = checkpoint.newest(finished)
    assert newest is not None
    trained = load_file(newest / "model.safetensors")
    p = probe.load(exported, device="cpu", dtype="float32")
    loaded = dict(p.model.named_parameters())
    assert loaded.keys() == trained.keys()
    for name, value in trained.items():
        assert torch.equal(loaded[name], value.half().float()), name
    assert p.has_head
    assert p.window == 32
    assert (p.best.fills_masks, p.best.guess, p.mask_note) == (True, True, None)
    assert p.impact(["old", "ship"]).values[0, 1] > 0


def test_exported_tokenizer_is_that_of_the_run(exported: Path, finished: Path) -> None:
    from tokenizers import Tokenizer

    trained = Tokenizer.from_file(str(finished / "tokenizer.json"))
    p = probe.load(exported, device="cpu")
    for text in ("The old ship rises slowly.", "HARBOUR, unseen wörd!", "net-sailor's (grey)"):
        assert p.tokenizer(text)["input_ids"] == trained.encode(text).ids


def test_training_record(exported: Path, finished: Path) -> None:
    about = json.loads((exported / "training.json").read_text(encoding="utf-8"))
    assert about["steps"] == STEPS
    assert set(about["corpora"]) == {"a", "b", "c"}
    assert all(len(digest) == 64 for digest in (*about["corpora"].values(), about["tokenizer"]))
    assert [record["step"] for record in about["curve"]] == [3, 6, 9, 12]
    assert about["pieces"] > 0


def test_export_of_a_run_without_checkpoint(
    corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(corpora / "c.toml")
    arguments = ["--config", config, "--corpora", str(corpora), "--run", str(tmp_path)]
    assert export.main([*arguments, "--to", str(tmp_path / "out")]) == 2
    assert "no whole checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_evaluation(
    exported: Path, corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    treebank = tmp_path / "dev.conllu"
    sentences = [sentence for sentence in load_sample() if len(sentence.words) <= 5][:6]
    treebank.write_text("".join(to_conllu(s, s.heads or ()) for s in sentences), encoding="utf-8")
    heldout = str(corpora / "c.txt.xz")
    arguments = ["--model", str(exported), "--dev", str(treebank), "--heldout", heldout, "--documents", "9"]
    assert evaluate.main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert {(row["layer"], row["pool"]) for row in result["rows"]} == {
        (layer, pool) for layer in range(3) for pool in ("first", "mean", "max", "state")
    }
    assert result["best"]["wu2020"]["UAS"] == max(row["wu2020"]["UAS"] for row in result["rows"])
    assert [row["length"] for row in result["heldout"]] == [32]
    assert all(np.isfinite(row["perplexity"]) and row["perplexity"] > 1 for row in result["heldout"])
    # The embeddings do not see the other words: all impacts there are 0 and the trees are those of ties.
    assert len({json.dumps(row["wu2020"]) for row in result["rows"] if row["layer"] == 0}) == 1
