"""Tables of facts with and without a triple in the prompt: precision, paired differences, by relation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analyses.intervals import MIN_UNITS, Interval, paired_bootstrap
from analyses.knowledge.inserted import (
    ASKED,
    COUNTED,
    NONE,
    OPEN,
    PLAIN,
    RANDOM,
    RELATED,
    TOLD,
    WAYS,
    InsertedResult,
)
from analyses.knowledge.results import COLUMNS, values_of
from analyses.knowledge.scores import RESAMPLES, Means, mean_over_facts, mean_over_relations
from analyses.knowledge.tables import Run, count, kind_of, signature
from analyses.tables.signature import seeds_text
from analyses.tables.table import Cell, Row, RowKind, Table
from data.lama import FactCorpus

Floats = NDArray[np.float64]
MEASURES = ("P@1", "P@10", "MRR")
_AT = [COLUMNS.index(name) for name in MEASURES]
_KINDS: Mapping[str, RowKind] = {NONE: "baseline", RANDOM: "baseline", ASKED: "human", TOLD: "human"}
"""Of rows; others are the model's. A control is nothing to beat, as another annotator is not."""
_PAIRS = (
    (RELATED, NONE),
    (RELATED, RANDOM),
    (RANDOM, NONE),
    (OPEN, RELATED),
    (COUNTED, RELATED),
    (PLAIN, RELATED),
    (ASKED, NONE),
    (TOLD, NONE),
)
_NOTES = (
    f"{RELATED}: the first other fact of the subject, in another relation, whose object is not the answer; its "
    "relation in words and its object stand behind the subject, seen by the subject and themselves only (visible "
    "matrix), at positions that go on from the subject's (soft positions), as in K-BERT.",
    f"{RANDOM}: the same relation of another subject, as many pieces, mean over draws. {OPEN}: all sees all. "
    f"{COUNTED}: positions from left to right. {PLAIN}: the triple is plain words of the prompt.",
    f"{ASKED}: the answer itself is inserted; how much of what is inserted can reach the gap at all.",
    "Nothing is trained: K-BERT is, with triples in its sentences.",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class InsertedRun:
    """What came out of one model.

    Attributes:
        run: the model, its candidates and the seed; its results are not read.
        results: of each relation.
        draws: of random triples.
        seeds: models with random weights.
    """

    run: Run
    results: Sequence[InsertedResult]
    draws: int
    seeds: int

    def of(self, corpus: FactCorpus) -> list[InsertedResult]:
        """The results of a corpus that have facts."""
        return [each for each in self.results if each.relation.corpus == corpus and each.asked]


def inserted_tables(found: InsertedRun, corpus: FactCorpus) -> list[tuple[str, Table]]:
    """The tables of one corpus, each with the stem of its file names; none where no fact was asked."""
    results = found.of(corpus)
    if not results:
        return []
    stem = f"triples-{corpus.lower()}"
    tables = [
        (stem, _scores(found, corpus, results)),
        (f"{stem}-differences", _differences(found, corpus, results)),
    ]
    if len(results) > 1:
        tables.append((f"{stem}-by-relation", _by_relation(found, corpus, results)))
    return tables


def _scores(found: InsertedRun, corpus: FactCorpus, results: Sequence[InsertedResult]) -> Table:
    name, seed = found.run.model.name, found.run.seed
    line = signature(found.run, corpus, results)
    rows = []
    if found.seeds:
        values = [values_of(each.random)[:, _AT] for each in results]
        cells = _cells(values, seed)
        rows.append(
            Row(name=f"{name} random weights: {RELATED}", kind="baseline", cells=cells, signature=line)
        )
    for way in WAYS:
        values = [values_of(each.ranks[way])[:, _AT] for each in results]
        kind = _KINDS.get(way, "model")
        rows.append(Row(name=_row_name(name, way), kind=kind, cells=_cells(values, seed), signature=line))
    return Table(
        title=f"{corpus}: a triple inserted, mean over {count(len(results), 'relation')}, in percent",
        columns=(*MEASURES, "P@1 of all facts"),
        rows=tuple(rows),
        notes=(*_asked(found, corpus), *_NOTES, *_random_weights(found)),
    )


def _cells(values: Sequence[Floats], seed: int) -> tuple[Cell, ...]:
    means = [mean_over_facts(each, seed=seed, relation=number) for number, each in enumerate(values)]
    every = mean_over_facts(np.concatenate(values)[:, :1], seed=seed)
    return (*mean_over_relations(means).cells(), *every.cells())


def _row_name(model: str, way: str) -> str:
    return f"{model}: {RELATED}, {way}" if way in (OPEN, COUNTED, PLAIN) else f"{model}: {way}"


def _asked(found: InsertedRun, corpus: FactCorpus) -> list[str]:
    """What was asked and what was not."""
    own = [each for each in found.results if each.relation.corpus == corpus]
    asked, pieces = sum(each.asked for each in own), sum(each.branch for each in own)
    notes = [
        f"{asked:,} facts asked, of {len({name for each in own for name in each.subjects}):,} subjects; "
        f"{sum(each.alone for each in own):,} others have no related triple. A triple has "
        f"{pieces / asked:.1f} pieces, mean."
    ]
    if reasons := Counter(kind_of(left.reason) for each in own for left in each.excluded):
        listed = "; ".join(f"{number:,}: {reason}" for reason, number in reasons.most_common())
        notes.append(f"Left out of those with one: {listed}.")
    return notes


def _random_weights(found: InsertedRun) -> list[str]:
    return [f"Random weights: {seeds_text(found.seeds)}."] if found.seeds else []


def _differences(found: InsertedRun, corpus: FactCorpus, results: Sequence[InsertedResult]) -> Table:
    line = signature(found.run, corpus, results)
    subjects = [name for each in results for name in each.subjects]
    rows = []
    for mine, its in _PAIRS:
        own, other = (
            np.concatenate([values_of(each.ranks[way])[:, _AT] for each in results]) for way in (mine, its)
        )
        cells = _paired(own, other, subjects, found.run.seed)
        label = f"{RELATED}, {mine}" if mine in (OPEN, COUNTED, PLAIN) else mine
        rows.append(
            Row(name=f"{found.run.model.name}: {label} - {its}", kind="model", cells=cells, signature=line)
        )
    return Table(
        title=f"{corpus}: a triple inserted, differences over all facts in points [95% interval]",
        columns=MEASURES,
        rows=tuple(rows),
        notes=(
            "Paired bootstrap over subjects, with all facts of each; an interval without 0 is a difference.",
        ),
    )


def _paired(mine: Floats, its: Floats, subjects: Sequence[str], seed: int) -> tuple[Cell, ...]:
    """Differences of each measure. Shapes: mine, its float64 [facts, measures]."""
    _, of = np.unique(np.array(subjects), return_inverse=True)
    facts = np.bincount(of).astype(np.float64)
    cells = []
    for at in range(mine.shape[1]):
        own, other = (np.bincount(of, weights=values[:, at]) for values in (mine, its))
        result = paired_bootstrap(own, other, facts, resamples=RESAMPLES, seed=seed)
        few = len(facts) < MIN_UNITS
        interval = None if few else Interval(result.interval.low, result.interval.high)
        cells.append(Cell(result.difference, interval, too_few=few, style="signed"))
    return tuple(cells)


def _by_relation(found: InsertedRun, corpus: FactCorpus, results: Sequence[InsertedResult]) -> Table:
    shown = (NONE, RANDOM, RELATED, ASKED)
    rows = []
    for number, each in enumerate(results):
        means: list[Means] = [
            mean_over_facts(values_of(each.ranks[way])[:, :1], seed=found.run.seed, relation=number)
            for way in shown
        ]
        name = " ".join(filter(None, (each.relation.name, each.relation.label, f"({each.asked})")))
        rows.append(Row(name=name, kind="model", cells=tuple(mean.cells()[0] for mean in means)))
    return Table(
        title=f"{corpus}: {found.run.model.name}, P@1 by the relation asked, in percent (in brackets: facts)",
        columns=shown,
        rows=tuple(rows),
        signature=signature(found.run, corpus, results),
    )
