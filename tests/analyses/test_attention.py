"""``--attention`` in the commands that make trees: what it says, what it keeps, and what stays as it was."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analyses.dependency.command as dependency
import analyses.parse as parsing
import probe
import probe.run
from analyses import document_impacts
from analyses.discourse.protocols import document_openness
from analyses.tables.signature import Settings
from analyses.trees.variants import Variant
from data import Document
from tests.command import PLAIN, Done, ran
from tests.conftest import ModelFolder


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """A treebank of three sentences."""
    from tests.command import GOLD

    (tmp_path / "gold.conllu").write_text(GOLD, encoding="utf-8")
    return tmp_path / "gold.conllu"


def scores(done: Done) -> tuple[list[Any], dict[str, Any]]:
    """Heads, and the settings of a parse in JSON."""
    assert done.code == 0, done.err
    found = json.loads(done.out)
    return [sentence["heads"] for sentence in found["sentences"]], found["settings"]


@pytest.mark.parametrize("method", ["paper", "openness"])
def test_trees_and_their_signature(
    method: str, gold: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--model", model_folder("bert"), *PLAIN, "--data", gold, "--method", method, "--quiet")
    form = ("--evaluate", "--no-random-model", "--format", "json")
    plain = scores(ran(capsys, parsing.main, *given, *form))
    full = scores(ran(capsys, parsing.main, *given, *form, "--attention", "full"))
    assert full == plain and "attention" not in plain[1]
    heads, settings = scores(ran(capsys, parsing.main, *given, *form, "--attention", "prefix:2"))
    assert settings == plain[1] | {"attention": "prefix:2"} and heads != plain[0]
    done = ran(capsys, parsing.main, *given, "--attention", "prefix:2", "--evaluate", "--no-random-model")
    assert f"perturb:{settings['perturb']} | attention:prefix:2" in done.out


def test_a_run_directory_is_read_under_its_own(
    gold: Path, tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, model = tmp_path / "run", ("--model", model_folder("bert"), *PLAIN)
    made = ("--data", gold, "--perturb", "knockout", "--attention", "causal")
    assert ran(capsys, probe.run.main, *model, *made, "--out", folder).code == 0
    assert json.loads((folder / "manifest.json").read_text())["configuration"]["attention"] == "causal"
    shown = (*made, "--seeds", 0, "--metric", "dist", "--decoder", "eisner", "--format", "json", "--quiet")
    own = json.loads(ran(capsys, dependency.main, *model, *shown).out)
    stored = json.loads(ran(capsys, dependency.main, "--matrices", folder, *shown).out)
    for mine, its in zip(own, stored, strict=True):
        rows = [
            [row for row in table["rows"] if row.get("settings", {}).get("attention") == "causal"]
            for table in (mine, its)
        ]
        assert rows[0] and rows[0] == rows[1] and "causal" in rows[0][0]["name"]
    refused = ran(capsys, parsing.main, "--matrices", folder, "--data", gold, "--perturb", "knockout")
    assert refused.code == 2
    assert "no matrices with attention full; there are causal" in refused.err


def test_documents_are_read_under_it(model_folder: ModelFolder) -> None:
    """In a causal order no EDU moves those before it, nor [CLS], and what stands first is open in the same way."""
    loaded = probe.load(model_folder("bert"), device="cpu", dtype="float64")
    edus = ("We saw the owl", "that slept", "in the barn .")
    document = Document(
        id="a", edus=edus, heads=(0, 1, 2), relations=("x",) * 3, ends_sentence=(False,) * 3, where="a"
    )
    variant = Variant("dist", 3, "mean", "knockout", attention="causal")
    (found,) = document_impacts(loaded, [document], [variant])
    assert not np.triu(found[variant]).any() and (found[variant][1:, 0] > 0).all()
    asked: Any = {"perturb": "knockout", "pool": "mean", "layer": 3, "attention": "causal"}
    alone = loaded.impact_spans(document.words, document.spans, openness=True, **asked)
    np.testing.assert_allclose(found[variant][1:, 1:], alone.values, atol=1e-10)
    (open_,) = document_openness(loaded, [document], attention="causal")
    np.testing.assert_allclose(open_[0], alone.openness, atol=1e-10)
    assert not open_[-1].any()  # [CLS] sees no EDU


def test_settings_of_full_attention_say_nothing() -> None:
    assert "attention" not in Settings(metric="dist").signed()
    assert Settings(metric="dist", attention="causal").signed()["attention"] == "causal"
    assert (
        str(Variant("dist", 3, "mean", "knockout", attention="causal"))
        == "dist, layer 3, mean, knockout, causal"
    )
