"""The search of weights finds what is there to find, sees no held-out sentence, and prints what it found."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import probe
from analyses import decode
from analyses.scores.attachment import count_arcs
from analyses.trees.adjust import Weights, adjust
from analyses.trees.methods import METHODS
from analyses.trees.protocols import scored_words
from bench import method_search
from bench.method_search import CLIMBED, START, Sample, climb
from data import load_sample
from probe.store import Store
from tests.conftest import ModelFolder

SENTENCES = 12


def write_treebank(path: Path) -> Path:
    """The first sentences of the sample, as a treebank."""
    blocks = []
    for one in islice(load_sample(), SENTENCES):
        rows = enumerate(zip(one.words, one.upos or (), one.heads or (), strict=True), start=1)
        blocks += [f"{i}\t{word}\t_\t{tag}\t_\t_\t{head}\t_\t_\t_" for i, (word, tag, head) in rows] + [""]
    path.write_text("\n".join([*blocks, ""]), encoding="utf-8")
    return path


@pytest.fixture
def samples(model_folder: ModelFolder, tmp_path: Path) -> tuple[Sample, Sample]:
    """Sentences and what a tiny BERT says of them, searched and held out."""
    model = probe.load(str(model_folder("bert")), device="cpu", dtype="float32")
    return method_search.read(write_treebank(tmp_path / "t.conllu"), model, layer=2, out=tmp_path / "run")


def test_climbs_to_the_top_of_a_hill() -> None:
    top = replace(START, norm=0.3, seen=-0.1, root=0.1)

    def height(weights: Weights) -> float:
        return -sum(abs(float(getattr(weights, name) - getattr(top, name))) for name in CLIMBED)

    steps = list(climb(height, START))
    assert steps[-1][1] == top and steps[-1][2] == pytest.approx(0, abs=1e-12)
    heights = [score for *_, score in steps]
    assert heights == sorted(heights)
    assert list(climb(height, top)) == []


def test_weights_of_zero_change_nothing(samples: tuple[Sample, Sample]) -> None:
    sample, _ = samples
    before = [adjust(matrix, "log+offset+symmetric+openness+root") for matrix in sample.matrices]
    trees = decode(before, protocol="fair", decoder="eisner")
    words = [replace(one, upos=("X",) * len(one.words)) for one in sample.sentences]  # nothing is punctuation
    right = [int(np.sum(tree == one.heads)) for tree, one in zip(trees, words, strict=True)]
    assert Sample(words, sample.matrices).counts(method_search.BEFORE).directed.tolist() == right


def test_the_row_of_the_method_is_the_method(samples: tuple[Sample, Sample]) -> None:
    searched, _ = samples
    own = searched.counts()
    assert np.array_equal(searched.counts(method_search.METHOD).directed, own.directed)
    trees = decode(
        [adjust(one, METHODS["openness"].adjust) for one in searched.matrices],
        protocol="fair",
        decoder="eisner",
    )
    scored = [scored_words(one, "fair") for one in searched.sentences]
    gold = [one.heads or () for one in searched.sentences]
    assert np.array_equal(count_arcs(gold, trees, scored=scored).directed, own.directed)


def test_every_third_sentence_is_held_out(samples: tuple[Sample, Sample]) -> None:
    words = [one.words for one in islice(load_sample(), SENTENCES)]
    searched, held = ([words.index(one.words) for one in part.sentences] for part in samples)
    assert all(place % 3 == 2 for place in held) and not any(place % 3 == 2 for place in searched)
    assert len(searched) + len(held) == SENTENCES - 1  # one is longer than the tiny model's window
    for part in samples:
        assert [one.words for one in part.sentences] == [one.units for one in part.matrices]


def test_report(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write_treebank(tmp_path / "t.conllu"), tmp_path / "run"
    options = ["--data", str(source), "--model", str(model_folder("bert")), "--layer", "2", "--out", str(out)]
    assert method_search.main([*options, "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("7 sentences searched, 4 held out\n")
    table = printed[printed.index("UAS / UUAS") :].splitlines()
    assert [line[:24].strip() for line in table[1:4]] == ["found", "method openness", "before cues"]
    assert all(line.count("[") == 2 for line in table[2:])
    assert len(Store.open(out)) == SENTENCES
    stored = ["--data", str(source), "--layer", "2", "--matrices", str(out)]
    assert method_search.main(stored) == 0
    assert capsys.readouterr().out == printed


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", str(tmp_path / "none.conllu"), "--layer", "1", "--out", str(tmp_path / "run")]
    assert method_search.main([*options, "--model", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
