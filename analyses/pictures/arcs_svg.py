"""Dependency arcs above a sentence as SVG, with the gold arcs that they miss below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyses.scores.attachment import NO_HEAD
from probe.labels import elided, text_width
from probe.svg import BLUE, ORANGE, escape, svg, word_label

_STEP, _FIRST, _CORNER, _SPACE, _LINE = 14, 20, 7, 16, 20
"""Pixels: between two levels, of the lowest level, of a corner, between two words, of a line of text."""

_SIDE = 4
"""Pixels between the middle of a word and the arcs that leave it to one side."""


@dataclass(frozen=True)
class _Stroke:
    """How arcs of a kind are drawn: they differ without colours, too."""

    name: str
    colour: str
    dash: str


_PLAIN = _Stroke("predicted arc", BLUE, "")
_RIGHT = _Stroke("right", BLUE, "")
_WRONG = _Stroke("wrong", ORANGE, ' stroke-dasharray="6 3"')
_MISSED = _Stroke("gold arc that was missed", "currentColor", ' stroke-dasharray="1.5 3"')


def arcs_svg(
    words: Sequence[str], heads: Sequence[int], *, gold: Sequence[int] | None = None, title: str | None = None
) -> str:
    """A dependency tree as a picture: arcs from head to dependent above the words.

    With gold heads, right arcs are solid, wrong ones dashed, and the gold arcs that were missed are dotted,
    below the words.

    Args:
        words: n words.
        heads: n heads, 1-based, 0 = root; -1 (``analyses.NO_HEAD``) where a word has none.
        gold: n gold heads.
        title: of the picture.

    Raises:
        ValueError: lengths differ, or a head is outside the sentence.
    """
    _check(words, heads, "heads")
    if gold is not None:
        _check(words, gold, "gold heads")
    centres, width = centres_of(words)
    arcs = _arcs(heads)
    missed = [arc for arc in _arcs(gold or ()) if arc not in arcs]
    above, below = _levels(arcs), _levels(missed)
    base = _height(above) + _LINE
    bottom = base + _LINE + 6
    parts = [
        word_label(word, x=f"{x:.0f}", y=f"{base + 16:.0f}", text_anchor="middle")
        for word, x in zip(words, centres, strict=True)
    ]
    words = [elided(word) for word in words]
    for arc, level in above.items():
        stroke = _PLAIN if gold is None else _RIGHT if gold[arc[1] - 1] == arc[0] else _WRONG
        parts.append(_arc(arc, level, stroke, words, centres, edge=base, up=True, top=_height(above)))
    for arc, level in below.items():
        parts.append(_arc(arc, level, _MISSED, words, centres, edge=bottom, up=False, top=_height(below)))
    height = bottom + (_height(below) + _LINE if below else 0)
    if gold is not None:
        parts.append(_legend(height + 14, missed=bool(missed)))
        height += _LINE
        width = max(width, 330.0)
    return svg(
        parts,
        width=width,
        height=height,
        title=title or f"Dependency tree of: {' '.join(words)}",
        description=_description(words, heads, gold),
    )


def _arcs(heads: Sequence[int]) -> list[tuple[int, int]]:
    """Arcs (head, dependent), both 1-based; head 0 is ROOT."""
    return [(head, place) for place, head in enumerate(heads, start=1) if head != NO_HEAD]


def _check(words: Sequence[str], heads: Sequence[int], kind: str) -> None:
    n = len(words)
    if len(heads) != n or any(not NO_HEAD <= head <= n for head in heads):
        raise ValueError(f"expected {n} {kind} from {NO_HEAD} to {n}, found {list(heads)}")


def centres_of(words: Sequence[str]) -> tuple[list[float], float]:
    """The middle of the label of each word, and the width of the line."""
    centres, x = [], float(_SPACE)
    for word in words:
        width = max(text_width(elided(word)), 16.0)
        centres.append(x + width / 2)
        x += width + _SPACE
    return centres, max(x, 60.0)


def _levels(arcs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Level of every arc, from 1: an arc is above all shorter ones that it overlaps; 0 for arcs from ROOT."""
    levels = {arc: 0 for arc in arcs if arc[0] == 0}
    taken: list[tuple[int, int, int]] = []
    for arc in sorted((arc for arc in arcs if arc[0]), key=lambda arc: (abs(arc[0] - arc[1]), min(arc))):
        low, high = min(arc), max(arc)
        levels[arc] = 1 + max((level for a, b, level in taken if a < high and low < b), default=0)
        taken.append((low, high, levels[arc]))
    return levels


def _height(levels: dict[tuple[int, int], int]) -> int:
    return _FIRST + _STEP * max(levels.values(), default=0)


def _arc(
    arc: tuple[int, int],
    level: int,
    stroke: _Stroke,
    words: Sequence[str],
    centres: Sequence[float],
    *,
    edge: float,
    up: bool,
    top: float,
) -> str:
    """One arc with its arrow head at the dependent; from ROOT it is a straight line."""
    head, dependent = arc
    sign = -1 if up else 1
    end = centres[dependent - 1]
    tip = f"M{end - 4:.0f} {edge + sign * 7:.0f}h8L{end:.0f} {edge:.0f}z"
    if head == 0:
        path = f"M{end:.0f} {edge + sign * top:.0f}V{edge + sign * 6:.0f}"
        label = (
            f'<text x="{end:.0f}" y="{edge + sign * (top + 3) + (0 if up else 9):.0f}" '
            f'text-anchor="middle" font-size="11">root</text>'
        )
    else:
        to_right = 1 if dependent > head else -1
        start = centres[head - 1] + _SIDE * to_right
        line = edge + sign * (_FIRST + _STEP * (level - 1))
        inner = line - sign * _CORNER
        path = (
            f"M{start:.0f} {edge:.0f}V{inner:.0f}"
            f"Q{start:.0f} {line:.0f} {start + _CORNER * to_right:.0f} {line:.0f}"
            f"H{end - _CORNER * to_right:.0f}Q{end:.0f} {line:.0f} {end:.0f} {inner:.0f}V{edge + sign * 6:.0f}"
        )
        label = ""
    about = f"{words[head - 1] if head else 'ROOT'} → {words[dependent - 1]}: {stroke.name}"
    return (
        f'<g stroke="{stroke.colour}" fill="{stroke.colour}"><title>{escape(about)}</title>'
        f'<path d="{path}" fill="none" stroke-width="1.6"{stroke.dash}/><path d="{tip}" stroke="none"/></g>'
        f"{label}"
    )


def _legend(y: float, *, missed: bool) -> str:
    parts, x = [], 8
    for stroke, label in ((_RIGHT, "right"), (_WRONG, "wrong"), (_MISSED, "missed gold arc")):
        if stroke is _MISSED and not missed:
            continue
        parts.append(
            f'<path d="M{x} {y - 4:.0f}h28" stroke="{stroke.colour}" stroke-width="1.6"{stroke.dash}/>'
            f'<text x="{x + 34}" y="{y:.0f}" font-size="12">{label}</text>'
        )
        x += 95
    return "".join(parts)


def _description(words: Sequence[str], heads: Sequence[int], gold: Sequence[int] | None) -> str:
    """The tree in words, for those who do not see it."""
    names = ["ROOT", *words]
    said = []
    for place, head in enumerate(heads, start=1):
        found = "no head" if head == NO_HEAD else f"head {names[head]}"
        if gold is not None and head != gold[place - 1]:
            wanted = gold[place - 1]
            found += f" (gold: {'none' if wanted == NO_HEAD else names[wanted]})"
        said.append(f"{names[place]}: {found}")
    return "; ".join(said)
