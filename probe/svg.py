"""Pictures in SVG: what all of them share, and the heatmap of an impact matrix.

A picture takes the colour of the text around it, so that it is at home on light and dark pages, and says in its
title and description what it shows. Lines and markers differ where colours do.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from probe.labels import LONGEST_LABEL, elided, text_width

BLUE, ORANGE = "#3a86c8", "#c9660c"
"""Told apart by every kind of colour vision, and from white and from black."""

_CELL, _GAP, _SCALE, _BELOW = 22, 6, 132, 58
"""Pixels: of a cell, between things, the length of the colour scale, and what it takes below the cells."""

_LABEL = 9.0
"""Widest label of a word, in sizes of its font."""

_NOT_XML = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Text for HTML and XML; what these cannot hold (control characters, U+FFFE) becomes U+FFFD."""
    return html.escape(_NOT_XML.sub("\ufffd", text))


def word_label(word: str, *, longest: float = LONGEST_LABEL, **attributes: str) -> str:
    """A word as text of a picture; a long one is elided, and its title has it in full."""
    shown = elided(word, longest)
    whole = "" if shown == word else f"<title>{escape(word)}</title>"
    said = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f"<text{said}>{whole}{escape(shown)}</text>"


def svg(parts: Iterable[str], *, width: float, height: float, title: str, description: str) -> str:
    """A picture of its own: ``parts`` within the root element, named and described."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} fill="currentColor" '
        f'font-family="system-ui,sans-serif" font-size="14">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )


def heatmap_svg(
    words: Sequence[str], values: ArrayLike, *, scale: str = "impact", title: str | None = None
) -> str:
    """An impact matrix as a picture: the deeper a cell, the larger the impact; negative ones are orange.

    Row i, column j is the influence of word j on word i. A cell that is pointed at names
    its pair and its value.

    Args:
        words: n words.
        values: [n, n]; not finite: an empty cell.
        scale: what is said below the colour scale, such as ``Metric.label``.
        title: of the picture.

    Raises:
        ValueError: the shape does not fit the words.
    """
    matrix = np.asarray(values, dtype=np.float64)
    n, short = len(words), [elided(word) for word in words]
    if matrix.shape != (n, n):
        raise ValueError(f"expected values [{n}, {n}], one row and column a word, found {matrix.shape}")
    finite = matrix[np.isfinite(matrix)]
    largest = float(np.abs(finite).max(initial=0.0))
    margin = max((text_width(elided(word, _LABEL)) for word in words), default=0.0) + 2 * _GAP
    side = margin + n * _CELL
    parts = []
    for i, word in enumerate(words):
        middle = margin + (i + 0.5) * _CELL
        places = (
            {"x": f"{margin - _GAP:.0f}", "y": f"{middle + 5:.0f}", "text_anchor": "end"},
            {"transform": f"translate({middle + 5:.0f} {margin - _GAP:.0f}) rotate(-90)"},
        )
        parts += [word_label(word, longest=_LABEL, **place) for place in places]
        parts += [_cell(short, i, j, float(matrix[i, j]), largest, margin) for j in range(n)]
    if largest:
        parts.append(_colour_scale(scale, largest, bool((finite < 0).any()), _GAP, side + 3 * _GAP))
    said = _GAP + text_width(scale, 12)
    return svg(
        parts,
        width=max(side, said if largest else 0, _SCALE + 4 * _GAP) + _GAP,
        height=side + _GAP + (_BELOW if largest else 0),
        title=title or f"Impact matrix of: {' '.join(short)}",
        description=f"Row: the word that is influenced. Column: the word that is perturbed. "
        f"The strongest cell is {largest:.3g}. Colours: {scale}.",
    )


def _colour_scale(said: str, largest: float, negative: bool, x: float, y: float) -> str:
    """Shades from 0, or from the most negative, to the largest impact; with figures, and in which units."""
    steps, width = 12, _SCALE / 12
    lowest = -largest if negative else 0.0
    cells = []
    for step in range(steps):
        value = lowest + (largest - lowest) * (step + 0.5) / steps
        cells.append(
            f'<path d="M{x + step * width:.0f} {y:.0f}h{width:.0f}v12h-{width:.0f}z" '
            f'fill="{BLUE if value >= 0 else ORANGE}" fill-opacity="{abs(value) / largest:.2f}"/>'
        )
    frame = f'<path d="M{x:.0f} {y:.0f}h{_SCALE}v12h-{_SCALE}z" fill="none" stroke="currentColor"/>'
    ends = [(x, "start", lowest), (x + _SCALE, "end", largest)]
    figures = "".join(
        f'<text x="{at:.0f}" y="{y + 25:.0f}" text-anchor="{anchor}" font-size="12">{value:.3g}</text>'
        for at, anchor, value in ends
    )
    name = f'<text x="{x:.0f}" y="{y + 41:.0f}" font-size="12">{escape(said)}</text>'
    return f"<g>{''.join(cells)}{frame}{figures}{name}</g>"


def _cell(words: Sequence[str], i: int, j: int, value: float, largest: float, margin: float) -> str:
    x, y = margin + j * _CELL, margin + i * _CELL
    known = bool(np.isfinite(value)) and i != j
    shade = abs(value) / largest if known and largest else 0.0
    said = "the word itself" if i == j else f"{value:.3g}" if known else "no value"
    about = escape(f"{words[j]} → {words[i]}: {said}")
    colour = BLUE if value >= 0 else ORANGE
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{_CELL - 1}" height="{_CELL - 1}" fill="{colour}" '
        f'fill-opacity="{shade:.2f}" stroke="currentColor" stroke-opacity=".2"><title>{about}</title></rect>'
    )
