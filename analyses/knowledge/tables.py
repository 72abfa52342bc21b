"""Tables of knowledge probes: by corpus, by type of relation, by relation; published figures beside ours."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from analyses.knowledge import published
from analyses.knowledge.results import COLUMNS, RelationResult, values_of
from analyses.knowledge.scores import RESAMPLES, Means, fact_values, mean_over_facts, mean_over_relations
from analyses.published import size_note
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, Row, RowKind, Table
from data.lama import FactCorpus, Relation
from probe import __version__

if TYPE_CHECKING:
    from analyses.knowledge.candidates import Candidates
    from probe import Probe

Cells = tuple[Cell | None, ...]
TYPES = ("1-1", "N-1", "N-M")


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A model, the candidates it chose among, and what came out for each relation with a fact to ask."""

    model: Probe
    candidates: Candidates
    results: Sequence[RelationResult]
    seed: int = 0

    def of(self, corpus: FactCorpus) -> list[RelationResult]:
        """The results of a corpus that have facts."""
        return [each for each in self.results if each.relation.corpus == corpus and each.asked]


@dataclass(frozen=True, eq=False)
class _System:
    """A row of the tables: values of the facts of each relation, float64 [facts, columns]."""

    name: str
    kind: RowKind
    values: Mapping[str, NDArray[np.float64]]
    means: Mapping[str, Means]


def _systems(run: Run, results: Sequence[RelationResult]) -> list[_System]:
    """The baselines and the model itself, in the order of the rows."""
    name = run.model.name
    number = {each.relation.name: at for at, each in enumerate(results)}
    frequent = {each.relation.name: _without_filter(fact_values(each.frequent)) for each in results}
    blank = {each.relation.name: values_of([each.blank]) for each in results if each.blank}
    random = {each.relation.name: values_of(each.random) for each in results if each.random}
    own = {each.relation.name: values_of([each.own]) for each in results}
    rows: list[tuple[str, RowKind, Mapping[str, NDArray[np.float64]]]] = [
        ("most frequent object", "baseline", frequent),
        (f"{name} subject masked", "baseline", blank),
        (f"{name} random weights", "baseline", random),
        (name, "model", own),
    ]
    return [
        _System(
            label,
            kind,
            values,
            {key: mean_over_facts(each, seed=run.seed, relation=number[key]) for key, each in values.items()},
        )
        for label, kind, values in rows
        if values
    ]


