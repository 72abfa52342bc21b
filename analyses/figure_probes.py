"""Figures of the tables of ``analyses.geometry`` and ``analyses.knowledge``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyses.figure_curves import bars
from analyses.figure_results import settings, shared_signature
from analyses.figure_style import BLACK, COLUMN_WIDTH, GREY, TEXT_WIDTH, look, set_height, sign
from analyses.knowledge_results import COLUMNS
from analyses.tables import Row, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LAYER = re.compile(r"(.+) layer (\d+)")
_MOST = 3
"""Panels in a line."""
_LETTERS = 24
"""Longer names of relations are cut, or they would leave no room."""


def measures_by_layer(tables: Sequence[Table], columns: Sequence[str]) -> Figure:
    """Draw measures by layer, a panel each, with 95% intervals; several models share the panels.

    Published rows are dotted and grey, and named so.

    Args:
        tables: whose rows are named ``MODEL layer N``, as those of ``analyses.geometry``.
        columns: the measures; where a table lacks one, its models are not in that panel.

    Raises:
        ValueError: no table has one of the columns.
    """
    from matplotlib.figure import Figure

    shown = [column for column in columns if any(column in table.columns for table in tables)]
    if not shown:
        raise ValueError(f"expected tables with columns out of {', '.join(columns)}, found none")
    lines = -(-len(shown) // _MOST)
    figure = Figure(figsize=(TEXT_WIDTH, 0.6 + 1.9 * lines), layout="constrained")
    panels = list(figure.subplots(lines, min(_MOST, len(shown)), squeeze=False).flat)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    series = _series(tables)
    looks = {name: index for index, name in enumerate(dict.fromkeys(name for name, _, _ in series))}
    for axes, column in zip(panels, shown, strict=False):
        for name, table, rows in series:
            if column in table.columns:
                _curve(axes, name, rows, table.columns.index(column), looks[name])
        axes.set(title=column, xlabel="layer (0: embeddings)")
        axes.xaxis.get_major_locator().set_params(integer=True)
    found = [axes.get_legend_handles_labels() for axes in panels]
    legend = {
        label: handle for handles, labels in found for handle, label in zip(handles, labels, strict=True)
    }
    names = sorted(legend, key=lambda label: label.endswith("(published)"))
    figure.legend([legend[name] for name in names], names, loc="outside upper center", ncols=4)
    sign(figure, " | ".join(dict.fromkeys(filter(None, map(shared_signature, tables)))))
    return figure


def _series(tables: Sequence[Table]) -> list[tuple[str, Table, list[tuple[int, Row]]]]:
    """The rows of each model of each table, by layer; own models first, so that their looks are the first."""
    series: dict[tuple[str, int], list[tuple[int, Row]]] = {}
    for at, table in enumerate(tables):
        for row in table.rows:
            if match := _LAYER.fullmatch(row.name):
                series.setdefault((match[1], at), []).append((int(match[2]), row))
    # The curves of one model are told apart by their data, if there are several; published ones have no data.
    about = {(name, data) for (name, _), rows in series.items() if (data := _data(rows[0][1]))}
    several = {name for name, _ in about if sum(other == name for other, _ in about) > 1}
    found = []
    for (name, at), rows in series.items():
        data = _data(rows[0][1]) if name in several else ""
        found.append((f"{name}, {data}" if data else name, tables[at], rows))
    return sorted(found, key=lambda one: one[2][0][1].kind == "published")


def _data(row: Row) -> str:
    """The name of a row's data; empty for published rows."""
    return settings(row).get("data", "").partition("@")[0]


