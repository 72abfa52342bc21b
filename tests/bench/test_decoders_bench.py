"""The benchmark of the decoders compares ways to the same trees, and says which are not installed."""

import json

import numpy as np
import pytest

from bench import decoders
from bench.plain_eisner import plain_eisner
from parsers import eisner


def test_plain_eisner_finds_the_same_trees() -> None:
    rng = np.random.default_rng(0)
    for n in range(1, 12):
        for scores in rng.random((10, n + 1, n + 1)):
            assert plain_eisner(scores) == eisner(scores).tolist()


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert decoders.main(["--words", "5", "--sentences", "12", "--repeats", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["words"], report["sentences"]) == (5, 12)
    found = report["processor ms per sentence"]
    assert set(found) == set(decoders.WAYS)
    for decoder, ways in found.items():
        assert set(ways) == set(decoders.WAYS[decoder])
        assert ways["ours"] > 0


def test_what_is_not_installed_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    way = decoders.Way(decode=lambda matrices: [], needs="no_such_package_at_all")
    monkeypatch.setitem(decoders.WAYS["MART"], "other", way)
    matrices = decoders.draw("MART", 4, 3)
    assert decoders.compare("MART", matrices, repeats=1)["other"] == "skipped: not installed"


def test_other_trees_are_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    way = decoders.Way(decode=lambda matrices: [None for _ in matrices])
    monkeypatch.setitem(decoders.WAYS["chart"], "other", way)
    assert decoders.main(["--words", "3", "--sentences", "2", "--repeats", "1"]) == 2
    assert "chart: other gives other trees" in capsys.readouterr().err
