"""The benchmarks compare like with like: the published loop and our engine give the same matrices."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import probe
from bench import engine, memory, shapes
from data import load_sample
from tests.conftest import ModelFolder

SENTENCES = [sentence.words for sentence in load_sample() if len(sentence.words) in (3, 4, 5)][:4]


def test_naive_loop_equals_the_engine(model_folder: ModelFolder) -> None:
    p = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    of_all = engine.naive(p, SENTENCES, all_layers=True)
    of_last = engine.naive(p, SENTENCES)
    for ours, layers, (last,) in zip(engine.ours(p, SENTENCES, layer="all"), of_all, of_last, strict=True):
        assert len(ours) == len(layers) == p.n_layers + 1
        for matrix, naive in zip(ours, layers, strict=True):
            np.testing.assert_allclose(matrix.values, naive, atol=1e-4)
        np.testing.assert_allclose(layers[-1], last, atol=1e-4)


@pytest.mark.parametrize("perturb", ["pair", "knockout"])
def test_bare_passes_are_those_of_the_engine(perturb: str, model_folder: ModelFolder) -> None:
    p = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    passes: list[int] = []
    list(p.impact_many(SENTENCES, on_passes=passes.append, perturb=perturb))
    batches = engine.prepare_bare(p, SENTENCES, 8, perturb)
    assert max(len(ids) for ids, _ in batches) <= 8
    assert sum(len(ids) for ids, _ in batches) == sum(passes)
    for ids, sees in batches:
        assert (sees is None) == (perturb == "pair")
        assert sees is None or sees.shape == (*ids.shape, ids.shape[1])


def test_report(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.txt"
    path.write_text("".join(" ".join(words) + "\n" for words in SENTENCES), encoding="utf-8")
    arguments = ["--model", str(model_folder("bert")), "--input", str(path), "--device", "cpu"]
    arguments += [
        "--sentences",
        "2",
        "--repeats",
        "1",
        "--words",
        "mix",
        "5",
        "--dtype",
        "float32",
        "bfloat16",
    ]
    assert engine.main(arguments) == 0
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [report["length"] for report in reports] == ["mix", "5"]
    for report in reports:
        assert report["largest difference"] < 1e-4
        assert report["sequences"]["naive pair"] > 2 * report["sequences"]["pair"]
        assert len(report["seconds"]) == len(report["processor seconds"]) == 2 + 2 * 2 + 2 * 2 * 2
        published, bare = {"naive / ours, pair last bfloat16"}, {"ours / bare, knockout all float32"}
        assert report["ratios"].keys() > published | bare | {"pair / knockout, last float32"}


def test_no_sentence_of_that_length(capsys: pytest.CaptureFixture[str]) -> None:
    assert engine.main(["--words", "999"]) == 2
    assert capsys.readouterr().err == "error: no sentence of 999 words\n"


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_shapes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller than they are, and without all words but the commonest, else a test takes seconds."""
    small: dict[str, dict[str, Any]] = {
        "bert-base": {"num_hidden_layers": 1},
        "modernbert-base": {"num_hidden_layers": 1, "layer_types": ["full_attention"]},
        "gpt2": {"n_layer": 1},
    }
    make = shapes.SHAPES[name]
    monkeypatch.setitem(shapes.SHAPES, name, lambda ids: make({**ids, "vocab_size": 3_000, **small[name]}))
    one, other = (shapes.load(name, device="cpu") for _ in range(2))
    assert one.model.config.hidden_size == 768
    for first, second in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert (first == second).all()
    assert np.isfinite(one.impact(["the", "of"], layer=-1, pool="mean").values).all()


def test_sentences_are_spread_over_the_lengths() -> None:
    words = [["w"] * n for n in (9, 1, 5, 3, 7)]
    assert [len(sentence) for sentence in engine.spread_by_length(words, 3)] == [1, 5, 9]
    assert len(engine.spread_by_length(words, 50)) == 5


def test_peak_memory(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.txt"
    path.write_text("a b c\nd e\n", encoding="utf-8")
    arguments = ["--model", str(model_folder("bert")), "--input", str(path), "--perturb", "knockout"]
    for more in (["--counts", "2"], ["--words", "4", "--layer", "all"]):
        assert memory.main([*arguments, *more]) == 0
        assert float(capsys.readouterr().out) > 50


def test_a_document_of_some_words(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("a b c\nd e\n", encoding="utf-8")
    assert list(memory.sentences_of(path, 9, 4)) == [("a", "b", "c", "d")]
    assert list(memory.sentences_of(path, 1, None)) == [("a", "b", "c")]
