"""What a report knows of each sentence: the trees of the model, its matrix in bytes, the sentences left out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from analyses.constituency.scores import Columns, Gold, count_hits
from analyses.constituency.tables import Scores, System, score_table
from analyses.constituency.tables import Way as BracketWay
from analyses.dependency.tables import Corpus, Runs, Trees, Way, tables
from analyses.scores.recall import GroupName
from analyses.tables.table import Table
from analyses.trees.decoders import CONSTITUENT_DECODERS, Heads
from analyses.trees.protocols import PROTOCOLS, ProtocolName, decode, gold_roots, scored_words
from analyses.trees.variants import Variant, matrices, random_weights
from probe.errors import ProbeError, SentenceError

if TYPE_CHECKING:
    from data import ConstituencySentence, PtbTree, Sentence
    from parsers import Bracketing
    from probe import ImpactMatrix
    from probe.source import ImpactSource

BRACKET_DECODERS = ("mart-released", "mart-paper", "chart-row")
SHOWN_BRACKETS = "mart-paper"
"""Its trees are those of the sentences: the paper's method, without a bias of its own (``docs/bias.md``)."""

LEVELS = 255
"""An impact of a sentence is kept as a whole number from 0 to this, the largest."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A sentence as the report shows it.

    Attributes:
        words: n words.
        brackets: the model's constituents.
        heat: n * n bytes, row by row: impact / ``largest`` * 255, rounded; negative impacts are 0.
        largest: the largest impact.
        heads: of each protocol, int64 [n]; empty for constituency.
        sentence: with gold heads, or gold spans.
    """

    words: tuple[str, ...]
    brackets: Bracketing
    heat: bytes
    largest: float
    heads: dict[ProtocolName, Heads]
    sentence: Sentence | ConstituencySentence


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
    model: ImpactSource, variant: Variant, corpus: Corpus, args: argparse.Namespace, decoder: str
) -> Part:
    """Score the trees of a model and of random weights, and keep what is shown of each sentence.

    Args:
        model: the model, or matrices that were stored.
        variant: settings of the matrices.
        corpus: gold trees, checked.
        args: options of ``analyses.report``.
        decoder: of the dependency trees.

    Raises:
        probe.ProbeError: no sentence could be probed.
    """
    protocols = scorable(corpus)
    ways = [Way(protocol, decoder, variant) for protocol in protocols]
    skipped: dict[int, str] = {}
    blank = []
    for seed, weights in enumerate(random_weights(model, args)):
        trees: Trees = {way: {} for way in ways}
        for place, matrix in _matrices(weights, variant, corpus, args, skipped, f"random weights {seed}"):
            for way in ways:
                trees[way][place] = _heads(matrix, way, corpus.sentences[place])
        blank.append(trees)
    own: Trees = {way: {} for way in ways}
    seen: dict[int, Seen] = {}
    for place, matrix in _matrices(model, variant, corpus, args, skipped, model.name):
        sentence = corpus.sentences[place]
        for way in ways:
            own[way][place] = _heads(matrix, way, sentence)
        seen[place] = _seen(matrix, sentence, {way.protocol: own[way][place] for way in ways})
    systems = [Runs(model, model.name, "model", (own,))]
    if blank:
        systems.insert(0, Runs(model, f"{model.name} random weights", "baseline", tuple(blank)))
    groups: list[GroupName] = ["length"]
    if all(sentence.relations is not None for sentence in corpus.sentences):
        groups.append("relation")
    found = [
        table
        for protocol in protocols
        for _, table in tables(corpus, systems, protocol, skipped=skipped, by=groups, seed=args.seed)
    ]
    return Part(
        name=corpus.name,
        kind="dependencies",
        tables=tuple(found),
        seen=tuple(each for place, each in seen.items() if place not in skipped),
        skipped=_reasons(corpus.sentences, skipped),
    )


def scorable(corpus: Corpus) -> tuple[ProtocolName, ...]:
    """The protocols whose scores the corpus allows: ``fair`` needs part-of-speech tags and a word to score."""
    found = []
    for protocol in PROTOCOLS:
        try:
            if any(scored_words(sentence, protocol).any() for sentence in corpus.sentences):
                found.append(protocol)
        except ValueError:
            continue
    return tuple(found)


def _matrices(
    model: ImpactSource,
    variant: Variant,
    corpus: Corpus,
    args: argparse.Namespace,
    skipped: dict[int, str],
    label: str,
) -> Iterator[tuple[int, ImpactMatrix]]:
    """Place and matrix of every sentence that can be probed; notes the others."""
    words = [sentence.words for sentence in corpus.sentences]
    results = matrices(model, words, [variant], args, label=f"{corpus.name}, {label}")
    for place, found in enumerate(results):
        if isinstance(found, SentenceError):
            skipped.setdefault(place, str(found))
        else:
            yield place, found[0]


