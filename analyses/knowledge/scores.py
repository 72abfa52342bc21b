"""Precision at k and mean reciprocal rank, by relation and averaged over relations, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analyses.intervals import MIN_UNITS, Interval
from analyses.tables.table import Cell

METRICS: tuple[str, ...] = ("P@1", "P@10", "P@100", "MRR")
_KS = (1, 10, 100)

RESAMPLES = 1_000
_DRAWN = 2**20
"""Draws of the bootstrap that are held at a time."""


def fact_values(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """P@1, P@10, P@100 (is the rank at most k) and reciprocal rank of each fact, in percent: [facts, 4]."""
    within = [ranks <= k for k in _KS]
    return 100 * np.stack([*within, 1 / ranks], axis=1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Means:
    """Means of several columns over the facts of a group, and those of its bootstrap resamples.

    ``facts`` is their number.

    Shapes:
        values: float64 [columns]
        resampled: float64 [resamples, columns]
    """

    values: NDArray[np.float64]
    resampled: NDArray[np.float64]
    facts: int

    def cells(self) -> tuple[Cell, ...]:
        """Each mean with its 95% percentile interval; without one of fewer than ``MIN_UNITS`` facts."""
        if self.facts < MIN_UNITS:
            return tuple(Cell.measured(float(value), None) for value in self.values)
        low, high = np.quantile(self.resampled, (0.025, 0.975), axis=0)
        return tuple(
            Cell(float(value), Interval(float(below), float(above)))
            for value, below, above in zip(self.values, low, high, strict=True)
        )


def mean_over_facts(
    values: NDArray[np.float64], *, seed: int = 0, relation: int = 0, resamples: int = RESAMPLES
) -> Means:
    """Means over facts, resampled over facts as by :func:`analyses.bootstrap`, all columns on the same draws.

    Args:
        values: float64 [facts, columns], at least one fact.
        seed: of the draws.
        relation: number of the relation among those whose mean is taken: the facts of each are drawn apart, and
            those of one relation alike for every system. Number 0 is drawn as the facts of no relation.
        resamples: how many.
    """
    n = len(values)
    rng = np.random.default_rng([seed, relation])
    size = max(1, _DRAWN // n)
    parts = [
        values[rng.integers(n, size=(min(size, resamples - start), n))].mean(axis=1)
        for start in range(0, resamples, size)
    ]
    return Means(values.mean(axis=0), np.concatenate(parts), n)


def mean_over_relations(relations: Sequence[Means]) -> Means:
    """Mean of the relations' means, each relation counting once (Petroni et al. 2019, section 5).

    Facts are resampled within their relation, apart from those of others; the relations are taken as given.
    """
    return Means(
        np.mean([means.values for means in relations], axis=0),
        np.mean([means.resampled for means in relations], axis=0),
        sum(means.facts for means in relations),
    )
