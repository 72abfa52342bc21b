"""A loaded model and the impact matrices it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from probe.alignment import Alignment, Request, align, requests_of
from probe.attention import Attention
from probe.errors import SentenceError
from probe.matrix import ImpactMatrix, ImpactSet
from probe.memory import Budget
from probe.openness import Floats, Openness, openness_passes
from probe.options import Best, LayerChoice, Layers, PoolChoice, Settings, resolve
from probe.parsing import Parses
from probe.patterns import FULL, AttentionChoice, AttentionsChoice, asked_of
from probe.perturbations import PERTURBATIONS, n_passes
from probe.spaces import WordPieces
from probe.stream import Stream

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Words: TypeAlias = Sequence[str]
Errors: TypeAlias = Literal["raise", "return"]
OpennessChoice: TypeAlias = "bool | Probe"
"""Whether openness is added, or from which other model."""
OnPasses: TypeAlias = "Callable[[int], None] | None"
T = TypeVar("T")


def placed(model: PreTrainedModel, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """The model itself, on the device, in the dtype, without dropout and gradients."""
    from torch.nn import Module

    Module.to(model, device=device, dtype=dtype)
    Module.requires_grad_(model, False)
    Module.train(model, False)
    return model


class Probe(Parses):
    """A masked language model to be asked; made by ``probe.load``.

    Attributes:
        name: what it was loaded as.
        window: the longest sequence it takes, in pieces, special tokens included.
        has_head: whether it can predict pieces, which metrics ``prob`` and ``kl`` need.
        best: the layer and pool that "best", the default, stands for; ``best.guess`` where nobody chose them.
        mask_note: why its mask token was probably never trained; None where nothing speaks for it.
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
        mask_note: str | None = None,
    ) -> None:
        self.mask_note = mask_note
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

    def align(
        self,
        words: Words,
        spans: Sequence[tuple[int, int]] | None = None,
        attention: AttentionChoice = FULL,
    ) -> Alignment:
        """The pieces of a sentence; raises SentenceError where it cannot be probed."""
        found = align(self.pieces, words, window=self.window, spans=spans, attention=attention)
        found.check_length(self.model)
        return found

    def passes(self, words: Words, perturbs: Sequence[str], *, openness: OpennessChoice = False) -> int:
        """Number of forward passes that the impacts of a sentence take; 0 for one that cannot be probed.

        With ``openness``, as ``impact`` takes it, those for openness and cues are among them.
        """
        from probe.lexicon import Lexicon

        subject = Lexicon(self).subject(lambda length: 1, lambda passes: None)
        try:
            alignment = self.align(words)
            alignment.check_known()
            for name in perturbs:
                PERTURBATIONS[name].check(subject, alignment)
        except SentenceError:
            return 0
        return n_passes(len(words), perturbs) + (openness is not False) * openness_passes(len(words))

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
        attention: AttentionsChoice = FULL,
    ) -> Settings:
        """What these options mean for this model; raises OptionError as ``impact`` does."""
        return resolve(
            metric=metric,
            layer=layer,
            pool=pool,
            perturb=perturb,
            attention=asked_of(self, attention),
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
        attention: AttentionChoice = ...,
        openness: OpennessChoice = ...,
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
        attention: AttentionChoice = ...,
        openness: OpennessChoice = ...,
    ) -> ImpactMatrix | ImpactSet: ...
    def impact(
        self,
        words: Words,
        *,
        metric: str | Sequence[str] = "dist",
        layer: Layers = "best",
        pool: PoolChoice | Sequence[PoolChoice] = "best",
        perturb: str | Sequence[str] = "pair",
        attention: AttentionChoice = FULL,
        openness: OpennessChoice = False,
    ) -> ImpactMatrix | ImpactSet:
        """Impact matrix of one sentence, given as its words.

        ``attention`` is a pattern, or bool [n, n]: whether word i (row) sees word j (column). The other options
        are those of ``impact_many``.

        Returns:
            An ``ImpactMatrix``, or an ``ImpactSet`` where an option is a list or ``layer`` is "all".

        Raises:
            SentenceError: the sentence cannot be probed, or its impacts are not finite numbers.
            OptionError: an unknown option value.
            ModelError: the model lacks what a metric, a perturbation or the attention needs, such as a head.
        """
        settings = self.resolve(metric=metric, layer=layer, pool=pool, perturb=perturb, attention=attention)
        asked = iter([Request(words, None, attention)])
        found = next(self._stream(asked, settings, openness, "raise"))
        assert not isinstance(found, SentenceError)
        return found

    @overload
    def impact_many(
        self,
        sentences: Iterable[Words],
        *,
        metric: str = ...,
        layer: LayerChoice = ...,
        pool: PoolChoice = ...,
        perturb: str = ...,
        attention: AttentionsChoice = ...,
        openness: OpennessChoice = ...,
        batch_tokens: int = ...,
        on_passes: OnPasses = ...,
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
        attention: AttentionsChoice = ...,
        openness: OpennessChoice = ...,
        batch_tokens: int = ...,
        on_passes: OnPasses = ...,
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
        attention: AttentionsChoice = ...,
        openness: OpennessChoice = ...,
        batch_tokens: int = ...,
        on_passes: OnPasses = ...,
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
        attention: AttentionsChoice = FULL,
        openness: OpennessChoice = False,
        batch_tokens: int = 4_096,
        on_passes: OnPasses = None,
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
            attention: who sees whom in every pass, see ``probe.patterns``: "full", "causal", "prefix:3", a
                ``probe.structure.Structure``, or a matrix bool [n, n] for each sentence of n words.
            batch_tokens: pieces in one forward pass; halved by itself when memory runs out.
            openness: True adds the openness of every unit (see ``openness``), another model adds its own.
            on_passes: called with the number of sequences after each forward pass.
            errors: "return" yields a SentenceError in the place of a sentence that cannot be probed.

        Raises:
            SentenceError, OptionError, ModelError: as ``impact`` does.
        """
        settings = self.resolve(metric=metric, layer=layer, pool=pool, perturb=perturb, attention=attention)
        requests = requests_of(sentences, attention)
        return self._stream(
            requests, settings, openness, errors, batch_tokens=batch_tokens, on_passes=on_passes
        )

    def impact_spans(
        self,
        words: Words,
        spans: Sequence[tuple[int, int]],
        *,
        metric: str = "dist",
        layer: LayerChoice = "best",
        pool: PoolChoice = "best",
        perturb: str = "pair",
        attention: AttentionChoice = FULL,
        openness: OpennessChoice = False,
    ) -> ImpactMatrix:
        """Impact matrix whose units are spans of words ``(start, end)``, end exclusive: EDUs, phrases.

        Words outside every span are context and are never masked.

        Raises:
            SentenceError: also for spans that are empty, overlapping or out of range.
        """
        settings = self.resolve(metric=metric, layer=layer, pool=pool, perturb=perturb, attention=attention)
        asked = iter([Request(words, spans, attention)])
        found = next(self._stream(asked, settings, openness, "raise"))
        assert isinstance(found, ImpactMatrix)
        return found

    def openness(self, words: Words, *, attention: AttentionChoice = FULL) -> Floats:
        """How open each word is: the entropy, in nats, of what the model predicts where the word is masked.

        The mean over the pieces of the word, which are masked together. n forward passes. ``attention`` is as for
        ``impact``.

        Returns:
            float64 [n].

        Raises:
            SentenceError: the sentence cannot be probed.
            OptionError: there is no such pattern of attention.
            ModelError: the model has no masked-LM head or no mask token, or cannot be told who sees whom.
        """
        given = attention if isinstance(attention, str) else [attention]
        return next(self.openness_many([words], attention=given))

    @overload
    def openness_many(
        self,
        sentences: Iterable[Words],
        *,
        attention: AttentionsChoice = ...,
        batch_tokens: int = ...,
        on_passes: OnPasses = ...,
    ) -> Iterator[Floats]: ...
    @overload
    def openness_many(
        self,
        sentences: Iterable[Words],
        *,
        attention: AttentionsChoice = ...,
        batch_tokens: int = ...,
        on_passes: OnPasses = ...,
        errors: Errors,
    ) -> Iterator[Floats | SentenceError]: ...
    def openness_many(
        self,
        sentences: Iterable[Words],
        *,
        attention: AttentionsChoice = FULL,
        batch_tokens: int = 4_096,
        on_passes: OnPasses = None,
        errors: Errors = "raise",
    ) -> Iterator[Floats | SentenceError]:
        """Openness of the words of many sentences, streamed in input order; options as of ``impact_many``."""
        openness = Openness(self, attention=self.resolve(attention=attention).attention, on_passes=on_passes)
        found = openness.stream(requests_of(sentences, attention), Budget(max(1, batch_tokens)))
        return raised(found, errors)

    def _stream(
        self,
        requests: Iterator[Request],
        settings: Settings,
        openness: OpennessChoice,
        errors: Errors,
        **options: Any,
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]:
        asked = (self if openness else None) if isinstance(openness, bool) else openness
        return raised(Stream(self, settings, openness=asked, **options).run(requests), errors)


def raised(results: Iterator[T | SentenceError], errors: Errors) -> Iterator[T | SentenceError]:
    """Results as they are, or up to the first error, which is raised."""
    for result in results:
        if isinstance(result, SentenceError) and errors == "raise":
            raise result
        yield result
