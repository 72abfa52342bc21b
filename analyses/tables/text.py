"""A table for a terminal: no line is wider than there is room, columns that do not fit stand below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from wcwidth import center, ljust, rjust, width, wrap

from analyses.tables.arranged import Arranged, Figure, Line, panels, repeats

ROOM = 80
"""Of a line in files and pipes; a terminal has its own."""
_NAMES = 40
"""What a column of names takes at most."""
_LABELS = 24
"""What a column of labels takes at most, if no word is longer."""
_APART = "  "
_INDENT = "  "


def aligned(lines: Sequence[Sequence[str]], *, names: int = 0) -> str:
    """Lines of cells as text with aligned columns, that of the names to the left, the others to the right."""
    widths = [max(width(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        _APART.join(
            ljust(cell, room) if column == names else rjust(cell, room)
            for column, (cell, room) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def text_of(table: Arranged, *, room: int = ROOM) -> str:
    """The table as text, ending in a newline.

    Args:
        table: arranged.
        room: of a line; only names with a single column may need more.
    """
    names = [_name(line) for line in table.lines]
    left = _Column.of("", names)
    texts = [
        _Column.of(header, [_label(line.labels[at]) for line in table.lines])
        for at, header in enumerate(table.labels)
    ]
    figures = [
        _Column.of_figures(header, [line.figures[at] for line in table.lines])
        for at, header in enumerate(table.headers)
    ]
    taken = left.width + sum(len(_APART) + column.width for column in texts)
    parts = [filled(table.title, room)]
    for panel in panels(
        [len(_APART) + column.width for column in figures],
        table.follows,
        room=room - taken,
    ):
        whole = len(panel) == len(table.headers)
        places = [at for at, line in enumerate(table.lines) if whole or line.has(panel)]
        columns = [left, *texts, *(figures[at] for at in panel)]
        parts.append("\n".join(_block(table, places, columns)))
    if table.notes:
        parts.append("\n".join(filled(note, room, indent=_INDENT) for note in table.notes))
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True)
class _Column:
    """A column as text, all of one width: the lines of the header, and those of each cell."""

    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    width: int

    @classmethod
    def of(cls, header: str, cells: Sequence[tuple[str, ...]]) -> _Column:
        """Names or labels, to the left."""
        room = max((width(part) for cell in (*cells, (header,)) for part in cell), default=0)
        return cls((ljust(header, room),), tuple(tuple(ljust(p, room) for p in cell) for cell in cells), room)

    @classmethod
    def of_figures(cls, header: str, figures: Sequence[Figure]) -> _Column:
        """Figures to the right, intervals below one another."""
        values = max((width(each.value) for each in figures), default=0)
        ends = max((width(each.ends) for each in figures), default=0)
        cells = [
            f"{rjust(each.value, values)} {ljust(each.ends, ends)}" if ends else rjust(each.value, values)
            for each in figures
        ]
        inner = max(map(width, cells), default=0)
        lines = wrap(header, max(inner, 1, *map(width, header.split())), break_on_hyphens=False)
        room = max(inner, *map(width, lines), 0)
        place = center if ends else rjust
        return cls(
            tuple(place(line, room) for line in lines), tuple((rjust(cell, room),) for cell in cells), room
        )


def _name(line: Line) -> tuple[str, ...]:
    """The lines of a name, indented where it stands below a heading."""
    indent = _INDENT if line.heading else ""
    found = wrap(
        line.name,
        _NAMES,
        initial_indent=indent,
        subsequent_indent=indent + _INDENT,
        break_on_hyphens=False,
    )
    return tuple(found) or ("",)


def _label(text: str) -> tuple[str, ...]:
    """The lines of a label; a word stays whole."""
    return tuple(wrap(text, _LABELS, break_on_hyphens=False, break_long_words=False)) or ("",)


def _block(table: Arranged, places: Sequence[int], columns: Sequence[_Column]) -> Iterator[str]:
    """Header and lines; a heading before the lines below it, and names that repeat the line before left out."""
    yield from _rows([column.header for column in columns], columns)
    for heading, group in groupby(places, key=lambda at: table.lines[at].heading):
        if heading:
            yield heading
        before: Line | None = None
        for at in group:
            line = table.lines[at]
            name, *cells = (column.cells[at] for column in columns)
            yield from _rows([("",) if repeats(line, before) else name, *cells], columns)
            before = line


def _rows(cells: Sequence[tuple[str, ...]], columns: Sequence[_Column]) -> Iterator[str]:
    """Cells of several lines beside one another, their last lines level."""
    height = max(map(len, cells), default=0)
    above = [("",) * (height - len(cell)) + cell for cell in cells]
    for parts in zip(*above, strict=True):
        shown = [ljust(part, column.width) for part, column in zip(parts, columns, strict=True)]
        yield _APART.join(shown).rstrip()


def filled(text: str, room: int, *, indent: str = "") -> str:
    """A text in lines of at most so many columns; the further ones indented."""
    return "\n".join(wrap(text, room, subsequent_indent=indent, break_on_hyphens=False))
