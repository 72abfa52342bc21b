"""Two constituency trees over the same words, gold to the left of them and induced to the right."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from analyses.pictures.fonts import drawable
from analyses.pictures.style import BLACK, BLUE, COLUMN_WIDTH, GREY, SIGNATURE_SIZE, VERMILION, wrapped
from probe.labels import elided, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Span: TypeAlias = "tuple[int, int]"

_LINE, _FONT, _SMALL = 11.0, 7.5, 6.0
"""Points from word to word, of the words' letters, and of labels and legend."""
_STEP, _SMALLEST_STEP = 15.0, 11.0
"""Points from one level of a tree to the next: less where the figure then has the width of a column."""
_MARGIN = 6.0
_FOUND: dict[str, Any] = {"color": BLUE, "linestyle": "-", "linewidth": 1.4}
_MISSED: dict[str, Any] = {"color": BLACK, "linestyle": (0, (1, 1.2)), "linewidth": 1.0}
_WRONG: dict[str, Any] = {"color": VERMILION, "linestyle": (0, (3.5, 1.8)), "linewidth": 1.0}


def trees(
    words: Sequence[str],
    induced: Collection[Span],
    *,
    gold: Mapping[Span, str] | None = None,
    signature: str | None = None,
) -> Figure:
    """Draw constituency trees on their sides, one word a line, the roots outermost.

    Brackets that both trees have are in unbroken lines, gold ones that were missed dotted, induced ones that
    are not gold broken with a cross. The bracket of the whole sentence, which every tree has, is thin and grey.

    Args:
        words: n words.
        induced: ``(start, end)`` of the induced brackets, as ``parsers.Bracketing.spans``.
        gold: labels of the gold brackets; without, the induced tree stands alone.
        signature: small print below.

    Raises:
        ValueError: a bracket is outside the sentence, or two of one tree cross.
    """
    from matplotlib.figure import Figure

    n, words = len(words), [elided(word) for word in drawable(words)]
    sides = [(induced, 1)] if gold is None else [(gold, -1), (induced, 1)]
    half = max(3.0, max(text_width(word, _FONT) for word in words) / 2) + 4
    depths = {side: _depths(spans, n) for spans, side in sides}
    levels = {side: max(heights.values(), default=1) for side, heights in depths.items()}
    room = (72 * COLUMN_WIDTH - 2 * half - 2 * _MARGIN) / sum(levels.values())
    step = min(max(room, _SMALLEST_STEP), _STEP)
    extents = {side: half + step * highest for side, highest in levels.items()}
    left, right = extents.get(-1, half) + _MARGIN, extents[1] + _MARGIN
    slack = max(0.0, 72 * COLUMN_WIDTH - left - right) / 2
    width = left + right + 2 * slack
    figure = Figure()
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for row, word in enumerate(words):
        axes.text(0, -_LINE * row, word, fontsize=_FONT, ha="center", va="center_baseline")
    for spans, side in sides:
        other = None if gold is None else set(induced) if side < 0 else set(gold)
        xs = {depth: side * (half + step * depth) for depth in range(levels[side] + 1)}
        _draw(axes, spans, depths[side], xs, other, _MISSED if side < 0 else _WRONG, n)
    if gold is not None:
        for side, extent in extents.items():
            title, place = ("gold", -1) if side < 0 else ("induced", 1)
            axes.text(place * (half + extent) / 2, _LINE, title, fontsize=8, ha="center", va="center")
    bottom = -_LINE * n - 3
    if gold is not None:
        bottom = _legend(axes, -left - slack + _MARGIN, bottom)
    if signature is not None:
        lines = wrapped(signature, (width - 2 * _MARGIN) / 72)
        axes.text(-left - slack + _MARGIN, bottom, lines, fontsize=SIGNATURE_SIZE, color=GREY, va="top")
        bottom -= 1.25 * SIGNATURE_SIZE * (lines.count("\n") + 1) + 3
    top = _LINE * (1.8 if gold is not None else 0.9)
    axes.set(xlim=(-left - slack, right + slack), ylim=(bottom, top))
    figure.set_size_inches(width / 72, (top - bottom) / 72)
    return figure


