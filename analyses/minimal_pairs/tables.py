"""The tables of minimal pairs: by phenomenon, and by paradigm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analyses.intervals import MIN_UNITS, PairedResult, paired_bootstrap
from analyses.minimal_pairs.accuracy import Accuracy, PairEvaluation, phenomenon_of
from analyses.scores.paired import difference_rows, with_differences
from analyses.tables.table import Cell, Row, Table, unknown_text

_CHANCE = 50.0
_STEM = "minimal-pairs-by-phenomenon"
_DIFFERENCES = (
    "to: the same architecture with random weights, on the same pairs. "
    "Paired bootstrap over pairs, two-sided p."
)


def pair_tables(
    evaluations: Sequence[PairEvaluation], *, skipped: int = 0, unknown_words: tuple[int, int] | None = None
) -> list[tuple[str, Table]]:
    """Accuracy by phenomenon, what random weights lack of it, and by paradigm, with the stems of their file names.

    Args:
        evaluations: of the same pairs, that of the model last.
        skipped: how many pairs could not be scored.
        unknown_words: how many words of the pairs the vocabulary does not know, and how many there are.
    """
    own = evaluations[-1]
    names = [own.overall.name, *(each.name for each in own.phenomena)]
    rows = [Row(name="chance", kind="baseline", cells=(Cell(_CHANCE),) * len(names))]
    for evaluation in evaluations:
        found = {each.name: each for each in (evaluation.overall, *evaluation.phenomena)}
        settings = evaluation.signature.row_settings()
        rows.append(
            Row(
                name=evaluation.model,
                kind="baseline" if evaluation.random_weights else "model",
                cells=tuple(_cell(found.get(name)) for name in names),
                signature=evaluation.signature,
                settings=replace(settings, random_weights=1) if evaluation.random_weights else settings,
                unknown_words=unknown_words,
            )
        )
    data = own.signature.data
    by_phenomenon = Table(
        title=f"Minimal pairs of {data}: accuracy in percent [95% interval]",
        columns=tuple(_words(name) for name in names),
        rows=tuple(rows),
        notes=tuple(_notes(own, skipped, unknown_words)),
    )
    compared = [row for other in evaluations[:-1] for row in _differences(own, other)]
    about = f"Minimal pairs of {data}, {own.model}"
    return [
        *with_differences(
            _STEM, by_phenomenon, compared, measures=["accuracy"], about=about, note=_DIFFERENCES
        ),
        ("minimal-pairs-by-paradigm", _by_paradigm(evaluations, data)),
    ]


def listed(evaluations: Sequence[PairEvaluation], tables: Sequence[tuple[str, Table]]) -> list[Table]:
    """The tables for a page or a terminal: that by phenomenon has a line for each, as the others have.

    Names are written as words, so that lines can be broken between them.

    Args:
        evaluations: of the same pairs, that of the model last.
        tables: of these, as ``pair_tables`` makes them.
    """
    (_, first), *others = tables
    names = [each.name for each in (*evaluations[-1].phenomena, evaluations[-1].overall)]
    found = [{each.name: each for each in (*one.phenomena, one.overall)} for one in evaluations]
    by_phenomenon = Table(
        title=first.title,
        columns=(*_columns(evaluations), "pairs", "ties"),
        rows=tuple(_line(_words(name), [each.get(name) for each in found]) for name in names),
        notes=(*first.notes, "Chance is 50. Ties count as wrong."),
        signature=evaluations[-1].signature,
    )
    return [by_phenomenon, *(_readable(table) for _, table in others)]


def _readable(table: Table) -> Table:
    return replace(table, rows=tuple(replace(row, name=_words(row.name)) for row in table.rows))


def _notes(own: PairEvaluation, skipped: int, unknown_words: tuple[int, int] | None) -> Iterator[str]:
    yield f"{own.overall.score.n:,} pairs; overall and phenomena: mean over paradigms."
    if skipped:
        yield f"{skipped:,} pairs could not be scored."
    if unknown_words is not None and unknown_words[0]:
        yield f"{unknown_text(*unknown_words).capitalize()}."


def _by_paradigm(evaluations: Sequence[PairEvaluation], data: str) -> Table:
    found = [{each.name: each for each in evaluation.paradigms} for evaluation in evaluations]
    return Table(
        title=f"Minimal pairs of {data} by paradigm: accuracy in percent [95% interval]",
        columns=(*_columns(evaluations), "pairs", "ties"),
        rows=tuple(_line(name, [each.get(name) for each in found]) for name in found[-1]),
        column_settings=(*(evaluation.signature.settings for evaluation in evaluations), None, None),
    )


def _columns(evaluations: Sequence[PairEvaluation]) -> tuple[str, ...]:
    return tuple(evaluation.model for evaluation in evaluations)


def _line(name: str, found: Sequence[Accuracy | None]) -> Row:
    """Accuracies of the models; pairs and ties are the last one's."""
    last = found[-1]
    counts = (None, None) if last is None else (Cell(last.score.n, decimals=0), Cell(last.ties, decimals=0))
    return Row(name=name, kind="model", cells=(*map(_cell, found), *counts))


def _cell(found: Accuracy | None) -> Cell | None:
    return None if found is None else Cell.measured(found.score.value, found.score.interval)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _differences(own: PairEvaluation, other: PairEvaluation) -> Iterator[Row]:
    """A line for each phenomenon and for all: the model less another one, over the pairs that both scored."""
    theirs = {each.pair: each.correct for each in other.scored}
    both = [each for each in own.scored if each.pair in theirs]
    correct = np.array([(each.correct, theirs[each.pair]) for each in both], dtype=float).reshape(-1, 2)
    phenomena = np.array([phenomenon_of(each.pair) for each in both], dtype=object)
    paradigms = np.array([each.pair.paradigm for each in both], dtype=object)
    for name in (*(each.name for each in own.phenomena), own.overall.name):
        these = np.full(len(both), True) if name == own.overall.name else phenomena == name
        if these.any():
            weight = _weights(phenomena[these] + "\n" + paradigms[these])
            difference = _compared(correct[these], weight, seed=own.signature.seed or 0)
            row = Row(name=_words(name), kind="model", cells=(), signature=own.signature)
            yield from difference_rows(row, {"accuracy": ("random weights", difference)})


def _weights(groups: NDArray[np.object_]) -> NDArray[np.float64]:
    """A pair counts less, the more there are of its group: the mean is over groups."""
    sizes = Counter(groups.tolist())
    return np.array([1 / sizes[group] for group in groups.tolist()])


def _compared(
    correct: NDArray[np.float64], weight: NDArray[np.float64], *, seed: int
) -> PairedResult | float:
    """The first column less the second, in points of percent."""
    own, other = (100 * weight[:, None] * correct).T
    if len(weight) < MIN_UNITS:
        return float((own - other).sum() / weight.sum())
    return paired_bootstrap(own, other, weight, seed=seed)
