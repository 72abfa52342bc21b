"""Dependency arcs drawn with box characters, one word a line, for a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence

from wcwidth import wcswidth

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_BOXES = {
    0: " ",
    _LEFT | _RIGHT: "─",
    _UP | _DOWN: "│",
    _LEFT | _DOWN: "╮",
    _LEFT | _UP: "╯",
    _LEFT | _UP | _DOWN: "┤",
    _LEFT | _RIGHT | _DOWN: "┬",
    _LEFT | _RIGHT | _UP: "┴",
    _LEFT | _RIGHT | _UP | _DOWN: "┼",
}
_COLUMN = 3
"""Characters from one level of arcs to the next: a line, an arrow head, a corner."""


def draw_arcs(words: Sequence[str], heads: Sequence[int]) -> str:
    """A tree as text: each word on its line, arcs to the right, ``◄`` where an arc enters its dependent.

    Args:
        words: n words.
        heads: n heads, 1-based; 0 marks a root.

    Raises:
        ValueError: if the lengths differ or a head is outside the sentence.
    """
    n = len(words)
    if len(heads) != n or any(not 0 <= head <= n for head in heads):
        raise ValueError(f"expected {n} heads from 0 to {n}, found {list(heads)}")
    arcs = [(head - 1, dependent) for dependent, head in enumerate(heads) if head > 0]
    levels = _levels(arcs)
    cells = [[0] * (_COLUMN * (max(levels, default=0) + 1)) for _ in words]
    arrows: set[tuple[int, int]] = set()
    for (head, dependent), level in zip(arcs, levels, strict=True):
        corner = _COLUMN * level
        _draw(cells, head, dependent, corner)
        arrows.add((dependent, corner - 1))
    shown = [_visible(word) for word in words]
    width = max(_width(word) for word in shown)
    digits = len(str(n))
    lines = []
    for row, word in enumerate(shown):
        drawn = "".join("◄" if (row, x) in arrows else _BOXES[cell] for x, cell in enumerate(cells[row]))
        text = f"{row + 1:>{digits}} {word}{' ' * (width - _width(word))} {drawn}".rstrip()
        lines.append(text if heads[row] else f"{text}  ROOT")
    return "\n".join(lines)


def _levels(arcs: Sequence[tuple[int, int]]) -> list[int]:
    """Column of every arc, from 1: short arcs stay near the words, arcs that overlap get columns of their own."""
    levels = [0] * len(arcs)
    taken: list[tuple[int, int, int]] = []
    for index in sorted(range(len(arcs)), key=lambda k: (abs(arcs[k][0] - arcs[k][1]), min(arcs[k]))):
        low, high = sorted(arcs[index])
        levels[index] = 1 + max((level for a, b, level in taken if a <= high and low <= b), default=0)
        taken.append((low, high, levels[index]))
    return levels


def _draw(cells: list[list[int]], head: int, dependent: int, corner: int) -> None:
    low, high = sorted((head, dependent))
    for x in range(corner):
        cells[head][x] |= _LEFT | _RIGHT
    cells[dependent][corner - 1] |= _LEFT | _RIGHT
    cells[low][corner] |= _LEFT | _DOWN
    cells[high][corner] |= _LEFT | _UP
    for row in range(low + 1, high):
        cells[row][corner] |= _UP | _DOWN


def _visible(word: str) -> str:
    """The word without what would move the cursor; such characters are shown as their code points."""
    return "".join(c if c.isprintable() or c == "\u00a0" else f"<U+{ord(c):04X}>" for c in word)


def _width(word: str) -> int:
    return max(0, wcswidth(word))
