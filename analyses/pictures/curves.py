"""Figures of result tables: scores by layer, by distance of the head, by relation.

Published figures have hollow marks or thin dotted lines and say so; all others are this project's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from analyses.tables.table import Cell


def bars(cells: Sequence[Cell]) -> list[list[float]]:
    """Lengths of error bars below and above; a percentile interval need not hold the value itself."""
    below = [max(cell.value - cell.interval.low, 0.0) if cell.interval else 0.0 for cell in cells]
    above = [max(cell.interval.high - cell.value, 0.0) if cell.interval else 0.0 for cell in cells]
    return [below, above]
