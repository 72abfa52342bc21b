"""``probe report``: data of every kind become sections; results are shown as they are."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path

import pytest

from analyses import intervals
from analyses.constituency.bias_command import main as bias
from analyses.intervals import Interval
from analyses.report.charts import chart_svg
from analyses.report.command import main
from analyses.report.inputs import recognise
from analyses.report.results import read_path
from analyses.report.sections import kinds, sections
from analyses.tables.forms import read_table, table_of
from analyses.tables.results import Ran, read_results
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, Table
from data import InputError
from data.sources import BLIMP, LAMA, SCIDTB, SCIDTB_HUMAN, STS
from probe.command_line import INTERRUPTED, UsageError
from tests.analyses.discourse.test_discourse import EDUS, write
from tests.command import GOLD, Done, conllu, ran
from tests.conftest import ModelFolder
from tests.lama_files import write_lama

PAIRS = [
    {
        "sentence_good": good,
        "sentence_bad": bad,
        "linguistics_term": "binding",
        "UID": "toy",
        "field": "syntax",
    }
    for good, bad in (("Nobody slept .", "Slept nobody ."), ("Rivers carry sand .", "Rivers sand carry ."))
]
HOSTILE = "<script>alert(1)</script> & \u202eabc e\u0301"


def write_pairs(folder: Path) -> Path:
    folder.mkdir(parents=True)
    lines = "".join(json.dumps(pair) + "\n" for pair in PAIRS)
    (folder / "toy.jsonl").write_text(lines, encoding="utf-8")
    return folder


def write_results(folder: Path, *, title: str = "T", value: float = 12.5) -> Table:
    """A table and a picture, as commands write them."""
    rows = (
        Row(name="chain", kind="baseline", cells=(Cell(10.0, Interval(9.0, 11.0)),)),
        Row(
            name="m",
            kind="model",
            cells=(Cell(value, Interval(value, value)),),
            signature="d@1… | layer:1",
        ),
    )
    table = Table(title=title, columns=("UAS",), rows=rows, notes=("A note.",))
    table.write(folder, "own")
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    (folder / "by-layer.svg").write_text(svg, encoding="utf-8")
    return table


def report(capsys: pytest.CaptureFixture[str], *args: object) -> Done:
    return ran(capsys, main, "--device", "cpu", "--quiet", *args)


def write_as_asked(args: argparse.Namespace) -> Ran:
    """In place of a command: a table, and a picture in its ``--out``."""
    table = write_results(args.out, title=" ".join(getattr(args, "names", ["geometry"])))
    return Ran(tables=(("own", table),))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One data set of each kind."""
    folder = tmp_path / "data"
    (folder / "ud").mkdir(parents=True)
    (folder / "ud" / "toy.conllu").write_text(
        GOLD + conllu(("slept slept slept slept .", [0, 1, 1, 1, 1])), encoding="utf-8"
    )
    (folder / "wsj" / "heads").mkdir(parents=True)
    (folder / "wsj" / "a.mrg").write_text(
        "(S (NP (NNS Rivers)) (VP (VBP carry) (NN sand)))", encoding="utf-8"
    )
    (folder / "wsj" / "heads" / "a.dp").write_text("Sales\tNNS\t2\nrose\tVBD\t0\n", encoding="utf-8")
    (folder / "scidtb").mkdir()
    for part in ("second", "test"):
        write(folder / "scidtb" / part, "A", (0, 1, 2), EDUS)
    (folder / "scidtb" / "test").rename(folder / "scidtb" / "a-test")
    write_lama(folder / "lama", words=("the", "and", "of", "to"))
    write_pairs(folder / "blimp")
    (folder / "sts" / "2012").mkdir(parents=True)
    lines = "3.0\tNobody slept .\tRivers carry sand .\n"
    (folder / "sts" / "2012" / "a.tsv").write_text(lines, encoding="utf-8")
    return folder


def test_kinds_of_data_are_recognised(data: Path) -> None:
    found = recognise([data])
    assert found.conllu == [data / "ud" / "toy.conllu"]
    assert (found.brackets, found.heads) == ([data], [data])
    assert dict(found.work) == {
        SCIDTB.name: {
            SCIDTB.name: data / "scidtb" / "a-test",
            SCIDTB_HUMAN.name: data / "scidtb" / "second",
        },
        LAMA.name: {LAMA.name: data / "lama"},
        BLIMP.name: {BLIMP.name: data / "blimp"},
        STS.name: {STS.name: data / "sts" / "2012"},
    }
    assert len(found.work) == 4 and found.notes == []
    one = recognise([data / "blimp" / "toy.jsonl"])
    assert one.work == [(BLIMP.name, {BLIMP.name: data / "blimp" / "toy.jsonl"})]
    with pytest.raises(UsageError, match="expected are"):
        recognise([data / "lama" / "relations.jsonl"])


