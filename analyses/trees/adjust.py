"""Adjustments of impact matrices that need no training; what they bring is measured in ``docs/adjust.md``.

Adjustments combine with ``+``: ``offset+symmetric`` applies them in turn. One of the user's own is added by
``ADJUSTMENTS.register(Adjustment(...))``, or by an entry point of the group ``perturbed_probe.adjustments``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probe.registry import Registry

if TYPE_CHECKING:
    from probe import ImpactMatrix

OFFSET_WEIGHT = 0.5
"""Share of the mean impact at an offset that is taken away; chosen on EWT dev among .25, .5, .75 and 1."""

NONE = "none"
"""The adjustment that leaves a matrix as it is."""


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


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """How an impact matrix is changed before it is decoded.

    Attributes:
        name: what it is chosen by.
        apply: the matrix -> its new values [n, n]. It is given the whole ``ImpactMatrix``, so that it can read
            what else is known of each unit: ``on_cls``, ``units``, ...
        can_be_negative: whether the new values can be below 0 where the old ones are not.
    """

    name: str
    apply: Callable[[ImpactMatrix], ArrayLike]
    can_be_negative: bool


ADJUSTMENTS: Registry[Adjustment] = Registry(
    "adjustment",
    [
        Adjustment(name=NONE, apply=lambda matrix: matrix.values, can_be_negative=False),
        Adjustment(
            name="offset", apply=lambda matrix: without_offset_means(matrix.values), can_be_negative=True
        ),
        Adjustment(name="symmetric", apply=lambda matrix: symmetric(matrix.values), can_be_negative=False),
    ],
    group="perturbed_probe.adjustments",
)


def adjustments(name: str) -> list[Adjustment]:
    """The adjustments that a name such as ``offset+symmetric`` stands for, without ``none``.

    Raises:
        probe.OptionError: one of them is unknown; says the nearest known one.
    """
    found = [ADJUSTMENTS[part] for part in name.split("+")]
    return [adjustment for adjustment in found if adjustment.name != NONE]


def adjustment_name(name: str) -> str:
    """The name as it is signed: without ``none`` beside others.

    Raises:
        probe.OptionError: one of them is unknown; says the nearest known one.
    """
    return "+".join(adjustment.name for adjustment in adjustments(name)) or NONE


def can_be_negative(name: str) -> bool:
    """Whether adjusted values can be below 0 where impacts are not."""
    return any(adjustment.can_be_negative for adjustment in adjustments(name))


def adjust(matrix: ImpactMatrix, name: str) -> ImpactMatrix:
    """The matrix with adjusted ``values``, of the same type; ``on_cls`` stays as it is.

    Args:
        matrix: impacts of one sentence.
        name: of an adjustment, or several joined by ``+``, which are applied in turn.

    Raises:
        probe.OptionError: for an unknown name; says the nearest known one.
    """
    for adjustment in adjustments(name):
        values = np.asarray(adjustment.apply(matrix)).astype(matrix.values.dtype)
        matrix = dataclasses.replace(matrix, values=values)
    return matrix


def _square(impact: ArrayLike) -> NDArray[np.float64]:
    values: NDArray[Any] = np.asarray(impact, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"expected an impact matrix [n, n], found shape {values.shape}")
    return values
