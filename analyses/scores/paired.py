"""A row against the strongest of others, by the paired bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analyses.intervals import MIN_UNITS, TOO_FEW, p_text, paired_bootstrap


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A row of a table as counts: correct and all items of each sentence, both [sentences].

    A row that sums several runs (seeds of random weights, random trees) has their sums in both.
    """

    name: str
    correct: ArrayLike
    total: ArrayLike

    @property
    def value(self) -> float:
        """Share of the correct items, from 0 to 1."""
        return float(np.sum(self.correct) / np.sum(self.total))


def paired_note(column: str, row: Counted, baselines: Sequence[Counted], *, seed: int) -> str:
    """A row against the strongest baseline of a column, by ``analyses.paired_bootstrap``.

    Difference and interval are in points of percent: ``UAS -2.3 [-3.4, -1.1] to right-chain (p = 0.012)``. Of
    fewer than ``MIN_UNITS`` sentences with something to score there are only the words "too few to test".
    """
    strongest = max(baselines, key=lambda baseline: baseline.value)
    total = np.asarray(row.total, dtype=np.float64)
    if (n := int((total > 0).sum())) < MIN_UNITS:
        return f"{column} to {strongest.name}: {n} with something to score, {TOO_FEW}"
    # The baseline may be a sum over several runs; a mean over them shares the denominator of the row.
    runs = np.sum(strongest.total) / total.sum()
    found = paired_bootstrap(row.correct, np.asarray(strongest.correct) / runs, total, seed=seed)
    low, high = 100 * found.interval.low, 100 * found.interval.high
    difference = f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}]"
    return f"{column} {difference} to {strongest.name} ({p_text(found.p_value)})"
