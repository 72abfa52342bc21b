"""Tables of results read back from the JSON files that the commands write with ``--out``."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from analyses.intervals import Interval
from analyses.tables import Cell, Row, Table
from data import InputError


def read_table(path: Path) -> Table:
    """Read what ``analyses.tables.Table.write`` wrote as JSON.

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


def settings(row: Row) -> dict[str, str]:
    """The named parts of a row's signature: ``layer``, ``model``, ``decoder``, ... and ``data``."""
    if not row.signatures:
        return {}
    first, *parts = row.signatures[0].split(" | ")
    return {"data": first, **{name: value for name, _, value in (part.partition(":") for part in parts)}}


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
