"""The tables of ``analyses.constituency``: scores beside baselines, and the choice on development data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from analyses import published
from analyses.constituency.scores import (
    BIAS_WORDS,
    LABELS,
    WSJ10_WORDS,
    Columns,
    Gold,
    Hits,
    baseline_hits,
    decoder_bias,
    is_biased,
)
from analyses.scores.paired import paired_note
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, Row, RowKind, Table
from analyses.trees.protocols import ProtocolName
from analyses.trees.variants import Variant
from probe import __version__

if TYPE_CHECKING:
    from probe.source import ImpactSource

_RESAMPLES = 1000


@dataclass(frozen=True)
class Way:
    """How impact matrices become trees."""

    decoder: str
    variant: Variant

    def __str__(self) -> str:
        """``chart-row+dist, layer 12, mean``."""
        return f"{self.decoder}+{self.variant}"


@dataclass(frozen=True)
class System:
    """Hits of one model, or of its architecture with several random weights: one run each."""

    model: ImpactSource
    name: str
    kind: RowKind
    runs: list[Mapping[Way, Hits]] = field(default_factory=list)

    def hits(self, way: Way, places: Sequence[int]) -> list[Hits]:
        """The hits of every run on the sentences at these places."""
        return [run[way][list(places)] for run in self.runs]


@dataclass(frozen=True)
class Scores:
    """What the rows of a table share: data, columns, the places of the sentences scored, seed."""

    data: str
    columns: Columns
    places: Sequence[int]
    seed: int

    @property
    def protocol(self) -> ProtocolName:
        """The protocol of the table."""
        return self.columns.gold.protocol

    def row(self, name: str, kind: RowKind, runs: Sequence[Hits], settings: Settings) -> Row:
        """A row with its signature."""
        signature = Signature(
            data=self.data,
            digest=self.columns.gold.digest(),
            n=len(self.places),
            version=__version__,
            protocol=self.protocol,
            settings=settings,
            resamples=_RESAMPLES,
            seed=self.seed,
        )
        cells = self.columns.cells(runs, seed=self.seed)
        return Row(name=name, kind=kind, cells=cells, signatures=(str(signature),))

    def paired(self, name: str, runs: Sequence[Hits], others: Mapping[str, Sequence[Hits]]) -> str:
        """The difference of a row to the strongest of others in each column of F1."""
        found = []
        for column, header in enumerate(self.columns.f1_names):
            own = self.columns.counted(name, runs, column)
            if np.any(own.total):
                rivals = [self.columns.counted(other, hits, column) for other, hits in others.items()]
                found.append(paired_note(header, own, rivals, seed=self.seed))
        return f"{name}: {'; '.join(found)}."


def score_table(
    table: Scores, systems: Sequence[System], *, beside_published: bool, notes: Sequence[str]
) -> Table:
    """Published figures, baselines and models under a protocol.

    Args:
        table: what the rows share.
        systems: models, and random weights among the baselines.
        beside_published: whether the published figures of Table 3 belong here; never under ``fair``.
        notes: on the data, in front of those on the figures.
    """
    gold = table.columns.gold
    given = _published(table.columns) if beside_published and table.protocol == "wu2020" else []
    baselines = baseline_hits(gold, seed=table.seed)
    rows = [table.row(name, "baseline", runs, Settings(decoder=name)) for name, runs in baselines.items()]
    models: dict[str, list[Hits]] = {}
    spreads = []
    for system in sorted(systems, key=lambda system: system.kind):
        for way in system.runs[0]:
            name, runs = _name(system, way), system.hits(way, table.places)
            rows.append(table.row(name, system.kind, runs, _settings(system, way)))
            (models if system.kind == "model" else baselines)[name] = runs
            if system.kind == "baseline":
                spreads.append(_spread(table, name, runs))
    results = [name for name in models if table.protocol == "wu2020" or not name.endswith(_BIASED)]
    return Table(
        title=f"Constituency trees on {table.data}, protocol {table.protocol}, percent [95% interval]",
        columns=table.columns.names,
        rows=(*given, *rows),
        notes=(
            *notes,
            _PROTOCOL_NOTES[table.protocol],
            _labels_note(gold),
            *([_PUBLISHED_NOTE] if given else []),
            *_bias_notes(systems),
            *spreads,
            *(table.paired(name, models[name], baselines) for name in results),
        ),
    )


def choice_table(table: Scores, system: System) -> Table:
    """F1 of sentences by span score and layer, and which is best; all sentences of the development part."""
    column = table.columns.main
    layers = sorted({way.variant.layer for way in system.runs[0]})
    rows: dict[str, dict[int, Cell]] = {}
    for way in system.runs[0]:
        score = table.columns.counted("", system.hits(way, table.places), column)
        others = (way.variant.metric, way.variant.pool, way.variant.perturb)
        rows.setdefault(f"{way.decoder}+{', '.join(others)}", {})[way.variant.layer] = Cell(100 * score.value)
    best, layer = max(
        ((name, layer) for name, cells in rows.items() for layer in cells),
        key=lambda place: rows[place[0]][place[1]].value,
    )
    right = baseline_hits(table.columns.gold, seed=table.seed)["right-branching"]
    chance = 100 * table.columns.counted("", right, column).value
    return Table(
        title=f"{table.columns.names[column]} of {system.name} by layer, development part {table.data}, "
        f"protocol {table.protocol}, percent",
        columns=tuple(map(str, layers)),
        rows=tuple(
            Row(name=name, kind="model", cells=tuple(cells.get(layer) for layer in layers))
            for name, cells in rows.items()
        ),
        notes=(
            f"{len(table.places):,} sentences; right-branching: {chance:.1f}.",
            f"Best: {best}, layer {layer}: {rows[best][layer]}. Score it on sections that are not in --dev.",
        ),
    )


def _published(columns: Columns) -> list[Row]:
    """Table 3 in the columns of ours; section 23, all lengths, is beside our sentences of all lengths."""
    place = {f"F1 to {WSJ10_WORDS}": "WSJ10 F1"}
    if columns.max_length is None:
        place |= {"F1": "PTB23 F1"} | {label: label for label in LABELS}
    known = published.TABLE3.columns
    rows = []
    for row in published.TABLE3.rows:
        cells = dict(zip(known, row.cells, strict=True))
        own = tuple(cells.get(place.get(name, "")) for name in columns.names)
        if any(cell is not None for cell in own):
            rows.append(Row(name=row.name, kind="published", cells=own))
    return rows


_BIASED = " (biased)"


def _name(system: System, way: Way) -> str:
    return f"{system.name} {way}{_BIASED if is_biased(way.decoder) else ''}"


def _settings(system: System, way: Way) -> Settings:
    name = system.model.name
    if system.kind == "baseline":
        name = f"{name} (random weights, seeds 0 to {len(system.runs) - 1})"
    return way.variant.settings(system.model, decoder=way.decoder, name=name)


_PROTOCOL_NOTES: dict[ProtocolName, str] = {
    "wu2020": "Protocol wu2020: words as published (lower case, numbers N or 19); F1 is the mean over "
    "sentences, the whole sentence counts as a bracket.",
    "fair": "Protocol fair: words as they stand; the whole sentence is no bracket; F1 is the mean over "
    "sentences, corpus F1 that of all brackets together.",
}
_PUBLISHED_NOTE = (
    f"Published: {published.CITATION}, Table 3; F1 to 10 is on all of WSJ10, F1 and recall by label are on "
    "section 23 of the Penn Treebank."
)


def _labels_note(gold: Gold) -> str:
    totals = gold.hits.sum(axis=0)[1:].tolist()
    counts = ", ".join(f"{label} {total:,}" for label, total in zip(LABELS, totals, strict=True))
    return f"Below a label: recall of its gold brackets, of which there are: {counts}."


def _bias_notes(systems: Sequence[System]) -> list[str]:
    decoders = dict.fromkeys(way.decoder for system in systems for way in system.runs[0])
    biased = [f"{name} {100 * decoder_bias(name):+.0f}" for name in decoders if is_biased(name)]
    if not biased:
        return []
    return [
        f"Biased, so not the model's result: on random matrices of {BIAS_WORDS} words, right- minus "
        f"left-branching F1 of {', '.join(biased)} points."
    ]


def _spread(table: Scores, name: str, runs: Sequence[Hits]) -> str:
    """The lowest and the highest F1 of random weights: the interval of their mean is over sentences only."""
    column = table.columns.main
    values = [100 * table.columns.counted("", [hits], column).value for hits in runs]
    seeds = f"mean of {len(values)} seeds" if len(values) > 1 else "one seed"
    return f"{name}: {seeds}, {table.columns.names[column]} {min(values):.1f} to {max(values):.1f}."
