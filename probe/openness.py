"""What a model expects in the place of each unit: states at masked units, and what they say of the unit.

The openness H(i) of unit i is the entropy, in nats, of the model's distribution over pieces where i is masked,
the mean over its pieces. Content words have high openness, function words low. ``probe.matrix.CUES`` are further
numbers of the same kind, from the same passes and one more in which nothing is masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.alignment import Request
from probe.errors import SentenceError
from probe.forward import inputs_of
from probe.head import Head
from probe.last_layer import LastLayer
from probe.memory import Budget, is_out_of_memory
from probe.needs import check_attention, check_fills_masks
from probe.patterns import FULL, Mask
from probe.perturbation import replaced
from probe.plan import starts

if TYPE_CHECKING:
    from probe.alignment import Alignment
    from probe.model import Probe

_WINDOW_SENTENCES = 256
_HEAD_READS = 256
"""States that go through the head at a time: the vocabulary makes each of them large."""

FREQUENT_PIECES = 200
"""Pieces of the highest output bias, which a masked LM gives to the most frequent ones; chosen on EWT dev."""

Floats: TypeAlias = NDArray[np.float64]


def openness_passes(n: int) -> int:
    """Number of forward passes for the openness of n units with cues: one a unit, and one of the sentence."""
    return n + 1


class MaskedUnits:
    """What a model predicts at the pieces of units that are masked, one unit a forward pass."""

    def __init__(self, probe: Probe) -> None:
        check_fills_masks(probe, "predicting masked units")
        self._mask_id, self._device = int(probe.tokenizer.mask_token_id), probe.device
        self._model, self._base, self._probe = probe.model, probe.model.base_model, probe
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
        for pieces, states in self.passes(alignments, rows=rows, on_passes=on_passes):
            for part, logs in self.predictions(states):
                yield slice(pieces.start + part.start, pieces.start + part.stop), logs

    @torch.inference_mode()
    def passes(
        self,
        alignments: Sequence[Alignment],
        *,
        rows: int,
        on_passes: Callable[[int], None],
        beside: int | None = None,
    ) -> Iterator[tuple[slice, Tensor]]:
        """Which pieces of the units, and the last-layer states there: [pieces, hidden].

        Args:
            alignments, rows, on_passes: as above.
            beside: a position whose state in each sequence follows those of the pieces: [pieces + units, hidden].
        """
        sizes = [len(one.units) for one in alignments]
        offsets = starts(sizes)
        row_of = np.concatenate([one.unit_of + at for one, at in zip(alignments, offsets, strict=False)])
        positions = np.concatenate([one.positions for one in alignments])
        ids = np.concatenate(
            [replaced(one, np.arange(len(one.units))[:, None], self._mask_id) for one in alignments]
        )
        sentence_of = np.repeat(np.arange(len(sizes)), sizes)
        for begin in range(0, len(ids), rows):
            part = ids[begin : begin + rows]
            first, last = np.searchsorted(row_of, [begin, begin + len(part)]).tolist()
            row, position = row_of[first:last] - begin, positions[first:last]
            if beside is not None:
                row = np.append(row, np.arange(len(part)))
                position = np.append(position, np.full(len(part), beside))
            sees = [alignments[at].sees for at in sentence_of[begin : begin + rows]]
            states = self._states(part, row, position, [one for one in sees if one is not None])
            on_passes(len(part))
            yield slice(first, last), states

    @torch.inference_mode()
    def unmasked(self, alignment: Alignment, position: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """States before the first layer and after the last one at these positions: [reads, hidden] each."""
        inputs = torch.from_numpy(alignment.ids[None]).to(self._device)
        if alignment.sees is None:
            found = self._base(**inputs_of(self._base, inputs), output_hidden_states=True)
        else:
            sees = torch.from_numpy(alignment.sees[None]).to(self._device)
            found = self._probe.attention.run(inputs, sees, output_hidden_states=True)
        at = torch.from_numpy(position).to(self._device)
        return found.hidden_states[0][0, at], found.last_hidden_state[0, at]

    @cached_property
    def frequent(self) -> Tensor:
        """The numbers of the pieces that the head gives the highest bias: [FREQUENT_PIECES], or fewer."""
        model: Any = self._model
        bias = getattr(model.get_output_embeddings(), "bias", None)
        if bias is None:  # what the head says of nothing
            nothing = torch.zeros(1, self._model.config.hidden_size, device=self._device)
            bias = self._head.log_probabilities(nothing)[0]
        return torch.topk(bias.detach().float(), min(FREQUENT_PIECES, len(bias))).indices

    def predictions(self, states: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Log-probabilities at states [reads, hidden], some reads at a time: each [reads, vocabulary]."""
        for at in range(0, len(states), _HEAD_READS):
            part = states[at : at + _HEAD_READS]
            yield slice(at, at + len(part)), self._head.log_probabilities(part)

    def _states(
        self,
        ids: NDArray[np.int64],
        row: NDArray[np.int64],
        position: NDArray[np.int64],
        sees: Sequence[Mask],
    ) -> Tensor:
        """Last-layer states at these places: [reads, hidden]; ``sees`` is empty or has a mask a sequence."""
        inputs = torch.from_numpy(ids).to(self._device)
        if sees:
            masks = torch.from_numpy(np.stack(sees)).to(self._device)
            states: Tensor = self._probe.attention.run(inputs, masks).last_hidden_state
        elif self._last_layer is None:
            states = self._base(**inputs_of(self._base, inputs)).last_hidden_state
        else:
            wanted = np.zeros(ids.shape, dtype=bool)
            wanted[row, position] = True
            states = self._last_layer(inputs, wanted)
        return states[torch.from_numpy(row).to(self._device), torch.from_numpy(position).to(self._device)]


