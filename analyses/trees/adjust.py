"""Adjustments of impact matrices that need no training; what they bring is measured in ``docs/adjust.md``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from probe import ImpactMatrix

Adjustment: TypeAlias = Literal["none", "offset", "symmetric"]

ADJUSTMENTS: tuple[Adjustment, ...] = get_args(Adjustment)
OFFSET_WEIGHT = 0.5
"""Share of the mean impact at an offset that is taken away; chosen on EWT dev among .25, .5, .75 and 1."""


def without_offset_means(impact: ArrayLike, *, weight: float = OFFSET_WEIGHT) -> NDArray[np.float64]:
    """Take away a share of what a word's position alone explains.

    Small models look at the neighbours first of all. From ``impact[i, j]`` goes ``weight`` times the mean impact
    of this sentence at the same offset j - i, so what is left tells pairs apart that are equally far.

    Args:
        impact: [n, n], influence of word j on word i.
        weight: 0 leaves the matrix as it is, 1 leaves differences to the mean alone.

    Returns:
        float64 [n, n]; values can be negative, the diagonal is 0.

    Raises:
        ValueError: the matrix is not square.
    """
    values = _square(impact)
    n = len(values)
    result = np.zeros((n, n))
    for offset in (*range(1 - n, 0), *range(1, n)):
        band = np.diagonal(values, offset)
        rows = np.arange(len(band)) + max(0, -offset)
        result[rows, rows + offset] = band - weight * band.mean()
    return result


def symmetric(impact: ArrayLike) -> NDArray[np.float64]:
    """Mean of the influences of i on j and of j on i: float64 [n, n].

    Raises:
        ValueError: the matrix is not square.
    """
    values = _square(impact)
    return (values + values.T) / 2


def adjust(matrix: ImpactMatrix, name: Adjustment) -> ImpactMatrix:
    """The matrix with adjusted ``values``, of the same type; ``on_cls`` stays as it is.

    Raises:
        ValueError: for an unknown name; names the known ones.
    """
    if name == "none":
        return matrix
    if name == "offset":
        values = without_offset_means(matrix.values)
    elif name == "symmetric":
        values = symmetric(matrix.values)
    else:
        raise ValueError(f"expected an adjustment out of {', '.join(ADJUSTMENTS)}, found {name!r}")
    return dataclasses.replace(matrix, values=values.astype(matrix.values.dtype))


def _square(impact: ArrayLike) -> NDArray[np.float64]:
    values: NDArray[Any] = np.asarray(impact, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"expected an impact matrix [n, n], found shape {values.shape}")
    return values