def _heads(matrix: ImpactMatrix, way: Way, sentence: Sentence) -> Heads:
    roots = gold_roots([sentence]) if way.protocol == "wu2020" else None
    name = f"sentence {sentence.id}"
    (heads,) = decode([matrix], protocol=way.protocol, decoder=way.decoder, roots=roots, names=[name])
    return heads


def _seen(
    matrix: ImpactMatrix, sentence: Sentence | ConstituencySentence, heads: dict[ProtocolName, Heads]
) -> Seen:
    values = matrix.values.astype(np.float64)
    largest = float(values.max())
    scaled = np.rint(LEVELS * np.maximum(values, 0) / (largest or 1.0)).astype(np.uint8)
    (brackets,) = CONSTITUENT_DECODERS[SHOWN_BRACKETS].decode([values])
    return Seen(
        words=sentence.words,
        brackets=brackets,
        heat=scaled.tobytes(),
        largest=largest,
        heads=heads,
        sentence=sentence,
    )


def _reasons(
    sentences: Sequence[Sentence | ConstituencySentence], skipped: dict[int, str]
) -> tuple[str, ...]:
    return tuple(
        f"{sentences[place].where}: sentence {sentences[place].id} skipped: {reason}"
        for place, reason in sorted(skipped.items())
    )


# --- constituency


def constituency_part(
    model: ImpactSource, variant: Variant, name: str, trees: Sequence[PtbTree], args: argparse.Namespace
) -> Part:
    """Score the brackets of a model and of random weights; the sentences are those of protocol ``fair``.

    Raises:
        probe.ProbeError: no sentence has two words or more, or none could be probed.
    """
    import data

    found, seen, reasons = [], [], dict[str, None]()
    for protocol in PROTOCOLS:
        sentences = tuple(
            islice(data.constituency_sentences(trees, protocol=protocol, min_length=2), args.limit)
        )
        if not sentences:
            raise ProbeError(f"{name}: no sentence of 2 words or more without punctuation to score")
        scored = _Brackets(model, variant, name, Gold.of(sentences, protocol), args)
        table, own = scored.table()
        found.append(table)
        reasons |= dict.fromkeys(_reasons(sentences, scored.skipped))
        if protocol == "fair":
            seen = own
    return Part(name=name, kind="constituents", tables=tuple(found), seen=tuple(seen), skipped=tuple(reasons))


class _Brackets:
    """The brackets of one corpus under one protocol."""

    def __init__(
        self, model: ImpactSource, variant: Variant, name: str, gold: Gold, args: argparse.Namespace
    ) -> None:
        self.model, self.variant, self.name, self.gold, self.args = model, variant, name, gold, args
        self.ways = [BracketWay(decoder, variant) for decoder in BRACKET_DECODERS]
        self.skipped: dict[int, str] = {}

    def table(self) -> tuple[Table, list[Seen]]:
        """The scores, and what is shown of each sentence."""
        blank = System(self.model, f"{self.model.name} random weights", "baseline")
        for seed, weights in enumerate(random_weights(self.model, self.args)):
            blank.runs.append(self._run(weights, f"random weights {seed}", None))
        seen: dict[int, Seen] = {}
        own = System(self.model, self.model.name, "model")
        own.runs.append(self._run(self.model, self.model.name, seen))
        places = [place for place in range(len(self.gold.sentences)) if place not in self.skipped]
        if not places:
            raise ProbeError(f"{self.name}: no sentence could be probed, so there is nothing to score")
        kept = Gold.of([self.gold.sentences[place] for place in places], self.gold.protocol)
        scores = Scores(self.name, Columns(kept, None), places, self.args.seed)
        systems = [blank, own] if blank.runs else [own]
        published = self.args.data is not None
        note = f"{len(places):,} sentences of 2 words or more without punctuation."
        table = score_table(scores, systems, beside_published=published, notes=[note])
        return table, [seen[place] for place in places]

    def _run(
        self, model: ImpactSource, label: str, seen: dict[int, Seen] | None
    ) -> dict[BracketWay, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
        """Gold brackets that the trees of a model have, in every way."""
        hits = {way: np.zeros_like(self.gold.hits) for way in self.ways}
        words = [sentence.words for sentence in self.gold.sentences]
        label = f"{self.name}, {self.gold.protocol}, {label}"
        for place, found in enumerate(matrices(model, words, [self.variant], self.args, label=label)):
            if isinstance(found, SentenceError):
                self.skipped.setdefault(place, str(found))
                continue
            sentence, values = self.gold.sentences[place], found[0].values.astype(np.float64)
            for way in self.ways:
                (tree,) = CONSTITUENT_DECODERS[way.decoder].decode([values])
                hits[way][place] = count_hits([sentence], [tree.spans], self.gold.protocol)[0]
            if seen is not None:
                seen[place] = _seen(found[0], sentence, {})
        return hits
