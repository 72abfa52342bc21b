"""What a report knows of each sentence: the trees of the model, its matrix in bytes, the sentences left out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import chain, islice, product
from typing import TYPE_CHECKING

import numpy as np

from analyses.constituency.scores import Gold
from analyses.constituency.tables import Scores, score_tables
from analyses.constituency.trees import induce as induce_brackets
from analyses.dependency.tables import tables
from analyses.dependency.trees import Treebank, induce, treebank_ways
from analyses.scores.recall import GroupName
from analyses.tables.table import Table
from analyses.trees.adjust import NONE, AdjustedMatrix, impacts_label
from analyses.trees.decoders import CONSTITUENT_DECODERS, Heads
from analyses.trees.protocols import PROTOCOLS, ProtocolName, scored_words
from analyses.trees.systems import Skipped, System, Way, check_probed, skip_lines
from analyses.trees.variants import Variant
from data import Sentence, words_proper
from probe.errors import ProbeError

if TYPE_CHECKING:
    from data import ConstituencySentence, PtbTree
    from parsers import Bracketing
    from probe import ImpactMatrix
    from probe.source import ImpactSource

BRACKET_DECODERS = ("mart-released", "mart-paper", "chart-row")
SHOWN_BRACKETS = "mart-paper"
"""Its trees are those of the sentences: the paper's method, without a bias of its own (``docs/bias.md``)."""

LEVELS = 255
"""An impact of a sentence is kept as a whole number from 0 to this, the largest."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """How trees of a report are made.

    Attributes:
        name: of ``METHODS``; empty where none was asked for.
        variant, decoder: of dependency trees.
        constituents: settings of the matrices of constituents.
    """

    name: str
    variant: Variant
    decoder: str
    constituents: Variant


@dataclass(frozen=True, kw_only=True)
class View:
    """What one method makes of a sentence of n words.

    Attributes:
        method: its name, which may be empty.
        impacts: the settings of the impacts.
        brackets: the constituents, over the words at the places ``kept`` of the sentence.
        heat: n * n bytes, row by row: impact / ``largest`` * 255, rounded; negative impacts are 0.
        largest: the largest impact.
        scale: what the impacts are, for their colour scale.
        heads: of each protocol, int64 [n]; empty for constituency.
    """

    method: str = ""
    impacts: str = ""
    brackets: Bracketing
    heat: bytes
    largest: float
    scale: str
    heads: Mapping[ProtocolName, Heads] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A sentence as the report shows it.

    Attributes:
        words: n words.
        views: of the methods, in their order.
        kept: places of the words that are no punctuation.
        unknown: how many of the words the model's vocabulary does not know.
        sentence: with gold heads or gold spans, or with neither.
    """

    words: tuple[str, ...]
    views: tuple[View, ...]
    sentence: Sentence | ConstituencySentence
    kept: tuple[int, ...]
    unknown: int = 0


@dataclass(frozen=True, kw_only=True)
class Part:
    """Tables and sentences of one corpus, and which sentences the model could not probe, and why."""

    name: str
    kind: str
    tables: tuple[Table, ...]
    seen: tuple[Seen, ...]
    skipped: tuple[str, ...]


# --- dependency


def dependency_part(
    model: ImpactSource, methods: Sequence[Method], corpus: Treebank, args: argparse.Namespace
) -> Part:
    """Score the trees of a model and of random weights, and keep what is shown of each sentence.

    Args:
        model: the model, or matrices that were stored.
        methods: one or more.
        corpus: gold trees, checked.
        args: options of ``analyses.report``.

    Raises:
        probe.ProbeError: no sentence could be probed.
    """
    protocols = scorable(corpus)
    ways = _ways(model, methods, corpus, protocols)
    skipped: Skipped = {}
    seen = _Seen(corpus.items, methods, ways)
    induced = induce(model, list(dict.fromkeys(chain(*ways))), corpus, args, skipped, see=seen.take)
    compared = [pair for own in ways[1:] for pair in product(own, ways[0])]
    groups: list[GroupName] = ["length"]
    if all(sentence.relations is not None for sentence in corpus.items):
        groups.append("relation")
    found = [
        table
        for protocol in protocols
        for _, table in tables(
            corpus, induced, protocol, skipped=skipped, by=groups, compared=compared, seed=args.seed
        )
    ]
    (own,) = (system for system in induced if system.kind == "model")
    return Part(
        name=corpus.name,
        kind="dependencies",
        tables=tuple(found),
        seen=tuple(seen.with_heads(own, skipped)),
        skipped=tuple(skip_lines(corpus.items, skipped)),
    )


def text_part(
    model: ImpactSource, methods: Sequence[Method], corpus: Treebank, args: argparse.Namespace
) -> Part:
    """The trees of text, which nothing is known to score by: those of protocol ``fair``.

    Args:
        model, methods, args: as in ``dependency_part``.
        corpus: sentences without gold trees.

    Raises:
        probe.ProbeError: no sentence could be probed.
    """
    ways = _ways(model, methods, corpus, ("fair",))
    alone = copy(args)
    alone.seeds = 0  # random weights are there to be compared by scores
    skipped: Skipped = {}
    seen = _Seen(corpus.items, methods, ways)
    (own,) = induce(model, list(dict.fromkeys(chain(*ways))), corpus, alone, skipped, see=seen.take)
    found = seen.with_heads(own, skipped)
    check_probed([corpus.items[place] for place in seen.kept(skipped)], skipped=len(skipped))
    return Part(
        name=corpus.name,
        kind="text",
        tables=(),
        seen=tuple(found),
        skipped=tuple(skip_lines(corpus.items, skipped)),
    )