class Openness:
    """The openness of the units of sentences under one model, and ``CUES`` if they are asked for.

    A sentence of n units takes n passes, with cues n + 1. Requests have the ``attention`` that is given here.
    """

    def __init__(
        self,
        probe: Probe,
        *,
        cues: bool = False,
        attention: str = FULL,
        on_passes: Callable[[int], None] | None = None,
    ) -> None:
        check_attention(probe, attention, ["openness"])
        self._probe, self._masked, self._cues = probe, MaskedUnits(probe), cues
        self._on_passes = on_passes or (lambda passes: None)

    def stream(self, requests: Iterator[Request], budget: Budget) -> Iterator[Floats | SentenceError]:
        """Openness of the units of sentences, in input order."""
        while window := list(islice(requests, _WINDOW_SENTENCES)):
            for found in self.of(window, budget):
                yield found if isinstance(found, SentenceError) else found[0]

    def of(self, requests: Sequence[Request], budget: Budget) -> list[Floats | SentenceError]:
        """Openness of the units of sentences in the first row, cues in the next ones.

        Each float64 [1, n], with cues [1 + len(CUES), n]; a SentenceError where a sentence cannot be probed.
        """
        found: dict[int, Floats | SentenceError] = {}
        by_length: dict[int, list[tuple[int, Alignment]]] = {}
        for at, request in enumerate(requests):
            try:
                alignment = self._probe.align(*request)
                alignment.check_known()
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
                return self._read(alignments, rows)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            if rows == 1:
                refused = SentenceError(f"a sequence of {length} pieces does not fit into memory")
                return [refused for _ in alignments]
            budget.tokens = rows // 2 * length

    @torch.inference_mode()
    def _read(self, alignments: list[Alignment], rows: int) -> list[Floats | SentenceError]:
        """Of sentences of one length, each [1, n] or [1 + len(CUES), n]."""
        cls = alignments[0].cls if self._cues else None
        of_pieces = np.zeros((2, sum(len(one.positions) for one in alignments)))
        summaries = []
        found = self._masked.passes(alignments, rows=rows, on_passes=self._on_passes, beside=cls)
        for pieces, states in found:
            count = pieces.stop - pieces.start
            for part, logs in self._masked.predictions(states[:count]):
                at = slice(pieces.start + part.start, pieces.start + part.stop)
                of_pieces[:, at] = self._of_predictions(logs)
            summaries.append(states[count:])
        ends = np.cumsum([len(one.positions) for one in alignments])[:-1]
        parts = np.split(of_pieces, ends, axis=1)
        if not self._cues:
            return [_finite(_means(one, own[:1])) for one, own in zip(alignments, parts, strict=True)]
        sizes = [len(one.units) if cls is not None else 0 for one in alignments]
        moved = torch.split(torch.cat(summaries), sizes)
        return [_finite(self._with_cues(*own)) for own in zip(alignments, parts, moved, strict=True)]

    def _of_predictions(self, logs: Tensor) -> Floats:
        """Entropy and probability of the frequent pieces, [2, reads], of ``logs`` [reads, vocabulary]."""
        chances = logs.exp()
        entropy, frequent = torch.special.entr(chances).sum(-1), chances[:, self._masked.frequent].sum(-1)
        return np.asarray(torch.stack([entropy, frequent]).double().cpu().numpy())

    def _with_cues(self, alignment: Alignment, masked: Floats, moved: Tensor) -> Floats:
        """[1 + len(CUES), n] from entropies and frequencies [2, pieces] and states of [CLS] [n, hidden]."""
        positions, cls = alignment.positions, alignment.cls
        reads = positions if cls is None else np.append(positions, cls)
        first, last = self._masked.unmasked(alignment, reads)
        self._on_passes(1)
        logs = [own for _, own in self._masked.predictions(last[: len(positions)])]
        seen = self._of_predictions(torch.cat(logs))[0]
        norm = first[: len(positions)].double().norm(dim=-1).cpu().numpy()
        summary = np.zeros(len(alignment.units))
        if cls is not None:
            summary = (moved.double() - last[-1].double()).norm(dim=-1).cpu().numpy()
            if alignment.moved_by is not None:
                summary[~alignment.moved_by[cls]] = 0
        return np.vstack([_means(alignment, np.stack([*masked, seen, norm])), summary])


def _means(alignment: Alignment, of_pieces: Floats) -> Floats:
    """The means over the pieces of each unit: [kinds, pieces] -> [kinds, n]."""
    unit_of = alignment.unit_of
    sums = np.stack([np.bincount(unit_of, weights=own) for own in of_pieces])
    return np.asarray(sums / np.bincount(unit_of))


def _finite(found: Floats) -> Floats | SentenceError:
    if not np.isfinite(found).all():
        return SentenceError("the model's predictions for this sentence are not finite numbers")
    return found
