"""The figures of early exit and of layer maps, from the tables of ``--results``."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from analyses.compression.layer_maps import nearest
from analyses.pictures.curves import bars
from analyses.pictures.style import COLUMN_WIDTH, GREY, TEXT_WIDTH, VERMILION, look, set_height, sign
from analyses.tables.forms import read_table
from analyses.tables.table import Cell, Table, shared_signature

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analyses.experiment import Drawn, Job

_CURVES = ("settled", "as best", "UAS")
_HEIGHT = 1.7
"""Inches of the axes of curves."""


def draw_exits(job: Job) -> Drawn:
    """The figure of ``probe figures early-exit``, one a corpus and protocol."""
    for path in job.written("early-exit-*.json", step="early-exit", command="early-exit"):
        table = read_table(path)
        if "settled" in table.columns:
            yield path.stem, exits_by_layer(table)


def exits_by_layer(table: Table) -> Figure:
    """Draw which share of words has its final head at each layer, beside UAS: a panel a model.

    Bars are 95% intervals; random weights are grey.

    Args:
        table: as ``probe early-exit`` makes it.

    Raises:
        ValueError: no row has a layer.
    """
    from matplotlib.figure import Figure

    models: dict[str, dict[str, list[tuple[int, tuple[Cell | None, ...]]]]] = {}
    for row in table.rows:
        if (made := row.made).model is not None and made.layer is not None:
            of = models.setdefault(PurePath(made.model).name, {})
            of.setdefault(row.kind, []).append((made.layer, row.cells))
    if not models:
        raise ValueError(f"{table.title}: expected rows with a layer, found none")
    width = COLUMN_WIDTH if len(models) == 1 else min(len(models), 3) * 2.3
    figure = Figure(figsize=(width, COLUMN_WIDTH), layout="constrained")
    panels = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    for axes, (name, kinds) in zip(panels, models.items(), strict=True):
        for index, column in enumerate(_CURVES):
            place = table.columns.index(column)
            _curve(axes, kinds.get("model", []), place, column, look(index))
        settled = table.columns.index("settled")
        grey: dict[str, Any] = {"color": GREY, "linestyle": ":", "marker": "."}
        _curve(axes, kinds.get("baseline", []), settled, "settled, random weights", grey)
        axes.set(title=name, xlabel="layer", ylim=(-2, 102))
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel("words (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2 if len(models) == 1 else 4)
    signature = shared_signature(table)
    set_height(figure, _HEIGHT, legend=3, signature=signature)
    sign(figure, signature)
    return figure


def draw_maps(job: Job) -> Drawn:
    """The figure of ``probe figures layer-map``, one a corpus."""
    for path in job.written("layer-map-*-impacts.json", step="layer-map", command="layer-map"):
        stem = path.stem.removesuffix("-impacts")
        yield stem, maps_of_layers(read_table(path), read_table(path.with_name(f"{stem}-cka.json")))


def maps_of_layers(impacts: Table, cka: Table) -> Figure:
    """Draw how alike all layers of two models are: by impacts on the left, by states on the right.

    The nearest column of each row has a ring; the broken line is TinyBERT's uniform map.

    Args:
        impacts: correlations, as ``probe layer-map`` writes them.
        cka: alignments, likewise.

    Raises:
        ValueError: no row has a layer.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(TEXT_WIDTH, 3.0), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, table, label in zip(
        panels, (impacts, cka), ("rank correlation of impacts", "CKA of states"), strict=True
    ):
        _map(figure, axes, table, label)
    if impacts.signature is not None:
        sign(figure, str(impacts.signature))
    return figure


def _map(figure: Figure, axes: Axes, table: Table, label: str) -> None:
    """One heatmap: rows are the layers of the first model, columns those of the second."""
    rows = [(row.made.layer, row) for row in table.rows if row.made.layer is not None]
    columns = [made.layer for made in table.column_settings if made is not None and made.layer is not None]
    if not rows or len(columns) != len(table.columns):
        raise ValueError(f"{table.title}: expected rows and columns of layers, found none")
    values = np.array([[np.nan if c is None else c.value for c in row.cells] for _, row in rows])
    models = [str(made.model) for made in (rows[0][1].made, table.column_settings[0]) if made]
    names = [PurePath(model).name for model in models]
    low = min(0.0, float(np.nanmin(values, initial=0.0)))
    image = axes.imshow(values, cmap="Blues", vmin=low, vmax=1, interpolation="nearest", aspect="auto")
    layers = [layer for layer, _ in rows]
    axes.set_xticks(range(len(columns)), labels=map(str, columns))
    axes.set_yticks(range(len(layers)), labels=map(str, layers))
    best = nearest(values, but_itself=models[0] == models[1])
    there = [(at, int(column)) for at, column in enumerate(best) if column >= 0]
    ring: dict[str, Any] = {
        "markerfacecolor": "none",
        "markeredgecolor": VERMILION,
        "markersize": 6,
        "linestyle": "",
    }
    axes.plot([x for _, x in there], [y for y, _ in there], marker="o", **ring)
    ends = np.array([layers[0], layers[-1]]) * columns[-1] / layers[-1]
    axes.plot(ends - columns[0], [0, len(layers) - 1], color=GREY, linestyle="--", linewidth=0.8)
    axes.set(xlabel=f"layer of {names[1]}", ylabel=f"layer of {names[0]}")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, label=label, fraction=0.05, pad=0.03)
    bar.outline.set_visible(False)


def _curve(
    axes: Axes,
    points: list[tuple[int, tuple[Cell | None, ...]]],
    place: int,
    name: str,
    style: dict[str, Any],
) -> None:
    """One line with error bars; none without points."""
    found = [(layer, cell) for layer, cells in points if (cell := cells[place]) is not None]
    if found:
        layers, cells = [layer for layer, _ in found], [cell for _, cell in found]
        values = [cell.value for cell in cells]
        axes.errorbar(layers, values, yerr=bars(cells), label=name, elinewidth=0.7, **style)
