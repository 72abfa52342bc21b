"""The bias of constituency decoders, and the command that measures it."""

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from analyses.constituency import bias, bias_command
from analyses.constituency.bias import measure_bias, measure_reach
from analyses.intervals import Interval
from analyses.tables.table import SUFFIXES
from analyses.trees.arc_scores import Floats
from analyses.trees.decoders import CONSTITUENT_DECODERS, ConstituentDecoder
from parsers import Bracketing, branching
from probe.registry import Registry
from tests.binary_trees import all_binary_trees
from tests.command import Done, ran

UNBIASED = sorted(set(CONSTITUENT_DECODERS) - {"mart-released"})
SMALL = ["--lengths", "3", "6", "--random-matrices", "12", "--reach", "4"]


def run(capsys: pytest.CaptureFixture[str], *args: object) -> Done:
    """Run the command."""
    return ran(capsys, bias_command.main, *args)


@pytest.mark.parametrize("decoder", UNBIASED)
def test_no_other_decoder_prefers_a_side(decoder: str) -> None:
    for row in measure_bias(decoder, 10, matrices=600):
        assert abs(row.difference.value) < 0.05
        assert row.difference.interval.low < 0.03 and row.difference.interval.high > -0.03


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, 100.0])
def test_released_mart_branches_to_the_right_at_every_scale(scale: float) -> None:
    fair, wu2020 = sorted(
        measure_bias("mart-released", 10, matrices=300, scale=scale), key=lambda row: row.protocol
    )
    assert 0.7 < fair.right.value <= 1.0
    assert 0.8 < wu2020.right.value <= 1.0
    assert fair.left.value < 0.1


def registry(decode: Callable[[Sequence[Floats]], list[Bracketing]]) -> Registry[ConstituentDecoder]:
    """A registry of one decoder, "own"."""
    return Registry("constituent decoder", [ConstituentDecoder(name="own", decode=decode)])


