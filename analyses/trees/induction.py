"""From sentences and a model to induced trees, streamed in input order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, tee
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from analyses.tables.signature import Settings
from analyses.trees.adjust import NONE, adjust
from analyses.trees.decoders import BASELINES, DECODERS, Heads
from analyses.trees.methods import METHODS
from analyses.trees.protocols import (
    ProtocolName,
    RootName,
    baseline_trees,
    decode_sentences,
    gold_roots,
    root_of,
    text_asked,
    text_read,
)
from analyses.trees.variants import Variant, openness_choice, unless_overflown
from probe.options import ImpactChoice
from probe.patterns import FULL
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
    ``seed`` that of random trees. ``name`` is that of the bundle it was taken from, an entry of
    ``analyses.trees.methods.METHODS``.
    """

    name: str | None = None
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

    def made_by(self, model: ImpactSource | None) -> str:
        """What a tree is made by: ``model = bert, method = openness``, and settings that are not the method's own.

        Without a name all settings of the matrices and the decoder are said; a baseline is its decoder.
        """
        said: dict[str, object] = {} if self.name is None else {"method": self.name}
        if model is not None and self.needs_model:
            said = {"model": model.name, **said}
            usual: dict[str, object] = {"attention": FULL, "openness_from": None}
            usual |= {} if self.name is None else METHODS[self.name].settings()
            own = {**self.impact, "adjust": self.adjust, "openness_from": self.openness_from}
            said |= {name: value for name, value in own.items() if usual.get(name, ...) != value}
            said |= {} if usual.get("decoder") == self.decoder else {"decoder": self.decoder}
        else:
            said = {"decoder": self.decoder}
        said |= {} if self.protocol == "fair" else {"protocol": self.protocol}
        said |= {} if self.root == root_of(self.protocol) else {"root": self.root}
        return ", ".join(f"{name.replace('_', '-')} = {value}" for name, value in said.items())

    def settings(self, model: ImpactSource | None, sentences: Sequence[Sentence]) -> Settings:
        """What goes into the signature of a score on these sentences."""
        if model is None:
            return Settings(decoder=self.decoder)
        resolved = model.resolve(**self.impact)
        ((metric, layer, pool, perturb),) = resolved.combinations()
        text = text_read(self.protocol, sentences, model)
        variant = Variant(metric, layer, pool, perturb, self.adjust, text, resolved.attention)
        return variant.settings(model, decoder=self.decoder)

    def read(self, sentences: Iterable[Sentence], model: ImpactSource) -> Iterator[Sequence[str]]:
        """The words of the sentences, in the text that the model reads under the protocol."""
        text = text_asked(self.protocol, model)
        return (as_text(running(one.words, one.spaces), text) for one in sentences)


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
    sentences: Iterable[Sentence],
    model: ImpactSource | None,
    method: Method,
    *,
    on_passes: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """Induce a tree for every sentence, in input order; sentences are taken as they are needed.

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
    sentences, read = tee(sentences)
    matrices = model.impact_many(
        method.read(read, model),
        **method.impact,
        openness=openness_choice(model, [method.adjust], method.openness_from),
        batch_tokens=method.batch_tokens,
        on_passes=on_passes,
        errors="return",
    )
    return _decoded(zip(sentences, matrices, strict=True), method, decoder)


def _baseline(sentences: Iterable[Sentence], method: Method, name: str) -> Iterator[Induced]:
    rng = np.random.default_rng(method.seed)
    sentences = iter(sentences)
    while chunk := list(islice(sentences, _CHUNK)):
        trees = baseline_trees(
            [len(sentence.words) for sentence in chunk],
            protocol=method.protocol,
            name=name,
            roots=gold_roots(chunk) if method.root == "gold" else None,
            seed=rng,
        )
        for sentence, tree in zip(chunk, trees, strict=True):
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