def _depths(spans: Collection[Span], n: int) -> dict[Span, int]:
    """How far from the words each bracket stands: one step beyond those inside it.

    The bracket of the whole sentence is added, and brackets of one word are left out.
    """
    depths: dict[Span, int] = {}
    for start, end in sorted({*spans, (0, n)}, key=lambda span: (span[1] - span[0], span)):
        if not 0 <= start < end <= n:
            raise ValueError(f"expected brackets of 1 to {n} words, found {(start, end)}")
        if end - start < 2:
            continue
        for a, b in depths:
            if a < start < b < end or start < a < end < b:
                raise ValueError(f"expected brackets that do not cross, found {(a, b)} and {(start, end)}")
        inside = [depth for (a, b), depth in depths.items() if start <= a and b <= end]
        depths[start, end] = 1 + max(inside, default=0)
    return depths


def _children(span: Span, depths: Mapping[Span, int]) -> list[Span]:
    """The largest brackets inside a span, and the words (as spans of one) between them."""
    inner = sorted(
        (s for s in depths if s != span and span[0] <= s[0] and s[1] <= span[1]),
        key=lambda s: (s[0], -s[1]),
    )
    found, at = [], span[0]
    while at < span[1]:
        inside = next((s for s in inner if s[0] == at), (at, at + 1))
        found.append(inside)
        at = inside[1]
    return found


def _draw(
    axes: Axes,
    spans: Collection[Span],
    depths: Mapping[Span, int],
    xs: Mapping[int, float],
    other: set[Span] | None,
    lacking: dict[str, Any],
    n: int,
) -> None:
    """Draw a tree: for each bracket an upright line, and a level one to each of its parts; labels, if any."""
    middles: dict[Span, float] = {(row, row + 1): -_LINE * row for row in range(n)}
    for span, depth in sorted(depths.items(), key=lambda item: item[1]):
        parts = _children(span, depths)
        ys = [middles[part] for part in parts]
        middles[span] = (ys[0] + ys[-1]) / 2
        x = xs[depth]
        look = _FOUND if other is None or span in other else lacking
        if span == (0, n):
            look = {"color": GREY, "linestyle": "-", "linewidth": 0.8}
        axes.plot([x, x], [ys[0], ys[-1]], **look)
        for part, y in zip(parts, ys, strict=True):
            axes.plot([xs[depths.get(part, 0)], x], [y, y], **look)
            if isinstance(spans, Mapping) and part in depths:
                _label(axes, spans[part], xs[depths[part]], y, below=y == ys[-1])
        if look is _WRONG:
            axes.plot(x, middles[span], marker="x", markersize=4, markeredgewidth=1.1, color=VERMILION)


def _label(axes: Axes, label: str, x: float, y: float, *, below: bool) -> None:
    """Write the label of a bracket on the side of its line where that of the bracket around it does not run."""
    shift, va = (-1.0, "top") if below else (0.5, "bottom")
    axes.text(x - 1.5, y + shift, label, fontsize=_SMALL, ha="right", va=va)


def _legend(axes: Axes, left: float, bottom: float) -> float:
    """Say below the trees which line is what; returns the new bottom."""
    line = bottom - 2
    for look, label in ((_FOUND, "in both"), (_MISSED, "gold, missed"), (_WRONG, "induced, not gold")):
        axes.plot([left, left + 16], [line, line], **look)
        if look is _WRONG:
            axes.plot(left + 8, line, marker="x", markersize=4, markeredgewidth=1.1, color=VERMILION)
        axes.text(left + 19, line, label, fontsize=_SMALL, va="center")
        left += 19 + 3.4 * len(label) + 8
    return line - 7
