"""What ``analyses.dependency`` scores, and the tables of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from analyses import published
from analyses.dependency.trees import Treebank
from analyses.scores.attachment import count_arcs
from analyses.scores.evaluation import Evaluation, baseline_rows, evaluate_runs
from analyses.scores.paired import Counted, paired_note
from analyses.scores.recall import GroupName, recall_table
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, RowKind, Table
from analyses.trees.adjust import NONE
from analyses.trees.decoders import Heads
from analyses.trees.protocols import ProtocolName, baseline_trees, gold_roots, root_of, scored_words
from analyses.trees.systems import System, Way, check_probed, spread, unknown_notes
from probe import __version__
from probe.errors import ProbeError

if TYPE_CHECKING:
    from data import Sentence

COLUMNS = ("UAS", "UUAS", "NED")


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What the rows of a table share: the sentences that every model could probe, and how they are scored."""

    corpus: Treebank
    protocol: ProtocolName
    places: tuple[int, ...]
    seed: int

    @property
    def sentences(self) -> list[Sentence]:
        """The gold sentences."""
        return [self.corpus.items[place] for place in self.places]

    def about(self) -> dict[str, Any]:
        """Arguments of ``evaluate_runs`` and ``baseline_rows``."""
        return {
            "data": self.corpus.name,
            "version": __version__,
            "protocol": self.protocol,
            "root": root_of(self.protocol),
            "skipped": len(self.corpus.items) - len(self.places),
            "seed": self.seed,
        }


def tables(
    corpus: Treebank,
    systems: Sequence[System[Heads]],
    protocol: ProtocolName,
    *,
    skipped: Collection[int] = (),
    by: Sequence[GroupName] = (),
    compared: Sequence[tuple[Way, Way]] = (),
    seed: int = 0,
) -> list[tuple[str, Table]]:
    """The scores under a protocol, and recall tables.

    Args:
        corpus: the gold trees.
        systems: the induced trees; without any, the table has baselines only.
        protocol: how trees are scored; trees made under another protocol are left out.
        skipped: places of the sentences that could not be probed, which no row counts.
        by: recall is shown by these, a table each.
        compared: pairs of ways; a note says how much more the first of each scores.
        seed: of bootstrap and random trees.

    Returns:
        Tables with the stems of their file names.

    Raises:
        probe.ProbeError: no word is left to score.
        ValueError: as ``analyses.evaluate`` and ``analyses.recall_table``.
    """
    places = tuple(place for place in range(len(corpus.items)) if place not in skipped)
    scored = Scored(corpus=corpus, protocol=protocol, places=places, seed=seed)
    if not any(scored_words(sentence, protocol).any() for sentence in scored.sentences):
        raise ProbeError("no sentence with words to score could be probed, so there is nothing to score")
    check_probed(scored.sentences, skipped=len(corpus.items) - len(places))
    baselines = list(baseline_rows(scored.sentences, **scored.about()))
    chain = _strongest_chain(baselines)
    models: list[dict[Way, Evaluation]] = []
    for system in systems:
        rows = _evaluations(system, scored)
        if system.kind == "model":
            models.append(rows)
        else:
            baselines.extend(rows.values())
    stem = f"dependency-{corpus.name}-{protocol}"
    notes = _notes(scored, systems, baselines, models)
    notes += [
        _paired(own[first], [own[second]], seed)
        for own in models
        for first, second in compared
        if first in own and second in own
    ]
    found = [(stem, _score_table(scored, baselines, models, notes))]
    for group in dict.fromkeys(by):
        found.append((f"{stem}-by-{group}", _recall_table(scored, systems, chain, group)))
    return found


def _strongest_chain(baselines: Sequence[Evaluation]) -> str:
    uas = {row.name: row.uas.value for row in baselines}
    return "left-chain" if uas["left-chain"] > uas["right-chain"] else "right-chain"


def _evaluations(system: System[Heads], scored: Scored) -> dict[Way, Evaluation]:
    """The rows of a system, one a way of making trees."""
    rows = {
        way: evaluate_runs(
            scored.sentences,
            system.trees(way, scored.places),
            name=f"{system.name} {way}",
            settings=system.settings(way),
            **scored.about(),
        )
        for way in system.ways(scored.protocol)
    }
    unknown = system.unknown_words(scored.places)
    return {way: replace(row, unknown_words=unknown) for way, row in rows.items()}


def _score_table(
    scored: Scored,
    baselines: Sequence[Evaluation],
    models: Sequence[Mapping[Way, Evaluation]],
    notes: Sequence[str],
) -> Table:
    rows: list[Row] = []
    if scored.protocol == "wu2020" and scored.corpus.treebank is not None:
        rows += published.dependency_rows(scored.corpus.treebank)
    rows += [_row(row, "baseline") for row in baselines]
    rows += [_row(row, "model") for own in models for row in own.values()]
    title = f"Dependency trees on {scored.corpus.name}, protocol {scored.protocol}, percent [95% interval]"
    other = bool(_size_note(scored, baselines))
    return Table(title=title, columns=COLUMNS, rows=tuple(rows), notes=tuple(notes), other_data=other)


