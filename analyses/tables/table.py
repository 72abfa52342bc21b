"""One table, several forms: terminal, Markdown, LaTeX, CSV, JSON.

A row is published (copied from a paper), a baseline, or a model's; every form says which, so that published and
own figures are never confused.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from analyses.intervals import Interval
from analyses.tables.signature import Settings
from data import InputError
from probe.files import whole_file
from probe.registry import check_name
from probe.svg import escape

RowKind: TypeAlias = Literal["published", "baseline", "human", "model"]
TableFormat: TypeAlias = Literal["table", "json", "csv", "md", "latex"]
FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
SUFFIXES: dict[TableFormat, str] = {"table": "txt", "json": "json", "csv": "csv", "md": "md", "latex": "tex"}
"""File-name suffix of each form."""

_ABSENT = "-"


@dataclass(frozen=True)
class Cell:
    """A figure, with its interval where it has one."""

    value: float
    interval: Interval | None = None

    def __str__(self) -> str:
        """One decimal: ``41.7 [40.9, 42.5]``."""
        if self.interval is None:
            return f"{self.value:.1f}"
        return f"{self.value:.1f} [{self.interval.low:.1f}, {self.interval.high:.1f}]"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table.

    Attributes:
        name: what was measured.
        kind: ``published``, ``baseline``, ``human`` (another annotator) or ``model``.
        cells: one a column, None where there is no figure.
        signatures: how to repeat the figures, one line each; empty for published rows.
        settings: how they were made, as fields; None where nothing is known of it.
    """

    name: str
    kind: RowKind
    cells: tuple[Cell | None, ...]
    signatures: tuple[str, ...] = ()
    settings: Settings | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A titled table.

    Raises:
        ValueError: a row has another number of cells than there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"row {row.name}: expected {len(self.columns)} cells, one a column, found {len(row.cells)}"
                )

    def render(self, form: TableFormat) -> str:
        """The table as text in this form, ending in a newline; raises ValueError for an unknown form."""
        check_name("format", form, FORMATS)
        forms: dict[TableFormat, Callable[[Table], str]] = {
            "table": _to_text,
            "json": _to_json,
            "csv": _to_csv,
            "md": _to_markdown,
            "latex": _to_latex,
        }
        return forms[form](self)

    def __str__(self) -> str:
        """The table for a terminal."""
        return self.render("table")

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        pass

        return table_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The same where a notebook shows plain text."""
        printer.text(str(self))

    def write(self, folder: Path, stem: str) -> list[Path]:
        """Write every form as ``folder/stem.*``, each whole or not at all; returns the paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for form in FORMATS:
            path = folder / f"{stem}.{SUFFIXES[form]}"
            with whole_file(path) as file:
                file.write(self.render(form))
            paths.append(path)
        return paths


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as text with aligned columns, the first to the left, the others to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cells(row: Row) -> list[str]:
    return [_ABSENT if cell is None else str(cell) for cell in row.cells]


def _label(row: Row) -> str:
    return f"{row.name} (published)" if row.kind == "published" else row.name


def _to_text(table: Table) -> str:
    lines = [["", *table.columns], *([_label(row), *_cells(row)] for row in table.rows)]
    return "\n".join([table.title, "", aligned(lines), *([""] if table.notes else []), *table.notes]) + "\n"


def _to_markdown(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    lines = [
        line(["", *table.columns]),
        line(["---", *["---:"] * len(table.columns)]),
        *(line([_label(row), *_cells(row)]) for row in table.rows),
    ]
    notes = [f"\n{note}" for note in table.notes]
    return "\n".join([f"**{table.title}**", "", *lines, *notes]) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def _escape(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _to_latex(table: Table) -> str:
    """With the rules of package booktabs."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(map(_escape, cells)) + r" \\"

    groups = [[row for row in table.rows if row.kind == kind] for kind in get_args(RowKind)]
    body = "\n\\midrule\n".join(
        "\n".join(line([_label(row), *_cells(row)]) for row in group) for group in groups if group
    )
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        line(["", *table.columns]),
        r"\midrule",
        body,
        r"\bottomrule",
        r"\end{tabular}",
        rf"\caption{{{_escape(' '.join((table.title + '.', *table.notes)))}}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _to_csv(table: Table) -> str:
    """One line a figure, unrounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "kind", "column", "value", "low", "high"])
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            if cell is not None:
                bounds = (cell.interval.low, cell.interval.high) if cell.interval else ("", "")
                writer.writerow([row.name, row.kind, column, cell.value, *bounds])
    return out.getvalue()


