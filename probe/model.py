"""A loaded model and the impact matrices it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

import numpy as np

from probe.alignment import Alignment, align
from probe.attention import Attention
from probe.engine import Budget, Engine, Impacts, pool_pieces, windows
from probe.errors import ModelError, SentenceError
from probe.matrix import ImpactMatrix, ImpactSet
from probe.metrics import METRICS
from probe.options import Best, LayerChoice, Layers, PoolChoice, Settings, resolve
from probe.perturbations import PERTURBATIONS
from probe.plan import Plan, make_plan
from probe.spaces import WordPieces

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Words: TypeAlias = Sequence[str]
Errors: TypeAlias = Literal["raise", "return"]

_WINDOW_BUDGETS = 32
_WINDOW_SENTENCES = 256


def placed(model: PreTrainedModel, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """The model itself, on the device, in the dtype, without dropout and gradients."""
    from torch.nn import Module

    Module.to(model, device=device, dtype=dtype)
    Module.requires_grad_(model, False)
    Module.train(model, False)
    return model


class Probe:
    """A masked language model to be asked; made by ``probe.load``.

    Attributes:
        name: what it was loaded as.
        window: the longest sequence it takes, in pieces, special tokens included.
        has_head: whether it can predict pieces, which metrics ``prob`` and ``kl`` need.
        best: the layer and pool that "best", the default, stands for.
    """

    def __init__(
        self,
        *,
        name: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        window: int,
        has_head: bool,
        best: Best,
    ) -> None:
        self.name, self.window, self.has_head, self.best = name, window, has_head, best
        self.model, self.tokenizer = model, tokenizer

    def __repr__(self) -> str:
        return (
            f"Probe({self.name!r}, layers={self.n_layers}, device={str(self.device)!r}, dtype={self.dtype})"
        )

    @property
    def n_layers(self) -> int:
        """Number of layers above the embeddings."""
        return int(self.model.config.num_hidden_layers)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The type the model computes in."""
        return next(self.model.parameters()).dtype

    def with_random_weights(self, *, seed: int = 0) -> Probe:
        """The same architecture and tokenizer with freshly drawn weights: the baseline that knows nothing."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model: PreTrainedModel = type(self.model)(self.model.config)
        return Probe(
            name=f"{self.name} (random weights, seed {seed})",
            model=placed(model, self.device, self.dtype),
            tokenizer=self.tokenizer,
            window=self.window,
            has_head=self.has_head,
            best=self.best,
        )

    @cached_property
    def attention(self) -> Attention:
        """How this model is told who sees whom."""
        return Attention(self.model, self.tokenizer, window=self.window)

    def _check_needs(self, settings: Settings) -> None:
        """Raise ModelError where the model lacks what a metric or a perturbation needs."""
        needed = [name for name in settings.metrics if METRICS[name].reads == "head"]
        if needed and not self.has_head:
            names = " and ".join(sorted(needed))
            others = " or ".join(name for name, entry in METRICS.items() if entry.reads == "states")
            raise ModelError(f"{self.name} has no masked-LM head, which metric {names} needs: use {others}")
        for name in settings.perturbs:
            needs = PERTURBATIONS[name].needs
            if "head" in needs and not self.has_head:
                raise ModelError(f"{self.name} has no masked-LM head, which perturbation {name} needs")
            if "mask token" in needs and self.tokenizer.mask_token_id is None:
                others = " or ".join(
                    key for key, one in PERTURBATIONS.items() if "mask token" not in one.needs
                )
                raise ModelError(
                    f"{self.name} has no mask token, which perturbation {name} needs: use {others}"
                )
            if "attention mask" in needs and self.attention.refusal is not None:
                raise ModelError(
                    f"{self.name}: perturbation {name} needs attention that a mask controls, but "
                    f"{self.attention.refusal}"
                )

    def align(self, words: Words, spans: Sequence[tuple[int, int]] | None = None) -> Alignment:
        """The pieces of a sentence; raises SentenceError where it cannot be probed."""
        return align(self.pieces, words, window=self.window, spans=spans)

    @cached_property
    def pieces(self) -> WordPieces:
        """The pieces of words, by where they stand in a text."""
        return WordPieces(self.tokenizer)

    def resolve(
        self,
        *,
        metric: str | Sequence[str] = "dist",
        layer: Layers = "best",
        pool: PoolChoice | Sequence[PoolChoice] = "best",
        perturb: str | Sequence[str] = "pair",
    ) -> Settings:
        """What these options mean for this model; raises OptionError as ``impact`` does."""
        return resolve(
            metric=metric,
            layer=layer,
            pool=pool,
            perturb=perturb,
            n_layers=self.n_layers,
            best=self.best,
        )

    @overload
    def impact(
        self,
        words: Words,
        *,
        metric: str = ...,
        layer: LayerChoice = ...,
        pool: PoolChoice = ...,
        perturb: str = ...,
    ) -> ImpactMatrix: ...
    @overload
    def impact(
        self,
        words: Words,
        *,
        metric: str | Sequence[str] = ...,
        layer: Layers = ...,
        pool: PoolChoice | Sequence[PoolChoice] = ...,
        perturb: str | Sequence[str] = ...,
    ) -> ImpactMatrix | ImpactSet: ...
    def impact(
        self,
        words: Words,
        *,
        metric: str | Sequence[str] = "dist",
        layer: Layers = "best",
        pool: PoolChoice | Sequence[PoolChoice] = "best",
        perturb: str | Sequence[str] = "pair",
    ) -> ImpactMatrix | ImpactSet:
        """Impact matrix of one sentence, given as its words.

        Returns:
            An ``ImpactMatrix``, or an ``ImpactSet`` where an option is a list or ``layer`` is "all".

        Raises:
            SentenceError: the sentence cannot be probed.
            OptionError: an unknown option value.
            ModelError: ``prob`` or ``kl`` of a model without a masked-LM head.
        """
        return next(self.impact_many([words], metric=metric, layer=layer, pool=pool, perturb=perturb))

    @overload
    def impact_many(
        self,
        sentences: Iterable[Words],
        *,
        metric: str = ...,
        layer: LayerChoice = ...,
        pool: PoolChoice = ...,
        perturb: str = ...,
        batch_tokens: int = ...,
        on_passes: Callable[[int], None] | None = ...,
    ) -> Iterator[ImpactMatrix]: ...
    @overload
    def impact_many(
        self,
        sentences: Iterable[Words],
        *,
        metric: str | Sequence[str] = ...,
        layer: Layers = ...,
        pool: PoolChoice | Sequence[PoolChoice] = ...,
        perturb: str | Sequence[str] = ...,
        batch_tokens: int = ...,
        on_passes: Callable[[int], None] | None = ...,
    ) -> Iterator[ImpactMatrix | ImpactSet]: ...
    @overload
    def impact_many(
        self,
        sentences: Iterable[Words],
        *,
        metric: str | Sequence[str] = ...,
        layer: Layers = ...,
        pool: PoolChoice | Sequence[PoolChoice] = ...,
        perturb: str | Sequence[str] = ...,
        batch_tokens: int = ...,
        on_passes: Callable[[int], None] | None = ...,
        errors: Errors,
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]: ...
    def impact_many(
        self,
        sentences: Iterable[Words],
        *,
        metric: str | Sequence[str] = "dist",
        layer: Layers = "best",
        pool: PoolChoice | Sequence[PoolChoice] = "best",
        perturb: str | Sequence[str] = "pair",
        batch_tokens: int = 4_096,
        on_passes: Callable[[int], None] | None = None,
        errors: Errors = "raise",
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]:
        """Impact matrices of many sentences, streamed in input order, window by window.

        One pass over the model serves every metric, layer, pool and perturbation that is asked for.

        Args:
            sentences: each a sequence of words.
            metric: one or several names of ``probe.metrics.METRICS``: "dist", "cos", "prob", "kl".
            layer: an index (0 = embeddings, negative from the end), several, "all", or "best": what the model's
                makers chose on development data, the last where nothing is known. For ``prob`` and ``kl``
                below the last layer the model's own head reads the layer's state.
            pool: one or several of "first", "mean", "max", "state", or "best": as for ``layer``, else "mean".
            perturb: one or several names of ``probe.perturbations.PERTURBATIONS``: "pair", "single".
            batch_tokens: pieces in one forward pass; halved by itself when memory runs out.
            on_passes: called with the number of sequences after each forward pass.
            errors: "return" yields a SentenceError in the place of a sentence that cannot be probed.

        Raises:
            SentenceError, OptionError, ModelError: as ``impact`` does.
        """
        requests = ((words, None) for words in sentences)
        settings = self.resolve(metric=metric, layer=layer, pool=pool, perturb=perturb)
        return self._stream(requests, settings, batch_tokens, on_passes, errors)

    def impact_spans(
        self,
        words: Words,
        spans: Sequence[tuple[int, int]],
        *,
        metric: str = "dist",
        layer: LayerChoice = "best",
        pool: PoolChoice = "best",
        perturb: str = "pair",
    ) -> ImpactMatrix:
        """Impact matrix whose units are spans of words ``(start, end)``, end exclusive: EDUs, phrases.

        Words outside every span are context and are never masked.

        Raises:
            SentenceError: also for spans that are empty, overlapping or out of range.
        """
        settings = self.resolve(metric=metric, layer=layer, pool=pool, perturb=perturb)
        found = next(self._stream(iter([(words, spans)]), settings, 4_096, None, "raise"))
        assert isinstance(found, ImpactMatrix)
        return found

    def _stream(
        self,
        requests: Iterator[tuple[Words, Sequence[tuple[int, int]] | None]],
        settings: Settings,
        batch_tokens: int,
        on_passes: Callable[[int], None] | None,
        errors: Errors,
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]:
        self._check_needs(settings)
        engine = Engine(self, settings=settings, on_passes=on_passes)
        return self._run(requests, settings, engine, Budget(max(1, batch_tokens)), errors)

    def _run(
        self,
        requests: Iterator[tuple[Words, Sequence[tuple[int, int]] | None]],
        settings: Settings,
        engine: Engine,
        budget: Budget,
        errors: Errors,
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]:
        plans = (self._plan(words, spans, engine) for words, spans in requests)
        for window in windows(plans, tokens=_WINDOW_BUDGETS * budget.tokens, sentences=_WINDOW_SENTENCES):
            for result in self._run_window(window, settings, engine, budget):
                if isinstance(result, SentenceError) and errors == "raise":
                    raise result
                yield result

    def _plan(
        self, words: Words, spans: Sequence[tuple[int, int]] | None, engine: Engine
    ) -> Plan | SentenceError:
        try:
            plan = make_plan(self.align(words, spans), engine.settings.perturbs)
            engine.check(plan)
            return plan
        except SentenceError as error:
            return error

    def _run_window(
        self, window: list[Plan | SentenceError], settings: Settings, engine: Engine, budget: Budget
    ) -> list[ImpactMatrix | ImpactSet | SentenceError]:
        results: dict[int, ImpactMatrix | ImpactSet | SentenceError] = {}
        by_length: dict[int, list[tuple[int, Plan]]] = {}
        for index, plan in enumerate(window):
            if isinstance(plan, SentenceError):
                results[index] = plan
            else:
                by_length.setdefault(plan.length, []).append((index, plan))
        for group in by_length.values():
            found = engine.run([plan for _, plan in group], budget)
            for (index, plan), impacts in zip(group, found, strict=True):
                if isinstance(impacts, SentenceError):
                    results[index] = impacts
                else:
                    results[index] = self._matrices(plan, impacts, settings)
        return [results[index] for index in range(len(window))]

    def _matrices(self, plan: Plan, impacts: Impacts, settings: Settings) -> ImpactMatrix | ImpactSet:
        matrices = []
        for metric, layer, pool, perturb in settings.combinations():
            of_units = pool == "state"
            rows = impacts[metric, perturb, of_units][settings.layers.index(layer)]
            unit_of = np.arange(plan.n) if of_units else plan.alignment.unit_of
            matrices.append(
                ImpactMatrix(
                    values=pool_pieces(rows[None, :-1], unit_of, "first" if of_units else pool)[0],
                    on_cls=rows[-1].copy()
                    if plan.alignment.cls is not None
                    else np.full_like(rows[-1], np.nan),
                    units=plan.alignment.units,
                    model=self.name,
                    metric=metric,
                    layer=layer,
                    pool=pool,
                    perturb=perturb,
                )
            )
        return ImpactSet(tuple(matrices)) if settings.several else matrices[0]
