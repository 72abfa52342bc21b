"""The forms of a table: text for a terminal, Markdown, LaTeX, CSV, JSON, HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from analyses.intervals import Interval
from analyses.tables.latex import latex_of
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, CellStyle, Row, RowKind, Table, TableFormat
from analyses.tables.templates import render_template
from analyses.tables.text import text_of
from data import InputError
from probe.json_text import parse_json


def _to_text(table: Table) -> str:
    return text_of(table.arranged)


def _to_latex(table: Table) -> str:
    return latex_of(table.arranged)


def _to_markdown(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    shown = table.arranged
    lines = [
        line(["", *shown.labels, *shown.headers]),
        line(["---"] * (1 + len(shown.labels)) + ["---:"] * len(shown.headers)),
        *(line([each.full_name, *each.labels, *map(str, each.figures)]) for each in shown.lines),
    ]
    notes = [f"\n{note}" for note in shown.notes]
    return "\n".join([f"**{table.title}**", "", *lines, *notes]) + "\n"


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _to_csv(table: Table) -> str:
    """The frame, one line a figure, unrounded, without the settings that no figure has.

    Text that a spreadsheet would run as a formula has an apostrophe before it.
    """
    frame = table.frame.drop(columns=["n", "decimals"])
    settings = [name for name in Settings.__dataclass_fields__ if frame[name].notna().any()]
    names = ["row", "kind", *table.labels, "column", "value", "low", "high", *settings]
    found = frame[names].astype({"kind": "string"})
    for name in map(str, found.select_dtypes("string").columns):
        dangerous = found[name].str.startswith(_FORMULA, na=False)
        found.loc[dangerous, name] = "'" + found.loc[dangerous, name]
    return str(found.to_csv(index=False, lineterminator="\n"))


def _to_json(table: Table) -> str:
    return json.dumps(table_dict(table), indent=1, ensure_ascii=False) + "\n"


def table_dict(table: Table) -> dict[str, Any]:
    """JSON-able form, of which :func:`table_of` makes the table again."""
    rows = [
        {
            "name": row.name,
            "kind": row.kind,
            "cells": {
                column: _cell_dict(cell) for column, cell in zip(table.columns, row.cells, strict=True)
            },
            "signatures": [] if row.signature is None else [str(row.signature)],
            **({"signature": row.signature.as_dict()} if isinstance(row.signature, Signature) else {}),
            **({} if row.settings is None else {"settings": row.settings.as_dict()}),
            **({} if row.unknown_words is None else {"unknown_words": list(row.unknown_words)}),
            **({"labels": dict(zip(table.labels, row.labels, strict=True))} if table.labels else {}),
            **({} if row.published_as is None else {"published_as": row.published_as}),
        }
        for row in table.rows
    ]
    about: dict[str, Any] = {"title": table.title, "columns": list(table.columns), "rows": rows}
    about["notes"] = list(table.notes)
    if table.signature is not None:
        about["signature"] = table.signature.as_dict()
    if table.column_settings:
        about["column_settings"] = [made and made.as_dict() for made in table.column_settings]
    if table.labels:
        about["labels"] = list(table.labels)
    if table.other_data:
        about["other_data"] = True
    return about


def _cell_dict(cell: Cell | None) -> dict[str, Any] | None:
    """JSON-able form: value, interval and, where they are not one, the decimals that are shown."""
    if cell is None:
        return None
    interval = [cell.interval.low, cell.interval.high] if cell.interval else None
    shown = {} if cell.decimals == 1 else {"decimals": cell.decimals}
    few = {"too_few": True} if cell.too_few else {}
    style = {} if cell.style == "plain" else {"style": cell.style}
    return {"value": cell.value, "interval": interval, **shown, **few, **style}


def table_html(table: Table) -> str:
    """The table with a caption, headers for rows and columns, and its notes; all text is escaped.

    Every row has its kind as its class, and published figures are of class ``published``.
    """
    return render_template("table.html", table=table)


RENDERERS: Mapping[TableFormat, Callable[[Table], str]] = {
    "table": _to_text,
    "json": _to_json,
    "csv": _to_csv,
    "md": _to_markdown,
    "latex": _to_latex,
}


def read_table(path: Path) -> Table:
    """Read what ``Table.write`` wrote as JSON.

    Raises:
        data.InputError: the file cannot be read or is no such table.
    """
    try:
        return table_of(parse_json(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as error:
        raise InputError(f"{path}: a table as the analyses write it (JSON) is expected: {error!r}") from error


def table_of(found: Mapping[str, Any]) -> Table:
    """The table whose JSON form this is.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is that of something else.
    """
    columns = tuple(map(str, found["columns"]))
    labels = tuple(map(str, found.get("labels", ())))
    return Table(
        title=str(found["title"]),
        columns=columns,
        rows=tuple(_row(row, columns, labels) for row in found["rows"]),
        notes=tuple(map(str, found["notes"])),
        signature=Signature.from_dict(found["signature"]) if "signature" in found else None,
        column_settings=tuple(
            None if made is None else Settings.from_dict(made) for made in found.get("column_settings", ())
        ),
        labels=labels,
        other_data=found.get("other_data") is True,
    )


def _row(found: Mapping[str, Any], columns: Sequence[str], labels: Sequence[str]) -> Row:
    if found["kind"] not in get_args(RowKind):
        raise ValueError(f"unknown kind of row {found['kind']!r}")
    signature: Signature | str | None = next(iter(map(str, found["signatures"])), None)
    return Row(
        name=str(found["name"]),
        kind=found["kind"],
        cells=tuple(_cell(found["cells"][column]) for column in columns),
        signature=Signature.from_dict(found["signature"]) if "signature" in found else signature,
        settings=Settings.from_dict(found["settings"]) if "settings" in found else None,
        unknown_words=_counts(found["unknown_words"]) if "unknown_words" in found else None,
        labels=tuple(str(found["labels"][label]) for label in labels),
        published_as=str(found["published_as"]) if "published_as" in found else None,
    )


def _counts(found: Sequence[Any]) -> tuple[int, int]:
    count, total = map(int, found)
    return count, total


def _cell(found: Mapping[str, Any] | None) -> Cell | None:
    if found is None:
        return None
    interval, decimals = found["interval"], found.get("decimals", 1)
    if not isinstance(decimals, int) or not 0 <= decimals <= 9:
        raise ValueError(f"decimals: a number from 0 to 9 is expected, found {decimals!r}")
    style = found.get("style", "plain")
    if style not in get_args(CellStyle):
        raise ValueError(f"style: one of {', '.join(get_args(CellStyle))} is expected, found {style!r}")
    return Cell(
        float(found["value"]),
        None if interval is None else Interval(*map(float, interval)),
        decimals,
        too_few=found.get("too_few") is True,
        style=style,
    )
