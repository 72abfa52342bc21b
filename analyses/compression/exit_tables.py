"""Tables of early exit: what is settled at each layer, and when each kind of word is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.compression.exits import agrees, exit_layer, settled_layers
from analyses.dependency.trees import Treebank
from analyses.intervals import MIN_UNITS, Interval, bootstrap, percent_interval
from analyses.scores.attachment import count_arcs
from analyses.tables.signature import Settings, Signature, digest
from analyses.tables.table import Cell, Row, RowKind, Table
from analyses.trees.decoders import Heads
from analyses.trees.protocols import ProtocolName, root_of, scored_words
from analyses.trees.systems import System, Way
from probe import __version__

if TYPE_CHECKING:
    from data import Sentence

COLUMNS = ("settled", "as last", "as best", "trees settled", "UAS", "UUAS")
RESAMPLES = 1000
_CLASSES = 12
"""Rows of the table by part of speech."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """The trees of all layers.

    Attributes:
        corpus: gold trees.
        protocol: how they are scored.
        places: of the sentences that every model could probe.
        best: the layer that stands for each model's own choice, by the model's name.
        seed: of the bootstrap.
    """

    corpus: Treebank
    protocol: ProtocolName
    places: tuple[int, ...]
    best: dict[str, int]
    seed: int

    @property
    def sentences(self) -> list[Sentence]:
        """The gold sentences."""
        return [self.corpus.items[place] for place in self.places]

    @property
    def scored(self) -> list[NDArray[np.bool_]]:
        """Which words of each sentence count."""
        return [scored_words(sentence, self.protocol) for sentence in self.sentences]

    def heads(self, system: System[Heads]) -> list[list[NDArray[np.int64]]]:
        """The heads of each run and sentence, int64 [layers, n], layer 1 first."""
        ways = system.ways(self.protocol)
        by_way = [system.trees(way, self.places) for way in ways]
        runs = range(len(system.runs))
        return [
            [np.array([trees[run][at] for trees in by_way]) for at in range(len(self.places))] for run in runs
        ]

    def signature(self, settings: Settings) -> Signature:
        """How a figure was made."""
        return Signature(
            data=self.corpus.name,
            digest=digest(self.sentences),
            root=root_of(self.protocol),
            punct="scored" if self.protocol == "wu2020" else "unscored",
            n=len(self.places),
            skipped=len(self.corpus.items) - len(self.places) or None,
            version=__version__,
            protocol=self.protocol,
            settings=settings,
            resamples=RESAMPLES,
            seed=self.seed,
        )


def exit_tables(systems: Sequence[System[Heads]], trees: Trees) -> list[tuple[str, Table]]:
    """By layer for every system; by part of speech for the models, where it is known."""
    stem = f"early-exit-{trees.corpus.name}-{trees.protocol}"
    rows = [row for system in systems for row in _by_layer(system, trees)]
    title = f"Early exit on {trees.corpus.name}, protocol {trees.protocol}, percent [95% interval]"
    found = [
        (stem, Table(title=title, columns=COLUMNS, rows=tuple(rows), notes=tuple(_notes(systems, trees))))
    ]
    found.append((f"{stem}-patience", _by_patience(systems, trees)))
    if all(sentence.upos is not None for sentence in trees.sentences):
        found.append((f"{stem}-by-upos", _by_class(systems, trees)))
    return found


def _notes(systems: Sequence[System[Heads]], trees: Trees) -> list[str]:
    words = sum(int(mask.sum()) for mask in trees.scored)
    notes = [
        f"{len(trees.places):,} sentences, {words:,} words that count.",
        "settled: the head at this layer is that of every later layer; as last, as best: it is the head of the "
        "last layer, of the layer that is best for the model; trees settled: sentences, all of whose words are.",
    ]
    for system in systems:
        if system.kind == "model":
            best, n_layers = trees.best[system.name], len(system.ways(trees.protocol))
            notes.append(f"{system.name}: best layer {best} of {n_layers}.")
    return notes


def _kind(system: System[Heads]) -> RowKind:
    return "baseline" if system.kind == "baseline" else "model"


def _by_layer(system: System[Heads], trees: Trees) -> list[Row]:
    """A row a layer; of several seeds the mean."""
    ways, runs = system.ways(trees.protocol), trees.heads(system)
    masks, best = trees.scored, trees.best[system.model.name]
    total = np.array([mask.sum() for mask in masks], dtype=np.float64)
    gold = [sentence.heads or () for sentence in trees.sentences]
    rows = []
    for at, way in enumerate(ways):
        sums = np.zeros((len(COLUMNS), len(masks)))
        for heads in runs:
            for place, (own, mask) in enumerate(zip(heads, masks, strict=True)):
                settled = settled_layers(own) <= at + 1
                sums[0, place] += (settled & mask).sum()
                sums[1, place] += (agrees(own, len(ways))[at] & mask).sum()
                sums[2, place] += (agrees(own, best)[at] & mask).sum()
                sums[3, place] += bool(mask.any()) and bool(settled[mask].all())
            counts = count_arcs(gold, [own[at] for own in heads], scored=masks)
            sums[4] += counts.directed
            sums[5] += counts.undirected
        sums /= len(runs)
        each = [(total > 0).astype(np.float64) if column == 3 else total for column in range(len(COLUMNS))]
        cells = [_percent(top, bottom, trees.seed) for top, bottom in zip(sums, each, strict=True)]
        rows.append(
            Row(
                name=f"{system.name}, layer {at + 1}",
                kind=_kind(system),
                cells=tuple(cells),
                signature=trees.signature(system.settings(way)),
            )
        )
    return rows


def _percent(top: NDArray[np.float64], bottom: NDArray[np.float64], seed: int) -> Cell:
    interval = percent_interval(top, bottom, resamples=RESAMPLES, seed=seed)
    return Cell.measured(float(100 * top.sum() / bottom.sum()), interval)


def _mean(top: NDArray[np.float64], bottom: NDArray[np.float64], seed: int) -> Cell | None:
    """A mean over words with its interval over sentences; None without words."""
    if not bottom.any():
        return None
    interval: Interval | None = bootstrap(top, bottom, resamples=RESAMPLES, seed=seed)
    if np.count_nonzero(bottom) < MIN_UNITS:
        interval = None
    return Cell.measured(float(top.sum() / bottom.sum()), interval, decimals=2)


def _by_class(systems: Sequence[System[Heads]], trees: Trees) -> Table:
    """The mean of the layer at which the head of a word settles, for each part of speech."""
    tags = [np.array(sentence.upos or ()) for sentence in trees.sentences]
    masks = trees.scored
    counts = Counter(tag for own, mask in zip(tags, masks, strict=True) for tag in own[mask].tolist())
    layers = {system.name: _mean_layers(system, trees) for system in systems}
    columns: list[str] = ["words"]
    made: list[Settings | None] = [None]
    for system in systems:
        columns += [f"{system.name}, last", f"{system.name}, best"]
        made += [_any_layer(system, system.ways(trees.protocol)[0])] * 2
    rows = []
    for name in (None, *(tag for tag, _ in counts.most_common(_CLASSES))):
        chosen = [mask & ((own == name) if name else mask) for own, mask in zip(tags, masks, strict=True)]
        bottom = np.array([mask.sum() for mask in chosen], dtype=np.float64)
        cells: list[Cell | None] = [Cell(float(bottom.sum()), decimals=0)]
        for system in systems:
            for kind in layers[system.name]:
                top = np.array([own[mask].sum() for own, mask in zip(kind, chosen, strict=True)])
                cells.append(_mean(top, bottom, trees.seed))
        rows.append(Row(name=name or "all", kind="model", cells=tuple(cells)))
    return Table(
        title=f"Layer at which the head of a word settles on {trees.corpus.name}, mean [95% interval]",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(
            "last: the first layer from which on the head is that of all later layers; best: of all layers up to "
            "the best one.",
        ),
        signature=trees.signature(Settings()),
        column_settings=tuple(made),
    )


def _by_patience(systems: Sequence[System[Heads]], trees: Trees) -> Table:
    """What stopping costs, once so many layers in a row gave the same tree."""
    masks = trees.scored
    total = np.array([mask.sum() for mask in masks], dtype=np.float64)
    gold = [sentence.heads or () for sentence in trees.sentences]
    rows = []
    for system in systems:
        ways, runs = system.ways(trees.protocol), trees.heads(system)
        best = trees.best[system.model.name]
        for patience in range(1, max(2, best)):  # as many as the best layer: always that one
            stops = f"{patience + 1} layers alike" if patience + 1 < best else f"layer {best}"
            sums = np.zeros((3, len(masks)))
            for heads in runs:
                at = [exit_layer(own, patience=patience, last=best) for own in heads]
                chosen = [own[layer - 1] for own, layer in zip(heads, at, strict=True)]
                counts = count_arcs(gold, chosen, scored=masks)
                sums += np.array([at, counts.directed, counts.undirected])
            sums /= len(runs)
            layers = _mean(sums[0], np.ones(len(masks)), trees.seed)
            settings = _any_layer(system, ways[0])
            rows.append(
                Row(
                    name=f"{system.name}, {stops}",
                    kind=_kind(system),
                    cells=(layers, *(_percent(top, total, trees.seed) for top in sums[1:])),
                    signature=trees.signature(settings),
                )
            )
    return Table(
        title=f"Trees of {trees.corpus.name} where layers in a row are alike, else of the best layer, percent",
        columns=("layers run", "UAS", "UUAS"),
        rows=tuple(rows),
        notes=("layers run: mean over sentences. The rule looks at no gold tree (PABEE, Zhou et al. 2020).",),
    )


def _any_layer(system: System[Heads], way: Way) -> Settings:
    return replace(system.settings(way), layer=None)


def _mean_layers(system: System[Heads], trees: Trees) -> list[list[NDArray[np.float64]]]:
    """The layer at which each word settles, up to the last and up to the best layer, the mean of the runs."""
    runs, best = trees.heads(system), trees.best[system.model.name]
    found = []
    for last in (None, best):
        each = [[settled_layers(own, last).astype(np.float64) for own in heads] for heads in runs]
        found.append([np.mean(of_runs, axis=0) for of_runs in zip(*each, strict=True)])
    return found
