"""A picture of masked words along trees: accuracy by what a word sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyses.pictures.curves import bars
from analyses.pictures.style import COLUMN_WIDTH, GREY, look, set_height, sign
from analyses.structure.views import CHAIN, EVERYTHING, GOLD, INDUCED, RANDOM
from analyses.tables.forms import read_table
from analyses.tables.table import Table, shared_signature

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.experiment import Drawn, Job

_TREES = (GOLD, INDUCED, CHAIN, RANDOM)


def draw_structure(job: Job) -> Drawn:
    """The figure of ``probe figures``."""
    for path in job.written("structure-accuracy*.json", step="structure", command="structure"):
        yield path.stem, accuracy_by_relation(read_table(path))


def accuracy_by_relation(table: Table) -> Figure:
    """Draw the words predicted right along each kind of tree, with intervals; full attention is a dotted line.

    Args:
        table: as ``probe structure`` makes it: columns are relations.

    Raises:
        ValueError: it has no row of trees.
    """
    from matplotlib.figure import Figure

    rows = [row for row in table.rows if row.name.split(": ")[-1] in _TREES and all(row.cells)]
    if not rows:
        raise ValueError(f"{table.title}: expected a row of trees, found none")
    figure = Figure(figsize=(COLUMN_WIDTH, COLUMN_WIDTH), layout="constrained")
    axes = figure.subplots()
    for number, row in enumerate(rows):
        cells = [cell for cell in row.cells if cell is not None]
        shift = 0.07 * (number - (len(rows) - 1) / 2)  # else the intervals hide each other
        places = [at + shift for at in range(len(cells))]
        values = [cell.value for cell in cells]
        axes.errorbar(places, values, yerr=bars(cells), label=row.label, capsize=1.5, **look(number))
    whole = [row for row in table.rows if row.name.split(": ")[-1] == EVERYTHING]
    for row in whole:
        if (first := row.cells[0]) is not None:
            axes.axhline(first.value, color=GREY, linestyle=":", label=row.label)
    axes.set_xticks(range(len(table.columns)), labels=table.columns)
    axes.set_ylim(bottom=0)
    axes.set(xlabel="words seen", ylabel="masked words right (%)")
    signature = shared_signature(table)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=1)
    set_height(figure, 2.0, legend=len(rows) + len(whole), signature=signature)
    if signature:
        sign(figure, signature)
    return figure
