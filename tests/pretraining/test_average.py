"""The mean of models' weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pretraining.average import main


def folder(path: Path, *, weight: torch.Tensor) -> Path:
    path.mkdir()
    save_file({"weight": weight}, path / "model.safetensors")
    (path / "training.json").write_text(json.dumps({"steps": len(path.name)}))
    (path / "config.json").write_text(json.dumps({"of": path.name}))
    return path


def test_the_mean_of_two(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", weight=torch.tensor([1.0, 2.0]).half())
    three = folder(tmp_path / "three", weight=torch.tensor([2.0, 4.0]))
    target = tmp_path / "mean"
    assert main([str(one), str(three), "--to", str(target)]) == 0
    found = load_file(target / "model.safetensors")["weight"]
    assert found.dtype == torch.float16 and found.tolist() == [1.5, 3.0]
    record = json.loads((target / "training.json").read_text())
    assert record["steps"] == 5 and list(record["mean_of"]) == ["one", "three"]
    assert json.loads((target / "config.json").read_text()) == {"of": "three"}


def test_folders_of_one_name_are_told_apart_in_the_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "B").mkdir()
    models = [
        folder(tmp_path / name / "model", weight=torch.zeros(at + 1, 2)[0]) for at, name in enumerate("AB")
    ]
    target = tmp_path / "mean"
    assert main([*map(str, models), "--to", str(target)]) == 0
    record = json.loads((target / "training.json").read_text())
    assert list(record["mean_of"]) == ["A/model", "B/model"]
    assert main([str(models[0]), str(models[0]), "--to", str(target)]) == 2
    assert "each model once is expected" in capsys.readouterr().err


def test_other_shapes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = folder(tmp_path / "one", weight=torch.zeros(2))
    two = folder(tmp_path / "two", weight=torch.zeros(3))
    assert main([str(one), str(two), "--to", str(tmp_path / "mean")]) == 2
    assert "two: its weights have other names or shapes" in capsys.readouterr().err
    assert not (tmp_path / "mean").exists()
