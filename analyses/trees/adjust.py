"""Adjustments of impact matrices that need no training; what they bring is measured in ``docs/adjust.md``.

Adjustments combine with ``+``: ``offset+symmetric`` applies them in turn. One of the user's own is added by
``ADJUSTMENTS.register(Adjustment(...))``, or by an entry point of the group ``perturbed_probe.adjustments``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probe.errors import OptionError
from probe.matrix import CUES, ImpactMatrix
from probe.metrics import METRICS
from probe.registry import Registry

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What adjustments weigh; chosen on EWT dev, by ``bench.method_search`` and as ``docs/method.md`` tells.

    All but ``offset`` are in mean impacts and of standardised values.

    Attributes:
        offset: share of the mean impact at an offset that is taken away.
        openness: of the difference in openness of head and dependent.
        frequent, norm, seen: of the cues of a head (``probe.matrix.CUES``), for adjustment ``content``.
        root: of the influence that a word gives, for its arc from ROOT.
        summary: of the cue of this name, for the same arc.
        early: of how early a word stands, for the same arc: a prior of English.
    """

    offset: float = 0.5
    openness: float = 0.5
    frequent: float = -0.2
    norm: float = 0.2
    seen: float = 0.1
    root: float = 0.5
    summary: float = -0.2
    early: float = 0.25


WEIGHTS = Weights()
"""Those of the methods."""

_ROUNDING = 1e-5
"""Spread, relative to the largest value, that float32 does not keep."""

NONE = "none"
"""The adjustment that leaves a matrix as it is."""


def without_offset_means(impact: ArrayLike, *, weight: float = WEIGHTS.offset) -> NDArray[np.float64]:
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


def log_impacts(impact: ArrayLike) -> Floats:
    """log(1 + impact / mean impact of the sentence): the few very large impacts no longer outweigh the rest.

    Returns:
        float64 [n, n]; the diagonal is 0.

    Raises:
        ValueError: the matrix is not square, or has an impact below 0.
    """
    values = _square(impact)
    if (values < 0).any():
        raise ValueError(f"expected impacts >= 0 to take logarithms of, found {values.min():.6g}")
    mean = mean_impact(values)
    return np.log1p(values / mean) if mean > 0 else values


def mean_impact(values: Floats) -> float:
    """Mean of the absolute impacts [n, n] of words on others; 0 for one word."""
    n = len(values)
    return float(np.abs(values).sum() / (n * (n - 1))) if n > 1 else 0.0


def standardised(values: ArrayLike) -> Floats:
    """The values [n] of a sentence with mean 0 and standard deviation 1; all 0 where they do not differ.

    Values that differ by rounding alone, such as the norms after a layer norm that scales nothing, do not differ.
    """
    found = np.asarray(values, dtype=np.float64)
    spread = found.std()
    differ = spread > _ROUNDING * np.abs(found).max(initial=0)
    return np.asarray((found - found.mean()) / spread) if differ else np.zeros_like(found)


@dataclass(frozen=True, kw_only=True, eq=False)
class AdjustedMatrix(ImpactMatrix):
    """An impact matrix on its way to a decoder.

    Shapes:
        impacts: float64 [n, n]; impacts before anything was taken from them or added: they say how large an impact
            of this sentence is, and how much each word gives
        root: float64 [n]; score of the arc from ROOT to each word, None where nothing scores it

    ``weights`` are those of the adjustments to come.
    """

    impacts: Floats
    root: Floats | None = None
    weights: Weights = WEIGHTS

    @classmethod
    def of(cls, matrix: ImpactMatrix, *, weights: Weights = WEIGHTS) -> AdjustedMatrix:
        """The matrix as it is."""
        if isinstance(matrix, cls):
            return dataclasses.replace(matrix, weights=weights)
        about = {field.name: getattr(matrix, field.name) for field in dataclasses.fields(matrix)}
        return cls(**about, impacts=_square(matrix.values), weights=weights)

    @property
    def scale(self) -> float:
        """The mean impact, in which scores that are added are measured."""
        return mean_impact(self.impacts)

    def with_values(self, values: ArrayLike) -> AdjustedMatrix:
        """The same with other ``values`` [n, n], of the same type."""
        return dataclasses.replace(self, values=np.asarray(values).astype(self.values.dtype))

    def with_root(self, added: Floats) -> AdjustedMatrix:
        """The same with ``added`` [n] to the scores of ROOT's arcs."""
        return dataclasses.replace(self, root=added if self.root is None else self.root + added)


def _logarithms(matrix: AdjustedMatrix) -> AdjustedMatrix:
    if not np.array_equal(matrix.values, matrix.impacts.astype(matrix.values.dtype)):
        raise OptionError("adjustment log comes first: log+offset, not offset+log")
    impacts = log_impacts(matrix.impacts)
    return dataclasses.replace(matrix.with_values(impacts), impacts=impacts)


def _offset(matrix: AdjustedMatrix) -> AdjustedMatrix:
    return matrix.with_values(without_offset_means(matrix.values, weight=matrix.weights.offset))


