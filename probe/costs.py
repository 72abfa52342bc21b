"""What impact matrices cost: forward passes, pieces, operations, bytes, and time as measured here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from probe.alignment import least_pieces
from probe.errors import SentenceError
from probe.structure import Structure

if TYPE_CHECKING:
    from probe.model import Probe, Words
    from probe.options import Settings

_LONGEST = 24
"""Pieces of the longest of three sequences whose operations are counted: they are a parabola of the length."""


@dataclass(frozen=True)
class Cost:
    """Of one sentence: its words, its pieces with the special ones, and the forward passes of its impacts."""

    words: int
    pieces: int
    passes: int


@dataclass(frozen=True, eq=False)
class Costs:
    """Of a corpus; all but ``skipped`` leave out the sentences that cannot be probed.

    Attributes:
        settings: what is computed.
        openness: whether openness and cues are, too.
        each: of every sentence.
        places: where each of them is in the input, from 0.
        flops: of the encoder in one forward pass, as coefficients of 1, L and L² for L pieces.
        skipped: sentences that cannot be probed.
    """

    settings: Settings
    openness: bool
    each: tuple[Cost, ...]
    places: tuple[int, ...]
    flops: tuple[float, float, float]
    skipped: int

    @property
    def words(self) -> int:
        """Number of words."""
        return sum(cost.words for cost in self.each)

    @property
    def passes(self) -> int:
        """Number of forward passes."""
        return sum(cost.passes for cost in self.each)

    @property
    def pieces(self) -> int:
        """Number of pieces in all forward passes."""
        return sum(cost.passes * cost.pieces for cost in self.each)

    @cached_property
    def flops_each(self) -> NDArray[np.float64]:
        """Floating-point operations of each sentence: those of the encoder, every pass run whole; [sentences]."""
        length = np.array([cost.pieces for cost in self.each], float)
        passes = np.array([cost.passes for cost in self.each], float)
        constant, linear, square = self.flops
        found: NDArray[np.float64] = passes * (constant + linear * length + square * length**2)
        return found

    def bytes(self, itemsize: int) -> int:
        """Size of the matrices in a run directory, where a number has ``itemsize`` bytes."""
        kept = len(self.settings.combinations())
        beside = 5 * 8 if self.openness else 0  # openness and four cues of each word, in float64
        return sum(
            kept * (cost.words + 1) * cost.words * itemsize + beside * cost.words for cost in self.each
        )


def costs(
    probe: Probe, sentences: Sequence[Words], settings: Settings, *, openness: bool = False
) -> tuple[Costs, list[Words]]:
    """What the impacts of a corpus cost, and its sentences that can be probed, in the order of ``Costs.each``."""
    each, kept, places = [], [], []
    for place, words in enumerate(sentences):
        if passes := probe.passes(words, settings.perturbs, openness=openness):
            try:
                pieces = len(probe.align(words).ids)
            except SentenceError:
                continue
            each.append(Cost(len(words), pieces, passes))
            kept.append(words)
            places.append(place)
    skipped = len(sentences) - len(kept)
    found = Costs(settings, openness, tuple(each), tuple(places), pass_flops(probe), skipped)
    return found, kept


def pass_flops(probe: Probe) -> tuple[float, float, float]:
    """Floating-point operations of the encoder in one pass, as coefficients of 1, L and L² for L pieces.

    A multiplication and an addition are two; they are counted by ``torch.utils.flop_counter``, which counts
    products of matrices alone.
    """
    longest = min(_LONGEST, probe.window)
    shortest = max(longest // 3, least_pieces(probe.model))
    lengths = sorted({shortest, (shortest + longest) // 2, longest})
    counted = [_counted(probe, length) for length in lengths]
    # Where the window leaves but one or two lengths, the powers above are left out.
    found = np.linalg.solve(np.vander(np.array(lengths, float)), counted)
    square, linear, constant = [0.0] * (3 - len(lengths)) + found.tolist()
    return float(constant), float(linear), float(square)


def _counted(probe: Probe, length: int) -> int:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from probe.forward import inputs_of

    base: Any = probe.model.base_model
    piece = probe.pieces.some(["a"])[0]
    ids = torch.full((1, length), piece, device=probe.device)
    # Of the other backends some are not counted.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        base(**inputs_of(base, ids))
    return int(counter.get_total_flops())


@dataclass(frozen=True)
class Speed:
    """What a short calibration found: so many sentences, with so many operations, in so many seconds."""

    sentences: int
    flops: float
    seconds: float

    @property
    def per_second(self) -> float:
        """Operations in a second."""
        return self.flops / self.seconds


def calibrate(
    probe: Probe,
    found: Costs,
    sentences: Sequence[Words],
    *,
    attention: str | Structure | None = None,
    batch_tokens: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Run sentences of all lengths, twice as many every time, until they take that long, or until all were run.

    They are spread evenly over the operations, not over the sentences, since long sentences take most of the time.

    Args:
        probe: the model.
        found: what the sentences cost, and under which settings.
        sentences: those of ``found.each``; at least one.
        attention: the trees of these sentences, or a pattern; None: that of the settings.
        batch_tokens: as for ``Probe.impact_many``.
        seconds: how long the last, which counts, is to take at least.
        clock: tells the time.
    """
    settings, size = found.settings, 1
    order = np.argsort(found.flops_each, kind="stable")
    share = np.cumsum(found.flops_each[order]) / found.flops_each.sum()
    while True:
        targets = (np.arange(size) + 0.5) / size
        places = np.unique(order[np.minimum(np.searchsorted(share, targets), len(order) - 1)])
        seen = attention.part(places.tolist()) if isinstance(attention, Structure) else attention
        began = clock()
        for _ in probe.impact_many(
            [sentences[place] for place in places],
            metric=settings.metrics,
            layer=settings.layers,
            pool=settings.pools,
            perturb=settings.perturbs,
            attention=settings.attention if seen is None else seen,
            openness=found.openness,
            batch_tokens=batch_tokens,
            errors="return",
        ):
            pass
        took = clock() - began
        if took >= seconds or size >= 2 * len(order):
            return Speed(len(places), float(found.flops_each[places].sum()), took)
        size *= 2


def expected_seconds(total: float, speed: Speed, *, shards: int, workers: int = 1) -> float:
    """Time of a corpus with so many operations, whose equal shards so many workers share, each as fast as here."""
    rounds = -(-shards // workers)
    return total / speed.per_second * rounds / shards if shards else 0.0
