"""A table: figures by row and column, how each was made, and what is said of them.

A row is published (copied from a paper), a baseline, another annotator's, or a model's; every form says which, so
that published and own figures are never confused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from analyses.intervals import MIN_UNITS, TOO_FEW, Interval
from analyses.tables.signature import Settings, Signature, shared_parts
from data import InputError
from probe.errors import warn
from probe.files import file_stem, whole_file
from probe.registry import check_name

if TYPE_CHECKING:
    from pandas import DataFrame

    from analyses.tables.arranged import Arranged


def unknown_text(count: int, total: int) -> str:
    """``unknown words 5 of 120``."""
    return f"unknown words {count:,} of {total:,}"


def say_unknown(name: str, counts: tuple[int, int], *, quiet: bool) -> None:
    """Warn of the words that a model's vocabulary does not know, if there are any and not ``quiet``."""
    if counts[0] and not quiet:
        warn(f"{name}: {unknown_text(*counts)} to the vocabulary")


RowKind: TypeAlias = Literal["published", "baseline", "human", "model"]
TableFormat: TypeAlias = Literal["table", "json", "csv", "md", "latex"]
FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
SUFFIXES: dict[TableFormat, str] = {"table": "txt", "json": "json", "csv": "csv", "md": "md", "latex": "tex"}
"""File-name suffix of each form."""


CellStyle: TypeAlias = Literal["plain", "signed", "p"]
"""A score, a difference (shown with its sign), a p-value (shown as ``<0.001`` below that)."""