def _openness(matrix: AdjustedMatrix) -> AdjustedMatrix:
    if matrix.openness is None:
        raise OptionError("adjustment openness reads the openness of each word, which these matrices lack")
    open_ = matrix.weights.openness * matrix.scale * standardised(matrix.openness)
    # values[dependent, head]: the head is the more open of the two.
    added = open_[None, :] - open_[:, None]
    return matrix.with_values(matrix.values + added)


def _content(matrix: AdjustedMatrix) -> AdjustedMatrix:
    # The same for every dependent: it counts how many of them a word takes.
    worth = np.tile(_weighted(matrix, "frequent", "norm", "seen"), (len(matrix), 1))
    np.fill_diagonal(worth, 0)
    return matrix.with_values(matrix.values + worth)


def _root(matrix: AdjustedMatrix) -> AdjustedMatrix:
    return matrix.with_root(matrix.weights.root * matrix.scale * standardised(matrix.impacts.sum(axis=0)))


def _summary(matrix: AdjustedMatrix) -> AdjustedMatrix:
    return matrix.with_root(_weighted(matrix, "summary"))


def _early(matrix: AdjustedMatrix) -> AdjustedMatrix:
    return matrix.with_root(-matrix.weights.early * matrix.scale * standardised(np.arange(len(matrix))))


def _weighted(matrix: AdjustedMatrix, *names: str) -> Floats:
    """The weighted sum of standardised cues, in mean impacts: [n]."""
    if matrix.cues is None:
        raise OptionError("adjustments content and summary read cues of each word, which these matrices lack")
    known = dict(zip(CUES, matrix.cues, strict=True))
    total = sum(getattr(matrix.weights, name) * standardised(known[name]) for name in names)
    return np.asarray(matrix.scale * total)


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """How an impact matrix is changed before it is decoded.

    Attributes:
        name: what it is chosen by.
        apply: the matrix -> the matrix with other ``values``, or with scores of ROOT's arcs. It is given all that
            is known of the sentence: ``impacts``, ``on_cls``, ``openness``, ``units``, ...
        can_be_negative: whether the new values can be below 0 where the old ones are not.
        needs_openness: whether it reads the openness of each word or cues, which takes passes of its own.
        needs_cues: whether it reads cues.
    """

    name: str
    apply: Callable[[AdjustedMatrix], AdjustedMatrix]
    can_be_negative: bool
    needs_openness: bool = False
    needs_cues: bool = False


ADJUSTMENTS: Registry[Adjustment] = Registry(
    "adjustment",
    [
        Adjustment(name=NONE, apply=lambda matrix: matrix, can_be_negative=False),
        Adjustment(name="log", apply=_logarithms, can_be_negative=False),
        Adjustment(
            name="offset",
            apply=_offset,
            can_be_negative=True,
        ),
        Adjustment(
            name="symmetric",
            apply=lambda matrix: matrix.with_values(symmetric(matrix.values)),
            can_be_negative=False,
        ),
        Adjustment(name="openness", apply=_openness, can_be_negative=True, needs_openness=True),
        Adjustment(
            name="content", apply=_content, can_be_negative=True, needs_openness=True, needs_cues=True
        ),
        Adjustment(name="root", apply=_root, can_be_negative=False),
        Adjustment(
            name="summary", apply=_summary, can_be_negative=False, needs_openness=True, needs_cues=True
        ),
        Adjustment(name="early", apply=_early, can_be_negative=False),
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


def needs_openness(name: str) -> bool:
    """Whether an adjustment reads the openness of each word."""
    return any(adjustment.needs_openness for adjustment in adjustments(name))


def impacts_label(metric: str, name: str = NONE) -> str:
    """What a colour scale says of the ``impacts`` of an adjusted matrix: logarithms where ``log`` was among them.

    Args:
        metric: of the matrix.
        name: of its adjustments.
    """
    label = METRICS[metric].label
    return f"log(1 + x / mean x), x: {label}" if "log" in name.split("+") else label


def adjust(matrix: ImpactMatrix, name: str, *, weights: Weights = WEIGHTS) -> ImpactMatrix:
    """The matrix with adjusted ``values``, of the same type, and scores of ROOT's arcs where they are adjusted.

    Args:
        matrix: impacts of one sentence.
        name: of an adjustment, or several joined by ``+``, which are applied in turn.
        weights: of what they add and take away.

    Raises:
        probe.OptionError: for an unknown name (says the nearest known one), ``log`` after another adjustment, or
            ``openness`` of a matrix that has none.
        ValueError: ``log`` of impacts below 0.
    """
    chosen = adjustments(name)
    if not chosen:
        return matrix
    adjusted = AdjustedMatrix.of(matrix, weights=weights)
    for adjustment in chosen:
        adjusted = adjustment.apply(adjusted)
    return adjusted


def _square(impact: ArrayLike) -> NDArray[np.float64]:
    values: NDArray[Any] = np.asarray(impact, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"expected an impact matrix [n, n], found shape {values.shape}")
    return values
