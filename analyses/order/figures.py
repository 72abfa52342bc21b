"""Pictures of orders: perplexity by how much of the text is seen, and a text as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyses.order.generation import Generated
from analyses.order.template import Template
from analyses.pictures.curves import bars
from analyses.pictures.fonts import drawable
from analyses.pictures.style import BLACK, BLUE, COLUMN_WIDTH, GREY, look, set_height, sign
from analyses.tables.forms import read_table
from analyses.tables.table import Table, shared_signature

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyses.experiment import Drawn, Job
    from probe import Probe

_LETTER, _MARGIN, _ROW = 0.062, 0.05, 0.17
"""Inches: of a letter, beside a piece, of a row."""


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
    from matplotlib.ticker import LogLocator, NullFormatter

    rows = [row for row in table.rows if any(row.cells)]
    if not rows:
        raise ValueError(f"{table.title}: expected a row with perplexities, found none")
    figure = Figure(figsize=(COLUMN_WIDTH, COLUMN_WIDTH), layout="constrained")
    axes = figure.subplots()
    models = 0
    for number, row in enumerate(rows):
        shift = 0.08 * (number - (len(rows) - 1) / 2)  # else the intervals hide each other
        places = [at + shift for at, cell in enumerate(row.cells) if cell is not None]
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
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,.0f}")  # powers would be mathematics, which the style leaves alone
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(range(len(table.columns)), labels=table.columns)
    axes.set(xlabel="other pieces seen", ylabel="perplexity per piece")
    signature = shared_signature(table)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=1)
    set_height(figure, 2.0, legend=len(rows), signature=signature)
    if signature:
        sign(figure, signature)
    return figure


def steps_figure(
    model: Probe, template: Template, text: Generated, *, title: str = "", signature: str = ""
) -> Figure:
    """Draw how a text was written: a row a step, the piece that it filled in blue, what stood there pale.

    Args:
        model: that wrote it.
        template: what it was given.
        text: what it wrote.
        title: above it.
        signature: small print below.
    """
    from matplotlib.figure import Figure

    pieces = drawable(
        [str(piece) for piece in model.tokenizer.convert_ids_to_tokens(text.ids[template.positions].tolist())]
    )
    step_of = {filled.piece: step for step, filled in enumerate(text.steps, start=1)}
    widths = [max(3, len(piece)) * _LETTER + 2 * _MARGIN for piece in pieces]
    lefts = [sum(widths[:at]) for at in range(len(widths))]
    rows = len(text.steps) + 1
    figure = Figure(
        figsize=(sum(widths) + 0.5, rows * _ROW + (0.8 if signature else 0.6)), layout="constrained"
    )
    axes = figure.subplots()
    axes.set(xlim=(0, sum(widths)), ylim=(rows - 0.5, -0.5), ylabel="step")
    for at, piece in enumerate(pieces):
        first = step_of.get(at, 0)
        for step in range(first, rows):
            new = step == first and at in step_of
            given = at not in step_of
            colour = BLUE if new else ("0.9" if given else "0.96")
            axes.fill_between(
                (lefts[at], lefts[at] + widths[at]), step - 0.5, step + 0.5, color=colour, linewidth=0
            )
            axes.text(
                lefts[at] + widths[at] / 2,
                step,
                piece,
                ha="center",
                va="center",
                color="white" if new else (BLACK if given else GREY),
                fontsize=7,
            )
    middles = [left + width / 2 for left, width in zip(lefts, widths, strict=True)]
    axes.set_xticks(middles, labels=[str(at) for at in range(1, len(pieces) + 1)])
    axes.set_yticks(range(rows))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("position")
    if title:
        axes.set_title(title)
    if signature:
        sign(figure, signature)
    return figure
