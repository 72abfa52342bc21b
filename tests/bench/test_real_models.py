"""The table of really pretrained models, on the embedded one and a few sentences."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import real_models
from data import load_sample, to_conllu


def test_two_lines_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As many as differences are tested on: then the command prints tables of these, too.
    short = sorted(load_sample(), key=lambda sentence: len(sentence.words))[1:13]
    path = tmp_path / "short.conllu"
    path.write_text(
        "".join(to_conllu(sentence, sentence.heads or ()) for sentence in short), encoding="utf-8"
    )
    monkeypatch.setattr(sys, "argv", ["real_models", "--data", str(path), "bert", str(tmp_path / "none")])
    real_models.main()
    printed = capsys.readouterr()
    rows = [line.split(" | ") for line in printed.out.splitlines() if line.startswith("| bert")]
    assert [row[4] for row in rows] == ["paper", "openness"]
    for row in rows:
        assert float(row[3]) < 1e-4
        assert all(0 <= float(value) <= 100 for cell in row[5:7] for value in cell.split(" / "))
    assert str(tmp_path / "none") in printed.err
