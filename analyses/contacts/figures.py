"""The picture of a contact map: scores above the diagonal, known contacts below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analyses.contacts.maps import SEPARATION, Bools, Floats, best_pairs
from analyses.pictures.style import BLACK, COLUMN_WIDTH, VERMILION, set_height, sign

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def map_figure(
    scores: Floats,
    touch: Bools | None = None,
    *,
    title: str = "",
    separation: int = SEPARATION,
    signature: str | None = None,
) -> Figure:
    """Draw a contact map, residues counted from 1.

    Above the diagonal the scores, from pale to dark; below it the known contacts as squares, and the L best
    pairs as crosses, L being the number of residues.

    Args:
        scores: [n, n], symmetric.
        touch: bool [n, n]; None where contacts are not known.
        title: above the map.
        separation: of the pairs that are ranked.
        signature: small print below.
    """
    from matplotlib.figure import Figure

    n = len(scores)
    figure = Figure(figsize=(COLUMN_WIDTH, COLUMN_WIDTH), layout="compressed")
    axes = figure.subplots()
    upper = np.ma.masked_array(scores, mask=~np.triu(np.ones((n, n), dtype=bool), k=1))
    ends = (0.5, n + 0.5, n + 0.5, 0.5)
    low = min(0.0, float(scores.min()))
    image = axes.imshow(upper, cmap="Blues", interpolation="nearest", extent=ends, vmin=low)
    size = max(0.5, min(5.0, 150 / n))
    if touch is not None:
        row, column = np.nonzero(np.tril(touch, k=-1))
        style: dict[str, Any] = {"linestyle": "", "markerfacecolor": "none", "markeredgewidth": 0.5}
        axes.plot(
            column + 1, row + 1, marker="s", markersize=size, markeredgecolor=BLACK, label="contact", **style
        )
    best = best_pairs(scores, top=n, separation=separation)
    places = ([i + 1 for i, _, _ in best], [j + 1 for _, j, _ in best])
    crosses: dict[str, Any] = {"linestyle": "", "markeredgewidth": 0.6, "markeredgecolor": VERMILION}
    axes.plot(*places, marker="x", markersize=size * 0.7, label="L best", **crosses)
    axes.set(xlabel="residue", ylabel="residue", xlim=(0.5, n + 0.5), ylim=(n + 0.5, 0.5))
    if title:
        axes.set_title(title)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    bar = figure.colorbar(image, ax=axes, label="score", fraction=0.05, pad=0.03)
    bar.outline.set_visible(False)
    set_height(figure, COLUMN_WIDTH - 0.6, legend=1, signature=signature or "")
    if signature is not None:
        sign(figure, signature)
    return figure
