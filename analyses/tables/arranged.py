"""A table as people read it: published beside measured, what all rows share said once, what differs in columns.

Text, Markdown, LaTeX and HTML are made of this; JSON and CSV have the table as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analyses.tables.signature import Signature, impact_text, seeds_text
from analyses.tables.table import Cell, Row, RowKind, Table

ABSENT = "-"
_ALONE = "published only"
_PUBLISHED, _OTHER_DATA = "published", "published (other data)"
_P = "p"
_BLANK = "Random weights: "
"""The beginning of the note that says their seeds."""


@dataclass(frozen=True)
class Figure:
    """What stands in a place of the table: value and interval, a dash where there is none."""

    value: str = ABSENT
    ends: str = ""
    published: bool = False

    @classmethod
    def of(cls, cell: Cell | None, *, published: bool = False) -> Figure:
        """That of a cell."""
        return cls(published=published) if cell is None else cls(cell.shown, cell.ends, published)

    def __str__(self) -> str:
        """``41.7 [40.9, 42.5]``."""
        return f"{self.value} {self.ends}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the table.

    Attributes:
        heading: what it stands below, with others of the same; empty where it needs none.
        name: without what the heading and the labels say.
        kind: of its row.
        labels: text between name and figures, one a column.
        figures: measured and published ones, one a column.
    """

    heading: str
    name: str
    kind: RowKind
    labels: tuple[str, ...]
    figures: tuple[Figure, ...]

    @property
    def full_name(self) -> str:
        """The name with the heading, where headings are not shown."""
        return (
            f"{self.name} ({self.heading})"
            if self.heading == _ALONE
            else ": ".join(filter(None, (self.heading, self.name)))
        )

    def has(self, columns: Sequence[int]) -> bool:
        """Whether there is a figure in one of these columns."""
        return any(self.figures[at].value != ABSENT for at in columns)


@dataclass(frozen=True, kw_only=True)
class Arranged:
    """A table arranged for reading.

    Attributes:
        title: of the table.
        labels: headers of the columns of text.
        headers: of the figures.
        lines: in their order.
        notes: what is said below, each part of a signature once.
    """

    title: str
    labels: tuple[str, ...]
    headers: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def follows(self) -> tuple[bool, ...]:
        """Which figures stay beside those before them: what is published of a measure, and p of a difference."""
        return tuple(header in (_PUBLISHED, _OTHER_DATA, _P) for header in self.headers)


def arrange(table: Table) -> Arranged:
    """The table with every published figure on the line of the row that measured the same.

    Published rows that no other answers stand last. A table of published rows alone stays as it is.
    """
    published = [row for row in table.rows if row.kind == "published"]
    own = [row for row in table.rows if row.kind != "published"]
    if not own:
        published, own = [], published
    alone = [row for row in published if not any(each.answers(row) for each in own)]
    beside = [any(row.cells[at] for row in published) for at in range(len(table.columns))]
    signed = _Signed.of(own)
    lines = []
    for row, named, labels in zip(own, signed.names, signed.labels, strict=True):
        theirs = next((each.cells for each in published if row.answers(each)), (None,) * len(row.cells))
        lines.append(
            Line(
                heading=named.heading,
                name=named.name,
                kind=row.kind,
                labels=(*labels, *row.labels),
                figures=_figures(row.cells, theirs, beside),
            )
        )
    lines += [
        Line(
            heading=_ALONE,
            name=row.name,
            kind=row.kind,
            labels=(*([""] * len(signed.columns)), *row.labels),
            figures=_figures((None,) * len(row.cells), row.cells, beside),
        )
        for row in alone
    ]
    told = any(note.startswith(_BLANK) for note in table.notes)
    return Arranged(
        title=table.title,
        labels=(*signed.columns, *table.labels),
        headers=tuple(_headers(table, beside)),
        lines=tuple(lines),
        notes=(
            *table.remarks,
            *_paper_names(own, published, signed.names),
            *(note for note in signed.notes if not (told and note.startswith(_BLANK))),
        ),
    )


def _figures(
    own: Sequence[Cell | None], theirs: Sequence[Cell | None], beside: Sequence[bool]
) -> tuple[Figure, ...]:
    found = []
    for cell, published, shown in zip(own, theirs, beside, strict=True):
        found.append(Figure.of(cell))
        if shown:
            found.append(Figure.of(published, published=True))
    return tuple(found)


def _headers(table: Table, beside: Sequence[bool]) -> Iterable[str]:
    for at, (column, shown) in enumerate(zip(table.columns, beside, strict=True)):
        styles = {cell.style for row in table.rows if (cell := row.cells[at]) is not None}
        yield _P if styles == {"p"} else column
        if shown:
            yield _OTHER_DATA if table.other_data else _PUBLISHED


