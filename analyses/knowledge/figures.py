"""Facts by relation, and with a triple inserted, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from analyses.knowledge.results import COLUMNS
from analyses.pictures.curves import bars
from analyses.pictures.style import BLACK, COLUMN_WIDTH, look, set_height, sign
from analyses.tables.forms import read_table
from analyses.tables.table import Row, Table, shared_signature

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analyses.experiment import Drawn, Job


_LETTERS = 24
"""Longer names of relations are cut, or they would leave no room."""


def draw_relations(job: Job) -> Drawn:
    """The figures of ``probe figures``: a corpus each."""
    for path in job.written("knowledge-*-by-relation*.json", step="knowledge", command="knowledge"):
        yield path.stem.replace("knowledge-", "lama-"), facts_by_relation(read_table(path))


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
    signature = " | ".join([table.title, *([str(table.signature)] if table.signature else [])])
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


def draw_triples(job: Job) -> Drawn:
    """The figures of ``probe figures``: facts with and without an inserted triple, a corpus each."""
    for path in job.written("triples-*.json", step="triples", command="triples"):
        if not any(part in path.stem for part in ("-differences", "-by-relation")):
            yield path.stem, facts_by_way(read_table(path))


def facts_by_way(table: Table) -> Figure:
    """Draw P@1 and MRR of facts for each thing that was inserted, with intervals.

    Args:
        table: as ``probe triples`` makes it: a row for each way.

    Raises:
        ValueError: it has no row with a figure in these columns.
    """
    from matplotlib.figure import Figure

    shown = [name for name in ("P@1", "MRR") if name in table.columns]
    rows = [row for row in table.rows if all(row.cells)]
    if not rows or not shown:
        raise ValueError(f"{table.title}: expected rows with P@1 and MRR, found none")
    figure = Figure(figsize=(COLUMN_WIDTH, COLUMN_WIDTH), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(shown):
        cells = [cell for row in rows if (cell := row.cells[table.columns.index(name)]) is not None]
        shift = 0.3 * (number - (len(shown) - 1) / 2)
        axes.errorbar(
            [cell.value for cell in cells], [y + shift for y in range(len(cells))], xerr=bars(cells),
            label=name, elinewidth=0.7, **look(number) | {"linestyle": "", "markersize": 3},
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), labels=_ways([row.name for row in rows]), fontsize=6.5)
    axes.set(xlabel="percent", xlim=(0, None), ylim=(len(rows) - 0.5, -0.5))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.legend(loc="upper center", bbox_to_anchor=(0.3, -0.2), ncols=len(shown))
    signature = " | ".join(filter(None, [table.title, shared_signature(table)]))
    sign(figure, signature)
    set_height(figure, 0.24 * len(rows), legend=1, signature=signature)
    return figure


def _ways(names: Sequence[str]) -> list[str]:
    """The names of rows in lines of some letters, without that of the model where it is one."""
    models = {name.split(":")[0].removesuffix(" random weights") for name in names}
    if len(models) == 1:
        names = [
            name.removeprefix(f"{next(iter(models))}: ").removeprefix(f"{next(iter(models))} ")
            for name in names
        ]
    return [fill(name, _LETTERS + 8) for name in names]
