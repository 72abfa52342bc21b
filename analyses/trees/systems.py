"""The one loop of induction: random weights, then the model itself; all variants from one pass.

Matrices are decoded chunk by chunk as they come, and what cannot be probed is noted. What the trees are of
(words of a treebank, units of a discourse) and what is kept of each (heads, hits) is the room's own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from analyses.tables.signature import Settings, seeds_text
from analyses.tables.table import RowKind, unknown_text
from analyses.trees.protocols import ProtocolName, is_defined
from analyses.trees.variants import Variant, matrices, random_weights
from probe.errors import ProbeError, SentenceError, one_line
from probe.spaces import TextName

if TYPE_CHECKING:
    from data import ConstituencySentence, Sentence
    from probe import ImpactMatrix
    from probe.source import ImpactSource

Item = TypeVar("Item")
Matrix = TypeVar("Matrix")
Tree = TypeVar("Tree")
Counts = TypeVar("Counts")

_CHUNK = 64
"""Sentences whose matrices are held at a time."""

Skipped: TypeAlias = dict[int, str]
"""Why a sentence could not be probed, by its place."""


@dataclass(frozen=True, kw_only=True)
class Corpus(Generic[Item]):
    """What trees are induced for, and what is said of it in a note."""

    name: str
    items: tuple[Item, ...]
    note: str | None = None


@dataclass(frozen=True)
class Way:
    """How impact matrices become trees: ``decoder`` is that of dependencies or of constituents."""

    protocol: ProtocolName
    decoder: str
    variant: Variant

    def __str__(self) -> str:
        """``eisner+dist, layer 12, mean``."""
        return f"{self.decoder}+{self.variant}"


def dependency_ways(
    protocols: Iterable[ProtocolName],
    decoders: Iterable[str],
    variants: Iterable[Variant],
    texts: Mapping[ProtocolName, TextName] | None = None,
) -> list[Way]:
    """Every combination, each once, for which the protocol has scores.

    ``texts`` says what the model reads under each protocol (see ``protocols.text_read``), if not spaced words.
    """
    found = [
        Way(protocol, decoder, replace(variant, text=(texts or {}).get(protocol, "spaced")))
        for protocol, decoder, variant in product(protocols, decoders, variants)
    ]
    return [
        way
        for way in dict.fromkeys(found)
        if is_defined(way.protocol, way.decoder, negative=way.variant.can_be_negative)
    ]


Run: TypeAlias = dict[Way, dict[int, Tree]]
"""What one model gave: for each way the trees by the place of their item."""


@dataclass(frozen=True)
class System(Generic[Tree]):
    """Trees of one model, or of its architecture with several random weights: one run each.

    ``kind`` is that of its rows: ``model``, or ``baseline`` for random weights. ``unknown`` has by the place of an
    item how many of its units the vocabulary does not know, and how many there are.
    """

    model: ImpactSource
    kind: RowKind
    runs: tuple[Run[Tree], ...]
    unknown: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What its rows begin with."""
        return f"{self.model.name} random weights" if self.kind == "baseline" else self.model.name

    def ways(self, protocol: ProtocolName) -> list[Way]:
        """How its trees were made under a protocol."""
        return [way for way in self.runs[0] if way.protocol == protocol]

    def unknown_words(self, places: Sequence[int]) -> tuple[int, int] | None:
        """How many words of the items at these places are unknown, of how many; None where nothing says it."""
        found = [self.unknown[place] for place in places if place in self.unknown]
        return (sum(one for one, _ in found), sum(all_ for _, all_ in found)) if found else None

    def trees(self, way: Way, places: Sequence[int]) -> list[list[Tree]]:
        """The trees of each run at these places."""
        return [[run[way][place] for place in places] for run in self.runs]

    def settings(self, way: Way, *, biased: bool | None = None) -> Settings:
        """How a row was made; ``biased`` says it of the decoder, where that was measured."""
        return way.variant.settings(
            self.model,
            decoder=way.decoder,
            biased=biased,
            random_weights=len(self.runs) if self.kind == "baseline" else None,
        )


@dataclass(frozen=True, kw_only=True)
class Line(Generic[Counts]):
    """A row before it is one: the counts of its runs (seeds, random draws), whose mean it shows."""

    name: str
    kind: RowKind
    runs: Sequence[Counts]
    settings: Settings
    unknown_words: tuple[int, int] | None = None


Impacts: TypeAlias = Callable[
    ["ImpactSource", Sequence[Variant], str], Iterator["tuple[Matrix, ...] | SentenceError"]
]
"""Model, variants, label of the progress bar -> for each item its matrices, one a variant, or why it has none."""

Decode: TypeAlias = Callable[[Way, Sequence[int], Sequence[Matrix]], Sequence[Tree]]
"""Way, places of the items and their matrices -> their trees."""


