"""Every form of a table says the same, and none confuses published figures with own ones."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from analyses.intervals import Interval
from analyses.tables.forms import read_table, table_html, table_of
from analyses.tables.results import read_results
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import FORMATS, Cell, Row, Table
from analyses.tables.text import aligned
from data import InputError

TABLE = Table(
    title="Attachment on toy & co",
    columns=("UAS", "UUAS_x"),
    rows=(
        Row(name="Eisner+Dist", kind="published", cells=(Cell(41.7), None)),
        Row(name="Right-chain", kind="published", cells=(Cell(35.2), None)),
        Row(name="right-chain", kind="baseline", cells=(Cell(35.04), Cell(39.84))),
        Row(
            name="a|b 100%",
            kind="model",
            cells=(Cell(43.21, Interval(42.0, 44.49)), Cell(2 / 3)),
            signature="UAS = 43.2 | toy@1",
        ),
    ),
    notes=("n = 3 sentences.",),
)


def test_text() -> None:
    assert TABLE.render("table").splitlines() == [
        "Attachment on toy & co",
        "",
        "                      UAS         published  UUAS_x",
        "right-chain    35.0                    35.2    39.8",
        "a|b 100%       43.2 [42.0, 44.5]          -     0.7",
        "published only",
        "  Eisner+Dist     -                    41.7       -",
        "",
        "n = 3 sentences.",
        "a|b 100% | UAS = 43.2 | toy@1",
    ]


def test_markdown() -> None:
    lines = TABLE.render("md").splitlines()
    assert lines[2:7] == [
        "|  | UAS | published | UUAS_x |",
        "| --- | ---: | ---: | ---: |",
        "| right-chain | 35.0 | 35.2 | 39.8 |",
        "| a\\|b 100% | 43.2 [42.0, 44.5] | - | 0.7 |",
        "| Eisner+Dist (published only) | - | 41.7 | - |",
    ]
    assert lines[0] == "**Attachment on toy & co**" and "n = 3 sentences." in lines


def test_latex() -> None:
    text = TABLE.render("latex")
    assert r"{@{}lr@{ }lrr@{}}" in text
    assert r" & \multicolumn{2}{c}{UAS} & published & UUAS\_x \\" in text
    assert r"a\textbar{}b 100\% & 43.2 & [42.0, 44.5] & -- & 0.7 \\" in text
    assert r"\caption{Attachment on toy \& co.}" in text and r"\item n = 3 sentences." in text
    assert text.count(r"\midrule") == 3, "one rule below the header and between the kinds of rows"
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_csv_is_unrounded() -> None:
    records = list(csv.DictReader(io.StringIO(TABLE.render("csv"))))
    assert [(r["row"], r["kind"], r["column"]) for r in records] == [
        ("Eisner+Dist", "published", "UAS"),
        ("Right-chain", "published", "UAS"),
        ("right-chain", "baseline", "UAS"),
        ("right-chain", "baseline", "UUAS_x"),
        ("a|b 100%", "model", "UAS"),
        ("a|b 100%", "model", "UUAS_x"),
    ]
    assert float(records[5]["value"]) == 2 / 3
    assert (records[4]["low"], records[4]["high"]) == ("42.0", "44.49")


def test_the_frame_is_tidy_and_typed() -> None:
    signature = Signature(
        data="toy",
        digest="1234",
        n=3,
        version="1",
        settings=Settings(model="bert", decoder="eisner", layer=2),
    )
    own = Row(name="m", kind="model", cells=(Cell(40.0, Interval(39.0, 41.0)), None), signature=signature)
    frame = replace(TABLE, rows=(TABLE.rows[0], own)).frame
    assert list(frame["row"]) == ["Eisner+Dist", "m"] and list(frame["kind"]) == ["published", "model"]
    line = frame.iloc[1]
    assert (line["model"], line["layer"], line["data"], line["n"]) == ("bert", 2, "toy", 3)
    assert (line["column"], line["value"], line["low"], line["high"]) == ("UAS", 40.0, 39.0, 41.0)
    assert frame["layer"].isna().tolist() == [True, False] and str(frame["layer"].dtype) == "Int64"
    by_layer = replace(TABLE, rows=TABLE.rows[3:], column_settings=(Settings(layer=0), Settings(layer=1)))
    assert by_layer.frame["layer"].tolist() == [0, 1]
    assert len(Table(title="t", columns=("a",), rows=()).frame) == 0


def test_a_spreadsheet_runs_no_cell_as_a_formula() -> None:
    row = Row(name="=SUM(1,2)", kind="model", cells=(Cell(-1.5),))
    records = list(csv.DictReader(io.StringIO(Table(title="t", columns=("@x",), rows=(row,)).render("csv"))))
    assert records == [
        {"row": "'=SUM(1,2)", "kind": "model", "column": "'@x", "value": "-1.5", "low": "", "high": ""}
    ]


def test_a_table_comes_back_from_its_file(tmp_path: Path) -> None:
    signature = Signature(
        data="toy", digest="1234", n=3, version="1", settings=Settings(layer=2, biased=True), about=("a:b",)
    )
    row = Row(name="m", kind="model", cells=(Cell(0.25, decimals=3), None), signature=signature)
    table = replace(
        TABLE, rows=(*TABLE.rows, row), signature=signature, column_settings=(None, Settings(layer=1))
    )
    table.write(tmp_path, "t")
    found = read_table(tmp_path / "t.json")
    assert found == table and str(found) == str(table) and "0.250" in str(found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kind": "published"', '"kind": "own"'),
        ('"layer": 2', '"layer": "2"'),
        ('"layer": 2', '"sheet": 2'),
        ('"decimals": 3', '"decimals": 3000'),
        ('"value": 41.7', '"value": []'),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, old: str, new: str) -> None:
    row = Row(name="m", kind="model", cells=(Cell(0.25, decimals=3), None), settings=Settings(layer=2))
    (path,) = (
        p for p in replace(TABLE, rows=(TABLE.rows[0], row)).write(tmp_path, "t") if p.suffix == ".json"
    )
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=r"t\.json: a table as the analyses write it \(JSON\) is expected"):
        read_table(path)


def test_html_escapes_all_text() -> None:
    row = Row(name="<a>", kind="published", cells=(Cell(1.0), None))
    text = table_html(Table(title='"t"', columns=("<b>", "c"), rows=(row,), notes=("<i>\x00",)))
    assert "<a>" not in text and "<b>" not in text and "&lt;i&gt;\ufffd" in text and "&#34;t&#34;" in text
    assert '<tr class="published"><th scope="row">&lt;a&gt; (published)</th>' in text


def test_json() -> None:
    found = json.loads(TABLE.render("json"))
    assert found["rows"][0]["cells"] == {"UAS": {"value": 41.7, "interval": None}, "UUAS_x": None}
    assert found["rows"][3]["cells"]["UAS"] == {"value": 43.21, "interval": [42.0, 44.49]}
    assert found["rows"][3]["signatures"] == ["UAS = 43.2 | toy@1"]


def test_every_form_is_written(tmp_path: Path) -> None:
    paths = TABLE.write(tmp_path / "new", "table1")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(p.name for p in paths)
    assert [p.suffix for p in paths] == [".txt", ".json", ".csv", ".md", ".tex"]
    for path, form in zip(paths, FORMATS, strict=True):
        assert path.read_text(encoding="utf-8") == TABLE.render(form)


def test_a_row_of_another_width() -> None:
    with pytest.raises(ValueError, match="row x: expected 1 cells, one a column, found 2"):
        Table(title="t", columns=("a",), rows=(Row(name="x", kind="model", cells=(None, None)),))


def test_an_unknown_form() -> None:
    with pytest.raises(ValueError, match=r"unknown format 'xml': .*known are table, json, csv, md, latex"):
        TABLE.render("xml")  # type: ignore[arg-type]


def test_aligned() -> None:
    assert aligned([["", "b"], ["aa", "ccc"], ["a", ""]]) == "      b\naa  ccc\na"


def test_intervals_that_are_absent_or_have_no_width_are_explained() -> None:
    cells = (Cell.measured(50.0, None), Cell(50.0), Cell.measured(30.0, Interval(30.0, 30.0)))
    table = Table(title="t", columns=("a", "b", "c"), rows=(Row(name="r", kind="model", cells=cells),))
    few, same = table.remarks
    assert few == "A figure without an interval is of fewer than 10, too few to test."
    assert same == "Where the ends of an interval coincide, the figure is the same in every resample."
    for form in FORMATS:
        if form not in ("csv", "json"):
            shown = " ".join(table.render(form).split())
            assert few in shown and same in shown
    assert table.frame["low"].isna().tolist() == [True, True, False]
    again = table_of(json.loads(table.render("json")))
    assert again == table and again.remarks == table.remarks
    assert (
        Table(title="t", columns=("a",), rows=(Row(name="r", kind="model", cells=(Cell(1.0),)),)).remarks
        == ()
    )


def test_a_name_of_any_kind_makes_files_in_the_folder(tmp_path: Path) -> None:
    table = Table(title="t", columns=(), rows=())
    for stem in ("../../out", "x" * 300, "P19/../../place"):
        for path in table.write(tmp_path / "deep" / "out", stem):
            assert path.is_file()
            assert path.resolve().parent == (tmp_path / "deep" / "out").resolve()
    assert [each.name for each in tmp_path.iterdir()] == ["deep"]


def test_results_are_in_the_order_of_their_files_the_published_protocol_first(tmp_path: Path) -> None:
    stems = [
        "trees-a-wu2020",
        "trees-a-wu2020-by-length",
        "trees-a-fair",
        "trees-a-fair-by-length",
        "trees-b-fair",
    ]
    for stem in reversed(stems):
        Table(title=stem, columns=(), rows=()).write(tmp_path, stem)
    found = read_results(tmp_path, title="Trees")
    assert found is not None and [table.title for table in found.tables] == stems