def scorable(corpus: Treebank) -> tuple[ProtocolName, ...]:
    """The protocols whose scores the corpus allows: ``fair`` needs part-of-speech tags and a word to score."""
    found = []
    for protocol in PROTOCOLS:
        try:
            if any(scored_words(sentence, protocol).any() for sentence in corpus.items):
                found.append(protocol)
        except ValueError:
            continue
    return tuple(found)


def _ways(
    model: ImpactSource, methods: Sequence[Method], corpus: Treebank, protocols: Sequence[ProtocolName]
) -> list[list[Way]]:
    """How trees of a treebank are made by each method, one way a protocol."""
    return [treebank_ways(model, corpus, protocols, [one.decoder], [one.variant]) for one in methods]


class _Seen:
    """What is shown of sentences, taken from their matrices as they come.

    Args:
        sentences: all of them.
        methods: how their trees are made.
        ways: of each method; of two texts, that of the last is shown.
    """

    def __init__(
        self,
        sentences: Sequence[Sentence | ConstituencySentence],
        methods: Sequence[Method],
        ways: Sequence[Sequence[Way]],
    ) -> None:
        self._sentences, self._methods, self._ways = sentences, methods, ways
        chosen = list(dict.fromkeys(way.variant for way in chain(*ways)))
        self._columns = [chosen.index(own[-1].variant) for own in ways]
        self._found: dict[int, Seen] = {}

    def take(self, place: int, found: Sequence[ImpactMatrix]) -> None:
        """Keep a sentence's brackets and impacts in bytes."""
        shown = [AdjustedMatrix.of(found[column]) for column in self._columns]
        sentence = self._sentences[place]
        all_words = tuple(range(len(sentence.words)))
        kept = words_proper(sentence) if isinstance(sentence, Sentence) else all_words
        views = [_view(*pair, kept) for pair in zip(self._methods, shown, strict=True)]
        self._found[place] = Seen(
            words=sentence.words,
            views=tuple(views),
            sentence=sentence,
            kept=kept,
            unknown=len(shown[0].unknown),
        )

    def kept(self, skipped: Skipped) -> dict[int, Seen]:
        """The sentences that every model could probe, by their places."""
        return {place: self._found[place] for place in sorted(self._found) if place not in skipped}

    def with_heads(self, system: System[Heads], skipped: Skipped) -> list[Seen]:
        """The same with the trees of a system, one way a protocol."""
        (run,) = system.runs
        return [
            replace(
                seen,
                views=tuple(
                    replace(view, heads={way.protocol: run[way][place] for way in own})
                    for view, own in zip(seen.views, self._ways, strict=True)
                ),
            )
            for place, seen in self.kept(skipped).items()
        ]


def _view(method: Method, matrix: AdjustedMatrix, kept: Sequence[int]) -> View:
    values = matrix.impacts  # without what was added for the decoder
    largest = float(values.max())
    scaled = np.rint(LEVELS * np.maximum(values, 0) / (largest or 1.0)).astype(np.uint8)
    (brackets,) = CONSTITUENT_DECODERS[SHOWN_BRACKETS].decode([values[np.ix_(kept, kept)]])
    return View(
        method=method.name,
        impacts=str(replace(method.variant, adjust=NONE)),
        brackets=brackets,
        heat=scaled.tobytes(),
        largest=largest,
        scale=impacts_label(method.variant.metric, method.variant.adjust),
    )


# --- constituency


def constituency_part(
    model: ImpactSource,
    methods: Sequence[Method],
    name: str,
    trees: Sequence[PtbTree],
    args: argparse.Namespace,
) -> Part:
    """Score the brackets of a model and of random weights; the sentences are those of protocol ``fair``.

    Raises:
        probe.ProbeError: no sentence has two words or more, or none could be probed.
    """
    import data

    found, seen, reasons = [], list[Seen](), dict[str, None]()
    for protocol in PROTOCOLS:
        sentences = tuple(
            islice(data.constituency_sentences(trees, protocol=protocol, min_length=2), args.limit)
        )
        if not sentences:
            raise ProbeError(f"{name}: no sentence of 2 words or more without punctuation to score")
        ways = [[Way(protocol, decoder, one.constituents) for decoder in BRACKET_DECODERS] for one in methods]
        gold, skipped, shown = Gold.of(sentences, protocol), Skipped(), _Seen(sentences, methods, ways)
        label, all_ways = f"{name}, {protocol}", list(dict.fromkeys(chain(*ways)))
        induced = induce_brackets(model, all_ways, gold, args, skipped, label=label, see=shown.take)
        kept = shown.kept(skipped)
        if not kept:
            raise ProbeError(f"{name}: no sentence could be probed, so there is nothing to score")
        scores = Scores.of(name, gold, list(kept), max_length=None, seed=args.seed)
        note = f"{len(kept):,} sentences of 2 words or more without punctuation."
        beside = args.data is not None
        tables_of = score_tables("", scores, induced, beside_published=beside, notes=[note])
        found += [table for _, table in tables_of]
        reasons |= dict.fromkeys(skip_lines(sentences, skipped))
        if protocol == "fair":
            seen = list(kept.values())
    return Part(name=name, kind="constituents", tables=tuple(found), seen=tuple(seen), skipped=tuple(reasons))
