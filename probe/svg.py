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
from wcwidth import wcswidth

BLUE, ORANGE = "#3a86c8", "#c9660c"
"""Told apart by every kind of colour vision, and from white and from black."""

_CELL, _GAP, _LETTER = 22, 6, 8.5


LONGEST_LABEL = 40
"""Letters of a word in a picture; a longer one would make the picture as large as itself."""

_NOT_XML = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Text for HTML and XML; what these cannot hold (control characters, U+FFFE) becomes U+FFFD."""
    return html.escape(_NOT_XML.sub("\ufffd", text))


def elided(word: str, longest: int = LONGEST_LABEL) -> str:
    """A word as the label of a picture; of a long one the beginning."""
    return word if len(word) <= longest else f"{word[: longest - 1]}\u2026"


def text_width(text: str) -> float:
    """Roughly the width of text of 14 px: there are no fonts to ask."""
    columns = wcswidth(text)
    return _LETTER * (columns if columns >= 0 else len(text))


def svg(parts: Iterable[str], *, width: float, height: float, title: str, description: str) -> str:
    """A picture of its own: ``parts`` within the root element, named and described."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} fill="currentColor" '
        f'font-family="system-ui,sans-serif" font-size="14">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )


def heatmap_svg(words: Sequence[str], values: ArrayLike, *, title: str | None = None) -> str:
    """An impact matrix as a picture: the deeper a cell, the larger the impact; negative ones are orange.

    Row i, column j is the influence of word j on word i. A cell that is pointed at names
    its pair and its value.

    Args:
        words: n words.
        values: [n, n]; not finite: an empty cell.
        title: of the picture.

    Raises:
        ValueError: the shape does not fit the words.
    """
    matrix = np.asarray(values, dtype=np.float64)
    n, words = len(words), [elided(word) for word in words]
    if matrix.shape != (n, n):
        raise ValueError(f"expected values [{n}, {n}], one row and column a word, found {matrix.shape}")
    finite = np.abs(matrix[np.isfinite(matrix)])
    largest = float(finite.max(initial=0.0))
    margin = max(map(text_width, words), default=0) + 2 * _GAP
    side = margin + n * _CELL
    parts = []
    for i, word in enumerate(words):
        middle = margin + (i + 0.5) * _CELL
        label = escape(word)
        parts.append(f'<text x="{margin - _GAP:.0f}" y="{middle + 5:.0f}" text-anchor="end">{label}</text>')
        parts.append(
            f'<text transform="translate({middle + 5:.0f} {margin - _GAP:.0f}) rotate(-90)">{label}</text>'
        )
        parts += [_cell(words, i, j, float(matrix[i, j]), largest, margin) for j in range(n)]
    return svg(
        parts,
        width=side + _GAP,
        height=side + _GAP,
        title=title or f"Impact matrix of: {' '.join(words)}",
        description=f"Row: the word that is influenced. Column: the word that is masked. "
        f"The strongest cell is {largest:.3g}.",
    )


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