def test_a_small_treebank_has_no_geometry(data: Path) -> None:
    inputs = recognise([data / "ud"])
    always = ["layers", "compression", "order", "structure"]
    assert [section.kind for section in sections(inputs, limit=None)] == [*always, "geometry"]
    assert [section.kind for section in sections(inputs, limit=3)] == always


def test_every_section(
    data: Path,
    tmp_path: Path,
    model_folder: ModelFolder,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resampled = intervals.resampled_sums
    few = {"resamples": 9}
    monkeypatch.setattr(intervals, "resampled_sums", lambda sums, **given: resampled(sums, **given | few))
    monkeypatch.setattr("analyses.constituency.tables.is_biased", lambda decoder: False)
    # What takes its time and is tested elsewhere.
    monkeypatch.setattr("analyses.figures.command.run", write_as_asked)
    monkeypatch.setattr("analyses.geometry.command.run", write_as_asked)
    paths = [data / name for name in ("ud", "scidtb", "lama", "blimp", "sts")]
    target = tmp_path / "r.html"
    given = ["--model", model_folder("bert"), "--data", *paths, "--seeds", 0, "--limit", 4, "--out", target]
    done = report(capsys, *given)
    assert (done.code, done.out) == (0, ""), done.err
    text = target.read_text(encoding="utf-8")
    titles = re.findall(r'<h3 id="t\d+">([^<]*)', text)
    assert titles == [
        "toy: dependencies",
        "toy: trees by layer, distance and relation",
        "toy: what of the model its trees need",
        "toy: perplexity by order, and texts of the model",
        "toy: masked words along trees",
        "a-test: discourse trees",
        "lama: knowledge",
        "blimp: minimal pairs",
        "2012: geometry of the states",
        "toy: geometry of the states",
    ]
    captions = re.findall("<caption>([^<]*)", text)
    for caption in (
        "Discourse trees on a-test, protocol fair",
        "T-REx: mean over",
        "Minimal pairs of blimp: accuracy",
        "Recall of gold arcs by relation on toy",
    ):
        assert any(each.startswith(caption) for each in captions), caption
    assert text.count("data:image/svg+xml;base64,") == 4 + 2 + 1 + 3 + 1
    assert any(each.startswith("uas-by-layer") for each in captions)
    assert any(each.startswith("lama") for each in captions)
    assert set(kinds()) >= {"layers", "discourse", "knowledge", "minimal-pairs", "geometry", "bias"}


def test_a_section_that_the_model_is_not_one_for_is_said(
    data: Path, tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no failure of what was asked, unless nothing else was."""
    given = ["--model", model_folder("bert_without_head"), "--limit", 2, "--data", data / "lama"]
    write_results(tmp_path / "own")
    done = report(capsys, *given, tmp_path / "own", "--out", tmp_path / "a.html")
    assert (done.code, done.out) == (0, ""), done.err
    assert "lama: knowledge: not with this model: " in (tmp_path / "a.html").read_text(encoding="utf-8")
    done = report(capsys, *given, "--out", tmp_path / "b.html")
    assert done.code == 1 and ": knowledge: not with this model: " in done.err
    assert not (tmp_path / "b.html").exists()


def test_results_are_shown_and_nothing_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_results(tmp_path / HOSTILE.partition("/")[0], title=f"{HOSTILE}, percent")
    monkeypatch.setattr("analyses.report.command.load_sources", None)  # is not called
    target = tmp_path / "r.html"
    done = report(capsys, "--data", tmp_path / HOSTILE.partition("/")[0], "--out", target)
    assert (done.code, done.out, done.err) == (0, "", "")
    text = target.read_text(encoding="utf-8")
    assert "<script" not in text and "alert(1)&lt;/script&gt;" in text
    assert "12.5 [12.5, 12.5]" in text and "strongest baseline chain 10.0 [9.0, 11.0]" in text
    assert 'id="sentences"' not in text and "their signatures name the model" in text
    assert "data:image/svg+xml;base64," in text
    assert read_table(tmp_path / HOSTILE.partition("/")[0] / "own.json") == table
    # One file of results is enough.
    given = [tmp_path / HOSTILE.partition("/")[0] / "own.json"]
    assert recognise(given).results[0].tables == (table,)


def test_the_summary_takes_the_first_score_and_no_annotator_for_a_baseline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (
        Row(name="chain", kind="baseline", cells=(Cell(10.0), Cell(20.0))),
        Row(name="annotator", kind="human", cells=(Cell(90.0), Cell(95.0))),
        Row(
            name="m", kind="model", cells=(None, Cell(30.0)), signature="layer:1", settings=Settings(layer=1)
        ),
        Row(
            name="unscored", kind="model", cells=(None, None), signature="layer:2", settings=Settings(layer=1)
        ),
    )
    Table(title="T, percent", columns=("to 10", "all"), rows=rows).write(tmp_path / "own", "a")
    signed = Row(name="less", kind="model", cells=(Cell(3.0, style="signed"),), signature="layer:1")
    Table(title="D, points of percent", columns=("all",), rows=(signed,)).write(tmp_path / "own", "b")
    perplexity = Row(name="surprised", kind="model", cells=(Cell(81.0),), signature="layer:1")
    Table(title="P, per piece", columns=("all",), rows=(perplexity,)).write(tmp_path / "own", "c")
    target = tmp_path / "r.html"
    done = report(capsys, "--data", tmp_path / "own", "--out", target)
    assert done.code == 0
    summary = target.read_text(encoding="utf-8").partition('id="tables"')[0]
    assert "<strong>m</strong>: all 30.0; strongest baseline chain 20.0" in summary
    assert not any(f"<strong>{name}" in summary for name in ("unscored", "less", "surprised"))
    assert "all = 30.0 | layer:1" in summary and "layer:2" not in summary
    # Where there is nothing to sum up, there is no summary.
    assert report(capsys, "--data", tmp_path / "own" / "c.json", "--out", target).code == 0
    assert "Summary" not in target.read_text(encoding="utf-8")


def test_a_folder_of_reproduce(tmp_path: Path) -> None:
    out = tmp_path / "out"
    tables = {name: write_results(out / name, title=name) for name in ("discourse", "knowledge", "geometry")}
    write_results(out / "matrices" / "below")
    (out / "done").mkdir()
    for name in ("knowledge", "discourse", "matrices"):  # geometry is not done
        marker = {"command": f"python -m {name}", "code": 0}
        (out / "done" / f"{name}.json").write_text(json.dumps(marker), encoding="utf-8")
    about = {"model": "m", "weights": "f00", "limit": 3, "dtype": "float32"}
    (out / "reproduce.json").write_text(json.dumps(about), encoding="utf-8")
    found = recognise([out])
    shown = {results.command: results.tables for results in found.results}
    assert shown == {
        "python -m discourse": (tables["discourse"],),
        "python -m knowledge": (tables["knowledge"],),
    }
    assert found.configuration == {"model": "m", "weights": "f00", "limit": "3", "dtype": "float32"}
    assert found.notes == [f"{out}: a run with a limit (3): its figures are no results."]


@pytest.mark.parametrize("name", ["deep.json", "deep.jsonl"])
def test_deep_json_is_no_data(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(UsageError, match=f"--data .*{name}"):
        recognise([path])
    with pytest.raises(InputError, match="a table as the analyses write it"):
        read_table(path)


def test_damaged_results_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = {"title": "T", "columns": ["UAS"], "rows": [{"name": "m"}], "notes": []}
    for name, content in {
        "a.json": json.dumps(broken),
        "b.json": '{"tables": [{}]}',
    }.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        done = report(capsys, "--data", tmp_path, "--out", tmp_path / "r.html")
        assert done.code == 2 and str(tmp_path / name) in done.err and done.err.count("\n") == 1
        (tmp_path / name).unlink()


def test_minimal_pairs_and_bias_become_tables(tmp_path: Path, model_folder: ModelFolder) -> None:
    from analyses.minimal_pairs.command import main as pairs

    folder, target = write_pairs(tmp_path / "blimp"), tmp_path / "out.json"
    given = ["--data", str(folder), "--model", str(model_folder("bert")), "--device", "cpu", "--quiet"]
    assert pairs([*given, "--out", str(target)]) == 0
    document = json.loads(target.read_text(encoding="utf-8"))
    by_phenomenon, by_paradigm = map(table_of, document["tables"])  # the pairs are too few for differences
    assert by_phenomenon.columns == ("overall", "binding")
    assert [row.kind for row in by_phenomenon.rows] == ["baseline", "baseline", "model"]
    own = document["evaluations"][-1]
    accuracy = {row["level"]: row["accuracy"] for row in own["accuracies"]}
    assert [cell and cell.value for cell in by_phenomenon.rows[-1].cells] == [
        accuracy["overall"],
        accuracy["phenomenon"],
    ]
    assert str(by_phenomenon.rows[-1].signature).startswith("blimp@")
    assert [row.name for row in by_paradigm.rows] == ["toy"]
    assert by_paradigm.columns[2:] == ("pairs", "ties")
    assert read_path(target)[0][0].tables == (by_phenomenon, by_paradigm)


def test_bias_becomes_tables(tmp_path: Path) -> None:
    given = ["--decoder", "mart-paper", "--lengths", "5", "--random-matrices", "20", "--reach", "0"]
    assert bias(["--out", str(tmp_path), *given]) == 0
    found, _ = read_path(tmp_path)
    wu2020, fair = found[0].tables
    assert fair.title.endswith("protocol fair") and wu2020.title.endswith("protocol wu2020")
    (row,) = fair.rows
    assert row.name == "mart-paper, 5 words" and row.made.decoder == "mart-paper"
    right, left, difference = (cell.value for cell in row.cells if cell is not None)
    assert difference == pytest.approx(right - left)


def test_cosines_keep_their_decimals(tmp_path: Path) -> None:
    rows = tuple(
        Row(name=n, kind="model", cells=(Cell(v, Interval(v, v), 3),)) for n, v in (("a", 0.4), ("b", -0.02))
    )
    Table(title="Geometry of m", columns=("anisotropy",), rows=rows).write(tmp_path, "own")
    (made,) = read_path(tmp_path)[0][0].tables
    assert [str(row.cells[0]) for row in made.rows] == ["0.400 [0.400, 0.400]", "-0.020 [-0.020, -0.020]"]
    assert chart_svg(made) is None


def test_a_section_that_fails_is_a_note(
    data: Path,
    tmp_path: Path,
    model_folder: ModelFolder,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "r.html"
    given = ["--model", model_folder("bert"), "--data", data / "ud", data / "blimp", "--seeds", 0]
    given += ["--parts", "trees", "minimal-pairs", "--out", target]

    def fail(args: argparse.Namespace) -> Ran:
        raise MemoryError("out of memory")

    def interrupt(args: argparse.Namespace) -> Ran:
        raise KeyboardInterrupt

    monkeypatch.setattr("analyses.minimal_pairs.command.run", fail)
    done = report(capsys, *given)
    assert done.code == 1 and "out of memory" in done.err
    assert "blimp: minimal pairs: failed; the command said why" in target.read_text(encoding="utf-8")
    before = target.read_bytes()
    monkeypatch.setattr("analyses.minimal_pairs.command.run", interrupt)
    done = report(capsys, *given)
    assert done.code == INTERRUPTED
    assert done.err == "probe report: error: interrupted: in blimp: minimal pairs\n"
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "r.html"]


def test_a_corpus_of_which_no_sentence_can_be_probed(
    tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    long = conllu((" ".join(["gardeners"] * 40), list(range(40))))
    (tmp_path / "long.conllu").write_text(long, encoding="utf-8")
    (tmp_path / "toy.conllu").write_text(GOLD, encoding="utf-8")
    given = [
        "--model",
        model_folder("bert"),
        "--seeds",
        0,
        "--parts",
        "trees",
        "--out",
        tmp_path / "r.html",
    ]
    done = report(capsys, *given, "--data", tmp_path / "long.conllu")
    assert (done.code, done.err.count("\n")) == (1, 1) and "long: no sentence" in done.err
    assert not (tmp_path / "r.html").exists()
    done = report(capsys, *given, "--data", tmp_path)
    assert done.code == 1
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "long: no sentence" in text and text.count('<details class="sentence"') == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    done = report(capsys, "--out", tmp_path / "r.html")
    assert done.code == 2 and "cannot be written (Permission denied)" in done.err


def test_a_folder_without_results(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[1]", encoding="utf-8")
    (tmp_path / "y.svg").write_text("<svg/>", encoding="utf-8")
    assert read_path(tmp_path) == ([], {})
    found = read_results(tmp_path, title="t")
    assert found is not None and found.pictures == {"y": b"<svg/>"} and found.tables == ()
    (tmp_path / "y.svg").unlink()
    assert read_results(tmp_path, title="t") is None
