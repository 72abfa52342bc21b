"""Masked words along trees as tables: accuracy, pseudo-perplexity, paired differences, how much was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyses.intervals import MIN_UNITS, Interval, PairedResult
from analyses.structure.readings import RESAMPLES, Reading, accuracy, compare, pseudo_perplexity
from analyses.structure.views import CHAIN, EVERYTHING, GOLD, INDUCED, NOTHING, RANDOM, WORDS
from analyses.tables.signature import Settings, Signature, digest, seeds_text
from analyses.tables.table import Cell, Row, RowKind, Table
from probe import __version__

if TYPE_CHECKING:
    from data import Sentence
    from probe import Probe

_KINDS: Mapping[str, RowKind] = {INDUCED: "model", GOLD: "human"}
"""Of rows; others are baselines."""
_PAIRS = (
    (GOLD, CHAIN),
    (GOLD, RANDOM),
    (INDUCED, CHAIN),
    (INDUCED, RANDOM),
    (INDUCED, GOLD),
    (CHAIN, RANDOM),
)
_MASKED = "A word is masked with all of its pieces, and right where each piece is the likeliest one."
_TRAINED = (
    "The model was trained with full attention: masks that hide words are new to it. Gold and induced trees are "
    "made of whole sentences, with the masked word in sight."
)
_BARE = (
    f"{EVERYTHING}: as the model was trained. {WORDS}: the same but special tokens, which see no word, as under a "
    f"tree. {NOTHING}: the word itself and special tokens. They are of no relation, the same in all columns."
)


@dataclass(frozen=True, kw_only=True)
class About:
    """What titles and signatures say of a run."""

    data: str
    relations: tuple[str, ...]
    draws: int
    seed: int
    seeds: int


@dataclass(frozen=True, kw_only=True, eq=False)
class System:
    """All readings of a model.

    Attributes:
        model: it.
        made_by: how its trees are made.
        sentences: those that it could read.
        skipped: number of the others.
        alone: readings without a tree, by the names of ``analyses.structure.views``.
        blank: of random weights under full attention, the mean over seeds; None if there are none.
        along: by relation and kind of tree.
    """

    model: Probe
    sentences: Sequence[Sentence]
    alone: Mapping[str, Reading]
    blank: Reading | None
    along: Mapping[str, Mapping[str, Reading]]
    made_by: str = ""
    skipped: int = 0


def structure_tables(systems: Sequence[System], about: About) -> list[tuple[str, Table]]:
    """The tables of a run, each with the stem of its file name."""
    notes = [_MASKED, _BARE, f"Random trees: {about.draws} a sentence.", _TRAINED]
    notes += [f"Induced trees: {system.made_by}." for system in systems]
    notes += [f"Random weights: {seeds_text(about.seeds)}, full attention."] if about.seeds else []

    def right(reading: Reading) -> Cell:
        value, interval = accuracy(reading, seed=about.seed)
        return Cell.measured(value, interval)

    def perplexity(reading: Reading) -> Cell:
        value, interval = pseudo_perplexity(reading, seed=about.seed)
        return Cell.measured(value, interval, decimals=1 if value < 1000 else 0)

    def seen(reading: Reading) -> Cell:
        return Cell(float(reading.seen.sum() / reading.words.sum()), decimals=2)

    accurate = f"Masked words of {about.data} predicted right, in percent [95% interval]"
    perplexing = f"Pseudo-perplexity of {about.data} per piece [95% interval]"
    sees = f"Other words that a word of {about.data} sees, mean"
    shown = [
        ("structure-accuracy", _table(systems, about, accurate, right, notes)),
        ("structure-perplexity", _table(systems, about, perplexing, perplexity, notes)),
        ("structure-differences", _differences(systems, about)),
    ]
    nearest = ["nearest:K: every word sees K others, whatever the tree, or all where there are fewer."]
    return [*shown, ("structure-seen", _table(systems, about, sees, seen, nearest))]


def _table(
    systems: Sequence[System],
    about: About,
    title: str,
    cell: Callable[[Reading], Cell],
    notes: Sequence[str],
) -> Table:
    rows = []
    for system in systems:
        name = system.model.name
        own, columns = Settings(model=name, dtype=_dtype(system)), len(about.relations)
        if system.blank is not None:
            blank = Settings(model=name, dtype=_dtype(system), random_weights=about.seeds)
            cells = (cell(system.blank),) * columns
            signature = _signature(system, about, blank)
            rows.append(Row(name=f"{name} random weights", kind="baseline", cells=cells, signature=signature))
        for view, reading in system.alone.items():
            if view != EVERYTHING:
                signature = _signature(system, about, own)
                cells = (cell(reading),) * columns
                rows.append(Row(name=f"{name}: {view}", kind="baseline", cells=cells, signature=signature))
        for tree in system.along[about.relations[0]]:
            cells = tuple(cell(system.along[relation][tree]) for relation in about.relations)
            kind, signature = _KINDS.get(tree, "baseline"), _signature(system, about, own)
            rows.append(Row(name=f"{name}: {tree}", kind=kind, cells=cells, signature=signature))
        signature = _signature(system, about, own)
        cells = (cell(system.alone[EVERYTHING]),) * columns
        rows.append(Row(name=f"{name}: {EVERYTHING}", kind="model", cells=cells, signature=signature))
    return Table(title=title, columns=about.relations, rows=tuple(rows), notes=tuple(notes))


def _differences(systems: Sequence[System], about: About) -> Table:
    columns = [f"{relation} {unit}" for relation in about.relations for unit in ("points", "nats")]
    rows = []
    for system in systems:
        own = Settings(model=system.model.name, dtype=_dtype(system))
        for mine, its in _PAIRS:
            cells: list[Cell] = []
            for readings in system.along.values():
                if mine in readings and its in readings:
                    right, logs = compare(readings[mine], readings[its], seed=about.seed)
                    cells += [_paired(system, right, 100, 1), _paired(system, logs, 1, 3)]
            if cells:
                name = f"{system.model.name}: {mine} - {its}"
                signature = _signature(system, about, own)
                rows.append(Row(name=name, kind="model", cells=tuple(cells), signature=signature))
    return Table(
        title=f"Masked words of {about.data}: differences between trees [95% interval]",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(
            "points: of words predicted right. nats: of the mean log-probability of a piece; 0.1 nats are about "
            "10% less pseudo-perplexity. Paired bootstrap over sentences; an interval without 0 is a difference.",
        ),
    )


def _paired(system: System, found: PairedResult, scale: float, decimals: int) -> Cell:
    low, high = scale * found.interval.low, scale * found.interval.high
    few = len(system.sentences) < MIN_UNITS
    interval = None if few else Interval(low, high)
    return Cell(scale * found.difference, interval, decimals, too_few=few, style="signed")


def _dtype(system: System) -> str:
    return str(system.model.dtype).removeprefix("torch.")


def _signature(system: System, about: About, settings: Settings) -> Signature:
    return Signature(
        data=about.data,
        digest=digest(system.sentences),
        n=len(system.sentences),
        skipped=system.skipped or None,
        version=__version__,
        settings=settings,
        resamples=RESAMPLES,
        seed=about.seed,
    )
