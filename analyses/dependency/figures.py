"""Scores by layer, distance and relation."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analyses.pictures.curves import bars
from analyses.pictures.style import BLACK, COLUMN_WIDTH, GREY, look, set_height, sign
from analyses.tables.table import Cell, Row, Table, shared_signature

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_LEVELS: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
"""Lines of the rows that have no layer."""


_WIDEST = 50
"""Letters of a legend in the width of a column."""


_HEIGHT = 1.7
"""Inches of the axes of curves."""


_BELOW_ZERO = -2
"""Lower end of a scale in percent, so that a mark at 0 is whole."""


def by_layer(table: Table, *, column: str = "UAS") -> Figure:
    """Draw a score by layer with its 95% intervals: a line for each model and way of making trees.

    Rows without a layer (chains, random trees, published figures) are level lines.

    Args:
        table: as ``analyses.dependency --layer all`` and its like make it.
        column: the score.

    Raises:
        ValueError: no row has a layer, or there is no such column.
    """
    from matplotlib.figure import Figure

    place = _column(table, column)
    series: dict[str, list[tuple[int, Cell]]] = {}
    level: list[tuple[Row, Cell]] = []
    for row in table.rows:
        cell = row.cells[place]
        if cell is None:
            continue
        if row.settings is not None and row.settings.layer is not None:
            series.setdefault(row.settings.without_layer(), []).append((row.settings.layer, cell))
        else:
            level.append((row, cell))
    if not series:
        raise ValueError(f"{table.title}: expected rows with a layer, found none")
    figure = Figure(figsize=(COLUMN_WIDTH, COLUMN_WIDTH), layout="constrained")
    axes = figure.subplots()
    for index, (name, points) in enumerate(series.items()):
        points.sort(key=lambda point: point[0])
        _line(axes, [x for x, _ in points], [cell for _, cell in points], name, look(index))
    _level_lines(axes, level)
    layers = sorted({x for points in series.values() for x, _ in points})
    axes.set(xlabel="layer (0: embeddings)", ylabel=f"{column} (%)", xticks=layers)
    axes.set_ylim(bottom=_BELOW_ZERO)
    _finish(figure, axes, _HEIGHT, table)
    return figure


def by_distance(table: Table, *, signature: str = "") -> Figure:
    """Draw the recall of gold arcs by their length: a line for each column of a recall table.

    Args:
        table: as ``analyses.recall_table`` makes it with ``by="length"``; the group of root arcs is left out.
        signature: small print below the title of the table.

    Raises:
        ValueError: the table has no rows.
    """
    from matplotlib.figure import Figure

    rows = [row for row in table.rows if not row.name.startswith("root ")]
    if not rows:
        raise ValueError(f"{table.title}: expected rows, found none")
    figure = Figure(figsize=(COLUMN_WIDTH, COLUMN_WIDTH), layout="constrained")
    axes = figure.subplots()
    width = 0.36 / max(1, len(table.columns) - 1)
    for index, name in enumerate(table.columns):
        points = [(x, cell) for x, row in enumerate(rows) if (cell := row.cells[index]) is not None]
        shift = width * (index - (len(table.columns) - 1) / 2)
        _line(axes, [x + shift for x, _ in points], [cell for _, cell in points], name, look(index))
    labels = [row.name.replace(" (", "\n(") for row in rows]
    axes.set_xticks(range(len(rows)), labels=labels)
    axes.set(xlabel="words from dependent to head (number of arcs)", ylabel="head found (%)")
    axes.set_ylim(bottom=_BELOW_ZERO)
    _finish(figure, axes, _HEIGHT, table, signature)
    return figure


def by_relation(table: Table, *, most: int = 20, signature: str = "") -> Figure:
    """Draw the recall of gold arcs by relation, a line each, the most frequent first.

    Args:
        table: as ``analyses.recall_table`` makes it with ``by="relation"``.
        most: so many relations are shown.
        signature: small print below the title of the table.

    Raises:
        ValueError: the table has no rows.
    """
    from matplotlib.figure import Figure

    rows = table.rows[:most]
    if not rows:
        raise ValueError(f"{table.title}: expected rows, found none")
    figure = Figure(figsize=(COLUMN_WIDTH, COLUMN_WIDTH), layout="constrained")
    axes = figure.subplots()
    for index, name in enumerate(table.columns):
        shift = 0.5 * ((index + 0.5) / len(table.columns) - 0.5)
        points = [(y + shift, cell) for y, row in enumerate(rows) if (cell := row.cells[index]) is not None]
        own = look(index) | {"linestyle": ""}
        cells = [cell for _, cell in points]
        axes.errorbar(
            [cell.value for cell in cells], [y for y, _ in points], xerr=bars(cells), label=name,
            elinewidth=0.7, **own,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), labels=[row.name for row in rows])
    axes.set(xlabel="head found (%)", xlim=(-2, 102), ylim=(len(rows) - 0.4, -0.6))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    left = "" if len(rows) == len(table.rows) else f"the {most} most frequent of {len(table.rows)} relations"
    _finish(figure, axes, 0.18 * len(rows), table, signature, left)
    return figure


def _column(table: Table, column: str) -> int:
    if column not in table.columns:
        raise ValueError(
            f"{table.title}: expected a column out of {', '.join(table.columns)}, found {column!r}"
        )
    return table.columns.index(column)


def _line(axes: Axes, xs: Sequence[float], cells: Sequence[Cell], name: str, own: Mapping[str, Any]) -> None:
    values = [cell.value for cell in cells]
    axes.errorbar(xs, values, yerr=bars(cells), label=name, elinewidth=0.7, **own)


def _level_lines(axes: Axes, rows: Sequence[tuple[Row, Cell]]) -> None:
    """Rows that no layer belongs to: own baselines grey, published figures thin, dotted and in one entry."""
    own = [(row, cell) for row, cell in rows if row.kind != "published"]
    for index, (row, cell) in enumerate(own):
        line = _LEVELS[index % len(_LEVELS)]
        axes.axhline(cell.value, color=GREY, linestyle=line, linewidth=0.8, label=row.name)
    published = [(row, cell) for row, cell in rows if row.kind == "published"]
    names = ", ".join(f"{row.name} {cell.value:.1f}" for row, cell in published)
    for index, (_, cell) in enumerate(published):
        label = None if index else textwrap.fill(f"published: {names}", _WIDEST)
        axes.axhline(cell.value, color=BLACK, linestyle=(0, (1, 2)), linewidth=0.6, label=label)


def _wrapped(name: str) -> str:
    """A long name on several lines, broken at spaces and after +."""
    return textwrap.fill(name.replace("+", "+ "), _WIDEST).replace("+ ", "+")


def _finish(figure: Figure, axes: Axes, height: float, table: Table, *more: str) -> None:
    """Legend above, what was measured below, and axes of this height."""
    handles, names = axes.get_legend_handles_labels()
    labels = [_wrapped(name) for name in names]
    columns = 1 if max(map(len, names)) > _WIDEST / 2 else 2
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)
    signature = " | ".join(filter(None, [table.title, shared_signature(table), *more]))
    sign(figure, signature)
    lines = sum(label.count("\n") + 1 for label in labels)
    set_height(figure, height, legend=-(-lines // columns), signature=signature)