def _paper_names(own: Sequence[Row], published: Sequence[Row], names: Sequence[_Named]) -> list[str]:
    """What the paper calls rows of other names."""
    called: dict[str, list[str]] = {}
    for row, named in zip(own, names, strict=True):
        theirs = row.published_as
        if theirs is None or theirs.lower() in named.name.lower() or not any(map(row.answers, published)):
            continue
        ours = called.setdefault(theirs, [])
        if (name := f"{named.heading} {named.name}".strip()) not in ours:
            ours.append(name)
    return [f"Published as {theirs}: {', '.join(ours)}." for theirs, ours in called.items()]


def repeats(line: Line, before: Line | None) -> bool:
    """Whether a line needs no name, since the one before has it and labels tell them apart."""
    return (
        before is not None
        and bool(line.labels)
        and (line.heading, line.name) == (before.heading, before.name)
    )


def panels(widths: Sequence[int], follows: Sequence[bool], *, room: int) -> Iterator[list[int]]:
    """Places of columns that fit beside one another.

    Args:
        widths: of the columns, with the space before each.
        follows: which stay with the one before.
        room: for the columns of a panel; one alone may be wider.
    """
    panel: list[int] = []
    used = at = 0
    while at < len(widths):
        pair = [at, at + 1] if at + 1 < len(widths) and follows[at + 1] else [at]
        needed = sum(widths[place] for place in pair)
        if panel and used + needed > room:
            yield panel
            panel, used = [], 0
        panel += pair
        used += needed
        at += len(pair)
    if panel or not widths:
        yield panel


# --- signatures


@dataclass(frozen=True)
class _Named:
    """A row's heading and name, and which parts of its signature they say."""

    heading: str
    name: str
    said: frozenset[str] = frozenset()


def _named(row: Row) -> _Named:
    """Rows of trees stand below their model, as decoder and metric; others have their name alone."""
    made = row.made
    if made.model is None or made.decoder is None or made.metric is None:
        return _Named("", row.label)
    impacts = impact_text(
        metric=made.metric,
        layer=made.layer,
        pool=made.pool,
        perturb=made.perturb,
        adjust=made.adjust,
        attention=made.attention,
    )
    blank = made.random_weights is not None
    biased = " (biased)" if made.biased else ""
    source = f"{made.model} random weights" if blank else made.model
    if row.name != f"{source} {made.decoder}+{impacts}{biased}":
        return _Named("", row.label)
    heading = f"{source}, {seeds_text(made.random_weights)}" if made.random_weights is not None else source
    return _Named(heading, f"{made.decoder}+{made.metric}{biased}", frozenset(("decoder", "model", "metric")))


@dataclass(frozen=True)
class _Signed:
    """The signatures of rows: what they share as notes, what differs and no name says as columns of labels."""

    names: tuple[_Named, ...]
    columns: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> _Signed:
        """Those of the rows, some of which may have none."""
        names = tuple(map(_named, rows))
        fields = [row.signature.fields() if isinstance(row.signature, Signature) else {} for row in rows]
        signed = [at for at, found in enumerate(fields) if found]
        models = [at for at in signed if rows[at].made.model is not None]
        shared = _shared([fields[at] for at in signed])
        of_models = {
            key: part
            for key, part in _shared([fields[at] for at in models]).items()
            if key not in shared and not all(_says(names[at], key, part) for at in models)
        }
        columns = tuple(
            key
            for key in dict.fromkeys(key for found in fields for key in found)
            if key not in shared
            and key not in of_models
            and any(not _says(names[at], key, fields[at][key]) for at in signed if key in fields[at])
        )
        labels = tuple(
            tuple(found.get(key, "").removeprefix(f"{key}:") for key in columns) for found in fields
        )
        notes = [f"{row.name} | {row.signature}" for row in rows if isinstance(row.signature, str)]
        if blank := dict.fromkeys(filter(None, map(_seeds_said, names, fields))):
            notes.append(f"{_BLANK}{', '.join(blank)}.")
        if shared:
            notes.append("Signature: " + " | ".join(shared.values()))
        if of_models:
            notes.append("Signature of models, besides: " + " | ".join(of_models.values()))
        return cls(names, columns, labels, tuple(notes))


def _shared(found: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first = found[0] if found else {}
    return {key: value for key, value in first.items() if all(each.get(key) == value for each in found)}


def _says(named: _Named, key: str, part: str) -> bool:
    """Whether heading and name say a part of the signature."""
    if key in named.said:
        return True
    value = part.removeprefix(f"{key}:")
    return _is_in(value, named) or (key == "model" and _seeds_said(named, {key: part}) is not None)


def _is_in(value: str, named: _Named) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", f"{named.heading} {named.name}") is not None


def _seeds_said(named: _Named, fields: Mapping[str, str]) -> str | None:
    """The seeds of random weights, where heading and name say all else of the model and not them."""
    found = _RANDOM_WEIGHTS.fullmatch(fields.get("model", ""))
    if found is None or "model" in named.said or _is_in(found["seeds"], named):
        return None
    return found["seeds"] if _is_in(found["model"], named) and _is_in("random weights", named) else None


_RANDOM_WEIGHTS = re.compile(r"model:(?P<model>.*) \(random weights, (?P<seeds>seeds? [0-9 to]+)\)")
"""A part of a signature, as ``Settings.signed`` writes it."""
