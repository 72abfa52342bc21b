"""Dependency trees of a treebank, induced in every way by a model and by random weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyses import published
from analyses.trees.decoders import Heads
from analyses.trees.protocols import ProtocolName, decode_sentences, text_read
from analyses.trees.systems import Corpus, Skipped, System, Way, dependency_ways, systems, word_impacts
from analyses.trees.variants import Variant
from data import Sentence
from probe.command_line import UsageError
from probe.spaces import running

if TYPE_CHECKING:
    from probe import ImpactMatrix
    from probe.source import ImpactSource


@dataclass(frozen=True, kw_only=True)
class Treebank(Corpus[Sentence]):
    """Gold trees; ``treebank`` says beside which published figures they stand, if any."""

    treebank: published.Treebank | None = None


def treebank_ways(
    model: ImpactSource,
    corpus: Treebank,
    protocols: Iterable[ProtocolName],
    decoders: Iterable[str],
    variants: Iterable[Variant],
) -> list[Way]:
    """How trees of a treebank are made, each protocol with the text that it gives the model to read."""
    texts = {protocol: text_read(protocol, corpus.items, model) for protocol in protocols}
    return dependency_ways(texts, decoders, variants, texts)


def induce(
    model: ImpactSource,
    ways: Sequence[Way],
    corpus: Treebank,
    args: argparse.Namespace,
    skipped: Skipped,
    see: Callable[[int, Sequence[ImpactMatrix]], None] | None = None,
) -> list[System[Heads]]:
    """Trees of a treebank by random weights and by the model itself; ``skipped`` and ``see`` as in ``systems``.

    Raises:
        probe.command_line.UsageError: the decoder refuses the impacts.
    """

    def trees(way: Way, places: Sequence[int], found: Sequence[ImpactMatrix]) -> list[Heads]:
        sentences = [corpus.items[place] for place in places]
        try:
            return decode_sentences(found, sentences, protocol=way.protocol, decoder=way.decoder)
        except ValueError as error:
            raise UsageError(f"{way} under protocol {way.protocol}: {error}") from error

    impacts = word_impacts([running(one.words, one.spaces) for one in corpus.items], args)
    return systems(
        model,
        ways,
        impacts=impacts,
        decode=trees,
        args=args,
        label=corpus.name,
        skipped=skipped,
        see=see,
    )
