"""The page of a report: one HTML file that asks for nothing outside itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from itertools import product

from markupsafe import Markup

from analyses.report.charts import chart_svg
from analyses.report.sentences import scoring_key, scoring_label, sentence_data, sentence_items, verdict
from analyses.report.trees import Part
from analyses.tables.results import Results
from analyses.tables.table import Cell, Row, Table
from analyses.tables.templates import stream_template
from analyses.trees.protocols import PROTOCOLS

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_SECTIONS = {
    "summary": "Summary",
    "tables": "Tables and figures",
    "sentences": "Sentences",
    "model": "Model card",
    "repeat": "How to repeat it",
}
_ORDERS = {
    "corpus": "as in the corpus",
    "worst": "lowest score first",
    "best": "highest score first",
    "short": "shortest first",
    "long": "longest first",
}
_ORDERS_OF_METHODS = {
    "gain": "most gained by the later method first",
    "loss": "most lost by it first",
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is on the page.

    Attributes:
        title: what was probed.
        parts: tables and sentences, one a corpus.
        results: tables and pictures of other analyses.
        facts: about the model, by their names.
        card: the model's own card, or None.
        command: that makes this report again.
        versions: of what it was made with, by their names.
        notes: on what is not there, and why.
    """

    title: str
    parts: tuple[Part, ...]
    facts: Mapping[str, str]
    card: str | None
    command: str
    versions: Mapping[str, str]
    results: tuple[Results, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A row of the summary: its first score, and the strongest baseline of that column, if there is one."""

    table: Table
    row: Row
    column: str
    cell: Cell
    rival: tuple[str, Cell] | None


@dataclass(frozen=True)
class Shown:
    """A table, and its chart where one can be drawn; ``open`` where it shows scores."""

    table: Table
    chart: Markup | None
    open: bool


@dataclass(frozen=True)
class Content:
    """The tables and pictures of a corpus or an analysis."""

    name: str
    tables: tuple[Shown, ...]
    results: Results | None = None


def page(report: Report) -> Iterator[str]:
    """The HTML of the page, piece by piece."""
    tables = [table for part in report.parts for table in part.tables]
    tables += [table for results in report.results for table in results.tables]
    findings = [
        (table, row)
        for table in tables
        for row in _models(table)
        if _is_score(table, row) and not row.made.biased
    ]
    contents = [_of_part(part) for part in report.parts if part.tables]
    contents += map(_of_results, report.results)
    methods = _methods(report)
    skipped = [reason for part in report.parts for reason in part.skipped]
    summary = (findings, report.parts, report.notes, skipped)
    shown = {"summary": any(summary), "tables": contents, "sentences": report.parts}
    return stream_template(
        "page.html",
        package="analyses.report",
        policy=Markup(_POLICY),
        style=_asset("report.css"),
        script=_asset("draw.js") + _asset("list.js"),
        sections={key: name for key, name in _SECTIONS.items() if shown.get(key, True)},
        report=report,
        title=f"Perturbed masking: {report.title}",
        findings=[_finding(*each) for each in findings],
        signatures=[_signature(*each) for each in findings],
        skipped=skipped,
        contents=contents,
        corpora=[f"{part.name}: {part.kind}" for part in report.parts],
        labels=sorted(
            {label for part in report.parts for seen in part.seen for label in verdict(seen).labels}
        ),
        orders=_ORDERS | (_ORDERS_OF_METHODS if len(methods) > 1 else {}),
        scorings=[
            (scoring_key(scoring), scoring_label(methods, scoring))
            for scoring in product(range(len(methods)), reversed(PROTOCOLS))
        ],
        items=(
            item
            for number, part in enumerate(report.parts, start=1)
            for item in sentence_items(part, number=number)
        ),
        data=sentence_data(report.parts) if report.parts else "",
    )


def _methods(report: Report) -> list[str]:
    """The names of the methods, which every sentence shows; one without a name where none was asked for."""
    first = next((seen for part in report.parts for seen in part.seen), None)
    return [view.method for view in first.views] if first else [""]


def _asset(name: str) -> Markup:
    return Markup(resources.files("analyses.report").joinpath("assets", name).read_text(encoding="utf-8"))


# --- summary


def _models(table: Table) -> list[Row]:
    """The rows of models, unless the table is a search: the best layer on the same data would be no finding."""
    models = [row for row in table.rows if row.kind == "model" and row.signature]
    but_layer = {replace(row.made, layer=None) for row in models}
    return models if len({row.made for row in models}) == len(but_layer) else []


def _is_score(table: Table, row: Row) -> bool:
    """Whether the first figure of a row is a score in percent, of which more is better."""
    if "percent" not in table.title or not any(row.cells):
        return False
    _, cell = _first(row)
    return cell.style == "plain" and cell.decimals == Cell(0.0).decimals


def _finding(table: Table, row: Row) -> Finding:
    """A row beside the strongest baseline of the first column that it has a score in."""
    at, cell = _first(row)
    baselines = [
        (other.name, rival) for other in table.rows if other.kind == "baseline" and (rival := other.cells[at])
    ]
    strongest = max(baselines, key=lambda each: each[1].value, default=None)
    return Finding(table, row, table.columns[at], cell, strongest)


def _first(row: Row) -> tuple[int, Cell]:
    """The first score of a row that has one, and its column."""
    return next((at, cell) for at, cell in enumerate(row.cells) if cell is not None)


def _signature(table: Table, row: Row) -> str:
    at, cell = _first(row)
    return f"{table.columns[at]} = {cell} | {row.signature}"


# --- tables and figures


def _of_part(part: Part) -> Content:
    return Content(f"{part.name}: {part.kind}", tuple(map(_shown, part.tables)))


def _of_results(results: Results) -> Content:
    return Content(results.title, tuple(map(_shown, results.tables)), results)


def _shown(table: Table) -> Shown:
    picture = chart_svg(table)
    scores = any(row.signature for row in table.rows)
    return Shown(table, None if picture is None else Markup(picture), scores)
