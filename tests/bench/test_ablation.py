"""Rows of the ablation and of settings are those of plain counting, read from a run directory without a model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import probe
from analyses import decode
from analyses.scores.attachment import count_arcs
from analyses.trees.adjust import adjust
from analyses.trees.methods import METHODS
from analyses.trees.protocols import scored_words
from bench import ablation, method_settings
from bench.method_search import stored_sample
from data import read_conllu
from probe.store import Store
from tests.bench.test_method_search import write_treebank
from tests.conftest import ModelFolder


@pytest.fixture(scope="module")
def run(model_folder: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A treebank, and a run directory of it: two layers, pools and metrics, with openness."""
    folder = tmp_path_factory.mktemp("run")
    source = write_treebank(folder / "t.conllu")
    model = probe.load(str(model_folder("bert")), device="cpu", dtype="float32")
    words = [one.words for one in read_conllu(source)]
    kept: dict[str, Any] = {"metric": ["dist", "cos"], "layer": [1, 2], "pool": ["first", "mean"]}
    Store.fill(folder / "store", model, words, **kept, perturb="knockout", openness=True)
    return source, folder / "store"


def test_rows_of_the_ablation(run: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    source, folder = run
    assert ablation.main(["--data", str(source), "--matrices", str(folder), "--layer", "2"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert "layer 2, t, 11 sentences" in first
    sample = stored_sample(source, Store.open(folder), layer=2)
    shown = {
        line.split(" | ")[0].removeprefix("| ").strip("`"): line.split(" | ")[1:3] for line in lines if line
    }
    whole = METHODS["openness"].adjust
    without = {f"without {step}": whole.replace(f"{step}+", "") for step in ("log", "content", "summary")}
    for name, adjustment in {
        one: one for one in (*ablation.ADDED, ablation.BEFORE)
    }.items() | without.items():
        trees = decode(
            [adjust(one, adjustment) for one in sample.matrices], protocol="fair", decoder="eisner"
        )
        gold = [one.heads or () for one in sample.sentences]
        arcs = count_arcs(gold, trees, scored=[scored_words(one, "fair") for one in sample.sentences])
        total = arcs.total.sum()
        uas, uuas = 100 * arcs.directed.sum() / total, 100 * arcs.undirected.sum() / total
        roots = [tree[list(heads).index(0)] == 0 for tree, heads in zip(trees, gold, strict=True)]
        assert shown[name] == [f"{uas:.1f} / {uuas:.1f}", f"{100 * np.mean(roots):.1f}"]
    assert sum(name.startswith("without ") for name in shown) == len(whole.split("+")) + 3
    assert sum(line.count("[") for line in lines) == 3 * (len(shown) - 3)  # two headers, and the first row


def test_rows_of_settings(run: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    source, folder = run
    assert method_settings.main(["--data", str(source), "--matrices", str(folder), "--layer", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split(" | ")[0].removeprefix("| ") for line in lines[2:] if line.startswith("|")]
    assert names[0] == "dist, layer 2, mean, eisner" and len(names) == len(set(names)) == 10
    assert {"dist, layer 1+2, mean, eisner", "dist, layer 2, mean, cle", "cos, layer 1, first, eisner"} < {
        *names
    }
    best = lines[-1].removeprefix("Best of those searched: ")
    scores = [sum(map(float, line.split(" | ")[1].split(" / "))) for line in lines[2:] if line[:2] == "| "]
    chosen = sum(map(float, best.split(" | ")[1].split(" / ")))
    assert best in lines and chosen == pytest.approx(max(scores), abs=0.11)


@pytest.mark.parametrize("command", [ablation.main, method_settings.main])
def test_another_treebank_is_refused(
    command: object, run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.conllu").write_text(
        run[0].read_text(encoding="utf-8").replace("\tthe\t", "\tno\t"), "utf-8"
    )
    options = ["--data", str(tmp_path / "t.conllu"), "--matrices", str(run[1]), "--layer", "2"]
    assert callable(command) and command(options) == 2
    assert "differs from the input's" in capsys.readouterr().err
