"""Dependency arcs around a sentence: gold above the words, predicted below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from analyses.pictures.fonts import drawable
from analyses.pictures.style import (
    BLACK,
    BLUE,
    COLUMN_WIDTH,
    GREY,
    SIGNATURE_SIZE,
    TEXT_WIDTH,
    VERMILION,
    wrapped,
)
from probe.labels import elided, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GOLD: dict[str, Any] = {"color": BLACK, "linestyle": "-", "linewidth": 0.8}
_RIGHT: dict[str, Any] = {"color": BLUE, "linestyle": "-", "linewidth": 1.3}
_WRONG: dict[str, Any] = {"color": VERMILION, "linestyle": (0, (3.5, 1.8)), "linewidth": 1.0}
_UNSCORED: dict[str, Any] = {"color": GREY, "linestyle": (0, (1, 1.4)), "linewidth": 0.9}

_FONT, _SMALLEST_FONT, _GAP = 7.5, 6.0, 6.0
_SMALL = 6.0
"""Points of \"ROOT\" and the legend."""
_LEVEL, _FIRST = 10.0, 8.0
"""Points from one level of arcs to the next, and from the words to the first."""


def arcs(
    words: Sequence[str],
    predicted: ArrayLike,
    *,
    gold: ArrayLike | None = None,
    scored: Sequence[bool] | None = None,
    signature: str | None = None,
) -> Figure:
    """Draw dependency arcs, their arrows at the dependents.

    With gold heads, these are above the words and the predicted ones below: right ones in unbroken, wrong ones
    in broken lines with a cross, those that are not scored dotted. Without, the predicted arcs are above.

    Args:
        words: n words.
        predicted: n heads, 1-based; 0 marks a root, -1 a word without a head.
        gold: n heads, too.
        scored: which dependents are scored; all by default.
        signature: small print below.

    Raises:
        ValueError: the lengths differ or a head is outside the sentence.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n, words = len(words), [elided(word) for word in drawable(words)]
    heads = _heads(predicted, n, "predicted")
    true = None if gold is None else _heads(gold, n, "gold")
    counted = [True] * n if scored is None else list(scored)
    if n == 0 or len(counted) != n:
        raise ValueError(f"expected {n} flags for {n} words, found {len(counted)}")
    figure = Figure()
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure)
    font, places, width = _places(words)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for place, word in zip(places, words, strict=True):
        axes.text(place, 0, word, fontsize=font, ha="center", va="center")
    looks = [_RIGHT] * n
    if true is not None:
        looks = [
            _UNSCORED if not flag else _RIGHT if head == own else _WRONG
            for head, own, flag in zip(heads, true, counted, strict=True)
        ]
        top = _draw(axes, places, true, [_GOLD] * n, up=1)
        bottom = -_draw(axes, places, heads, looks, up=-1)
    else:
        top, bottom = _draw(axes, places, heads, looks, up=1), -font
    bottom = _legend(axes, looks, bottom) if true is not None else bottom - 4
    if signature is not None:
        lines = wrapped(signature, (width - 12) / 72)
        axes.text(6, bottom, lines, fontsize=SIGNATURE_SIZE, color=GREY, ha="left", va="top")
        bottom -= 1.25 * SIGNATURE_SIZE * (lines.count("\n") + 1) + 3
    figure.set_size_inches(width / 72, (top - bottom) / 72)
    axes.set(xlim=(0, width), ylim=(bottom, top))
    return figure


def plain_arcs(axes: Axes, words: Sequence[str], heads: ArrayLike) -> tuple[float, float]:
    """Draw a tree above its words into axes of a larger picture; returns the width and height it takes, in points.

    Raises:
        ValueError: there are not as many heads as words, or a head is outside the sentence.
    """
    n = len(words)
    font, places, width = _places(words, least=0)
    for place, word in zip(places, words, strict=True):
        axes.text(place, 0, word, fontsize=font, ha="center", va="center")
    top = _draw(axes, places, _heads(heads, n, "predicted"), [_RIGHT] * n, up=1)
    axes.axis("off")
    axes.set(xlim=(0, width), ylim=(-font, top))
    return width, top + font


def _heads(heads: ArrayLike, n: int, name: str) -> list[int]:
    found = [int(head) for head in np.asarray(heads).reshape(-1)]
    if len(found) != n or any(not -1 <= head <= n for head in found):
        raise ValueError(f"{name}: expected {n} heads from -1 to {n}, found {found}")
    return found


def _places(words: Sequence[str], *, least: float = 72 * COLUMN_WIDTH) -> tuple[float, list[float], float]:
    """Font size, the middle of every word and the whole width, in points.

    The font shrinks where a sentence is wider than a page, down to ``_SMALLEST_FONT``; then the page grows.
    ``least`` is the least width.
    """
    widths = np.array([text_width(word, _FONT) for word in words])
    gaps = _GAP * (len(words) + 1)
    font = float(np.clip(_FONT * (72 * TEXT_WIDTH - gaps) / widths.sum(), _SMALLEST_FONT, _FONT))
    widths *= font / _FONT
    width = max(float(widths.sum()) + gaps, least)
    start = (width - float(widths.sum()) - gaps) / 2 + _GAP
    places = start + np.cumsum(widths + _GAP) - _GAP - widths / 2
    return font, places.tolist(), width


def _levels(heads: Sequence[int]) -> dict[int, int]:
    """How high the arc of each dependent (from 0) is: above all arcs that it spans or crosses."""
    arcs = {d: tuple(sorted((d, head - 1))) for d, head in enumerate(heads) if head > 0}
    levels: dict[int, int] = {}
    for d, (low, high) in sorted(arcs.items(), key=lambda item: (item[1][1] - item[1][0], item[1])):
        inside = [levels[o] for o in levels if arcs[o][0] < high and low < arcs[o][1]]
        levels[d] = 1 + max(inside, default=0)
    return levels


def _leans(heads: Sequence[int], levels: Mapping[int, int]) -> dict[int, float]:
    """How far beside the middle of its head each arc ends, in points: high arcs inside, low ones outside."""
    leans: dict[int, float] = {}
    for head in set(heads) - {0, -1}:
        for side in (-1, 1):
            own = [d for d in levels if heads[d] == head and (d > head - 1) == (side > 0)]
            own.sort(key=lambda d: -levels[d])
            step = min(1.8, 5.0 / len(own)) if own else 0.0
            leans |= {d: side * (2.8 + step * k) for k, d in enumerate(own)}
    return leans


def _draw(
    axes: Axes, places: Sequence[float], heads: Sequence[int], looks: Sequence[dict[str, Any]], *, up: int
) -> float:
    """Draw the arcs of one side, above (``up`` 1) or below (-1); returns its height in points."""
    levels = _levels(heads)
    leans = _leans(heads, levels)
    top = _FIRST + _LEVEL * (max(levels.values(), default=0) + 1)
    for d, (head, look) in enumerate(zip(heads, looks, strict=True)):
        if head > 0:
            ends, height = (places[d], places[head - 1] + leans[d]), _FIRST + _LEVEL * levels[d]
            _arc(axes, ends, up * _FIRST, up * height, look)
        elif head == 0:
            axes.plot([places[d]] * 2, [up * _FIRST, up * top], **look)
            axes.text(places[d] + 2, up * top, "ROOT", fontsize=_SMALL, va="top" if up > 0 else "bottom")
        else:
            continue
        arrow = "v" if up > 0 else "^"
        axes.plot(places[d], up * (_FIRST - 1), marker=arrow, markersize=3.2, color=look["color"])
        if look is _WRONG:
            middle = (places[d] + places[head - 1]) / 2 if head else places[d]
            axes.plot(middle, up * (_FIRST + _LEVEL * levels[d] if head else top - _LEVEL / 2), **_CROSS)
    return top + 6


_CROSS: dict[str, Any] = {"marker": "x", "markersize": 4.5, "markeredgewidth": 1.2, "color": VERMILION}


def _arc(axes: Axes, ends: tuple[float, float], foot: float, top: float, look: dict[str, Any]) -> None:
    """A flat arch from the dependent's end to the head's: two steep sides and a level roof."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    start, end = ends
    bend = min(abs(end - start) / 2, 9.0) * (1 if end > start else -1)
    points = [
        (start, foot), (start, top), (start, top), (start + bend, top),
        (end - bend, top), (end, top), (end, top), (end, foot),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3]
    axes.add_patch(PathPatch(Path(points, codes), fill=False, **look))


def _legend(axes: Axes, looks: Sequence[dict[str, Any]], bottom: float) -> float:
    """Say below the arcs which line is what; returns the new bottom."""
    known = [
        (_GOLD, "gold (above)"), (_RIGHT, "predicted, right"),
        (_WRONG, "predicted, wrong"), (_UNSCORED, "predicted, not scored"),
    ]  # fmt: skip
    left, line = 6.0, bottom - 4
    for look, label in known:
        if look is not _GOLD and not any(own is look for own in looks):
            continue
        axes.plot([left, left + 16], [line, line], **look)
        if look is _WRONG:
            axes.plot(left + 8, line, **_CROSS)
        axes.text(left + 19, line, label, fontsize=_SMALL, va="center")
        left += 19 + 3.4 * len(label) + 8
    return line - 8
