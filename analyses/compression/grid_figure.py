"""The grid of cut-down models as heatmaps: width across, depth down, a panel a measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyses.pictures.style import TEXT_WIDTH, sign
from analyses.tables.forms import read_table
from analyses.tables.table import Row, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analyses.experiment import Drawn, Job

_PANELS = ("UAS", "F1", "masked", "pairs", "correlation")
_DARK = 0.6
"""The part of the scale above which letters are white."""


def draw_grids(job: Job) -> Drawn:
    """The figure of ``probe figures compress``, one a corpus."""
    for path in job.written("compress-*.json", step="compress", command="compress"):
        yield path.stem, heatmaps(read_table(path))


def heatmaps(table: Table) -> Figure:
    """Draw what stays in each cell: the most important heads and neurons above, drawn ones below.

    Both have one scale, from 0, or the lowest, to the highest. The whole model is in both.

    Args:
        table: as ``probe compress`` makes it.

    Raises:
        ValueError: no row has a width and a depth.
    """
    from matplotlib.figure import Figure

    width, depth = (table.columns.index(name) for name in ("width", "depth"))
    placed = [row for row in table.rows if row.cells[width] is not None and row.cells[depth] is not None]
    if not placed:
        raise ValueError(f"{table.title}: expected rows with width and depth, found none")
    shares = [
        sorted({cell.value for row in placed if (cell := row.cells[at]) is not None}) for at in (width, depth)
    ]
    own = [row for row in placed if row.kind == "model"]
    drawn = [row for row in placed if row.kind == "baseline"]
    at_full = [row for row in own if (cell := row.cells[width]) is not None and cell.value == 1]
    lines = [("most important", own), *([("at random", [*drawn, *at_full])] if drawn else [])]
    shown = [name for name in _PANELS if any(row.cells[table.columns.index(name)] for row in placed)]
    figure = Figure(figsize=(TEXT_WIDTH, 0.5 + 1.35 * len(lines)), layout="constrained")
    panels = figure.subplots(len(lines), len(shown), squeeze=False)
    for line, (name, rows) in zip(panels, lines, strict=True):
        for axes, column in zip(line, shown, strict=True):
            at = table.columns.index(column)
            every = [cell.value for row in placed if (cell := row.cells[at]) is not None]
            values = _values(rows, (width, depth, at), shares)
            _panel(axes, values, shares, (min(0.0, *every), max(every)), of_one=column == "correlation")
        line[0].set_ylabel(f"{name}\ndepth")
    for axes, column in zip(panels[0], shown, strict=True):
        axes.set_title(column)
    for axes in panels[-1]:
        axes.set_xlabel("width")
    if table.signature is not None:
        sign(figure, str(table.signature))
    return figure


def _values(rows: list[Row], at: tuple[int, int, int], shares: list[list[float]]) -> np.ndarray:
    """The figures of the rows, [depths, widths], the deepest first; NaN where there is none."""
    found = np.full((len(shares[1]), len(shares[0])), np.nan)
    for row in rows:
        width, depth, value = (row.cells[place] for place in at)
        if width is not None and depth is not None and value is not None:
            found[len(shares[1]) - 1 - shares[1].index(depth.value), shares[0].index(width.value)] = (
                value.value
            )
    return found


def _panel(
    axes: Axes, values: np.ndarray, shares: list[list[float]], ends: tuple[float, float], *, of_one: bool
) -> None:
    """One heatmap with its figures written in the cells."""
    low, high = ends
    axes.imshow(values, cmap="Blues", vmin=low, vmax=high if high > low else low + 1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = high > low and (value - low) / (high - low) > _DARK
            text = f"{value:.2f}" if of_one else f"{value:.0f}"
            axes.text(
                column, row, text, ha="center", va="center", fontsize=6, color="white" if dark else "black"
            )
    axes.set_xticks(range(len(shares[0])), labels=[f"{share:g}" for share in shares[0]])
    axes.set_yticks(range(len(shares[1])), labels=[f"{share:g}" for share in reversed(shares[1])])
    axes.tick_params(length=0, labelsize=6)
    axes.spines[:].set_visible(False)