def _curve(axes: Axes, name: str, rows: Sequence[tuple[int, Row]], column: int, index: int) -> None:
    points = [(layer, cell) for layer, row in rows if (cell := row.cells[column]) is not None]
    if not points:
        return
    xs, cells = [layer for layer, _ in points], [cell for _, cell in points]
    values = [cell.value for cell in cells]
    if rows[0][1].kind == "published":
        dots = (0, (1, 1 + index % 4))
        axes.plot(xs, values, color=GREY, linestyle=dots, linewidth=1, label=f"{name} (published)")
        axes.annotate(
            name, (xs[-1], values[-1]), (2, 0), textcoords="offset points", fontsize=6, color=GREY,
            va="center", annotation_clip=False,
        )  # fmt: skip
        return
    axes.errorbar(xs, values, yerr=bars(cells), label=name, elinewidth=0.7, **look(index))


def facts_by_relation(table: Table, *, column: str = "P@1") -> Figure:
    """Draw how many facts of each relation are known, the best known first, beside the baselines.

    Args:
        table: as ``analyses.knowledge`` makes it by relation: rows are relations, the columns ``P@1 NAME``
            baselines. Published rows, ``RELATION, MODEL``, have hollow marks.
        column: that of the model.

    Raises:
        ValueError: there is no such column or no relation.
    """
    from matplotlib.figure import Figure

    if column not in table.columns:
        raise ValueError(f"{table.title}: expected a column {column}, found {', '.join(table.columns)}")
    at = table.columns.index(column)
    own = [row for row in table.rows if row.kind == "model" and row.cells[at] is not None]
    if not own:
        raise ValueError(f"{table.title}: expected a row a relation, found none")
    own.sort(key=lambda row: -_value(row, at))
    figure = Figure(figsize=(COLUMN_WIDTH, COLUMN_WIDTH), layout="constrained")
    axes = figure.subplots()
    # The columns of the model are its own measures, all others are P@1 of a baseline.
    beside = [name for name in table.columns if name.startswith(f"{column} ") and name not in COLUMNS]
    for index, name in enumerate([column, *beside]):
        place, shift = table.columns.index(name), 0.6 * ((index + 0.5) / (1 + len(beside)) - 0.5)
        points = [(y + shift, cell) for y, row in enumerate(own) if (cell := row.cells[place]) is not None]
        cells = [cell for _, cell in points]
        axes.errorbar(
            [cell.value for cell in cells], [y for y, _ in points],
            xerr=bars(cells) if name == column else None,
            label="model" if name == column else name.removeprefix(f"{column} "),
            elinewidth=0.7, **look(index) | {"linestyle": "", "markersize": 3},
        )  # fmt: skip
    _published(axes, table, own, at)
    axes.set_yticks(range(len(own)), labels=[_short(row.name) for row in own], fontsize=6.5)
    axes.set(xlabel=f"{column} (%)", xlim=(-2, 102), ylim=(len(own) - 0.5, -0.5))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    note = next((note for note in table.notes if " | " in note), "")
    signature = " | ".join(filter(None, [table.title, note]))
    sign(figure, signature)
    set_height(figure, 0.17 * len(own), legend=-(-len(labels) // 2), signature=signature)
    return figure


def _short(relation: str) -> str:
    """``P131 located in the ad… (525)``: identifier and number say which relation it is."""
    name, bracket, number = relation.rpartition(" (")
    return f"{name[: _LETTERS - 1].rstrip()}…{bracket}{number}" if len(name) > _LETTERS else relation


def _published(axes: Axes, table: Table, own: Sequence[Row], at: int) -> None:
    places = {row.name.split(" ")[0]: y for y, row in enumerate(own)}
    models: dict[str, list[tuple[float, int]]] = {}
    for row in table.rows:
        relation, _, model = row.name.partition(", ")
        if row.kind == "published" and relation in places and row.cells[at] is not None:
            models.setdefault(model, []).append((_value(row, at), places[relation]))
    for (model, points), marker in zip(models.items(), "Dsvo^P", strict=False):
        xs, ys = np.array(points).T
        axes.plot(
            xs, ys, linestyle="", marker=marker, markersize=3.5, markerfacecolor="none",
            markeredgecolor=BLACK, markeredgewidth=0.6, label=f"{model} (published)",
        )  # fmt: skip


def _value(row: Row, at: int) -> float:
    cell = row.cells[at]
    return float("nan") if cell is None else cell.value
