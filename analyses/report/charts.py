"""A table of scores as a picture: a marker for every figure, a line for its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyses.tables.table import Cell, Row, Table
from probe.labels import text_width
from probe.svg import BLUE, ORANGE, escape, svg

_MOST = 4
"""Columns that one chart shows."""

_LINE, _APART, _PLOT, _MARGIN, _TICKS = 20, 7, 380, 12, 26


@dataclass(frozen=True)
class _Series:
    """How the figures of a column are drawn: shape and colour."""

    colour: str
    shape: str

    def mark(self, x: float, y: float) -> str:
        """The marker at a place."""
        return f'<path d="M{x:.1f} {y:.0f}{self.shape}" fill="{self.colour}" stroke="{self.colour}"/>'


_SERIES = (
    _Series(BLUE, "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"),  # circle
    _Series(ORANGE, "m-3.5 -3.5h7v7h-7z"),  # square
    _Series("#2f9e78", "m0 -5l4.5 8h-9z"),  # triangle
    _Series("#a25bc0", "m0 -5l5 5l-5 5l-5 -5z"),  # diamond
)


def chart_svg(table: Table) -> str | None:
    """Figures in percent from 0 to 100, a line a row, with 95% intervals; at most four columns.

    Columns without intervals are left to the table. Columns differ in shape and colour.

    Returns:
        The picture; None if no figure of the table has an interval, or they are no percentages.
    """
    shown = _columns(table)
    rows = [row for row in table.rows if any(row.cells[column] for column in shown)]
    values = [cell.value for row in rows for column in shown if (cell := row.cells[column])]
    if not values or min(values) < 0 or max(values) > 100 or not _percent(rows):
        return None
    step = _LINE + _APART * (len(shown) - 1)
    left = max(text_width(row.label) for row in rows) + 2 * _MARGIN
    top = _TICKS * len(shown)
    bottom = top + step * len(rows)
    parts = [
        _legend(_SERIES[place], table.columns[column], place) for place, column in enumerate(shown)
    ] + _grid(left, top, bottom)
    for number, row in enumerate(rows):
        y = top + step * (number + 0.5)
        parts.append(
            f'<text x="{left - _MARGIN:.0f}" y="{y + 5:.0f}" text-anchor="end">{escape(row.label)}</text>'
        )
        for place, column in enumerate(shown):
            if cell := row.cells[column]:
                offset = _APART * (place - (len(shown) - 1) / 2)
                parts.append(_figure(cell, _SERIES[place], left, y + offset, row, table.columns[column]))
    return svg(
        parts,
        width=left + _PLOT + 2 * _MARGIN,
        height=bottom + _TICKS,
        title=f"Chart of: {table.title}",
        description="A line a row; the figures are those of the table of this title.",
    )


def _percent(rows: Sequence[Row]) -> bool:
    """Whether the figures are percentages, which have one decimal; cosines and the like have more."""
    return all(cell.decimals <= 1 for row in rows for cell in row.cells if cell is not None)


def _columns(table: Table) -> list[int]:
    with_interval = [
        column
        for column in range(len(table.columns))
        if any((cell := row.cells[column]) and (cell.interval or cell.too_few) for row in table.rows)
    ]
    return with_interval[:_MOST]


def _legend(series: _Series, name: str, place: int) -> str:
    y = 16 + place * (_TICKS - 6)
    return f'{series.mark(_MARGIN + 4, y)}<text x="{_MARGIN + 16}" y="{y + 5}">{escape(name)}</text>'


def _grid(left: float, top: float, bottom: float) -> list[str]:
    """Lines at every quarter, with their figures below."""
    parts = []
    for tick in (0, 25, 50, 75, 100):
        x = left + _PLOT * tick / 100
        parts.append(
            f'<path d="M{x:.0f} {top:.0f}V{bottom:.0f}" stroke="currentColor" stroke-opacity=".25"/>'
            f'<text x="{x:.0f}" y="{bottom + 16:.0f}" text-anchor="middle" font-size="12">{tick}</text>'
        )
    return parts


def _figure(cell: Cell, series: _Series, left: float, y: float, row: Row, column: str) -> str:
    scale = _PLOT / 100
    line = ""
    if cell.interval is not None:
        low, high = left + scale * cell.interval.low, left + scale * cell.interval.high
        line = f'<path d="M{low:.1f} {y:.0f}H{high:.1f}" stroke="{series.colour}" stroke-width="2"/>'
    about = f"{row.label}: {column} {cell}"
    return f"<g><title>{escape(about)}</title>{line}{series.mark(left + scale * cell.value, y)}</g>"
