"""A bracketing above its words as SVG, beside gold spans where there are any."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, TypeAlias

from analyses.pictures.arcs_svg import centres_of
from probe.labels import elided
from probe.svg import BLUE, ORANGE, escape, svg, word_label

if TYPE_CHECKING:
    from parsers import Bracketing

_LEVEL, _LINE, _DOT = 26, 20, 4

_Node: TypeAlias = tuple[float, int, tuple[int, int]]
"""Middle, height above the words, span."""


def brackets_svg(
    words: Sequence[str],
    bracketing: Bracketing,
    *,
    gold: Collection[tuple[int, int]] | None = None,
    title: str | None = None,
) -> str:
    """A binary tree over words as a picture, the whole sentence on top.

    With gold spans, a bracket that is among them has a filled circle and solid lines, one that is not an empty
    circle and dashed lines.

    Args:
        words: n words.
        bracketing: over n words.
        gold: (start, end) of gold spans, counted from 0, the end exclusive.
        title: of the picture.

    Raises:
        ValueError: the numbers of words differ.
    """
    centres, width = centres_of(words)
    leaves = [(x, 0, (place, place + 1)) for place, x in enumerate(centres)]
    joins: list[tuple[_Node, _Node, _Node]] = []

    def join(left: _Node, right: _Node) -> _Node:
        node = ((left[0] + right[0]) / 2, max(left[1], right[1]) + 1, (left[2][0], right[2][1]))
        joins.append((node, left, right))
        return node

    top = bracketing.fold(leaves, join)
    base = top[1] * _LEVEL + _LINE
    parts = [
        word_label(word, x=f"{node[0]:.0f}", y=f"{base + 16}", text_anchor="middle")
        for node, word in zip(leaves, words, strict=True)
    ]
    words = [elided(word) for word in words]
    parts += [_bracket(words, node, parts_of, base, gold) for node, *parts_of in joins]
    return svg(
        parts,
        width=width,
        height=base + _LINE + 6,
        title=title or f"Constituents of: {' '.join(words)}",
        description=_description(words, bracketing, gold),
    )


def _bracket(
    words: Sequence[str],
    node: _Node,
    below: Sequence[_Node],
    base: float,
    gold: Collection[tuple[int, int]] | None,
) -> str:
    """Lines from a span to its two parts, and its circle."""
    x, y = node[0], base - node[1] * _LEVEL
    right = gold is None or node[2] in gold
    colour = BLUE if right else ORANGE
    lines = "".join(f"M{x:.0f} {y:.0f}H{part[0]:.0f}V{base - part[1] * _LEVEL:.0f}" for part in below)
    start, end = node[2]
    about = " ".join(words[start:end]) + (
        "" if gold is None else ": right" if right else ": not in the gold tree"
    )
    dash = "" if right else ' stroke-dasharray="5 3"'
    return (
        f'<g stroke="{colour}" stroke-width="1.6"><title>{escape(about)}</title>'
        f'<path d="{lines}" fill="none"{dash}/>'
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{_DOT}" fill="{colour if right else "none"}"/></g>'
    )


def _description(
    words: Sequence[str], bracketing: Bracketing, gold: Collection[tuple[int, int]] | None
) -> str:
    spans = sorted(bracketing.spans, key=lambda span: (span[0], -span[1]))
    said = []
    for start, end in spans:
        mark = "" if gold is None else " (right)" if (start, end) in gold else " (not gold)"
        said.append(f"[{' '.join(words[start:end])}]{mark}")
    return " ".join(said)