def word_impacts(sentences: Sequence[Sequence[str]], args: argparse.Namespace) -> Impacts[ImpactMatrix]:
    """The impact matrices of sentences given as words, by the options of the command."""

    def found(
        model: ImpactSource, chosen: Sequence[Variant], label: str
    ) -> Iterator[tuple[ImpactMatrix, ...] | SentenceError]:
        return matrices(model, sentences, chosen, args, label=label)

    return found


def systems(
    model: ImpactSource,
    ways: Sequence[Way],
    *,
    impacts: Impacts[Matrix],
    decode: Decode[Matrix, Tree],
    args: argparse.Namespace,
    label: str,
    skipped: Skipped,
    see: Callable[[int, Sequence[Matrix]], None] | None = None,
) -> list[System[Tree]]:
    """Trees of random weights, ``--seeds`` times, and of the model itself, which runs first.

    Args:
        model: a model, or its stored matrices, which have no random weights beside them.
        ways: how trees are made; without any there is no system, and no pass.
        impacts: see ``Impacts``; asked once a model for the variants of all ways.
        decode: see ``Decode``; asked for a chunk of matrices at a time.
        args: options of the command.
        label: of the progress bar, before the name of the model.
        skipped: told of the items that a model could not take.
        see: given the place and the matrices of each item, of the model itself.
    """
    from probe.matrix import ImpactMatrix

    if not ways:
        return []
    unknown: dict[int, tuple[int, int]] = {}

    def run(
        source: ImpactSource, name: str, see: Callable[[int, Sequence[Matrix]], None] | None
    ) -> Run[Tree]:
        chosen = list(dict.fromkeys(way.variant for way in ways))
        trees: Run[Tree] = {way: {} for way in ways}
        results = enumerate(impacts(source, chosen, f"{label}, {name}"))
        while chunk := list(islice(results, _CHUNK)):
            probed = {place: found for place, found in chunk if not isinstance(found, SentenceError)}
            for place, found in chunk:
                if isinstance(found, SentenceError):
                    skipped.setdefault(place, str(found))
            for way in ways:
                column = chosen.index(way.variant)
                decoded = decode(way, list(probed), [found[column] for found in probed.values()])
                trees[way].update(zip(probed, decoded, strict=True))
            for place, found in probed.items():
                if isinstance(first := found[0], ImpactMatrix):
                    unknown[place] = len(first.unknown), len(first)
                if see is not None:
                    see(place, found)
        return trees

    # The model first: what it cannot do is not said of a copy of it that nobody named.
    own = System(model, "model", (run(model, model.name, see),), unknown)
    blank = tuple(
        run(weights, f"random weights {seed}", None)
        for seed, weights in enumerate(random_weights(model, args))
    )
    return [System(model, "baseline", blank, unknown), own] if blank else [own]


def unknown_notes(systems: Iterable[System[Any]], places: Sequence[int]) -> list[str]:
    """A note for each model whose vocabulary does not know all words of the items at these places."""
    found = {
        system.model.name: counts
        for system in systems
        if (counts := system.unknown_words(places)) is not None
    }
    return [f"{name}: {unknown_text(*counts)}." for name, counts in found.items() if counts[0]]


def check_probed(sentences: Sequence[Sentence], *, skipped: int) -> None:
    """Refuse what is left of a corpus where a model could take nothing but sentences of one word.

    The only tree of one word is right whatever the model says, even one whose states are not finite.

    Args:
        sentences: those that could be probed.
        skipped: how many could not.

    Raises:
        probe.ProbeError: some could not, and no other has two words.
    """
    if skipped and all(len(sentence.words) == 1 for sentence in sentences):
        total = skipped + len(sentences)
        alone = ", and all others are of one word, whose tree no model decides" if sentences else ""
        raise ProbeError(f"{skipped} of {total} sentences could not be probed{alone}")


def skip_lines(items: Sequence[Sentence | ConstituencySentence], skipped: Skipped) -> list[str]:
    """A line for each sentence that could not be probed: where it stands, its id and the reason."""
    return [
        one_line(f"{items[place].where}: sentence {items[place].id} skipped: {reason}")
        for place, reason in sorted(skipped.items())
    ]


def spread_notes(column: str, found: Mapping[str, Sequence[float]]) -> list[str]:
    """The lowest and the highest score of random weights, in one note; none of a single seed, which its row shows.

    The interval of their mean is over sentences only.

    Args:
        column: of the scores.
        found: the score of each seed, by the name of the row; all have the same seeds.
    """
    several = {
        name.replace(" random weights ", " "): values for name, values in found.items() if len(values) > 1
    }
    if not several:
        return []
    seeds = seeds_text(max(map(len, several.values())))
    ranges = "; ".join(f"{name} {min(values):.1f} to {max(values):.1f}" for name, values in several.items())
    return [f"{column} of random weights, lowest to highest of {seeds}: {ranges}."]
