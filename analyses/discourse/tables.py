"""What ``probe discourse`` scores, and the tables of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses import published
from analyses.discourse.protocols import (
    DISTANCES,
    DiscourseCounts,
    baseline_documents,
    count_documents,
    human_documents,
)
from analyses.intervals import percent_interval
from analyses.scores.paired import STRONGEST, Counted, difference_rows, paired, with_differences
from analyses.tables.signature import Settings, Signature, digest
from analyses.tables.table import Cell, Row, Table
from analyses.trees.decoders import BASELINES, Heads
from analyses.trees.protocols import ProtocolName
from analyses.trees.systems import Corpus, Line, System, spread_notes, unknown_notes
from probe import __version__

if TYPE_CHECKING:
    from data import Document, Sentence


COLUMNS = ("UAS", *(f"distance {distance}" for distance in DISTANCES))


RANDOM_TREES = 10
"""Random trees drawn for each document; the random row is their mean."""


_RESAMPLES = 1000
_DIFFERENCES = f"{STRONGEST}. Paired bootstrap over documents, two-sided p."


@dataclass(frozen=True, kw_only=True)
class Documents(Corpus["Document"]):
    """The documents that all rows are scored on, and what was left out or is odd about them."""

    human: Mapping[str, Document] | None
    failures: tuple[str, ...] = ()


def score_tables(
    corpus: Documents, systems: Sequence[System[Heads]], protocol: ProtocolName, seed: int
) -> list[tuple[str, Table]]:
    """The scores under a protocol, and the models less the strongest baselines, with stems of their file names."""
    baselines = _baselines(corpus, protocol, seed)
    models: list[Line[DiscourseCounts]] = []
    for system in systems:
        for line in _lines(corpus, system, protocol):
            (models if line.kind == "model" else baselines).append(line)
    others = [*baselines, *_human(corpus, protocol)]
    counts = others[0].runs[0]
    signature = Signature(
        data=corpus.name,
        digest=digest(_as_sentences(corpus.items)),
        root="gold" if protocol == "wu2020" else "predicted",
        n=len(corpus.items),
        skipped=len(corpus.failures) or None,
        version=__version__,
        protocol=protocol,
        resamples=_RESAMPLES,
        seed=seed,
    )
    known, own = (
        [_row(line, replace(signature, settings=line.settings), seed) for line in lines]
        for lines in (others, models)
    )
    about = f"Discourse trees on {corpus.name}, protocol {protocol}"
    scores = Table(
        title=f"{about}, percent [95% interval]",
        columns=COLUMNS,
        other_data=bool(_size_note(corpus, protocol, counts)),
        rows=(*(published.TABLE4.rows if protocol == "wu2020" else ()), *known, *own),
        notes=(
            *_notes(corpus, protocol, counts),
            *unknown_notes(systems, range(len(corpus.items))),
            *_spread(baselines),
        ),
    )
    rivals = [_counted(line) for line in baselines]
    rows = [
        difference
        for row, line in zip(own, models, strict=True)
        for difference in difference_rows(row, {"UAS": paired(_counted(line), rivals, seed=seed)})
    ]
    stem = f"discourse-{corpus.name}-{protocol}"
    return with_differences(stem, scores, rows, measures=["UAS"], about=about, note=_DIFFERENCES)


def _baselines(corpus: Documents, protocol: ProtocolName, seed: int) -> list[Line[DiscourseCounts]]:
    rng = np.random.default_rng(seed)
    lines = []
    for name in BASELINES:
        runs = [
            count_documents(
                corpus.items,
                baseline_documents(corpus.items, protocol=protocol, name=name, seed=rng),
                protocol=protocol,
            )
            for _ in range(RANDOM_TREES if BASELINES[name].random else 1)
        ]
        lines.append(Line(name=name, kind="baseline", runs=runs, settings=Settings(decoder=name)))
    return lines


def _human(corpus: Documents, protocol: ProtocolName) -> list[Line[DiscourseCounts]]:
    if corpus.human is None:
        return []
    trees = human_documents(corpus.items, corpus.human, protocol=protocol)
    counts = count_documents(corpus.items, trees, protocol=protocol)
    return [Line(name="second annotator", kind="human", runs=[counts], settings=Settings(decoder="human"))]


def _lines(corpus: Documents, system: System[Heads], protocol: ProtocolName) -> list[Line[DiscourseCounts]]:
    places = range(len(corpus.items))
    return [
        Line(
            name=f"{system.name} {way}",
            kind=system.kind,
            runs=[
                count_documents(corpus.items, trees, protocol=protocol) for trees in system.trees(way, places)
            ],
            settings=system.settings(way),
            unknown_words=system.unknown_words(places),
        )
        for way in system.ways(protocol)
    ]


def _row(line: Line[DiscourseCounts], signature: Signature, seed: int) -> Row:
    correct = np.sum([np.column_stack((run.correct, run.correct_at)) for run in line.runs], axis=0)
    total = np.sum([np.column_stack((run.total, run.total_at)) for run in line.runs], axis=0)
    cells = [_cell(*pair, seed) for pair in zip(correct.T, total.T, strict=True)]
    return Row(
        name=line.name,
        kind=line.kind,
        cells=tuple(cells),
        signature=signature,
        unknown_words=line.unknown_words,
        published_as=published.tree_name(line.settings) if signature.protocol == "wu2020" else None,
    )


def _cell(correct: NDArray[np.int64], total: NDArray[np.int64], seed: int) -> Cell | None:
    """A score in percent; None where there is no arc of that distance."""
    if not total.any():
        return None
    interval = percent_interval(correct, total, seed=seed, resamples=_RESAMPLES)
    return Cell.measured(100 * float(correct.sum() / total.sum()), interval)


def _counted(line: Line[DiscourseCounts]) -> Counted:
    return Counted(
        name=line.name,
        correct=np.sum([run.correct for run in line.runs], axis=0),
        total=np.sum([run.total for run in line.runs], axis=0),
        settings=line.settings,
    )


def _spread(baselines: Sequence[Line[DiscourseCounts]]) -> list[str]:
    seeds = {
        line.name: [100 * float(run.correct.sum() / run.total.sum()) for run in line.runs]
        for line in baselines
        if line.settings.random_weights is not None
    }
    return spread_notes("UAS", seeds)


_PROTOCOL_NOTES: dict[ProtocolName, str] = {
    "wu2020": "Protocol wu2020, as published: [CLS] is a masked unit and stands for ROOT; the gold root (the "
    "first of several) is given and is no right arc, but counts in the denominator; the last EDU has no "
    "head, which is wrong, and is no arc of any distance.",
    "fair": "Protocol fair: every EDU counts, the decoder finds the root, and only EDUs are masked.",
}


def _notes(corpus: Documents, protocol: ProtocolName, counts: DiscourseCounts) -> list[str]:
    arcs = ", ".join(
        f"{total:,} of {name}"
        for name, total in zip(COLUMNS[1:], counts.total_at.sum(axis=0).tolist(), strict=True)
    )
    notes = [
        f"{len(corpus.items):,} documents, {int(counts.total.sum()):,} EDUs. Distance: EDUs between the "
        f"ends of the gold arc; there are {arcs}.",
        _PROTOCOL_NOTES[protocol],
    ]
    if corpus.failures:
        notes.append(
            f"{len(corpus.failures):,} more documents could not be probed, as where they do not fit a model's "
            f"window, and are left out of every row: {', '.join(corpus.failures)}."
        )
    problems = [
        f"{document.id}: {problem.removeprefix(document.where + ': ')}"
        for document in corpus.items
        for problem in document.problems
    ]
    if problems:
        notes.append(
            "Not trees, but scored; an EDU without an annotated head is wrong, whatever its predicted head: "
            f"{'; '.join(problems)}."
        )
    if protocol == "wu2020":
        notes.append(f"Published: {published.CITATION}, Table 4, the test set of SciDTB.")
        notes += _size_note(corpus, protocol, counts)
    return notes


def _size_note(corpus: Documents, protocol: ProtocolName, counts: DiscourseCounts) -> list[str]:
    """What is said where the published figures that stand beside are of other data."""
    if protocol != "wu2020":
        return []
    measured = {"documents": len(corpus.items), "EDUs": int(counts.total.sum())}
    return published.size_note("SciDTB, test", measured)


def _as_sentences(documents: Sequence[Document]) -> Iterator[Sentence]:
    """Documents as sentences whose words are EDUs, for the digest."""
    from data import Sentence

    for document in documents:
        yield Sentence(id=document.id, words=document.edus, heads=document.heads)
