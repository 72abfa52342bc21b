"""Cues of the root, against plain counting."""

from pathlib import Path

import numpy as np
import pytest
import torch

import probe
from bench import root_cues
from data import read_conllu
from probe.store import Store
from tests.bench.test_method_search import write_treebank
from tests.conftest import ModelFolder

WORDS = "the cat sat on the mat".split()


def test_depth_is_the_mean_distance_to_all_words() -> None:
    assert root_cues.depth_cue([2, 3, 0]).tolist() == pytest.approx([-1, -2 / 3, -1])
    assert root_cues.depth_cue([0, 1, 1, 1]).tolist() == pytest.approx([-0.75, -1.25, -1.25, -1.25])
    assert root_cues.depth_cue([0]).tolist() == [0]


def test_verbs_are_those_predicted_in_the_place_of_a_word(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = probe.load(str(model_folder("bert")), device="cpu", dtype="float64")
    monkeypatch.setattr(root_cues, "VERBS", ("the", "no piece of it"))
    (found,) = root_cues.verb_cues(model, [WORDS])
    vocabulary = model.tokenizer.get_vocab()
    alignment = model.align(WORDS)
    naive = []
    for unit in range(len(WORDS)):
        places = alignment.positions[alignment.unit_of == unit]
        ids = torch.from_numpy(alignment.ids).clone()
        ids[places] = model.tokenizer.mask_token_id
        with torch.no_grad():
            chances = model.model(input_ids=ids[None]).logits[0].softmax(-1)
        naive.append(float(chances[places, vocabulary["the"]].mean()))
    np.testing.assert_allclose(found, naive, atol=1e-10)


def test_every_cue_has_its_rows(
    model_folder: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, folder = write_treebank(tmp_path / "t.conllu"), str(model_folder("bert"))
    model = probe.load(folder, device="cpu", dtype="float32")
    words = [one.words for one in read_conllu(source)]
    Store.fill(tmp_path / "store", model, words, metric="dist", layer=1, perturb="knockout", openness=True)
    asked = ["--data", str(source), "--matrices", str(tmp_path / "store")]
    monkeypatch.setattr(root_cues, "VERBS", ("no piece of it",))
    assert root_cues.main([*asked, "--model", folder]) == 2
    assert "no common English verb" in capsys.readouterr().err
    monkeypatch.setattr(root_cues, "VERBS", ("the",))
    assert root_cues.main([*asked, "--model", folder]) == 0
    rows = [line.split(" | ")[0].removeprefix("| ") for line in capsys.readouterr().out.splitlines()]
    for cue in ("depth", "verbs", "log verbs"):
        assert [f"{cue}, {weight:+g}" for weight in root_cues.WEIGHTS] == [
            row for row in rows if row.startswith(f"{cue}, ")
        ]
    assert root_cues.main(["--data", "nowhere.conllu", "--matrices", str(tmp_path / "store")]) == 2
