"""Pictures of orders: perplexity by how much of the text is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyses.pictures.curves import bars
from analyses.pictures.style import COLUMN_WIDTH, GREY, look, set_height, sign
from analyses.tables.forms import read_table
from analyses.tables.table import Table, shared_signature

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.experiment import Drawn, Job


def draw_perplexities(job: Job) -> Drawn:
    """The figure of ``probe figures``."""
    for path in job.written("perplexity-by-share-seen*.json", step="perplexity", command="perplexity"):
        yield path.stem, perplexity_by_share(read_table(path))


def perplexity_by_share(table: Table) -> Figure:
    """Draw the perplexity of each model by the share of other pieces that is seen, with intervals; baselines grey.

    Args:
        table: as ``probe perplexity`` makes it: columns are shares, ``0-20%``.

    Raises:
        ValueError: it has no row with a figure.
    """
    from matplotlib.figure import Figure

    rows = [row for row in table.rows if any(row.cells)]
    if not rows:
        raise ValueError(f"{table.title}: expected a row with perplexities, found none")
    figure = Figure(figsize=(COLUMN_WIDTH, COLUMN_WIDTH), layout="constrained")
    axes = figure.subplots()
    models = 0
    for row in rows:
        places = [at for at, cell in enumerate(row.cells) if cell is not None]
        cells = [cell for cell in row.cells if cell is not None]
        shown = dict(look(models))
        if row.kind == "baseline":
            shown |= {"color": GREY, "linestyle": ":", "marker": "x"}
        else:
            models += 1
        axes.errorbar(
            places, [cell.value for cell in cells], yerr=bars(cells), label=row.label, capsize=1.5, **shown
        )
    axes.set_yscale("log")
    axes.set_xticks(range(len(table.columns)), labels=table.columns)
    axes.set(xlabel="other pieces seen", ylabel="perplexity per piece")
    signature = shared_signature(table)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=1)
    set_height(figure, 2.0, legend=len(rows), signature=signature)
    if signature:
        sign(figure, signature)
    return figure
