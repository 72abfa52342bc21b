"""Every form of a table says the same, and none confuses published figures with own ones."""

import csv
import io
import json
from pathlib import Path

import pytest

from analyses.intervals import Interval
from analyses.tables.table import FORMATS, Cell, Row, Table, aligned

TABLE = Table(
    title="Attachment on toy & co",
    columns=("UAS", "UUAS_x"),
    rows=(
        Row(name="Eisner+Dist", kind="published", cells=(Cell(41.7), None)),
        Row(name="right-chain", kind="baseline", cells=(Cell(35.04), Cell(39.84))),
        Row(
            name="a|b 100%",
            kind="model",
            cells=(Cell(43.21, Interval(42.0, 44.49)), Cell(2 / 3)),
            signatures=("UAS = 43.2 | toy@1",),
        ),
    ),
    notes=("n = 3 sentences.",),
)


def test_text() -> None:
    assert TABLE.render("table").splitlines() == [
        "Attachment on toy & co",
        "",
        "                                       UAS  UUAS_x",
        "Eisner+Dist (published)               41.7       -",
        "right-chain                           35.0    39.8",
        "a|b 100%                 43.2 [42.0, 44.5]     0.7",
        "",
        "n = 3 sentences.",
    ]


def test_markdown() -> None:
    lines = TABLE.render("md").splitlines()
    assert lines[2:7] == [
        "|  | UAS | UUAS_x |",
        "| --- | ---: | ---: |",
        "| Eisner+Dist (published) | 41.7 | - |",
        "| right-chain | 35.0 | 39.8 |",
        "| a\\|b 100% | 43.2 [42.0, 44.5] | 0.7 |",
    ]
    assert lines[0] == "**Attachment on toy & co**" and lines[-1] == "n = 3 sentences."


def test_latex() -> None:
    text = TABLE.render("latex")
    assert r"\begin{tabular}{lrr}" in text
    assert r" & UAS & UUAS\_x \\" in text
    assert r"a|b 100\% & 43.2 [42.0, 44.5] & 0.7 \\" in text
    assert r"\caption{Attachment on toy \& co. n = 3 sentences.}" in text
    assert text.count(r"\midrule") == 3, "one rule below the header and between the kinds of rows"
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_csv_is_unrounded() -> None:
    records = list(csv.DictReader(io.StringIO(TABLE.render("csv"))))
    assert [(r["row"], r["kind"], r["column"]) for r in records] == [
        ("Eisner+Dist", "published", "UAS"),
        ("right-chain", "baseline", "UAS"),
        ("right-chain", "baseline", "UUAS_x"),
        ("a|b 100%", "model", "UAS"),
        ("a|b 100%", "model", "UUAS_x"),
    ]
    assert float(records[4]["value"]) == 2 / 3
    assert (records[3]["low"], records[3]["high"]) == ("42.0", "44.49")


def test_json() -> None:
    found = json.loads(TABLE.render("json"))
    assert found["rows"][0]["cells"] == {"UAS": {"value": 41.7, "interval": None}, "UUAS_x": None}
    assert found["rows"][2]["cells"]["UAS"] == {"value": 43.21, "interval": [42.0, 44.49]}
    assert found["rows"][2]["signatures"] == ["UAS = 43.2 | toy@1"]


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