@dataclass(frozen=True)
class Cell:
    """A figure, with its interval where it has one.

    ``decimals`` is how many are shown: one of percentages; three of cosines, correlations and the like.
    ``too_few`` says that there is no interval because it was measured on fewer than ``MIN_UNITS``.
    """

    value: float
    interval: Interval | None = None
    decimals: int = 1
    too_few: bool = False
    style: CellStyle = "plain"

    @classmethod
    def measured(cls, value: float, interval: Interval | None, *, decimals: int = 1) -> Cell:
        """A figure that has an interval, unless it is of too few."""
        return cls(value, interval, decimals, too_few=interval is None)

    def __str__(self) -> str:
        """``41.7 [40.9, 42.5]``."""
        return f"{self.shown} {self.ends}".rstrip()

    @property
    def shown(self) -> str:
        """The value without the interval."""
        if self.style == "p" and self.value < 0.001:
            return "<0.001"
        return self._number(self.value)

    @property
    def ends(self) -> str:
        """The interval: ``[40.9, 42.5]``; empty where there is none."""
        if self.interval is None:
            return ""
        return f"[{self._number(self.interval.low)}, {self._number(self.interval.high)}]"

    def _number(self, value: float) -> str:
        return f"{value:{'+' if self.style == 'signed' else ''}z.{self.decimals}f}"  # no -0.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table.

    Attributes:
        name: what was measured.
        kind: ``published``, ``baseline``, ``human`` (another annotator) or ``model``.
        cells: one a column, None where there is no figure.
        signature: how to repeat the figures, a line of text where no data were scored; None for published rows.
        settings: how they were made, as fields; those of the signature, where they are not given.
        unknown_words: how many words the vocabulary does not know, of how many; None where no model read any.
        labels: what else tells it from others, one a column of ``Table.labels``.
        published_as: what the paper calls it, where that is not its name.
    """

    name: str
    kind: RowKind
    cells: tuple[Cell | None, ...]
    signature: Signature | str | None = None
    settings: Settings | None = None
    unknown_words: tuple[int, int] | None = None
    labels: tuple[str, ...] = ()
    published_as: str | None = None

    def __post_init__(self) -> None:
        if self.settings is None and isinstance(self.signature, Signature):
            object.__setattr__(self, "settings", self.signature.row_settings())

    @property
    def label(self) -> str:
        """The name, marked where it is published."""
        return f"{self.name} (published)" if self.kind == "published" else self.name

    @property
    def made(self) -> Settings:
        """The settings; empty ones where nothing is known."""
        return self.settings or Settings()

    def answers(self, published: Row) -> bool:
        """Whether a published row is of what this row measured."""
        return (self.published_as or self.name).lower() == published.name.lower()


@dataclass(frozen=True, kw_only=True)
class Table:
    """A titled table.

    Attributes:
        title: what it shows, and in which unit.
        columns: names of the measures, or of what is set side by side.
        rows: the lines.
        notes: said below it.
        signature: of all rows together, said below the notes; rows may have their own.
        column_settings: how the figures of a column were made, one a column, where columns are systems or layers;
            else empty.
        labels: headers of the rows' ``labels``, which stand between name and figures.
        other_data: whether the published figures are of other data than the rest.

    Raises:
        ValueError: a row has another number of cells or labels than there are columns for.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    signature: Signature | None = None
    column_settings: tuple[Settings | None, ...] = ()
    labels: tuple[str, ...] = ()
    other_data: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"row {row.name}: expected {len(self.columns)} cells, one a column, found {len(row.cells)}"
                )
            if len(row.labels) != len(self.labels):
                raise ValueError(
                    f"row {row.name}: expected {len(self.labels)} labels, found {len(row.labels)}"
                )
        if self.column_settings and len(self.column_settings) != len(self.columns):
            raise ValueError(
                f"{self.title}: expected {len(self.columns)} settings, one a column, "
                f"found {len(self.column_settings)}"
            )

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, what is to be said of the intervals, and the signature of all rows below them."""
        signature = () if self.signature is None else (f"Signature: {self.signature}",)
        return (*self.notes, *interval_notes(cell for row in self.rows for cell in row.cells), *signature)

    @property
    def arranged(self) -> Arranged:
        """As people read it: text, Markdown, LaTeX and HTML are made of this."""
        from analyses.tables.arranged import arrange

        return arrange(self)

    @property
    def frame(self) -> DataFrame:
        """The figures as a tidy frame: one line a row and column.

        Columns: ``row``, ``kind``; the table's ``labels``, if it has any; the fields of ``Settings``, of the row
        and, where columns are systems or layers, of the column; ``column``, ``value``, ``low``, ``high`` (95%
        interval), ``n`` (items measured on) and ``decimals`` (shown in the other forms). What does not apply is
        missing (NA). Cells without a figure have no line.
        """
        import pandas

        names = [field.name for field in dataclasses.fields(Settings)]
        lines = [
            {
                "row": row.name,
                "kind": row.kind,
                **dict(zip(self.labels, row.labels, strict=True)),
                **_made(row, self.column_settings[at] if self.column_settings else None),
                "column": column,
                "value": cell.value,
                "low": cell.interval.low if cell.interval else None,
                "high": cell.interval.high if cell.interval else None,
                "n": measured.n
                if isinstance(measured := row.signature or self.signature, Signature)
                else None,
                "decimals": cell.decimals,
            }
            for row in self.rows
            for at, (column, cell) in enumerate(zip(self.columns, row.cells, strict=True))
            if cell is not None
        ]
        found = pandas.DataFrame(
            lines,
            columns=["row", "kind", *self.labels, *names, "column", "value", "low", "high", "n", "decimals"],
        )
        types = {name: _FRAME_TYPES.get(name, "string") for name in found.columns}
        return found.astype(types)

    def render(self, form: TableFormat) -> str:
        """The table as text in this form, ending in a newline; raises ValueError for an unknown form."""
        from analyses.tables.forms import RENDERERS

        check_name("format", form, FORMATS)
        return RENDERERS[form](self)

    def __str__(self) -> str:
        """The table for a terminal."""
        return self.render("table")

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        from analyses.tables.forms import table_html

        return table_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The same where a notebook shows plain text."""
        printer.text(str(self))

    def write(self, folder: Path, stem: str) -> list[Path]:
        """Write every form as ``folder/stem.*``, each whole or not at all; returns the paths (``file_stem``)."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for form in FORMATS:
            path = folder / f"{file_stem(stem)}.{SUFFIXES[form]}"
            with whole_file(path) as file:
                file.write(self.render(form))
            paths.append(path)
        return paths


def interval_notes(cells: Iterable[Cell | None]) -> list[str]:
    """Why figures have no interval, or one of no width."""
    there = [cell for cell in cells if cell is not None]
    notes = []
    if any(cell.too_few for cell in there):
        notes.append(f"A figure without an interval is of fewer than {MIN_UNITS}, {TOO_FEW}.")
    if any(cell.interval is not None and cell.interval.is_point for cell in there):
        notes.append("Where the ends of an interval coincide, the figure is the same in every resample.")
    return notes


_FRAME_TYPES = {
    "kind": "category",
    "layer": "Int64",
    "random_weights": "Int64",
    "biased": "boolean",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "n": "Int64",
    "decimals": "int64",
}
"""Of the columns of a frame that are no text."""


def _made(row: Row, column: Settings | None) -> dict[str, Any]:
    return (row.made.as_dict()) | (column.as_dict() if column is not None else {})


def shared_signature(table: Table) -> str:
    """What the signatures of all rows have in common: data, protocol, ...; empty where there are none."""
    return shared_parts(row.signature for row in table.rows if isinstance(row.signature, Signature))


def of_layers(table: Table, layers: Collection[int]) -> Table:
    """A table whose columns are systems, without those of other layers; columns without a layer stay.

    Raises:
        data.InputError: no column of these layers is there.
    """
    found = [None if made is None else made.layer for made in table.column_settings]
    kept = [at for at, layer in enumerate(found) if layer is None or layer in layers]
    if all(found[at] is None for at in kept):
        wanted = ", ".join(map(str, layers))
        raise InputError(f"{table.title}: columns of layer {wanted} are expected, found {table.columns}")
    return replace(
        table,
        columns=tuple(table.columns[at] for at in kept),
        rows=tuple(replace(row, cells=tuple(row.cells[at] for at in kept)) for row in table.rows),
        column_settings=tuple(table.column_settings[at] for at in kept),
    )
