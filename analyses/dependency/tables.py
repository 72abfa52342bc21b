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
from analyses.scores.paired import STRONGEST, Counted, difference_rows, paired, with_differences
from analyses.scores.recall import GroupName, recall_table
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, RowKind, Table
from analyses.trees.adjust import NONE
from analyses.trees.decoders import Heads
from analyses.trees.protocols import ProtocolName, baseline_trees, gold_roots, root_of, scored_words
from analyses.trees.systems import System, Way, check_probed, spread_notes, unknown_notes
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
        compared: pairs of ways; how much more the first of each scores is among the differences.
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
    found = with_differences(
        stem,
        _score_table(scored, systems, baselines, models),
        [row for own in models for row in _differences(own, baselines, compared, seed)],
        measures=COLUMNS,
        about=_about(scored),
        note=_DIFFERENCES,
    )
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
    systems: Sequence[System[Heads]],
    baselines: Sequence[Evaluation],
    models: Sequence[Mapping[Way, Evaluation]],
) -> Table:
    rows: list[Row] = []
    if scored.protocol == "wu2020" and scored.corpus.treebank is not None:
        rows += published.dependency_rows(scored.corpus.treebank)
    rows += [_row(row, "baseline") for row in baselines]
    rows += [_row(row, "model") for own in models for row in own.values()]
    return Table(
        title=f"{_about(scored)}, percent [95% interval]",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=tuple(_notes(scored, systems, baselines)),
        other_data=bool(_size_note(scored, baselines)),
    )


def _about(scored: Scored) -> str:
    return f"Dependency trees on {scored.corpus.name}, protocol {scored.protocol}"


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


def _notes(scored: Scored, systems: Sequence[System[Heads]], baselines: Sequence[Evaluation]) -> list[str]:
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
    seeds = {
        f"{system.name} {way}": _uas(system, way, scored)
        for system in systems
        for way in system.ways(scored.protocol)
        if system.kind == "baseline"
    }
    return notes + spread_notes("UAS", seeds)


_PROTOCOL_NOTES: dict[ProtocolName, str] = {
    "wu2020": "Protocol wu2020: the gold root is given, every word is scored, as published.",
    "fair": "Protocol fair: the decoder finds the root, arcs to punctuation are not scored.",
}


_DIFFERENCES = (
    f"{STRONGEST}, or other trees of the same model, such as those of impacts without an adjustment. Paired "
    "bootstrap over sentences, two-sided p."
)


def _uas(system: System[Heads], way: Way, scored: Scored) -> list[float]:
    """That of each run."""
    mask = [scored_words(sentence, scored.protocol) for sentence in scored.sentences]
    gold = [sentence.heads or () for sentence in scored.sentences]
    counts = [count_arcs(gold, trees, scored=mask) for trees in system.trees(way, scored.places)]
    return [100 * float(each.directed.sum() / each.total.sum()) for each in counts]


def _differences(
    rows: Mapping[Way, Evaluation],
    baselines: Sequence[Evaluation],
    compared: Sequence[tuple[Way, Way]],
    seed: int,
) -> list[Row]:
    """The rows of a model against baselines and its own: those of impacts as they are, and those asked for."""
    found: list[Row] = []
    for way, row in rows.items():
        found += _paired(row, baselines, seed)
        plain = replace(way, variant=replace(way.variant, adjust=NONE))
        for other in dict.fromkeys((plain, *(second for first, second in compared if first == way))):
            if other != way and other in rows:
                found += _paired(row, [rows[other]], seed)
    return found


def _paired(row: Evaluation, others: Sequence[Evaluation], seed: int) -> list[Row]:
    """The differences of a row to the strongest of others in each column."""
    columns = zip(COLUMNS, _counted(row), *map(_counted, others), strict=True)
    found = {column: paired(own, theirs, seed=seed) for column, own, *theirs in columns}
    return difference_rows(_row(row, "model"), found)


def _counted(row: Evaluation) -> list[Counted]:
    correct = (row.counts.directed, row.counts.undirected, row.counts.ned)
    made = row.signature.row_settings()
    return [
        Counted(name=row.name, correct=column, total=row.counts.total, settings=made) for column in correct
    ]


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
