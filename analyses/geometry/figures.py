"""Measures of geometry by layer, drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from analyses.pictures.curves import bars
from analyses.pictures.style import GREY, TEXT_WIDTH, look, sign
from analyses.tables.forms import read_table
from analyses.tables.table import Row, Table, shared_signature

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analyses.experiment import Drawn, Job
    from analyses.geometry.measures import Floats
    from analyses.geometry.tables import Measured
    from data.geometry_curves import GeometryCurves


_MOST = 3
"""Panels in a line."""


_MEASURES = (
    "anisotropy",
    "self-similarity adjusted",
    "intra-sentence adjusted",
    "MEV matched",
    "MEV adjusted",
    "explained as released",
)


def draw_measures(job: Job) -> Drawn:
    """The figure of ``probe figures``: all models of ``--results``, and the released curves."""
    paths = [
        *job.written("geometry-*.json", step="geometry", command="geometry"),
        *job.written("mev-*.json", step="geometry", command="geometry"),
    ]
    tables = [read_table(path) for path in paths if "-by-" not in path.name]
    yield "geometry", measures_by_layer(tables, _MEASURES)


def measures_by_layer(tables: Sequence[Table], columns: Sequence[str]) -> Figure:
    """Draw measures by layer, a panel each, with 95% intervals; several models share the panels.

    Published rows are dotted and grey, and named so.

    Args:
        tables: whose rows say model and layer in their settings, as those of ``analyses.geometry``.
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
            if row.made.model is not None and row.made.layer is not None:
                series.setdefault((PurePath(row.made.model).name, at), []).append((row.made.layer, row))
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
    return row.made.data or ""


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


PANELS = {
    "anisotropy": "anisotropy",
    "self-similarity adjusted": "self-similarity (adjusted)",
    "intra-sentence adjusted": "intra-sentence similarity (adjusted)",
    "MEV matched": "MEV (matched)",
    "explained as released": "variance explained, as released",
}


def plot_geometry(measured: Sequence[Measured], released: Iterable[GeometryCurves] = ()) -> Figure:
    """Draw anisotropy, self-similarity, intra-sentence similarity and MEV by layer, several models in one plot.

    Bands are 95% intervals. Released curves are dotted and grey, with the model's name at their end.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(TEXT_WIDTH, 4.6), layout="constrained")
    panels = figure.subplots(2, 3).flatten()
    for axes, (measure, title) in zip(panels, PANELS.items(), strict=False):
        for index, model in enumerate(measured):
            curve = model.summary.curves[measure]
            layers = np.arange(len(curve.value))
            style = look(index)
            axes.fill_between(layers, curve.low, curve.high, color=style["color"], alpha=0.2, linewidth=0)
            axes.plot(layers, curve.value, label=model.name, **style)
        axes.set(title=title, xlabel="layer (0: embeddings)")
    curves = tuple(released)
    for reference in curves:
        _references(panels, reference)
    legend = panels[len(PANELS)]
    legend.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    legend.legend(
        handles, labels, loc="upper left", title="dotted: published (Ethayarajh 2019)" if curves else None
    )
    for axes in panels[: len(PANELS)]:
        axes.xaxis.get_major_locator().set_params(integer=True)
    sign(figure, "; ".join(str(model.signature) for model in measured))
    return figure


def _references(panels: Sequence[Axes], model: GeometryCurves) -> None:
    values: dict[str, Floats] = {
        "anisotropy": model.anisotropy,
        "self-similarity adjusted": model.self_similarity - model.anisotropy,
        "intra-sentence adjusted": model.intra_sentence - model.anisotropy,
        "explained as released": model.explained,
    }
    for axes, measure in zip(panels, PANELS, strict=False):
        if (found := values.get(measure)) is not None:
            layers = np.arange(len(found))
            axes.plot(layers, found, linestyle=":", color=GREY, linewidth=1)
            axes.annotate(model.model, (layers[-1], found[-1]), fontsize=6, color=GREY)