def _to_json(table: Table) -> str:
    def cell_dict(cell: Cell | None) -> dict[str, Any] | None:
        if cell is None:
            return None
        interval = [cell.interval.low, cell.interval.high] if cell.interval else None
        return {"value": cell.value, "interval": interval}

    rows = [
        {
            "name": row.name,
            "kind": row.kind,
            "cells": {column: cell_dict(cell) for column, cell in zip(table.columns, row.cells, strict=True)},
            "signatures": list(row.signatures),
            **({} if row.settings is None else {"settings": row.settings.as_dict()}),
        }
        for row in table.rows
    ]
    about = {
        "title": table.title,
        "columns": list(table.columns),
        "rows": rows,
        "notes": list(table.notes),
    }
    return json.dumps(about, indent=1, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Cosine(Cell):
    """A figure between -1 and 1, with three decimals: ``0.412 [0.401, 0.423]``."""

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.interval.low:.3f}, {self.interval.high:.3f}]"


def read_table(path: Path) -> Table:
    """Read what ``analyses.tables.table.Table.write`` wrote as JSON.

    Raises:
        data.InputError: the file cannot be read or is no such table.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        columns = tuple(map(str, found["columns"]))
        rows = tuple(
            Row(
                name=row["name"],
                kind=row["kind"],
                cells=tuple(_cell(row["cells"][column]) for column in columns),
                signatures=tuple(row["signatures"]),
                settings=Settings(**row["settings"]) if "settings" in row else None,
            )
            for row in found["rows"]
        )
        return Table(title=found["title"], columns=columns, rows=rows, notes=tuple(found["notes"]))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: a table as the analyses write it (JSON) is expected: {error!r}") from error


def _cell(found: Mapping[str, Any] | None) -> Cell | None:
    if found is None:
        return None
    interval = found["interval"]
    return Cell(float(found["value"]), None if interval is None else Interval(*map(float, interval)))


def shared_signature(table: Table) -> str:
    """What the signatures of all rows have in common: data, protocol, bootstrap, ..."""
    lines = [signature.split(" | ") for row in table.rows for signature in row.signatures]
    return " | ".join(part for part in lines[0] if all(part in line for line in lines)) if lines else ""


def of_layers(table: Table, layers: Collection[int]) -> Table:
    """A recall table without the columns of other layers; columns without a layer stay.

    Raises:
        data.InputError: no column of these layers is there.
    """
    found = [re.search(r", layer (\d+),", column) for column in table.columns]
    kept = [at for at, match in enumerate(found) if match is None or int(match[1]) in layers]
    if not any(found[at] for at in kept):
        wanted = ", ".join(map(str, layers))
        raise InputError(f"{table.title}: columns of layer {wanted} are expected, found {table.columns}")
    return replace(
        table,
        columns=tuple(table.columns[at] for at in kept),
        rows=tuple(replace(row, cells=tuple(row.cells[at] for at in kept)) for row in table.rows),
    )


def table_html(table: Table) -> str:
    """The table with a caption, headers for rows and columns, its notes and its signatures; all text is escaped.

    Published rows are marked as such, and every row has its kind as its class:
    ``published``, ``baseline`` or ``model``.
    """
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    body = "".join(_row(row) for row in table.rows)
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    signatures = "".join(
        f"<li>{escape(row.name)} | {escape(signature)}</li>"
        for row in table.rows
        for signature in row.signatures
    )
    return (
        f'<div><div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}">'
        f"<table><caption>{escape(table.title)}</caption><thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
        + (f"<details><summary>Signatures</summary><ul>{signatures}</ul></details>" if signatures else "")
        + "</div>"
    )


def _row(row: Row) -> str:
    label = escape(row.name) + (" <em>(published)</em>" if row.kind == "published" else "")
    cells = "".join(f"<td>{'–' if cell is None else escape(str(cell))}</td>" for cell in row.cells)
    return f'<tr class="{row.kind}"><th scope="row">{label}</th>{cells}</tr>'
