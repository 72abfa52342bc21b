"""Sentences in, impact matrices out: in input order, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from probe.alignment import Request
from probe.engine import NOT_FINITE, Engine, Impacts, pool_pieces, windows
from probe.errors import SentenceError
from probe.matrix import ImpactMatrix, ImpactSet
from probe.memory import Budget
from probe.openness import Openness
from probe.options import Settings
from probe.patterns import is_pattern
from probe.plan import Plan, make_plan

if TYPE_CHECKING:
    from probe.model import Probe

Result: TypeAlias = "ImpactMatrix | ImpactSet | SentenceError"

_WINDOW_BUDGETS = 32
_WINDOW_SENTENCES = 256


@dataclass(frozen=True, eq=False)
class _Planned(Plan):
    """A plan that knows the request it was made for."""

    request: Request


class Stream:
    """The matrices of requests under some settings.

    Args:
        probe: the model.
        settings: what is computed.
        openness: the model whose openness of the units is added, if any.
        batch_tokens: pieces in one forward pass; halved by itself when memory runs out.
        on_passes: called with the number of sequences after each forward pass.

    Raises:
        ModelError: a model lacks what the settings need.
    """

    def __init__(
        self,
        probe: Probe,
        settings: Settings,
        *,
        openness: Probe | None = None,
        batch_tokens: int = 4_096,
        on_passes: Callable[[int], None] | None = None,
    ) -> None:
        self._probe, self._settings = probe, settings
        self._engine = Engine(probe, settings=settings, on_passes=on_passes)
        self._openness = None
        if openness is not None:
            self._openness = Openness(openness, cues=True, attention=settings.attention, on_passes=on_passes)
        self._budget = Budget(max(1, batch_tokens))

    def run(self, requests: Iterator[Request]) -> Iterator[Result]:
        """A result for every request; a SentenceError stands for a sentence that cannot be probed."""
        if is_pattern(self._settings.attention):
            requests = (request._replace(attention=self._settings.attention) for request in requests)
        plans = (self._plan(request) for request in requests)
        tokens = _WINDOW_BUDGETS * self._budget.tokens
        for window in windows(plans, tokens=tokens, sentences=_WINDOW_SENTENCES):
            yield from self._run_window(window)

    def _plan(self, request: Request) -> Plan | SentenceError:
        try:
            alignment = self._probe.align(*request)
            alignment.check_known()
            plan = make_plan(alignment, self._settings.perturbs)
            self._engine.check(plan)
        except SentenceError as error:
            return error
        return _Planned(plan.alignment, plan.lanes, plan.variants, request)

    def _run_window(self, window: list[Plan | SentenceError]) -> list[Result]:
        results: dict[int, Result] = {}
        by_length: dict[int, list[tuple[int, Plan]]] = {}
        for index, plan in enumerate(window):
            if isinstance(plan, SentenceError):
                results[index] = plan
            else:
                by_length.setdefault(plan.length, []).append((index, plan))
        for group in by_length.values():
            found = self._engine.run([plan for _, plan in group], self._budget)
            for (index, plan), impacts in zip(group, found, strict=True):
                if isinstance(impacts, SentenceError):
                    results[index] = impacts
                else:
                    results[index] = self._matrices(plan, impacts)
        if self._openness is not None:
            self._add_openness(self._openness, window, results)
        return [results[index] for index in range(len(window))]

    def _matrices(self, plan: Plan, impacts: Impacts) -> Result:
        settings, matrices = self._settings, []
        unknown = tuple(np.flatnonzero(plan.alignment.unknown).tolist())
        for metric, layer, pool, perturb in settings.combinations():
            of_units = pool == "state"
            rows = impacts[metric, perturb, of_units][settings.layers.index(layer)]
            unit_of = np.arange(plan.n) if of_units else plan.alignment.unit_of
            # In a causal model what comes first sees no word, and nothing stands for the sentence.
            has_cls = plan.alignment.cls is not None and not self._engine.causal
            on_cls = rows[-1].copy() if has_cls else np.full_like(rows[-1], np.nan)
            values = pool_pieces(rows[None, :-1], unit_of, "first" if of_units else pool)[0]
            if not np.isfinite(values).all():  # the sum of finite impacts of pieces
                return SentenceError(NOT_FINITE)
            matrices.append(
                ImpactMatrix(
                    values=values,
                    on_cls=on_cls,
                    units=plan.alignment.units,
                    model=self._probe.name,
                    metric=metric,
                    layer=layer,
                    pool=pool,
                    perturb=perturb,
                    attention=settings.attention,
                    unknown=unknown,
                )
            )
        return ImpactSet(tuple(matrices)) if settings.several else matrices[0]

    def _add_openness(
        self, openness: Openness, window: list[Plan | SentenceError], results: dict[int, Result]
    ) -> None:
        """Put the openness of the units, and what else is known of them, beside their impacts."""
        asked = {at: plan.request for at, plan in enumerate(window) if isinstance(plan, _Planned)}
        found = openness.of(list(asked.values()), self._budget)
        for at, values in zip(asked, found, strict=True):
            result = results[at]
            if isinstance(result, SentenceError):
                continue
            if isinstance(values, SentenceError):
                results[at] = SentenceError(f"openness: {values}")
                continue
            known = {"openness": values[0], "cues": values[1:]}
            if isinstance(result, ImpactSet):
                results[at] = ImpactSet(tuple(replace(one, **known) for one in result))
            else:
                results[at] = replace(result, **known)
