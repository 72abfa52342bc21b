"""What a command keeps while it runs: read again for the same model and input, made anew for any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

import probe
from analyses.kept import KeptResults
from probe import Probe
from tests.conftest import ModelFolder


@dataclass(frozen=True)
class Number:
    value: float

    def as_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Self:
        return cls(float(found["value"]))


@pytest.fixture
def model(model_folder: ModelFolder) -> Probe:
    return probe.load(model_folder("bert"), device="cpu", dtype="float32")


def value(folder: Path | None, model: Probe, number: float, *, of: str = "input") -> float:
    """What is kept as ``one``, made as this number where nothing is."""
    return KeptResults(folder, model, of)("one", Number, lambda: Number(number)).value


def test_the_same_is_read(model: Probe, tmp_path: Path) -> None:
    assert value(tmp_path, model, 1) == 1
    assert value(tmp_path, model, 2) == 1
    assert value(None, model, 2) == 2
    assert value(tmp_path, model, float("inf"), of="other") == float("inf")  # not kept
    assert value(tmp_path, model, 3, of="other") == 3


@pytest.mark.parametrize("what", ["weights", "window", "input"])
def test_of_anything_else_it_is_made_again(
    what: str, model: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert value(tmp_path, model, 1) == 1
    if what == "window":
        monkeypatch.setattr(model, "window", model.window - 1)
    other = model.with_random_weights(seed=7) if what == "weights" else model
    assert value(tmp_path, other, 2, of="other" if what == "input" else "input") == 2


def test_a_file_of_something_else_is_made_again(model: Probe, tmp_path: Path) -> None:
    assert value(tmp_path, model, 1) == 1
    for content in ("", "[]", '{"of": "input"}', (tmp_path / "one.json").read_text().replace("1", '"x"')):
        (tmp_path / "one.json").write_text(content, encoding="utf-8")
        assert value(tmp_path, model, 2) == 2
