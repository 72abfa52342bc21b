"""Results that the commands wrote with ``--out``, read back as tables and pictures for a page."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analyses.figure_results import read_table
from analyses.geometry_tables import Cosine
from analyses.intervals import Interval
from analyses.reproduce_steps import steps
from analyses.signature import Settings, Signature
from analyses.tables import Cell, Row, Table
from data import InputError
from probe.display import escape

CONFIGURATION, MARKERS = "reproduce.json", "done"
"""Of a folder of ``analyses.reproduce``: what the run depends on, and the folder of its finished steps."""

_CHANCE = 50.0


@dataclass(frozen=True, kw_only=True)
class Results:
    """What one command wrote.

    Attributes:
        title: for the page.
        tables: in the order of their files.
        pictures: SVG files by their names.
        command: that made them, where it is known.
    """

    title: str
    tables: tuple[Table, ...]
    pictures: Mapping[str, bytes]
    command: str | None = None


def read_results(folder: Path, *, title: str, command: str | None = None) -> Results | None:
    """Read the tables and SVG files of a folder, not of those in it; None if it has neither.

    Raises:
        OSError: the folder or a picture cannot be read.
    """
    found = tuple(table for path in sorted(folder.iterdir(), key=_order) for table in _tables(path))
    drawn = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.svg"))}
    return Results(title=title, tables=found, pictures=drawn, command=command) if found or drawn else None


def _order(path: Path) -> tuple[str, str]:
    return path.stem, path.suffix


def read_path(path: Path) -> tuple[list[Results], dict[str, str]]:
    """Read the ``--out`` folder of ``analyses.reproduce`` or of another command, or one JSON file of these.

    Returns:
        Results, none if the path is something else; and the configuration of ``analyses.reproduce``, else empty.

    Raises:
        OSError: a file cannot be read.
        data.InputError: a file of results is damaged.
    """
    if path.is_file():
        found = tuple(_tables(path))
        return ([Results(title=path.stem, tables=found, pictures={})] if found else []), {}
    if not path.is_dir():
        return [], {}
    if not (path / CONFIGURATION).is_file():
        made = read_results(path, title=path.resolve().name)
        # A picture alone may be anything.
        return ([made] if made is not None and made.tables else []), {}
    results = []
    for step in steps():
        marker = read_json(path / MARKERS / f"{step.name}.json")
        if marker and (path / step.name).is_dir():
            command = str(marker.get("command", ""))
            made = read_results(path / step.name, title=step.title, command=command)
            results += [made] if made is not None else []
    return results, {name: str(value) for name, value in read_json(path / CONFIGURATION).items()}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        found = None
    return found if isinstance(found, dict) else {}


def _tables(path: Path) -> list[Table]:
    """The tables of a file; none if it holds something else.

    Raises:
        data.InputError: it has the name or the keys of a result file, and not its content.
    """
    document = read_json(path) if path.suffix == ".json" else {}
    try:
        if document.keys() >= {"title", "columns", "rows", "notes"}:
            return [_with_decimals(read_table(path))]
        if "evaluations" in document:
            return pair_tables(document)
        return bias_tables(path) if path.name == "bias.csv" else []
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: results as the analyses write them are expected: {error!r}") from error


def _with_decimals(table: Table) -> Table:
    """The figures of geometry, which are between -1 and 1, with three decimals, as the command prints them."""
    cells = [cell for row in table.rows for cell in row.cells if cell is not None]
    if "percent" in table.title or any(abs(cell.value) > 1 for cell in cells):
        return table
    rows = (
        replace(row, cells=tuple(cell and Cosine(cell.value, cell.interval) for cell in row.cells))
        for row in table.rows
    )
    return replace(table, rows=tuple(rows))


# --- minimal pairs


def pair_tables(document: Mapping[str, Any]) -> list[Table]:
    """Tables of what ``analyses.minimal_pairs --format json`` writes: by phenomenon, and by paradigm."""
    evaluations = document["evaluations"]
    data = evaluations[-1]["signature"]["data"]
    broad = [each for each in evaluations[-1]["accuracies"] if each["level"] != "paradigm"]
    names = [each["name"] for each in sorted(broad, key=lambda each: each["level"] != "overall")]
    rows = [Row(name="chance", kind="baseline", cells=(Cell(_CHANCE),) * len(names))]
    for evaluation in evaluations:
        found = {each["name"]: each for each in evaluation["accuracies"] if each["level"] != "paradigm"}
        rows.append(
            Row(
                name=evaluation["model"],
                kind=_kind(evaluation),
                cells=tuple(_accuracy(found.get(name)) for name in names),
                signatures=(_signature(evaluation["signature"]),),
            )
        )
    notes = [
        f"{evaluations[-1]['accuracies'][-1]['pairs']:,} pairs; overall and phenomena: mean over paradigms."
    ]
    if document.get("skipped"):
        notes.append(f"{len(document['skipped']):,} pairs could not be scored.")
    by_phenomenon = Table(
        title=f"Minimal pairs of {data}: accuracy in percent [95% interval]",
        columns=tuple(name.replace("_", " ") for name in names),
        rows=tuple(rows),
        notes=tuple(notes),
    )
    return [by_phenomenon, _by_paradigm(evaluations, data)]


def _by_paradigm(evaluations: Sequence[Mapping[str, Any]], data: str) -> Table:
    found = [
        {each["name"]: each for each in evaluation["accuracies"] if each["level"] == "paradigm"}
        for evaluation in evaluations
    ]
    rows = [
        Row(name=name, kind="model", cells=tuple(_accuracy(each.get(name)) for each in found))
        for name in found[-1]
    ]
    return Table(
        title=f"Minimal pairs of {data} by paradigm: accuracy in percent [95% interval]",
        columns=tuple(evaluation["model"] for evaluation in evaluations),
        rows=tuple(rows),
    )


def _kind(evaluation: Mapping[str, Any]) -> Any:
    return "baseline" if "random weights" in evaluation["model"] else "model"


def _accuracy(found: Mapping[str, Any] | None) -> Cell | None:
    return None if found is None else Cell(found["accuracy"], Interval(*found["interval"]))


def _signature(fields: Mapping[str, Any]) -> str:
    return str(Signature(**{**fields, "settings": Settings(**fields.get("settings", {}))}))


# --- bias of the decoders


def bias_tables(path: Path) -> list[Table]:
    """Tables of the ``bias.csv`` that ``analyses.bias --out`` writes, one a protocol; F1 in percent."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    protocols = dict.fromkeys(line["protocol"] for line in lines)
    return [
        Table(
            title=f"Decoders on random impact matrices: F1 in percent [95% interval], protocol {protocol}",
            columns=("right-branching", "left-branching", "right - left"),
            rows=tuple(_bias_row(line) for line in lines if line["protocol"] == protocol),
            notes=("A decoder that has no preference finds both branchings equally often.",),
        )
        for protocol in protocols
    ]


def _bias_row(line: Mapping[str, str]) -> Row:
    def cell(name: str) -> Cell:
        value, low, high = (100 * float(line[key]) for key in (name, f"{name}_low", f"{name}_high"))
        return Cell(value, Interval(low, high))

    names = ("right", "left", "difference")
    return Row(name=f"{line['decoder']}, {line['n']} words", kind="baseline", cells=tuple(map(cell, names)))


# --- HTML


def pictures_html(results: Results) -> str:
    """The pictures as images within the page: there an SVG file runs no script and asks for nothing."""
    return "".join(
        f'<figure class="paper"><img alt="{escape(_name(results.title, name))}" '
        f'src="data:image/svg+xml;base64,{base64.b64encode(content).decode("ascii")}">'
        f"<figcaption>{escape(_name(results.title, name))}</figcaption></figure>"
        for name, content in results.pictures.items()
    )


def _name(title: str, stem: str) -> str:
    return f"{title}: {stem.replace('-', ' ')}"
