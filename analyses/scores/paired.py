"""Rows against the strongest of others, by the paired bootstrap: a table of differences beside that of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from analyses.intervals import MIN_UNITS, TOO_FEW, Interval, PairedResult, paired_bootstrap
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, Table

STRONGEST = "to: the strongest baseline by that measure"
"""The beginning of a note."""

Difference: TypeAlias = "tuple[str, PairedResult | float]"
"""To what, and how large, in points of percent; the figure alone where there is too little to test."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A row of a table as counts: correct and all items of each sentence, both [sentences].

    A row that sums several runs (seeds of random weights, random trees) has their sums in both.
    """

    name: str
    correct: ArrayLike
    total: ArrayLike
    settings: Settings = field(default_factory=Settings)

    @property
    def value(self) -> float:
        """Share of the correct items, from 0 to 1."""
        return float(np.sum(self.correct) / np.sum(self.total))


def paired(own: Counted, others: Sequence[Counted], *, seed: int) -> Difference:
    """A row less the strongest of others, by ``analyses.paired_bootstrap``.

    Tested are ``MIN_UNITS`` sentences with something to score, or more.

    Args:
        own: the row.
        others: those it is compared with, of the same sentences.
        seed: of the bootstrap.
    """
    strongest = max(others, key=lambda other: other.value)
    total = np.asarray(own.total, dtype=np.float64)
    # The baseline may be a sum over several runs; a mean over them shares the denominator of the row.
    runs = np.sum(strongest.total) / total.sum()
    found = paired_bootstrap(own.correct, np.asarray(strongest.correct) / runs, total, seed=seed)
    difference, to = 100 * found.difference, _beside(strongest, own.settings)
    if np.count_nonzero(total) < MIN_UNITS:
        return to, difference
    interval = Interval(100 * found.interval.low, 100 * found.interval.high)
    return to, PairedResult(difference, interval, found.p_value)


def _beside(other: Counted, own: Settings) -> str:
    """A name beside a row: of trees of a model, what they do not share with those of the row."""
    its = other.settings
    if its.model is None:
        return other.name
    parts = (
        its.model if its.model != own.model else None,
        "random weights" if its.random_weights is not None else None,
        f"{its.decoder}+{its.metric}" if (its.decoder, its.metric) != (own.decoder, own.metric) else None,
        f"layer {its.layer}" if its.layer != own.layer else None,
        its.pool if its.pool != own.pool else None,
        its.perturb if its.perturb != own.perturb else None,
        its.adjust or "unadjusted" if its.adjust != own.adjust else None,
    )
    return ", ".join(filter(None, parts)) or other.name


def difference_rows(row: Row, found: Mapping[str, Difference]) -> list[Row]:
    """The rows of a table of differences: one for each other that a row is compared with.

    Args:
        row: of the table of scores; it gives name, signature and settings.
        found: its differences, by measure.
    """
    cells: dict[str, list[Cell | None]] = {}
    for at, (to, difference) in enumerate(found.values()):
        own = cells.setdefault(to, [None] * (2 * len(found)))
        own[2 * at : 2 * at + 2] = _cells(difference)
    return [replace(row, cells=tuple(own), labels=(to,), published_as=None) for to, own in cells.items()]


def _cells(found: PairedResult | float) -> tuple[Cell, Cell | None]:
    if isinstance(found, PairedResult):
        difference = Cell(found.difference, found.interval, style="signed")
        return difference, Cell(found.p_value, decimals=3, style="p")
    return Cell(found, too_few=True, style="signed"), None


def with_differences(
    stem: str, scores: Table, rows: Sequence[Row], *, measures: Sequence[str], about: str, note: str
) -> list[tuple[str, Table]]:
    """A table of scores and, where anything was tested, that of its differences, with stems of their file names.

    Args:
        stem: of the scores.
        scores: the table.
        rows: as ``difference_rows`` makes them.
        measures: that were compared, in their order.
        about: the title of the scores without the unit.
        note: what is compared with what, and how.
    """
    if not rows:
        return [(stem, scores)]
    if not any(cell is not None and cell.style == "p" for row in rows for cell in row.cells):
        return [(stem, replace(scores, notes=(*scores.notes, f"Differences: {TOO_FEW}.")))]
    columns = [name for measure in measures for name in (measure, f"p of {measure}")]
    kept = [at for at in range(len(columns)) if any(row.cells[at] is not None for row in rows)]
    differences = Table(
        title=f"{about}: differences in points of percent [95% interval]",
        columns=tuple(columns[at] for at in kept),
        labels=("to",),
        rows=tuple(replace(row, cells=tuple(row.cells[at] for at in kept)) for row in rows),
        notes=(note,),
    )
    return [(stem, scores), (f"{stem}-differences", differences)]
