"""What the benchmark of costs prints is of the sentences that were asked for."""

import json
from pathlib import Path

import pytest
import torch

from bench import cost
from tests.conftest import ModelFolder


def test_report(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.txt"
    path.write_text("a b c\nd e\nf g h i\n", encoding="utf-8")
    before = torch.get_num_threads()
    arguments = [
        "--model",
        str(model_folder("bert")),
        "--input",
        str(path),
        "--device",
        "cpu",
        "--repeats",
        "1",
    ]
    arguments += ["--words", "2", "9", "--sentences", "1", "--corpus", "2", "3", "--most-pairs", "2"]
    assert cost.main([*arguments, "--threads", "1"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["by"] for one in found] == ["words", "words", "corpus", "corpus", "threads"]
    assert [one["words"] for one in found] == [2, 4, 6, 9, 2]
    assert found[4]["threads"] == 1
    assert found[1]["cost"]["pair"]["sequences"] == 11
    assert found[1]["cost"]["single"]["sequences"] == found[1]["cost"]["knockout"]["sequences"] == 5
    assert [sorted(one["cost"]) for one in found[2:4]] == [
        ["knockout", "pair", "single"],
        ["knockout", "single"],
    ]
    assert torch.get_num_threads() == before


def test_nothing_to_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.txt"
    path.write_text("", encoding="utf-8")
    assert cost.main(["--input", str(path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
