"""A table for a paper, with the rules of booktabs and the notes of threeparttable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from analyses.tables.arranged import ABSENT, Arranged, Figure, Line, panels, repeats

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


def latex_of(table: Arranged) -> str:
    """A float: a short caption above, columns that do not fit a page below the first ones, notes at the end.

    The preamble needs the packages of ``PACKAGES``.
    """
    panels = [_panel(table, panel) for panel in _panels(table)]
    lines = [
        rf"% \usepackage{{{','.join(PACKAGES)}}}",
        r"\begin{table}",
        r"\begin{threeparttable}",
        rf"\caption{{{escape(table.title)}.}}",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        r"\begin{tabular}{@{}c@{}}  % as wide as the text, so that the notes are",
        "\n\\\\[1.5ex]\n".join("\n".join(panel) for panel in panels),
        r"\end{tabular}",
    ]
    if table.notes:
        lines += [
            r"\begin{tablenotes}[flushleft]",
            r"\footnotesize\raggedright",
            *(rf"\item {escape(note)}" for note in table.notes),
            r"\end{tablenotes}",
        ]
    return "\n".join([*lines, r"\end{threeparttable}", r"\end{table}"]) + "\n"


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
    longest = max((len(str(line.figures[at])) for line in table.lines), default=0)
    return 2 + max(longest, max(map(len, table.headers[at].split()), default=0))


def _panel(table: Arranged, columns: Sequence[int]) -> Iterator[str]:
    """A tabular: an interval is a column of its own, so that values stand below one another."""
    split = [any(line.figures[at].ends for line in table.lines) for at in columns]
    pattern = "".join("r@{ }l" if ends else "r" for ends in split)
    yield rf"\makebox[\linewidth]{{\begin{{tabular}}{{@{{}}{'l' * (1 + len(table.labels))}{pattern}@{{}}}}"
    yield r"\toprule"
    heads = [_header(table.headers[at], ends) for at, ends in zip(columns, split, strict=True)]
    yield _row(["", *map(escape, table.labels), *heads])
    wide = 1 + len(table.labels) + len(columns) + sum(split)
    whole = len(columns) == len(table.headers)
    shown = [line for line in table.lines if whole or line.has(columns)]
    blocks = groupby(shown, key=lambda line: (line.heading, line.kind))
    for (heading, _), lines in blocks:
        yield r"\midrule"
        if heading:
            yield rf"\multicolumn{{{wide}}}{{@{{}}l}}{{\itshape {escape(heading)}}} \\"
        before: Line | None = None
        for line in lines:
            figures = [_figure(line.figures[at], ends) for at, ends in zip(columns, split, strict=True)]
            name = "" if repeats(line, before) else escape(line.name)
            indent = r"\quad " if heading and name else ""
            yield _row([indent + name, *map(escape, line.labels), *figures])
            before = line
    yield r"\bottomrule"
    yield r"\end{tabular}}"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _header(header: str, ends: bool) -> str:
    """What is in brackets stands below the rest."""
    name, bracket, rest = header.partition(" (")
    made = rf"\shortstack[r]{{{escape(name)}\\({escape(rest)}}}" if bracket else escape(name)
    return rf"\multicolumn{{2}}{{c}}{{{made}}}" if ends else made


def _figure(figure: Figure, ends: bool) -> str:
    value = "--" if figure.value == ABSENT else _number(figure.value)
    return rf"{value} & {_number(figure.ends)}" if ends else value


def _number(text: str) -> str:
    """A minus in place of a hyphen."""
    return escape(text).replace("-", "$-$")
