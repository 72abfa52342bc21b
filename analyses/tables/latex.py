"""A table for a paper, with the rules of booktabs and the notes of threeparttable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from analyses.tables.arranged import ABSENT, Arranged, Figure, Line, panels, repeats
from analyses.tables.table import RowKind

PACKAGES = ("booktabs", "threeparttable")
_MARKS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "…": r"\ldots{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
_ROOM = 84
"""Letters of a line at the size of the table, in the 345 points of the class article."""
_HEIGHT = 56
"""Lines of a page at that size, in the 550 points of the class article, without the caption."""
_HEAD = 4.5
"""Lines of a panel's header with the rules around it and the space before it."""
_RULE = 0.7
_NOTE_LETTERS = 88
"""Letters of a line of the notes."""


def latex_of(table: Arranged) -> str:
    """Floats of a page at most: a short caption, columns that do not fit below the first ones, notes at the end.

    A table higher than a page goes on in further ones of the same number. The preamble needs the packages of
    ``PACKAGES``.
    """
    title, notes = escape(table.title), [escape(note) for note in table.notes]
    pages: list[list[_Panel]] = [[]]
    for panel in (part for columns in _panels(table) for part in _parts(table, columns)):
        if pages[-1] and _height(pages[-1]) + panel.height > _HEIGHT:
            pages.append([])
        pages[-1].append(panel)
    if pages[-1] and _height(pages[-1]) + _note_lines(notes) > _HEIGHT:
        pages.append([])
    text = rf"% \usepackage{{{','.join(PACKAGES)}}}" + "\n"
    for at, page in enumerate(pages):
        caption = f"{title}{', continued' if at else ''}."
        text += "\n".join(_float(page, caption, notes if page is pages[-1] else [], again=at > 0)) + "\n"
    return text


def _float(page: Sequence[_Panel], caption: str, notes: Sequence[str], *, again: bool) -> Iterator[str]:
    yield r"\begin{table}"
    if again:
        yield r"\addtocounter{table}{-1}"
    yield r"\begin{threeparttable}"
    yield rf"\caption{{{caption}}}"
    yield r"\footnotesize"
    yield r"\setlength{\tabcolsep}{4pt}"
    yield r"\begin{tabular}{@{}c@{}}  % as wide as the text, so that the notes are"
    yield "\n\\\\[1.5ex]\n".join("\n".join(panel.lines) for panel in page) or r"\makebox[\linewidth]{}"
    yield r"\end{tabular}"
    if notes:
        yield r"\begin{tablenotes}[flushleft]"
        yield r"\footnotesize\raggedright"
        yield from (rf"\item {note}" for note in notes)
        yield r"\end{tablenotes}"
    yield r"\end{threeparttable}"
    yield r"\end{table}"


def escape(text: str) -> str:
    """Text without what LaTeX reads as commands."""
    return "".join(_MARKS.get(letter, letter) for letter in text)


def _panels(table: Arranged) -> Iterator[list[int]]:
    """Places of the columns that a line of the page holds."""
    left = max(
        (len(line.name) + 2 + sum(map(len, line.labels)) + 2 * len(line.labels) for line in table.lines),
        default=0,
    )
    return panels(
        [_wide(table, at) for at in range(len(table.headers))],
        table.follows,
        room=_ROOM - left,
    )


def _wide(table: Arranged, at: int) -> int:
    """Letters of a column with the space before it: of its figures, and of what its header cannot break."""
    longest = max((len(str(line.figures[at])) for line in table.lines), default=0)
    return 2 + max(longest, *map(len, _unbroken(table.headers[at])), 1)


def _unbroken(header: str) -> list[str]:
    """The words of a header; what is in brackets at its end is one."""
    name, bracket, rest = header.partition(" (")
    return [*name.split(), *([f"({rest}"] if bracket else [])]


@dataclass(frozen=True)
class _Panel:
    """A tabular, and how many lines of text are as high as it is."""

    lines: tuple[str, ...]
    height: float


def _height(page: Sequence[_Panel]) -> float:
    return sum(panel.height for panel in page)


def _note_lines(notes: Sequence[str]) -> int:
    return sum(1 + len(note) // _NOTE_LETTERS for note in notes)


def _parts(table: Arranged, columns: Sequence[int]) -> Iterator[_Panel]:
    """The tabulars of some columns: one, or more of a page each."""
    whole = len(columns) == len(table.headers)
    part: list[Line] = []
    height = _HEAD
    for line in table.lines:
        if not whole and not line.has(columns):
            continue
        begins = _RULE + bool(line.heading)
        needed = 1.0 if part and _block(part[-1]) == _block(line) else 1 + begins
        if part and height + needed > _HEIGHT:
            yield _panel(table, columns, part, height)
            part, height, needed = [], _HEAD, 1 + begins
        part.append(line)
        height += needed
    yield _panel(table, columns, part, height)


def _block(line: Line) -> tuple[str, RowKind]:
    """What lines between two rules share."""
    return line.heading, line.kind


def _panel(table: Arranged, columns: Sequence[int], shown: Sequence[Line], height: float) -> _Panel:
    """A tabular: an interval is a column of its own, so that values stand below one another."""
    split = [any(line.figures[at].ends for line in table.lines) for at in columns]
    pattern = "".join("r@{ }l" if ends else "r" for ends in split)
    heads = [
        _header(table.headers[at], _wide(table, at) - 2, ends)
        for at, ends in zip(columns, split, strict=True)
    ]
    wide = 1 + len(table.labels) + len(columns) + sum(split)
    lines = [
        rf"\makebox[\linewidth]{{\begin{{tabular}}{{@{{}}{'l' * (1 + len(table.labels))}{pattern}@{{}}}}",
        r"\toprule",
        _row(["", *map(escape, table.labels), *heads]),
    ]
    for (heading, _), group in groupby(shown, key=_block):
        lines.append(r"\midrule")
        if heading:
            lines.append(rf"\multicolumn{{{wide}}}{{@{{}}l}}{{\itshape {escape(heading)}}} \\")
        before: Line | None = None
        for line in group:
            figures = [_figure(line.figures[at], ends) for at, ends in zip(columns, split, strict=True)]
            name = "" if repeats(line, before) else escape(line.name)
            indent = r"\quad " if heading and name else ""
            lines.append(_row([indent + name, *map(escape, line.labels), *figures]))
            before = line
    return _Panel((*lines, r"\bottomrule", r"\end{tabular}}"), height)


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _header(header: str, room: int, ends: bool) -> str:
    """A header of as many lines as it needs in this room."""
    lines: list[str] = []
    for word in _unbroken(header):
        if lines and len(lines[-1]) + 1 + len(word) <= room and not word.startswith("("):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    broken = r"\\".join(map(escape, lines))
    made = rf"\shortstack[r]{{{broken}}}" if len(lines) > 1 else broken
    return rf"\multicolumn{{2}}{{c}}{{{made}}}" if ends else made


def _figure(figure: Figure, ends: bool) -> str:
    value = "--" if figure.value == ABSENT else _number(figure.value)
    return rf"{value} & {_number(figure.ends)}" if ends else value


def _number(text: str) -> str:
    """A minus in place of a hyphen."""
    return escape(text).replace("-", "$-$")
