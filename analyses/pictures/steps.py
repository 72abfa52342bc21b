"""From impacts to a tree, side by side: impacts, scores of heads, and the tree of the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from analyses.pictures.arcs import plain_arcs
from analyses.pictures.fonts import drawable
from analyses.pictures.style import BLACK, GREY, SIGNATURE_SIZE, wrapped
from probe.labels import elided, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_CELL, _FONT, _GAP, _TITLE = 11.0, 7.0, 8.0, 14.0
"""Points: of a cell, of letters, between panels, above them."""
_LABEL = 9.0
"""Widest label of a word, in sizes of its font."""
_BAR, _BELOW = 4.0, 26.0
"""Points: how thick a colour scale is, and what it takes with its figures and its name."""


def steps(
    words: Sequence[str],
    impacts: ArrayLike,
    scores: ArrayLike,
    heads: Sequence[int],
    *,
    label: str = "impact",
    signature: str = "",
) -> Figure:
    """Draw what a tree is made from.

    Left the impacts on the word of the row, pale to dark; in the middle the scores of the heads of that word, blue
    above 0 and red below, with a dot at the head it has in the tree; right the tree. Below the cells what their
    colours mean.

    Args:
        words: n words.
        impacts: [n, n], influence of word j on word i.
        scores: [n + 1, n + 1], ``scores[head, dependent]`` with ROOT at index 0.
        heads: n heads, 1-based, 0 = ROOT.
        label: of the colour scale of the impacts, such as ``Metric.label``.
        signature: small print below.

    Raises:
        ValueError: shapes that do not fit the words.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n, given, arcs = len(words), np.asarray(impacts, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if given.shape != (n, n) or arcs.shape != (n + 1, n + 1) or not n:
        raise ValueError(f"expected impacts and scores of {n} words, found {given.shape} and {arcs.shape}")
    words = [elided(word, _LABEL) for word in drawable(words)]
    figure = Figure()
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure)
    labels = max(text_width(word, _FONT) for word in ("ROOT", *words)) + 4
    side, tree = n * _CELL, figure.add_axes((0, 0, 1, 1))
    width, height = plain_arcs(tree, words, heads)
    room = max(side, text_width(label, SIGNATURE_SIZE))
    lefts = (labels + _GAP, labels + room + 2 * _GAP, labels + 2 * room + _CELL + 4 * _GAP)
    size = (lefts[2] + width, max(side, height) + labels + _TITLE + _GAP)
    lines = wrapped(signature, size[0] / 72) if signature else ""
    foot = _BELOW + _GAP + 1.25 * SIGNATURE_SIZE * (lines.count("\n") + 1 if lines else 0)
    whole = (size[0], size[1] + foot)
    figure.set_size_inches(whole[0] / 72, whole[1] / 72)

    def place(left: float, wide: float, high: float) -> tuple[float, float, float, float]:
        return left / whole[0], foot / whole[1], wide / whole[0], high / whole[1]

    shown = np.ma.masked_array(given, mask=np.eye(n, dtype=bool))
    bars = [
        figure.add_axes((left / whole[0], (foot - _BAR - 4) / whole[1], wide / whole[0], _BAR / whole[1]))
        for left, wide in ((lefts[0], side), (lefts[1], side + _CELL))
    ]
    image = _cells(
        figure.add_axes(place(lefts[0], side, side)),
        shown,
        words,
        words,
        cmap="Blues" if (given >= 0).all() else "RdBu",
    )
    _scale(image, bars[0], label)
    table = np.ma.masked_array(arcs[:, 1:].T, mask=np.eye(n + 1, dtype=bool)[1:])
    axes = figure.add_axes(place(lefts[1], side + _CELL, side))
    _scale(_cells(axes, table, (), ["ROOT", *words], cmap="RdBu"), bars[1], "score of a head")
    axes.plot(heads, range(n), linestyle="", marker="o", markersize=3, color=BLACK)
    tree.set_position(place(lefts[2], width, height))
    top = 1 - (_TITLE - 3) / whole[1]
    titles = ("impacts", "scores of heads", "tree")
    for left, title in zip(lefts, titles, strict=True):
        figure.text(left / whole[0], top, title, fontsize=_FONT, va="bottom")
    figure.text(
        _GAP / whole[0],
        (foot - _BELOW - _GAP / 2) / whole[1],
        lines,
        fontsize=SIGNATURE_SIZE,
        color=GREY,
        va="top",
    )
    return figure


def _cells(
    axes: Axes, values: ArrayLike, rows: Sequence[str], columns: Sequence[str], *, cmap: str
) -> AxesImage:
    """A matrix as cells; without names of rows these are those of the panel to the left."""
    largest = float(np.abs(np.ma.filled(values, 0)).max()) or 1.0
    least = 0.0 if cmap == "Blues" else -largest
    image = axes.imshow(values, cmap=cmap, interpolation="nearest", aspect="auto", vmin=least, vmax=largest)
    axes.set_xticks(range(len(columns)), labels=columns, rotation=90)
    axes.set_yticks(range(len(rows)), labels=rows)
    axes.tick_params(length=0, pad=2, labelsize=_FONT)
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)
    return image


def _scale(image: AxesImage, axes: Axes, label: str) -> None:
    """What the colours of a panel mean: from the least to the largest value, and what they are values of."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    low, high = image.get_clim()
    bar = figure.colorbar(image, cax=axes, orientation="horizontal", ticks=[low, high])
    bar.set_ticklabels([f"{low:.3g}", f"{high:.3g}"], fontsize=SIGNATURE_SIZE)
    bar.ax.tick_params(length=0, pad=2)
    least, most = bar.ax.get_xticklabels()
    least.set_horizontalalignment("left")
    most.set_horizontalalignment("right")
    bar.ax.set_xlabel(label, fontsize=SIGNATURE_SIZE, loc="left", labelpad=1)
    bar.outline.set_visible(False)
