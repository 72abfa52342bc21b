"""From sentences and a model to induced trees, streamed in input order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from analyses.tables.signature import Settings
from analyses.trees.adjust import NONE, adjust
from analyses.trees.decoders import BASELINES, DECODERS, Heads
from analyses.trees.protocols import (
    ProtocolName,
    RootName,
    baseline_trees,
    decode_sentences,
    gold_roots,
    text_read,
)
from analyses.trees.variants import Variant, openness_choice, unless_overflown
from probe.options import ImpactChoice
from probe.spaces import as_text, running

if TYPE_CHECKING:
    from data import Sentence
    from probe import ImpactMatrix
    from probe.source import ImpactSource

_CHUNK = 64
"""Matrices decoded at a time."""


@dataclass(frozen=True, kw_only=True)
class Method(ImpactChoice):
    """How trees are made: protocol and decoder, and what the decoder is given.

    ``root`` is "gold" where the decoder is given the gold root (always under ``wu2020``), else "predicted".
    The impact settings are those of ``probe.Probe.impact_many``, ``adjust`` is that of ``analyses.trees.adjust``,
    ``seed`` that of random trees.
    """

    protocol: ProtocolName = "fair"
    decoder: str = "eisner"
    root: RootName = "predicted"
    adjust: str = NONE
    openness_from: str | None = None
    batch_tokens: int = 4_096
    seed: int = 0

    @property
    def needs_model(self) -> bool:
        """Whether trees are made from impacts: baselines are not."""
        return self.decoder not in BASELINES

    def settings(self, model: ImpactSource | None, sentences: Sequence[Sentence]) -> Settings:
        """What goes into the signature of a score on these sentences."""
        if model is None:
            return Settings(decoder=self.decoder)
        resolved = model.resolve(**self.impact)
        ((metric, layer, pool, perturb),) = resolved.combinations()
        text = text_read(self.protocol, sentences, model)
        variant = Variant(metric, layer, pool, perturb, self.adjust, text, resolved.attention)
        return variant.settings(model, decoder=self.decoder)


@dataclass(frozen=True)
class Induced:
    """A sentence with its induced heads (int64 [n], see ``analyses.decode``) and the matrix they come from."""

    sentence: Sentence
    heads: Heads
    matrix: ImpactMatrix | None


@dataclass(frozen=True)
class Skipped:
    """A sentence that could not be probed, and why."""

    sentence: Sentence
    reason: str


Outcome: TypeAlias = Induced | Skipped


def induce(
    sentences: Sequence[Sentence],
    model: ImpactSource | None,
    method: Method,
    *,
    on_passes: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """Induce a tree for every sentence, in input order.

    Args:
        sentences: with gold heads where the method's root is "gold".
        model: None for the baselines, which read no model.
        method: how trees are made.
        on_passes: called with the number of sequences after each forward pass.

    Raises:
        probe.OptionError, probe.ModelError: the model cannot give these matrices.
        data.DataError: a gold root is needed and the heads are no tree.
        ValueError: the decoder refuses a matrix; see ``analyses.decode``.
    """
    decoder = method.decoder
    if not method.needs_model:
        return _baseline(sentences, method, decoder)
    DECODERS.resolve(decoder)
    if model is None:
        raise ValueError(f"decoder {decoder} reads impact matrices: a model is needed")
    text = text_read(method.protocol, sentences, model)
    matrices = model.impact_many(
        (as_text(running(one.words, one.spaces), text) for one in sentences),
        **method.impact,
        openness=openness_choice(model, [method.adjust], method.openness_from),
        batch_tokens=method.batch_tokens,
        on_passes=on_passes,
        errors="return",
    )
    return _decoded(zip(sentences, matrices, strict=True), method, decoder)


def _baseline(sentences: Sequence[Sentence], method: Method, name: str) -> Iterator[Induced]:
    trees = baseline_trees(
        [len(sentence.words) for sentence in sentences],
        protocol=method.protocol,
        name=name,
        roots=gold_roots(sentences) if method.root == "gold" else None,
        seed=method.seed,
    )
    for sentence, tree in zip(sentences, trees, strict=True):
        yield Induced(sentence, tree, None)


def _decoded(pairs: Iterable[tuple[Sentence, object]], method: Method, decoder: str) -> Iterator[Outcome]:
    from probe import ImpactMatrix

    pairs = iter(pairs)
    while chunk := list(islice(pairs, _CHUNK)):
        chunk = [(sentence, unless_overflown(found)) for sentence, found in chunk]
        probed = [(sentence, found) for sentence, found in chunk if isinstance(found, ImpactMatrix)]
        trees = iter(
            decode_sentences(
                [adjust(matrix, method.adjust) for _, matrix in probed],
                [sentence for sentence, _ in probed],
                protocol=method.protocol,
                decoder=decoder,
                root=method.root,
            )
        )
        for sentence, found in chunk:
            if isinstance(found, ImpactMatrix):
                yield Induced(sentence, next(trees), found)
            else:
                yield Skipped(sentence, str(found))
