"""The page of ``analyses.reproduce``: published beside measured, every table and figure, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyses.tables.results import Results, read_results
from analyses.tables.table import Cell, Table
from analyses.tables.templates import render_template

if TYPE_CHECKING:
    from analyses.reproduce.outcome import Outcome


@dataclass(frozen=True)
class Comparison:
    """A published figure and the one measured for it, both in percent."""

    published: str
    measured: str
    column: str
    theirs: Cell
    ours: Cell

    @property
    def difference(self) -> float:
        """Measured less published, in points."""
        return self.ours.value - self.theirs.value


def compare(table: Table) -> list[Comparison]:
    """Every published figure of a table that one of its own rows answers, in the order of the table."""
    own = [row for row in table.rows if row.kind != "published"]
    found = []
    for row in table.rows:
        ours = next((each for each in own if each.answers(row)), None)
        if row.kind != "published" or ours is None:
            continue
        for column, theirs, cell in zip(table.columns, row.cells, ours.cells, strict=True):
            if theirs is not None and cell is not None:
                found.append(Comparison(row.name, ours.name, column, theirs, cell))
    return found


def page(outcomes: Sequence[Outcome], configuration: Mapping[str, Any], *, out: Path, data: Path) -> str:
    """One HTML file without references to others.

    Args:
        outcomes: of the steps, in their order.
        configuration: what the run depended on.
        out: folder of the steps' files.
        data: folder of the data sets, for what is missing.
    """
    ran = [outcome for outcome in outcomes if outcome.state in ("done", "kept")]
    found = [(outcome, _results(outcome, out)) for outcome in ran]
    groups = [
        (f"{results.title.partition(':')[0]}: {table.title}", pairs)
        for outcome, results in found
        for table in results.tables
        if (pairs := compare(table))
    ]
    return render_template(
        "page.html",
        package="analyses.reproduce",
        configuration=configuration,
        groups=groups,
        missing=list(_missing(outcomes, data)),
        shown=[results for _, results in found if results.pictures or results.tables],
    )


def _results(outcome: Outcome, out: Path) -> Results:
    title, folder = outcome.step.title, out / outcome.step.name
    made = read_results(folder, title=title, command=outcome.command) if folder.is_dir() else None
    return made or Results(title=title, tables=(), pictures={})


@dataclass(frozen=True)
class Missing:
    """What is not there, or not whole: of which step, what is said, and the command that says more."""

    title: str
    said: str
    command: str = ""


def _missing(outcomes: Sequence[Outcome], data: Path) -> Iterator[Missing]:
    for outcome in outcomes:
        title = outcome.step.title
        if outcome.state == "failed":
            yield Missing(title, "failed; run", outcome.command)
        if outcome.state == "refused":
            yield Missing(title, f"not with this model: {outcome.refusal}")
        for source in outcome.missing:
            yield Missing(title, f"{source.name} is missing: {source.get.format(data=data)}")
        if outcome.state == "missing" and not outcome.missing:
            yield Missing(title, f"needs the step {', '.join(outcome.step.after)}")
        if outcome.state in ("done", "kept") and not outcome.complete:
            yield Missing(title, "some of the input could not be probed; the notes say how much")