def _size_note(scored: Scored, baselines: Sequence[Evaluation]) -> list[str]:
    """What is said where the published figures that stand beside are of other data."""
    treebank = scored.corpus.treebank
    if scored.protocol != "wu2020" or treebank is None:
        return []
    measured = {"sentences": len(scored.places), "words": int(baselines[0].counts.total.sum())}
    return published.size_note(treebank, {what: measured[what] for what in published.SIZES[treebank]})


def _row(row: Evaluation, kind: RowKind) -> Row:
    made = row.signature
    return Row(
        name=row.name,
        kind=kind,
        cells=tuple(Cell.measured(score.value, score.interval) for score in row.scores),
        signature=made,
        unknown_words=row.unknown_words,
        published_as=published.tree_name(made.settings) if made.protocol == "wu2020" else None,
    )


def _notes(
    scored: Scored,
    systems: Sequence[System[Heads]],
    baselines: Sequence[Evaluation],
    models: Sequence[Mapping[Way, Evaluation]],
) -> list[str]:
    corpus = scored.corpus
    words = int(baselines[0].counts.total.sum())
    notes = [f"{len(scored.places):,} sentences, {words:,} scored words.", _PROTOCOL_NOTES[scored.protocol]]
    if failed := len(corpus.items) - len(scored.places):
        share = f"{failed:,} of {len(corpus.items):,} sentences"
        notes.append(f"Left out of every row, since a model could not probe them: {share}.")
    notes += unknown_notes(systems, scored.places)
    if corpus.note is not None:
        notes.append(corpus.note)
    if scored.protocol == "wu2020" and corpus.treebank is not None:
        notes.append(f"Published: {published.CITATION}, Tables 1 and 2, {corpus.treebank}.")
        notes += _size_note(scored, baselines)
    notes += [
        _spread(system, way, scored)
        for system in systems
        for way in system.ways(scored.protocol)
        if system.kind == "baseline"
    ]
    notes += [_paired(row, baselines, scored.seed) for own in models for row in own.values()]
    return notes + [line for own in models for line in _gains(own, scored.seed)]


_PROTOCOL_NOTES: dict[ProtocolName, str] = {
    "wu2020": "Protocol wu2020: the gold root is given, every word is scored, as published.",
    "fair": "Protocol fair: the decoder finds the root, arcs to punctuation are not scored.",
}


def _spread(system: System[Heads], way: Way, scored: Scored) -> str:
    mask = [scored_words(sentence, scored.protocol) for sentence in scored.sentences]
    gold = [sentence.heads or () for sentence in scored.sentences]
    counts = [count_arcs(gold, trees, scored=mask) for trees in system.trees(way, scored.places)]
    uas = [100 * float(each.directed.sum() / each.total.sum()) for each in counts]
    return spread(f"{system.name} {way}", "UAS", uas)


def _gains(rows: Mapping[Way, Evaluation], seed: int) -> list[str]:
    """The differences of the rows of adjusted impacts to those of the same impacts as they are."""
    plain = {way: replace(way, variant=replace(way.variant, adjust=NONE)) for way in rows}
    return [
        _paired(row, [rows[plain[way]]], seed)
        for way, row in rows.items()
        if plain[way] != way and plain[way] in rows
    ]


def _paired(row: Evaluation, baselines: Sequence[Evaluation], seed: int) -> str:
    """The differences of a row to the strongest of others in each column."""
    columns = zip(COLUMNS, _counted(row), *map(_counted, baselines), strict=True)
    found = [paired_note(column, own, others, seed=seed) for column, own, *others in columns]
    return f"{row.name}: {'; '.join(found)}."


def _counted(row: Evaluation) -> list[Counted]:
    correct = (row.counts.directed, row.counts.undirected, row.counts.ned)
    return [Counted(name=row.name, correct=column, total=row.counts.total) for column in correct]


def _recall_table(scored: Scored, systems: Sequence[System[Heads]], chain: str, by: GroupName) -> Table:
    """Recall of the strongest chain and of every row of a model, side by side."""
    given = gold_roots(scored.sentences) if root_of(scored.protocol) == "gold" else None
    lengths = [len(sentence.words) for sentence in scored.sentences]
    columns: dict[str, Sequence[ArrayLike]] = {}
    made = [Settings(decoder=chain)]
    columns[chain] = baseline_trees(lengths, protocol=scored.protocol, name=chain, roots=given)
    for system in [system for system in systems if system.kind == "model"]:
        for way in system.ways(scored.protocol):
            (columns[f"{system.name} {way}"],) = system.trees(way, scored.places)
            made.append(system.settings(way))
    return recall_table(
        scored.sentences,
        columns,
        title=f"Recall of gold arcs by {by} on {scored.corpus.name}, protocol {scored.protocol}",
        by=by,
        protocol=scored.protocol,
        settings=made,
        seed=scored.seed,
    )