def _without_filter(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([values, np.full(len(values), np.nan)])


def _present(cells: Sequence[Cell]) -> Cells:
    """Cells, None in the place of what is not defined."""
    return tuple(None if np.isnan(cell.value) else cell for cell in cells)


def corpus_tables(run: Run, corpus: FactCorpus) -> list[tuple[str, Table]]:
    """The tables of one corpus, each with the stem of its file names; none where no fact was asked."""
    results = run.of(corpus)
    if not results:
        return []
    systems = _systems(run, results)
    stem = f"knowledge-{corpus.lower()}"
    found = [(stem, _overall(run, corpus, results, systems))]
    types = {each.relation.name: each.relation.type for each in results}
    if any(types.values()):
        found.append((f"{stem}-by-type", _by_type(run, corpus, results, systems, types)))
    if len(results) > 1:
        found.append((f"{stem}-by-relation", _by_relation(run, corpus, results, systems)))
    return found


def _overall(
    run: Run, corpus: FactCorpus, results: Sequence[RelationResult], systems: Sequence[_System]
) -> Table:
    columns = (*COLUMNS, "P@1 of all facts")
    # The released code takes the file of ConceptNet for one relation.
    place = columns.index("P@1 of all facts" if corpus == "ConceptNet" else "P@1")
    rows = [
        Row(
            name=name,
            kind="published",
            cells=tuple(Cell(figures[corpus]) if at == place else None for at in range(len(columns))),
        )
        for name, figures in published.P_AT_1.items()
        if corpus in figures
    ]
    for system in systems:
        macro = mean_over_relations(list(system.means.values())).cells()
        pooled = np.concatenate([values[:, :1] for values in system.values.values()])
        micro = mean_over_facts(pooled, seed=run.seed).cells()
        rows.append(
            Row(
                name=system.name,
                kind=system.kind,
                cells=(*_present(macro), *micro),
                signature=signature(run, corpus, results, facts=len(pooled)),
                published_as=_beside(system),
            )
        )
    return Table(
        title=f"{corpus}: mean over {count(len(results), 'relation')}, in percent",
        columns=columns,
        other_data=bool(_size_note(corpus, results)),
        rows=tuple(rows),
        notes=(*_notes(run, corpus), *_published_note(corpus, results)),
    )


def _beside(system: _System) -> str | None:
    """The paper's rows are models: that of the same name, or the smallest."""
    own = system.name.lower()
    if system.kind != "model" or own in (name.lower() for name in published.P_AT_1):
        return None
    return next(iter(published.P_AT_1))


def _by_type(
    run: Run,
    corpus: FactCorpus,
    results: Sequence[RelationResult],
    systems: Sequence[_System],
    types: Mapping[str, str | None],
) -> Table:
    rows = []
    for system in systems:
        cells: list[Cell | None] = []
        for kind in TYPES:
            means = [each for name, each in system.means.items() if types[name] == kind]
            cells.append(mean_over_relations(means).cells()[0] if means else None)
        rows.append(Row(name=system.name, kind=system.kind, cells=tuple(cells)))
    counts = Counter(types.values())
    listed = ", ".join(f"{kind} {counts[kind]}" for kind in TYPES)
    return Table(
        title=f"{corpus}: P@1 by type of relation, mean over relations, in percent",
        columns=TYPES,
        rows=tuple(rows),
        notes=(f"Relations: {listed}.",),
        signature=signature(run, corpus, results),
    )


def _by_relation(
    run: Run, corpus: FactCorpus, results: Sequence[RelationResult], systems: Sequence[_System]
) -> Table:
    *baselines, own = systems
    labels = [system.name.removeprefix(f"{run.model.name} ") for system in baselines]
    columns = (*COLUMNS, *(f"P@1 {label}" for label in labels))
    rows = []
    for result in results:
        key = result.relation.name
        beside = [system.means[key].cells()[0] if key in system.means else None for system in baselines]
        rows.append(
            Row(
                name=" ".join(filter(None, (key, result.relation.label, f"({result.asked})"))),
                kind="model",
                cells=(*own.means[key].cells(), *beside),
            )
        )
    return Table(
        title=f"{corpus}: {run.model.name} by relation, in percent (in brackets: facts)",
        columns=columns,
        rows=tuple(rows),
        notes=_notes(run, corpus),
        signature=signature(run, corpus, results),
    )


class Measured(Protocol):
    """What a signature says of a relation's facts."""

    @property
    def relation(self) -> Relation:
        """Which relation."""

    @property
    def asked(self) -> int:
        """How many facts."""

    @property
    def digest(self) -> str:
        """Of prompts and objects."""


def signature(
    run: Run,
    data: str,
    results: Sequence[Measured],
    *,
    facts: int | None = None,
    answers: str | None = None,
) -> Signature:
    """What a figure was measured on: facts, candidates, case, templates, model, bootstrap.

    Args:
        run: model and candidates.
        data: what the facts are called.
        results: of the relations that the figure is of.
        facts: their number, where it is not all that were asked.
        answers: what was ranked, where it is not the candidates of the run.
    """
    digests = "".join(each.digest for each in results)
    asked = sum(each.asked for each in results) if facts is None else facts
    templates = "".join(f"{each.relation.name}\t{each.relation.template}\n" for each in results)
    hashed = hashlib.sha256(templates.encode()).hexdigest()[:4]
    return Signature(
        data=data,
        digest=hashlib.sha256(digests.encode()).hexdigest(),
        n=asked,
        version=__version__,
        protocol="lama",
        settings=Settings(model=run.model.name, dtype=str(run.model.dtype).removeprefix("torch.")),
        resamples=RESAMPLES,
        seed=run.seed,
        about=(answers or str(run.candidates), f"templates:{len(results)}@{hashed}…"),
    )


def _notes(run: Run, corpus: FactCorpus) -> tuple[str, ...]:
    """What was asked and what was not."""
    own = [each for each in run.results if each.relation.corpus == corpus]
    reasons = Counter(kind_of(left.reason) for each in own for left in each.excluded)
    asked = sum(each.asked for each in own)
    listed = "".join(f"; {count:,} left out: {reason}" for reason, count in reasons.most_common())
    notes = [f"{asked + sum(reasons.values()):,} facts: {asked:,} asked{listed}."]
    if empty := [each.relation.name for each in own if not each.asked]:
        notes.append(f"No fact to ask in {', '.join(empty)}: no part of the means.")
    return tuple(notes)


def _published_note(corpus: FactCorpus, results: Sequence[RelationResult]) -> tuple[str, ...]:
    """Whose the published figures are and whether of other data; nothing for facts that are not of LAMA."""
    if corpus == "sample":
        return ()
    relations = count(published.SIZES[corpus]["relations"], "relation")
    return (
        *_size_note(corpus, results),
        f"Published: {published.CITATION}: {relations}, other candidates and, in part, other facts.",
        *((published.SECOND_HAND,) if corpus != "T-REx" else ()),
    )


def _size_note(corpus: FactCorpus, results: Sequence[RelationResult]) -> list[str]:
    if corpus not in published.SIZES:
        return []
    measured = {"relations": len(results), "facts": sum(each.asked for each in results)}
    return size_note(corpus, measured, sizes=published.SIZES)


def kind_of(reason: str) -> str:
    """A reason without what is particular to its fact."""
    if reason.startswith("subject and object of"):
        return "subject and object of another fact again"
    return "more pieces than the model's window" if " pieces are more than " in reason else reason


def count(n: int, what: str) -> str:
    """``1 relation``, ``2 relations``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
