"""Sources of trees against distances that know no tree: paired differences, a table beside that of the scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyses.intervals import MIN_UNITS, paired_bootstrap, paired_t
from analyses.scores.paired import Difference, difference_rows, with_differences
from analyses.sentiment.tables import RIVALS, Scored, Setting, System, rivals, score
from analyses.tables.table import Table

_ITEMS, _SEEDS, _F1 = "Accuracy over items", "Accuracy over seeds", "Macro-F1 over seeds"
_NOTE = (
    "to: distances that know no tree. Over items: paired bootstrap over test items of the mean of the seeds; "
    "over seeds: paired t-test; two-sided p."
)


def tables(stem: str, scores: Table, systems: Sequence[System], setting: Setting) -> list[tuple[str, Table]]:
    """The table of scores and, where anything was tested, that of its differences, with stems of their file names.

    Args:
        stem: of the scores.
        scores: of the systems, as ``analyses.sentiment.tables.table`` makes it.
        systems: its rows.
        setting: the same as of the scores.
    """
    rows = {row.name: row for row in scores.rows if row.kind != "published"}
    scored = {system.distances: score(setting.labels, system.runs) for system in systems}
    found = [
        row
        for system in systems
        if system.name not in RIVALS
        for distances, name in rivals(systems).items()
        if system.distances != distances
        for row in difference_rows(
            rows[system.name], _compared(scored[system.distances], scored[distances], name, setting)
        )
    ]
    measures = [_ITEMS, _SEEDS, _F1] if _seeds(systems) >= MIN_UNITS else [_ITEMS, _F1]
    return with_differences(stem, scores, found, measures=measures, about=setting.title, note=_NOTE)


def _seeds(systems: Sequence[System]) -> int:
    return len(systems[0].runs)


def _compared(own: Scored, other: Scored, name: str, setting: Setting) -> dict[str, Difference]:
    """The differences by measure, in points of percent; of few seeds one over seeds is that over items."""
    items, seeds = len(own.correct), len(own.f1)
    over_items: Difference = (name, float(np.mean(own.accuracy - other.accuracy)))
    if items >= MIN_UNITS:
        correct = 100 * own.correct, 100 * other.correct
        over_items = (name, paired_bootstrap(*correct, np.ones(items), seed=setting.seed))
    if seeds < MIN_UNITS:
        return {_ITEMS: over_items, _F1: (name, float(np.mean(own.f1 - other.f1)))}
    over_seeds = (name, paired_t(own.accuracy, other.accuracy))
    return {_ITEMS: over_items, _SEEDS: over_seeds, _F1: (name, paired_t(own.f1, other.f1))}