def test_figures_of_decoders_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always right-branching is 1 and 0; uniformly random trees have their expected F1."""

    def right(impacts: object) -> list[Bracketing]:
        return [branching.right_branching(5)] * 40

    monkeypatch.setattr(bias, "CONSTITUENT_DECODERS", registry(right))
    rows = {row.protocol: row for row in measure_bias("own", 5, matrices=40)}
    fair, wu2020 = rows["fair"], rows["wu2020"]
    assert (fair.right.value, fair.left.value, fair.difference.value) == (1.0, 0.0, 1.0)
    # Counted, the whole sentence is one of four brackets that both branchings have.
    assert (wu2020.right.value, wu2020.left.value, wu2020.difference.value) == (1.0, 0.25, 0.75)
    assert wu2020.left.interval == Interval(0.25, 0.25)

    rng = np.random.default_rng(0)
    monkeypatch.setattr(
        bias,
        "CONSTITUENT_DECODERS",
        registry(lambda impacts: [branching.random_binary(5, seed=rng) for _ in impacts]),
    )
    shared = [len(spans & {(1, 5), (2, 5), (3, 5)}) / 3 for spans in all_binary_trees(5)]
    row = next(row for row in measure_bias("own", 5, matrices=2000) if row.protocol == "fair")
    assert row.right.value == pytest.approx(np.mean(shared), abs=0.03)
    assert row.right.interval.low < row.right.value < row.right.interval.high


def test_figures_are_repeated_by_the_seed() -> None:
    assert measure_bias("chart-row", 6, matrices=30) == measure_bias("chart-row", 6, matrices=30)
    assert measure_bias("chart-row", 6, matrices=30) != measure_bias("chart-row", 6, matrices=30, seed=1)
    assert measure_reach("chart-row", 6, matrices=30) == measure_reach("chart-row", 6, matrices=30)


def test_reach() -> None:
    for n, trees, of_released_mart in [(3, 2, 2), (4, 5, 4), (5, 14, 9), (6, 42, 21), (7, 132, 51)]:
        assert len(all_binary_trees(n)) == trees
        for decoder in ("mart-released", "chart-block"):
            reach = measure_reach(decoder, n, matrices=200)
            assert reach.trees == trees
            assert reach.allowed == (of_released_mart if decoder == "mart-released" else trees)
            assert 0 < reach.found <= reach.allowed
    assert measure_reach("mart-released", 3).found == 1  # see test_mart
    for decoder in ("mart-paper", "chart-block", "chart-row"):
        assert measure_reach(decoder, 5).found == 14


def test_bad_arguments() -> None:
    for measure in (measure_bias, measure_reach):
        with pytest.raises(ValueError, match="expected at least 3 words, found 2"):
            measure("chart-row", 2)
        with pytest.raises(ValueError, match="unknown constituent decoder 'cky'"):
            measure("cky", 5)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, *SMALL, "--decoder", "mart-released", "chart-row")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Random impact matrices | matrices:12 scale:1.0 seed:0 | 95% bootstrap")
    fair, wu2020, reach = done.out.split("\n\n")[1:]
    for block, title in ((fair, "span not counted"), (wu2020, "span counted")):
        lines = block.splitlines()
        assert title in lines[0]
        assert max(map(len, lines)) <= 80
        assert lines[1].split() == "right-branching left-branching right - left".split()
        decoders = ["mart-released", "chart-row"]
        assert [line.split()[0] for line in lines[2:]] == ["3", *decoders, "6", *decoders]
    assert "1.00 [1.00, 1.00]  0.00 [0.00, 0.00]" in fair
    assert reach.splitlines()[2].split() == ["3", "mart-released", "1", "2", "2"]
    assert len(reach.splitlines()) == 6
    assert "allowed" not in run(capsys, *SMALL, "--reach", "0").out


def test_json_and_csv_hold_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    as_json = json.loads(run(capsys, *SMALL, "--format", "json", "--seed", "4").out)
    assert as_json["settings"] == {"matrices": 12, "scale": 1.0, "seed": 4}
    assert len(as_json["bias"]) == 2 * 2 * len(CONSTITUENT_DECODERS) and len(as_json["reach"]) == 2 * len(
        CONSTITUENT_DECODERS
    )
    rows = list(csv.DictReader(io.StringIO(run(capsys, *SMALL, "--format", "csv", "--seed", "4").out)))
    for row, entry in zip(rows, as_json["bias"], strict=True):
        assert (row["decoder"], int(row["n"]), row["protocol"]) == (
            entry["decoder"], entry["n"], entry["protocol"],
        )  # fmt: skip
        for name in ("right", "left", "difference"):
            assert float(row[name]) == entry[name]["value"]
            assert float(row[f"{name}_low"]) == entry[name]["interval"]["low"]
            assert float(row[f"{name}_high"]) == entry[name]["interval"]["high"]


def test_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    folders = [tmp_path / "first", tmp_path / "deep" / "second"]
    small = [*SMALL, "--decoder", "mart-released", "chart-row"]
    for folder in folders:
        assert run(capsys, *small, "--out", folder).code == 0
    tables = [f"bias-{protocol}.{form}" for protocol in ("fair", "wu2020") for form in SUFFIXES.values()]
    names = sorted([*tables, "bias.csv", "bias.pdf", "bias.png", "bias.svg", "reach.csv"])
    for folder in folders:
        assert sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    pdf = (folders[0] / "bias.pdf").read_bytes()  # FontFile2 is an embedded TrueType font
    assert pdf.startswith(b"%PDF-") and b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert (folders[0] / "bias.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folders[0] / "bias.svg").read_text(encoding="utf-8")
    table = (folders[0] / "bias.csv").read_text(encoding="utf-8")
    assert table == run(capsys, *small, "--format", "csv").out
    reach = list(csv.DictReader(io.StringIO((folders[0] / "reach.csv").read_text(encoding="utf-8"))))
    assert reach[0] == {"decoder": "mart-released", "n": "3", "found": "1", "allowed": "2", "trees": "2"}


def test_the_figure_shows_what_was_measured() -> None:
    pytest.importorskip("matplotlib")
    from analyses.constituency import bias_tables as bias_report

    names = ["mart-released", "mart-paper", "chart-row"]
    rows = [row for n in (4, 6) for name in names for row in measure_bias(name, n, matrices=12)]
    drawing = bias_report.figure(rows)
    assert [panel.get_title() for panel in drawing.axes] == ["4 words", "6 words"]
    assert [tick.get_text() for tick in drawing.axes[0].get_yticklabels()] == names
    for panel, n in zip(drawing.axes, (4, 6), strict=True):
        own = [row for row in rows if row.n == n and row.protocol == "fair"]
        right, left = (container[0].get_xdata() for container in panel.containers)
        assert list(right) == [row.right.value for row in own]
        assert list(left) == [row.left.value for row in own]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--lengths", "2"], "at least 3 words are expected, found 2"),
        (["--lengths", "x"], "a whole number above 0 is expected, found 'x'"),
        (["--random-matrices", "0"], "a whole number above 0 is expected, found '0'"),
        (["--scale", "0"], "a number above 0, up to 1e6, is expected, found '0'"),
        (["--scale", "nan"], "a number above 0, up to 1e6, is expected, found 'nan'"),
        (["--decoder", "cky"], "unknown constituent decoder 'cky'"),
        (["--seed=-1"], "a whole number from 0 to 2**63 - 1 is expected, found '-1'"),
        (["--seed", str(2**63)], "a whole number from 0 to 2**63 - 1 is expected"),
        (["--reach", "x"], "argument --reach: invalid int value: 'x'"),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], args: list[str], message: str) -> None:
    done = run(capsys, *args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("probe bias: error: ") and message in done.err
    assert done.err.count("\n") == 1 and len(done.err) < 300


def test_wrong_output_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = run(capsys, *SMALL, "--out", tmp_path / "file")
    assert (done.code, done.out) == (2, "") and done.err.count("\n") == 1
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = run(capsys, *SMALL, "--out", tmp_path / "new")
    assert (done.code, done.out) == (2, "")
    assert "--out: figures need matplotlib: pip install matplotlib" in done.err
    assert not (tmp_path / "new").exists()
