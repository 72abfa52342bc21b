"""The benchmark of the geometry runs both sides on the same sentences and says what it ran."""

import json
from pathlib import Path

import pytest

from bench import geometry
from bench.engine import BATCH_SIZES
from probe.word_states import load_encoder
from tests.conftest import ModelFolder

SENTENCES = [["the", "cat", "sat", "on", "the", "mat"], ["the", "the", "dog"], ["the", "dog", "the", "."]]


@pytest.fixture
def options(model_folder: ModelFolder, tmp_path: Path) -> list[str]:
    path = tmp_path / "s.txt"
    path.write_text("".join(" ".join(words) + "\n" for words in SENTENCES), encoding="utf-8")
    return ["--model", str(model_folder("bert")), "--input", str(path), "--device", "cpu"]


def test_both_sides_have_the_same_sentences(model_folder: ModelFolder) -> None:
    encoder = load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")
    words = [*SENTENCES, ["the"] * 40]  # longer than the window
    found, summary = geometry.ours(encoder, words)
    batches = geometry.prepare_bare(encoder, words, 1)
    assert [place for place, _ in found.skipped] == [3]
    assert sum(len(batch) for batch in batches) == len(found.lengths) == 3
    assert len(summary.curves["anisotropy"].value) == encoder.n_layers + 1
    assert max(len(batch) for batch in geometry.prepare_bare(encoder, [SENTENCES[0]] * 5, 2)) == 2


def test_report(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert geometry.main([*options, "--repeats", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["dtype"], report["device"], report["sentences"]) == ("float32", "cpu", 3)
    assert report["pieces"] >= sum(len(words) for words in SENTENCES)
    assert report["best bare batch"] in BATCH_SIZES
    for kind in ("seconds", "processor seconds"):
        assert set(report[kind]) == {"ours", "bare"}
    assert {"ours / bare", "ours / bare, processor seconds"} <= set(report)


def test_peak_memory(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert geometry.main([*options, "--memory", "--in-this-process"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sentences"] == 3
    assert report["peak MB"] > 50


def test_wrong_input(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert geometry.main([*options, "--input", str(tmp_path / "none.txt")]) == 2
    assert "none.txt" in capsys.readouterr().err
