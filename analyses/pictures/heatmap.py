"""The heatmap of an impact matrix, Figure 1 of Wu et al. (ACL 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from analyses.pictures.fonts import drawable
from analyses.pictures.style import COLUMN_WIDTH, sign
from probe.labels import elided, text_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL, _SMALLEST_CELL, _SMALLEST_SIDE = 13.0, 6.6, 66.0
"""Points from one word to the next, such that the figure has the width of a column if it can; and the least of
all words together, beside which the label of the colour bar has room."""
_LABEL = 9.0
"""Widest label of a word, in sizes of its font: the cells keep their room beside long words."""
_BESIDE = 66
"""Points beside words and cells: label of the axis, colour bar."""


def heatmap(
    words: Sequence[str], values: ArrayLike, *, label: str = "impact", signature: str | None = None
) -> Figure:
    """Draw an impact matrix with the words on both axes; the diagonal, 0 by definition, is crossed out.

    One hue from pale to dark: it can be read without colour.

    Args:
        words: n words.
        values: [n, n]; ``values[i, j]`` is the influence of word j on word i.
        label: of the colour bar.
        signature: small print below.

    Raises:
        ValueError: the matrix is not [n, n].
    """
    from matplotlib.figure import Figure

    matrix = np.asarray(values, dtype=np.float64)
    n = len(words)
    if matrix.shape != (n, n) or n == 0:
        raise ValueError(f"expected a matrix [n, n] for n > 0 words, found {matrix.shape} for {n} words")
    words = [elided(word, _LABEL) for word in drawable(words)]
    longest = max(text_width(word, 1) for word in words)
    largest = max(_CELL, _SMALLEST_SIDE / n)
    cell = float(np.clip((72 * COLUMN_WIDTH - _BESIDE) / (n + longest), _SMALLEST_CELL, largest))
    font = min(7.0, cell)
    side = n * cell + longest * font
    size = (max(COLUMN_WIDTH, (side + _BESIDE) / 72), (side + 50) / 72)
    figure = Figure(figsize=size, layout="compressed")
    axes = figure.subplots()
    shown = np.ma.masked_array(matrix, mask=np.eye(n, dtype=bool))
    image = axes.imshow(shown, cmap="Blues", interpolation="nearest", vmin=min(0.0, float(matrix.min())))
    axes.plot(range(n), range(n), linestyle="", marker="x", color="0.7", markersize=2.5, markeredgewidth=0.5)
    axes.set_xticks(range(n), labels=words, rotation=90)
    axes.set_yticks(range(n), labels=words)
    axes.tick_params(length=0, pad=2, labelsize=font)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set(xlabel="impact of", ylabel="impact on")
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, label=label, fraction=0.05, pad=0.03)
    bar.outline.set_visible(False)
    if signature is not None:
        sign(figure, signature)
    return figure
