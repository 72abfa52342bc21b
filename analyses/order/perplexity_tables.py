"""Perplexities as tables: by piece, by word, by how much was seen, and by drawn order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analyses.order.perplexity import (
    PSEUDO,
    RESAMPLES,
    Floats,
    Perplexity,
    Reading,
    bias_log_probabilities,
    by_share_seen,
    perplexity,
    unigram_log_probabilities,
)
from analyses.order.published import NOTE, WIKITEXT103
from analyses.order.texts import Sequences
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, Row, RowKind, Table
from probe import __version__

if TYPE_CHECKING:
    from probe import Probe

BINS = 5
"""Of the share of pieces that are seen."""
_DECIMALS = 2
"""Of perplexities below 100; others are shown without."""


@dataclass(frozen=True, kw_only=True, eq=False)
class System:
    """What gave the pieces of sequences their log-probabilities.

    Attributes:
        name, kind, settings: of its row.
        sequences: of the model's own pieces.
        readings: of each way, of each drawn order and each model of random weights; none of baselines that see
            nothing.
        alone: the values of such a baseline: [pieces] of each sequence, whatever is seen.
    """

    name: str
    kind: RowKind
    settings: Settings
    sequences: Sequences
    readings: Mapping[str, Sequence[Reading]]
    alone: tuple[Floats, ...] | None = None

    def log_probabilities(self, way: str) -> Floats:
        """Of each sequence, the mean over drawn orders: float64 [sequences]."""
        if self.alone is not None:
            return np.array([each.sum() for each in self.alone])
        means: Floats = np.mean([reading.sums for reading in self.readings[way]], axis=0)
        return means

    @property
    def pieces(self) -> list[int]:
        """Number of pieces of each sequence."""
        return [len(each.positions) for each in self.sequences.pieces]


@dataclass(frozen=True, kw_only=True)
class About:
    """What signatures and titles say of a run: its data, ways, and numbers."""

    data: str
    ways: tuple[str, ...]
    length: int
    draws: int
    seed: int


def systems_of(
    model: Probe,
    sequences: Sequences,
    readings: Mapping[str, Sequence[Reading]],
    blank: Mapping[str, Sequence[Reading]],
    *,
    seeds: int,
) -> list[System]:
    """The model behind its baselines.

    Args:
        model: the model.
        sequences: of its pieces.
        readings: of the model.
        blank: of its architecture with random weights, of all seeds.
        seeds: number of those.
    """
    own = Settings(model=model.name, dtype=str(model.dtype).removeprefix("torch."))
    made = System(name=model.name, kind="model", settings=own, sequences=sequences, readings=readings)
    frequencies = unigram_log_probabilities(sequences.pieces)
    found = [replace(made, name=f"{model.name}: frequencies in the text", kind="baseline", alone=frequencies)]
    if (bias := bias_log_probabilities(model, sequences.pieces)) is not None:
        found.append(replace(made, name=f"{model.name}: output bias", kind="baseline", alone=bias))
    if seeds:
        random = replace(own, random_weights=seeds)
        name = f"{model.name} random weights"
        found.append(replace(made, name=name, kind="baseline", settings=random, readings=blank))
    return [*found, made]


def perplexity_tables(systems: Sequence[System], about: About) -> list[tuple[str, Table]]:
    """The tables of a run, each with the stem of its file name."""
    tables = [
        ("perplexity-by-piece", _by_unit(systems, about, words=False)),
        ("perplexity-by-word", _by_unit(systems, about, words=True)),
    ]
    if "random" in about.ways:
        tables.append(("perplexity-by-share-seen", _by_share(systems, about)))
        tables.append(("perplexity-by-drawn-order", _by_draw(systems, about)))
    return tables


def _by_unit(systems: Sequence[System], about: About, *, words: bool) -> Table:
    rows = []
    if not words:
        for name, values in WIKITEXT103.items():
            figures = [values.get(way) for way in about.ways]
            shown = tuple(None if value is None else Cell(value, decimals=_DECIMALS) for value in figures)
            if any(shown):
                rows.append(Row(name=name, kind="published", cells=shown))
    notes = [NOTE] if rows else []
    for system in systems:
        counts = system.sequences.words if words else system.pieces
        cells = tuple(
            _cell(perplexity(system.log_probabilities(way), counts, seed=about.seed)) for way in about.ways
        )
        signature = signature_of(system, about)
        rows.append(Row(name=system.name, kind=system.kind, cells=cells, signature=signature))
    models = {id(system.sequences): system for system in systems}.values()
    size = (
        f"{len(each.pieces):,} sequences of at most {about.length} pieces, {sum(each.sequences.words):,} words, "
        f"{sum(each.pieces):,} pieces"
        for each in models
    )
    notes += [f"{text}." for text in dict.fromkeys(size)]
    notes.append("Frequencies in the text have seen it: of a short text they are too good.")
    if PSEUDO in about.ways:
        notes.append("pseudo: all other pieces are seen; it is no perplexity of a distribution over texts.")
    if "random" in about.ways:
        notes.append(f"random: geometric mean over {_orders(about)} of each sequence.")
    unit = "word" if words else "piece"
    return Table(
        title=f"Perplexity of {about.data} by order, per {unit} [95% interval]",
        columns=about.ways,
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _by_share(systems: Sequence[System], about: About) -> Table:
    rows = []
    for system in systems:
        if system.alone is not None:
            continue
        cells = []
        for sums, counts in by_share_seen(system.readings["random"], BINS):
            found = perplexity(sums, counts, seed=about.seed) if counts.any() else None
            cells.append(None if found is None else _cell(found))
        signature = signature_of(system, about)
        rows.append(Row(name=system.name, kind=system.kind, cells=tuple(cells), signature=signature))
    return Table(
        title=f"Perplexity of {about.data} by the share of other pieces that is seen, per piece [95% interval]",
        columns=tuple(f"{100 * at // BINS}-{100 * (at + 1) // BINS}%" for at in range(BINS)),
        rows=tuple(rows),
        notes=(f"Random: {_orders(about)} of each sequence.",),
    )


def _orders(about: About) -> str:
    return "1 order" if about.draws == 1 else f"{about.draws} orders"


def _by_draw(systems: Sequence[System], about: About) -> Table:
    models = [system for system in systems if system.kind == "model"]
    rows = []
    for draw in range(about.draws):
        cells = (
            _cell(perplexity(system.readings["random"][draw].sums, system.pieces, seed=about.seed))
            for system in models
        )
        rows.append(Row(name=f"random order, seed {about.seed + draw}", kind="model", cells=tuple(cells)))
    return Table(
        title=f"Perplexity of {about.data} in each drawn order, per piece [95% interval]",
        columns=tuple(system.name for system in models),
        rows=tuple(rows),
        column_settings=tuple(system.settings for system in models),
        notes=("A seed gives every sequence an order of its own.",),
    )


def _cell(found: Perplexity) -> Cell:
    return Cell.measured(found.value, found.interval, decimals=_DECIMALS if found.value < 100 else 0)


def signature_of(system: System, about: About) -> Signature:
    """What the figures of a system were measured on, and how."""
    return Signature(
        data=about.data,
        digest=system.sequences.sha256(),
        n=len(system.sequences.pieces),
        skipped=len(system.sequences.skipped) or None,
        version=__version__,
        settings=system.settings,
        resamples=RESAMPLES,
        seed=about.seed,
        about=(f"length:{about.length}", *([f"orders:{about.draws}"] if "random" in about.ways else [])),
    )
