"""Batches of masked forward passes, reduced to impacts on the device.

Sentences of one length share batches, so nothing is padded. What leaves the device is one number per piece
and masked unit (and per unit, for pool ``state``), from which the pools are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.bert import BertEncoder
from probe.errors import ModelError, SentenceError
from probe.forward import inputs_of
from probe.head import Head
from probe.last_layer import LastLayer, lower_layers
from probe.lexicon import Lexicon
from probe.memory import Budget, FreedMemory, OutOfMemoryError, is_out_of_memory
from probe.metrics import METRICS
from probe.needs import check_needs
from probe.options import Settings, is_defined
from probe.patterns import FULL
from probe.perturbation import Inputs, Subject
from probe.perturbations import PERTURBATIONS, Lane, lanes
from probe.plan import Plan, join_reads, starts

if TYPE_CHECKING:
    from probe.model import Probe

NOT_FINITE = "the model's states of this sentence are not finite numbers"

_HEAD_READS = 256
"""States that go through the head at a time: the vocabulary makes each of them large."""

Impacts = dict[tuple[str, str, bool], NDArray[np.floating[Any]]]
"""(metric, perturb, of unit states) -> impacts [layers, rows, n], or [layers, n + 1, n] of unit states."""


class Engine:
    """Runs groups of sentences of equal length through one model.

    Attributes:
        settings: what is computed.
        causal: whether no position of the model sees those after it.
        head: what turns states into log-probabilities, where a metric reads them.
        device, dtype: where and in which type impacts are computed.

    Raises:
        ModelError: the model lacks what the settings need.
    """

    def __init__(
        self,
        probe: Probe,
        *,
        settings: Settings,
        on_passes: Callable[[int], None] | None = None,
    ) -> None:
        check_needs(probe, settings)
        self._model = model = probe.model
        self._base = model.base_model
        self._attention = probe.attention
        self._lexicon = Lexicon(probe)
        of_head = [name for name in settings.metrics if METRICS[name].reads == "head"]
        self.head = Head(model) if of_head else None
        self.causal = probe.attention.causal
        self._metrics = [(settings.metrics, 0)]
        if self.causal:  # what predicts a piece is the state before it
            of_states = tuple(name for name in settings.metrics if name not in of_head)
            self._metrics = [
                (names, before) for before, names in enumerate((of_states, tuple(of_head))) if names
            ]
        self.settings = settings
        self._on_passes = on_passes or (lambda passes: None)
        self.device = next(model.parameters()).device
        self.dtype = torch.promote_types(next(model.parameters()).dtype, torch.float32)
        self._freed = FreedMemory(self.device)
        self._n_layers = int(model.config.num_hidden_layers)
        self._last_only = settings.layers == (self._n_layers,) or self._cut(settings)
        self._bert = BertEncoder.of(self._base)
        self._last_layers = [self._last_layer_of(lane) for lane in lanes(settings.perturbs)]

    def _cut(self, settings: Settings) -> bool:
        """Leave out the layers above the only one that is read, where that is known to be exact."""
        if len(settings.layers) != 1:
            return False
        lower = lower_layers(self._base, settings.layers[0])
        if lower is None:
            return False
        self._base = lower
        needs = [PERTURBATIONS[name].needs for name in settings.perturbs]
        if settings.attention != FULL or any("attention mask" in of_one for of_one in needs):
            self._attention = self._attention.of_layers(lower)
        return True

    def _last_layer_of(self, lane: Lane) -> LastLayer | None:
        """The last layer reduced to what is read; None where that saves nothing or is not known."""
        saves = self._last_only and all(one.is_sparse for one in lane.perturbations)
        return LastLayer.of(self._base) if saves else None

    def check(self, plan: Plan) -> None:
        """Raise SentenceError where a perturbation cannot be applied to the sentence."""
        subject = self._subject(Budget(1))
        for lane in plan.lanes:
            for one in lane.perturbations:
                one.check(subject, plan.alignment)

    @torch.inference_mode()
    def run(self, plans: list[Plan], budget: Budget) -> list[Impacts | SentenceError]:
        """Impacts of sentences that all have the same length in pieces.

        When memory runs out, the budget is halved; when one sequence is too many beside the states kept for
        all sentences, they are run one by one. A SentenceError stands for a sentence that does not fit alone.
        """
        try:
            return self._run_lanes(plans, budget)
        except OutOfMemoryError:
            pass  # leave the handler before going on: the exception holds on to the memory
        finally:
            self._freed.give_back()
        if len(plans) == 1:
            return [SentenceError(f"a sequence of {plans[0].length} pieces does not fit into memory")]
        return [result for plan in plans for result in self.run([plan], budget)]

    def _run_lanes(self, plans: list[Plan], budget: Budget) -> list[Impacts | SentenceError]:
        """Impacts of all lanes; a SentenceError stands for a sentence whose states are not finite numbers."""
        found: list[Impacts] = [{} for _ in plans]
        for lane in range(len(plans[0].lanes)):
            part = self._run_group(_Group(plans, lane, self._subject(budget)), budget)
            for impacts, of_lane in zip(found, part, strict=True):
                impacts.update(of_lane)
        return [impacts if _is_finite(impacts) else SentenceError(NOT_FINITE) for impacts in found]

    def _run_group(self, group: _Group, budget: Budget) -> list[Impacts]:
        work = self._begin(group)
        row = 0
        while row < group.rows:
            stop = min(group.rows, row + budget.rows(group.length))
            if self._advance(group, work, row, stop):
                self._on_passes(stop - row)
                row = stop
                continue
            if stop - row == 1:
                raise OutOfMemoryError
            budget.tokens = (stop - row) // 2 * group.length
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        return group.split(work)

    def _begin(self, group: _Group) -> list[_Work]:
        try:
            return [
                _Work(group, place, self, metrics=names, before=before)
                for place in range(len(group.perturbs))
                for names, before in self._metrics
            ]
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        raise OutOfMemoryError

    def _advance(self, group: _Group, work: list[_Work], row: int, stop: int) -> bool:
        """Run the rows ``row`` to ``stop``; False where memory did not suffice. They can be run again."""
        try:
            states = self._forward(group, work, row, stop)
            for reads in work:
                reads.take(states, row, stop)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def _forward(self, group: _Group, work: list[_Work], row: int, stop: int) -> list[Tensor]:
        """States of the wanted layers, each [sequences, length, hidden], for the rows ``row`` to ``stop``."""
        given = group.inputs(row, stop)
        inputs = torch.from_numpy(given.ids).to(self.device)
        if given.sees is None and (last_layer := self._last_layers[group.lane]) is not None:
            wanted = np.zeros(inputs.shape, dtype=bool)
            for reads in work:
                reads.mark(wanted, row, stop)
            return [last_layer(inputs, wanted)]
        if self._bert is not None:
            sees = None if given.sees is None else self._masks(given.sees)
            found = self._bert.states(inputs, self.settings.layers, sees)
            return [found[layer] for layer in self.settings.layers]
        if self._last_only:
            return [self._encode(inputs, given.sees).last_hidden_state]
        output = self._encode(inputs, given.sees, output_hidden_states=True)
        # The last layer is what the head reads: some architectures normalise it once more at the end.
        states = [*output.hidden_states[:-1], output.last_hidden_state]
        if len(states) != self._n_layers + 1 or any(s.shape[:2] != inputs.shape for s in states):
            kind = type(self._model).__name__
            raise ModelError(
                f"{kind} does not give one state a layer and piece, so its layers cannot be probed"
            )
        return [states[layer] for layer in self.settings.layers]

    def _subject(self, budget: Budget) -> Subject:
        """What the perturbations of one group may ask; what is found for a sentence is kept as long."""
        return self._lexicon.subject(budget.rows, self._on_passes)

    def _encode(self, inputs: Tensor, sees: NDArray[np.bool_] | None, **options: Any) -> Any:
        """A forward pass of the encoder."""
        if sees is None:
            return self._base(**inputs_of(self._base, inputs), **options)
        return self._attention.run(inputs, self._masks(sees), **options)

    def _masks(self, sees: NDArray[np.bool_]) -> Tensor:
        """Who sees whom, on the device."""
        return torch.from_numpy(np.ascontiguousarray(sees)).to(self.device)


def _is_finite(impacts: Impacts) -> bool:
    return all(bool(np.isfinite(values).all()) for values in impacts.values())


class _Group:
    """Sentences of one length, their variants of one lane following each other as rows."""

    def __init__(self, plans: list[Plan], lane: int, subject: Subject) -> None:
        self.plans, self.lane, self._subject = plans, lane, subject
        self.length = plans[0].length
        self.perturbs = [one.name for one in plans[0].lanes[lane].perturbations]
        self._starts = starts([len(plan.variants[lane]) for plan in plans])
        self.rows = self._starts[-1]
        # The true piece at every reference position, for metrics of the head.
        found = [plan.alignment for plan in plans]
        self.true = np.concatenate([np.append(a.ids[a.positions], a.ids[a.cls or 0]) for a in found])

    def inputs(self, row: int, stop: int) -> Inputs:
        """What the model is given for the rows ``row`` to ``stop``."""
        parts = []
        for plan, start in zip(self.plans, self._starts, strict=False):
            first, last = max(row - start, 0), min(stop - start, len(plan.variants[self.lane]))
            if first < last:
                parts.append(plan.inputs(self._subject, self.lane, first, last))
        sees = [part.sees for part in parts if part.sees is not None]
        return Inputs(np.concatenate([part.ids for part in parts]), np.concatenate(sees) if sees else None)

    def split(self, work: list[_Work]) -> list[Impacts]:
        """The results of the group, sentence by sentence."""
        found: list[Impacts] = [{} for _ in self.plans]
        for one in work:
            for (metric, of_units), flat in one.results().items():
                heights = [plan.n + 1 if of_units else plan.rows for plan in self.plans]
                begin = starts([height * plan.n for height, plan in zip(heights, self.plans, strict=True)])
                for k, (plan, height) in enumerate(zip(self.plans, heights, strict=True)):
                    part = flat[:, begin[k] : begin[k + 1]].mean(axis=-1)
                    found[k][metric, one.perturb, of_units] = part.reshape(len(flat), height, plan.n)
        return found


class _Work:
    """One perturbation of a group: reference states kept on the device, impacts filled in."""

    def __init__(
        self, group: _Group, place: int, engine: Engine, *, metrics: Sequence[str], before: int
    ) -> None:
        self.perturb = group.perturbs[place]
        settings, causal = engine.settings, engine.causal
        self._reads, self._alternatives = join_reads(
            group.plans, group.lane, place, causal=causal, before=before
        )
        self._device, self._dtype, self._head = engine.device, engine.dtype, engine.head
        self._true = torch.from_numpy(group.true).to(self._device)
        self._bases: list[Tensor] | None = None
        self._base_order = np.argsort(self._reads.base_row, kind="stable")
        self._base_sorted = self._reads.base_row[self._base_order]
        pieces = sum(plan.rows * plan.n for plan in group.plans) * self._alternatives
        units = sum((plan.n + 1) * plan.n for plan in group.plans) * self._alternatives
        self._results: dict[tuple[str, bool], Tensor] = {}
        for metric in metrics:
            if any(pool != "state" for pool in settings.pools):
                self._results[metric, False] = self._zeros(len(settings.layers), pieces)
            if any(pool == "state" and is_defined(metric, pool) for pool in settings.pools):
                self._results[metric, True] = self._zeros(len(settings.layers), units)
        self._reads_head = any(METRICS[metric].reads == "head" for metric in metrics)

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(*shape, dtype=self._dtype, device=self._device)

    def results(self) -> dict[tuple[str, bool], NDArray[np.floating[Any]]]:
        """The impacts, off the device: [layers, all rows of the group, alternatives]."""
        shape = (-1, self._alternatives)
        return {
            key: tensor.reshape(len(tensor), *shape).cpu().numpy() for key, tensor in self._results.items()
        }

    def mark(self, wanted: NDArray[np.bool_], row: int, stop: int) -> None:
        """Set which states ``take`` will use: bool [sequences, length], for the rows ``row`` to ``stop``."""
        begin, end = np.searchsorted(self._base_sorted, [row, stop])
        slots = self._base_order[begin:end]
        wanted[self._reads.base_row[slots] - row, self._reads.base_position[slots]] = True
        begin, end = np.searchsorted(self._reads.row, [row, stop])
        wanted[self._reads.row[begin:end] - row, self._reads.position[begin:end]] = True

    def take(self, states: list[Tensor], row: int, stop: int) -> None:
        """Use the states of the rows ``row`` to ``stop``: keep references, then measure changes."""
        if self._bases is None:
            shape = (len(self._reads.base_row), states[0].shape[-1])
            self._bases = [self._zeros(*shape) for _ in states]
        begin, end = np.searchsorted(self._base_sorted, [row, stop])
        slots = self._base_order[begin:end]
        rows, positions = self._reads.base_row[slots] - row, self._reads.base_position[slots]
        for base, state in zip(self._bases, states, strict=True):
            base[self._index(slots)] = state[self._index(rows), self._index(positions)].to(self._dtype)
        begin, end = np.searchsorted(self._reads.row, [row, stop])
        if begin == end:
            return
        changed = self._index(self._reads.row[begin:end] - row), self._index(self._reads.position[begin:end])
        base_index = self._index(self._reads.base[begin:end])
        for layer, (base, state) in enumerate(zip(self._bases, states, strict=True)):
            self._measure(layer, base[base_index], state[changed].to(self._dtype), base, slice(begin, end))

    def _measure(self, layer: int, before: Tensor, after: Tensor, base: Tensor, part: slice) -> None:
        out = self._index(self._reads.out[part])
        for (metric, of_units), result in self._results.items():
            entry = METRICS[metric]
            if entry.reads == "head":
                continue
            if of_units:
                means, units = self._unit_means(before, after, part)
                result[layer, units] = entry.measure(*means)
            else:
                result[layer, out] = entry.measure(before, after)
        if self._reads_head:
            self._measure_with_head(layer, after, base, part)

    def _measure_with_head(self, layer: int, after: Tensor, base: Tensor, part: slice) -> None:
        assert self._head is not None
        for begin in range(part.start, part.stop, _HEAD_READS):
            end = min(part.stop, begin + _HEAD_READS)
            slots, where = np.unique(self._reads.base[begin:end], return_inverse=True)
            slot_index, out = self._index(slots), self._index(self._reads.out[begin:end])
            before_log = self._head.log_probabilities(base[slot_index])[self._index(where)]
            after_log = self._head.log_probabilities(after[begin - part.start : end - part.start])
            true = self._true[slot_index][self._index(where)]
            for (metric, _), result in self._results.items():
                entry = METRICS[metric]
                if entry.reads == "head":
                    result[layer, out] = entry.measure(before_log, after_log, true)

    def _unit_means(self, before: Tensor, after: Tensor, part: slice) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """States averaged over the pieces of each unit, and where their impacts go."""
        units = self._reads.unit_out[part]
        begins = np.flatnonzero(np.append(True, units[1:] != units[:-1]))
        sizes = np.diff(np.append(begins, len(units)))
        segment = self._index(np.repeat(np.arange(len(begins)), sizes))
        count = self._index(sizes)[:, None]
        shape = (len(begins), before.shape[-1])
        means = [self._zeros(*shape).index_add_(0, segment, states) / count for states in (before, after)]
        return (means[0], means[1]), self._index(units[begins])

    def _index(self, values: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)


def pool_pieces(
    impacts: NDArray[np.floating[Any]], unit_of: NDArray[np.int64], pool: str
) -> NDArray[np.floating[Any]]:
    """Impacts of pieces to impacts of units.

    Shapes:
        impacts: [layers, pieces, n]; unit_of: int64 [pieces], ascending; returns [layers, n, n]
    """
    begins = np.flatnonzero(np.append(True, unit_of[1:] != unit_of[:-1]))
    if pool == "first":
        return impacts[:, begins]
    if pool == "max":
        return np.asarray(np.maximum.reduceat(impacts, begins, axis=1))
    sizes = np.diff(np.append(begins, len(unit_of)))
    return np.asarray(np.add.reduceat(impacts, begins, axis=1) / sizes[:, None].astype(impacts.dtype))


def windows(
    plans: Iterator[Plan | SentenceError], *, tokens: int, sentences: int
) -> Iterator[list[Plan | SentenceError]]:
    """Consecutive sentences, until their variants hold this many pieces or there are this many of them."""
    window: list[Plan | SentenceError] = []
    held = 0
    for plan in plans:
        window.append(plan)
        held += plan.passes * plan.length if isinstance(plan, Plan) else 0
        if held >= tokens or len(window) >= sentences:
            yield window
            window, held = [], 0
    if window:
        yield window
