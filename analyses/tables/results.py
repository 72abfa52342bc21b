"""Folders of results, read back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyses.tables.forms import table_of
from analyses.tables.table import Table
from data import InputError
from probe.json_text import parse_json

CONFIGURATION, MARKERS = "reproduce.json", "done"
"""Of a folder of ``analyses.reproduce``: what the run depends on, and the folder of its finished steps."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command gave.

    Attributes:
        tables: with the stems of their file names.
        failed: whether some of the input could not be used; what and why was said on stderr.
        kept: whether ``--out`` is a file of the command's own, which has them already.
    """

    tables: tuple[tuple[str, Table], ...] = ()
    failed: bool = False
    kept: bool = False


@dataclass(frozen=True, kw_only=True)
class Results:
    """What one command wrote.

    Attributes:
        title: for the page.
        tables: in the order of their files, the published protocol first.
        pictures: SVG files by their names.
        command: that made them, where it is known.
    """

    title: str
    tables: tuple[Table, ...]
    pictures: Mapping[str, bytes]
    command: str | None = None

    def images(self) -> list[tuple[str, str]]:
        """Name and ``data:`` address of each picture, for a page that asks for nothing outside itself."""
        return [
            (
                f"{self.title}: {stem.replace('-', ' ')}",
                f"data:image/svg+xml;base64,{base64.b64encode(content).decode('ascii')}",
            )
            for stem, content in self.pictures.items()
        ]


def read_results(folder: Path, *, title: str, command: str | None = None) -> Results | None:
    """Read the tables and SVG files of a folder, not of those in it; None if it has neither.

    Raises:
        OSError: the folder or a picture cannot be read.
    """
    paths = sorted(folder.iterdir(), key=lambda path: (stem_order(path.stem), path.suffix))
    found = tuple(table for path in paths for table in _tables(path))
    drawn = read_pictures(folder)
    return Results(title=title, tables=found, pictures=drawn, command=command) if found or drawn else None


def read_pictures(folder: Path) -> dict[str, bytes]:
    """The SVG files of a folder, not of those in it, by their names without suffix.

    Raises:
        OSError: one cannot be read.
    """
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.svg"))}


def stem_order(stem: str) -> tuple[tuple[bool, str], ...]:
    """Sorts the names of files: word by word, the published protocol before others."""
    return tuple((word != "wu2020", word) for word in stem.split("-"))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none."""
    try:
        found = parse_json(path.read_bytes())
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
            return [table_of(document)]
        return [table_of(each) for each in document.get("tables", ()) if isinstance(document["tables"], list)]
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: results as the analyses write them are expected: {error!r}") from error
