"""What a model expects in the place of each unit: states at masked units, and the openness that they give.

The openness H(i) of unit i is the entropy, in nats, of the model's distribution over pieces where i is masked,
the mean over its pieces. Content words have high openness, function words low.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.errors import SentenceError
from probe.head import Head
from probe.last_layer import LastLayer
from probe.memory import Budget, is_out_of_memory
from probe.needs import check_fills_masks
from probe.perturbation import replaced
from probe.plan import starts

if TYPE_CHECKING:
    from probe.alignment import Alignment
    from probe.model import Probe

_WINDOW_SENTENCES = 256
_HEAD_READS = 256
"""States that go through the head at a time: the vocabulary makes each of them large."""

Floats: TypeAlias = NDArray[np.float64]


class MaskedUnits:
    """What a model predicts at the pieces of units that are masked, one unit a forward pass."""

    def __init__(self, probe: Probe) -> None:
        check_fills_masks(probe, "predicting masked units")
        self._mask_id, self._device = int(probe.tokenizer.mask_token_id), probe.device
        self._base = probe.model.base_model
        self._last_layer = LastLayer.of(self._base)
        self._head = Head(probe.model)

    @torch.inference_mode()
    def __call__(
        self, alignments: Sequence[Alignment], *, rows: int, on_passes: Callable[[int], None]
    ) -> Iterator[tuple[slice, Tensor]]:
        """Which pieces of the units, and the log-probabilities there: each [pieces, vocabulary].

        Args:
            alignments: of sentences of one length, whose pieces are counted one sentence after the other.
            rows: number of sequences in one pass.
            on_passes: called with the number of sequences after each pass.
        """
        sizes = [len(one.units) for one in alignments]
        offsets = starts(sizes)
        row_of = np.concatenate([one.unit_of + at for one, at in zip(alignments, offsets, strict=False)])
        positions = np.concatenate([one.positions for one in alignments])
        ids = np.concatenate(
            [replaced(one, np.arange(len(one.units))[:, None], self._mask_id) for one in alignments]
        )
        for begin in range(0, len(ids), rows):
            first, last = np.searchsorted(row_of, [begin, begin + rows]).tolist()
            states = self._states(
                ids[begin : begin + rows], row_of[first:last] - begin, positions[first:last]
            )
            on_passes(len(ids[begin : begin + rows]))
            for at in range(0, last - first, _HEAD_READS):
                part = states[at : at + _HEAD_READS]
                yield slice(first + at, first + at + len(part)), self._head.log_probabilities(part)

    def _states(self, ids: NDArray[np.int64], row: NDArray[np.int64], position: NDArray[np.int64]) -> Tensor:
        """Last-layer states at these places: [reads, hidden]."""
        inputs = torch.from_numpy(ids).to(self._device)
        if self._last_layer is None:
            states: Tensor = self._base(input_ids=inputs).last_hidden_state
        else:
            wanted = np.zeros(ids.shape, dtype=bool)
            wanted[row, position] = True
            states = self._last_layer(inputs, wanted)
        return states[torch.from_numpy(row).to(self._device), torch.from_numpy(position).to(self._device)]


class Openness:
    """The openness of the units of sentences under one model."""

    def __init__(self, probe: Probe, *, on_passes: Callable[[int], None] | None = None) -> None:
        self._probe, self._masked = probe, MaskedUnits(probe)
        self._on_passes = on_passes or (lambda passes: None)

    def stream(self, sentences: Iterator[Sequence[str]], budget: Budget) -> Iterator[Floats | SentenceError]:
        """Openness of the words of sentences, in input order."""
        while window := [(words, None) for words in islice(sentences, _WINDOW_SENTENCES)]:
            yield from self.of(window, budget)

    def of(
        self, requests: Sequence[tuple[Sequence[str], Sequence[tuple[int, int]] | None]], budget: Budget
    ) -> list[Floats | SentenceError]:
        """Openness of the units of sentences, each float64 [n]; a SentenceError where one cannot be probed."""
        found: dict[int, Floats | SentenceError] = {}
        by_length: dict[int, list[tuple[int, Alignment]]] = {}
        for at, (words, spans) in enumerate(requests):
            try:
                alignment = self._probe.align(words, spans)
            except SentenceError as error:
                found[at] = error
            else:
                by_length.setdefault(len(alignment.ids), []).append((at, alignment))
        for group in by_length.values():
            results = self._of_length([alignment for _, alignment in group], budget)
            found.update(zip([at for at, _ in group], results, strict=True))
        return [found[at] for at in range(len(requests))]

    def _of_length(self, alignments: list[Alignment], budget: Budget) -> list[Floats | SentenceError]:
        """Of sentences of one length; the budget is halved when memory runs out."""
        length = len(alignments[0].ids)
        while True:
            rows = budget.rows(length)
            try:
                entropies = self._entropies(alignments, rows)
                break
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            if rows == 1:
                refused = SentenceError(f"a sequence of {length} pieces does not fit into memory")
                return [refused for _ in alignments]
            budget.tokens = rows // 2 * length
        ends = np.cumsum([len(one.positions) for one in alignments])[:-1]
        parts = zip(alignments, np.split(entropies, ends), strict=True)
        return [_mean(one.unit_of, own) for one, own in parts]

    def _entropies(self, alignments: list[Alignment], rows: int) -> Floats:
        """Of the distribution at every piece, one sentence after the other."""
        found = np.zeros(sum(len(one.positions) for one in alignments))
        for pieces, logs in self._masked(alignments, rows=rows, on_passes=self._on_passes):
            found[pieces] = torch.special.entr(logs.exp()).sum(-1).double().cpu().numpy()
        return found


def _mean(unit_of: NDArray[np.int64], entropies: Floats) -> Floats | SentenceError:
    """The mean over the pieces of each unit."""
    if not np.isfinite(entropies).all():
        return SentenceError("the model's predictions for this sentence are not finite numbers")
    return np.asarray(np.bincount(unit_of, weights=entropies) / np.bincount(unit_of))
