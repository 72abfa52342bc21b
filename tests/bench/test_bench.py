"""The benchmarks compare like with like: the published loop and our engine give the same matrices."""

import json
from pathlib import Path

import numpy as np
import pytest

import probe
from bench import engine, memory
from data import load_sample
from tests.conftest import ModelFolder

SENTENCES = [sentence.words for sentence in load_sample() if len(sentence.words) in (3, 4, 5)][:4]


def test_naive_loop_equals_the_engine(model_folder: ModelFolder) -> None:
    p = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    for ours, naive in zip(engine.ours(p, SENTENCES), engine.naive(p, SENTENCES), strict=True):
        np.testing.assert_allclose(ours.values, naive, atol=1e-4)


def test_bare_passes_are_those_of_the_engine(model_folder: ModelFolder) -> None:
    p = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    passes: list[int] = []
    list(p.impact_many(SENTENCES, on_passes=passes.append))
    batches = engine.prepare_bare(p, SENTENCES, 8)
    assert max(len(batch) for batch in batches) <= 8
    assert sum(len(batch) for batch in batches) == sum(passes)


def test_report(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.txt"
    path.write_text("".join(" ".join(words) + "\n" for words in SENTENCES), encoding="utf-8")
    arguments = ["--model", str(model_folder("bert")), "--input", str(path), "--device", "cpu"]
    assert engine.main([*arguments, "--sentences", "2", "--repeats", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sentences"] == 2
    assert report["largest difference"] < 1e-4
    assert set(report["seconds"]) == {"ours", "naive", "bare"}


def test_sentences_are_spread_over_the_lengths() -> None:
    words = [["w"] * n for n in (9, 1, 5, 3, 7)]
    assert [len(sentence) for sentence in engine.spread_by_length(words, 3)] == [1, 5, 9]
    assert len(engine.spread_by_length(words, 50)) == 5


def test_peak_memory(model_folder: ModelFolder, tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("a b c\nd e\n", encoding="utf-8")
    assert memory.peak_megabytes(str(model_folder("bert")), path, 2) > 50
