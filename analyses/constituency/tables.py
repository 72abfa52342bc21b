"""The tables of ``analyses.constituency``: scores beside baselines, and the choice on development data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from analyses.constituency.trees import Found, runs_of
from analyses.scores.paired import STRONGEST, Counted, difference_rows, paired, with_differences
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, Row, Table
from analyses.trees.protocols import ProtocolName
from analyses.trees.systems import Line, System, spread_notes, unknown_notes
from probe import __version__

_RESAMPLES = 1000
_DIFFERENCES = f"{STRONGEST}. Paired bootstrap over sentences, two-sided p."


@dataclass(frozen=True)
class Scores:
    """What the rows of a table share: data, columns, places of the sentences scored, how many are not, seed."""

    data: str
    columns: Columns
    places: Sequence[int]
    skipped: int
    seed: int

    @classmethod
    def of(cls, data: str, gold: Gold, places: Sequence[int], *, max_length: int | None, seed: int) -> Scores:
        """The sentences of ``gold`` at these places."""
        kept = Gold.of([gold.sentences[place] for place in places], gold.protocol)
        skipped = len(gold.sentences) - len(places)
        return cls(data, Columns(kept, max_length), places, skipped, seed)

    @property
    def protocol(self) -> ProtocolName:
        """The protocol of the table."""
        return self.columns.gold.protocol

    def row(self, line: Line[Hits]) -> Row:
        """A row with its signature."""
        signature = Signature(
            data=self.data,
            digest=self.columns.gold.digest(),
            n=len(self.places),
            skipped=self.skipped or None,
            version=__version__,
            protocol=self.protocol,
            settings=line.settings,
            resamples=_RESAMPLES,
            seed=self.seed,
        )
        return Row(
            name=line.name,
            kind=line.kind,
            cells=self.columns.cells(line.runs, seed=self.seed),
            signature=signature,
            unknown_words=line.unknown_words,
            published_as=_paper_name(line.settings) if self.protocol == "wu2020" else None,
        )

    def lines(self, system: System[Found]) -> list[Line[Hits]]:
        """The rows of a system."""
        found = []
        for way in system.ways(self.protocol):
            biased = is_biased(way.decoder)
            name = f"{system.name} {way}{' (biased)' if biased else ''}"
            settings = system.settings(way, biased=biased)
            runs = runs_of(system, way, self.places)
            unknown = system.unknown_words(self.places)
            line = Line(name=name, kind=system.kind, runs=runs, settings=settings, unknown_words=unknown)
            found.append(line)
        return found

    def counted(self, line: Line[Hits]) -> dict[str, Counted]:
        """The counts of each column of F1 that has a sentence."""
        found = {
            header: replace(self.columns.counted(line.name, line.runs, column), settings=line.settings)
            for column, header in enumerate(self.columns.f1_names)
        }
        return {header: counts for header, counts in found.items() if np.any(counts.total)}


def score_tables(
    stem: str,
    table: Scores,
    systems: Sequence[System[Found]],
    *,
    beside_published: bool,
    notes: Sequence[str],
) -> list[tuple[str, Table]]:
    """Published figures, baselines and models under a protocol; then the models less the strongest baselines.

    Args:
        stem: of the names of their files.
        table: what the rows share.
        systems: models, and random weights among the baselines.
        beside_published: whether the published figures of Table 3 belong here; never under ``fair``.
        notes: on the data, in front of those on the figures.
    """
    gold = table.columns.gold
    given = _published(table.columns) if beside_published and table.protocol == "wu2020" else []
    baselines = [
        Line(name=name, kind="baseline", runs=runs, settings=Settings(decoder=name))
        for name, runs in baseline_hits(gold, seed=table.seed).items()
    ]
    induced = [line for system in systems for line in table.lines(system)]
    blank = [line for line in induced if line.kind == "baseline"]
    models = [line for line in induced if line.kind == "model"]
    own = list(map(table.row, models))
    about = f"Constituency trees on {table.data}, protocol {table.protocol}"
    scores = Table(
        title=f"{about}, percent [95% interval]",
        columns=table.columns.names,
        other_data=bool(given and _size_note(table)),
        rows=(*given, *map(table.row, [*baselines, *blank]), *own),
        notes=(
            *notes,
            *unknown_notes(systems, table.places),
            _PROTOCOL_NOTES[table.protocol],
            _labels_note(gold),
            *([_PUBLISHED_NOTE, *_size_note(table)] if given else []),
            *_bias_notes(induced),
            *_spread(table, blank),
        ),
    )
    rivals = list(map(table.counted, [*baselines, *blank]))
    measures = list(rivals[0])
    rows = [
        difference
        for row, line in zip(own, models, strict=True)
        if table.protocol == "wu2020" or not line.settings.biased
        for difference in difference_rows(
            row,
            {
                header: paired(counts, [rival[header] for rival in rivals], seed=table.seed)
                for header, counts in table.counted(line).items()
            },
        )
    ]
    return with_differences(stem, scores, rows, measures=measures, about=about, note=_DIFFERENCES)


def choice_table(table: Scores, system: System[Found]) -> Table:
    """F1 of sentences by span score and layer, and which is best; all sentences of the development part."""
    column = table.columns.main
    layers = sorted({way.variant.layer for way in system.runs[0]})
    rows: dict[str, dict[int, Cell]] = {}
    for way in system.runs[0]:
        score = table.columns.counted("", runs_of(system, way, table.places), column)
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


def _paper_name(made: Settings) -> str | None:
    """MART where it is what the published code does, on a model's impacts as they are."""
    found = published.tree_name(made)
    return "MART" if found == "mart-released+dist" else None


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


def _size_note(table: Scores) -> list[str]:
    data = "section 23" if table.columns.max_length is None else "WSJ10-U"
    return published.size_note(data, {"sentences": len(table.places)})


def _labels_note(gold: Gold) -> str:
    totals = gold.hits.sum(axis=0)[1:].tolist()
    counts = ", ".join(f"{label} {total:,}" for label, total in zip(LABELS, totals, strict=True))
    return f"Below a label: recall of its gold brackets, of which there are: {counts}."


def _bias_notes(lines: Sequence[Line[Hits]]) -> list[str]:
    decoders = dict.fromkeys(line.settings.decoder for line in lines if line.settings.biased)
    biased = [f"{name} {100 * decoder_bias(name):+.0f}" for name in decoders if name is not None]
    if not biased:
        return []
    return [
        f"Biased, so not the model's result: on random matrices of {BIAS_WORDS} words, right- minus "
        f"left-branching F1 of {', '.join(biased)} points."
    ]


def _spread(table: Scores, blank: Sequence[Line[Hits]]) -> list[str]:
    column = table.columns.main
    seeds = {
        line.name: [100 * table.columns.counted("", [hits], column).value for hits in line.runs]
        for line in blank
    }
    return spread_notes(table.columns.names[column], seeds)
