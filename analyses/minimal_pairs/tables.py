"""The tables of minimal pairs: by phenomenon, and by paradigm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analyses.minimal_pairs.accuracy import Accuracy, PairEvaluation
from analyses.tables.table import Cell, Row, Table, unknown_text

_CHANCE = 50.0


def pair_tables(
    evaluations: Sequence[PairEvaluation], *, skipped: int = 0, unknown_words: tuple[int, int] | None = None
) -> list[tuple[str, Table]]:
    """Accuracy by phenomenon and by paradigm, each with the stem of its file names.

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
    notes = [f"{own.overall.score.n:,} pairs; overall and phenomena: mean over paradigms."]
    if skipped:
        notes.append(f"{skipped:,} pairs could not be scored.")
    if unknown_words is not None and unknown_words[0]:
        notes.append(f"{unknown_text(*unknown_words).capitalize()}.")
    data = own.signature.data
    by_phenomenon = Table(
        title=f"Minimal pairs of {data}: accuracy in percent [95% interval]",
        columns=tuple(name.replace("_", " ") for name in names),
        rows=tuple(rows),
        notes=tuple(notes),
    )
    return [
        ("minimal-pairs-by-phenomenon", by_phenomenon),
        ("minimal-pairs-by-paradigm", _by_paradigm(evaluations, data)),
    ]


def _by_paradigm(evaluations: Sequence[PairEvaluation], data: str) -> Table:
    found = [{each.name: each for each in evaluation.paradigms} for evaluation in evaluations]
    rows = [
        Row(name=name, kind="model", cells=tuple(_cell(each.get(name)) for each in found))
        for name in found[-1]
    ]
    return Table(
        title=f"Minimal pairs of {data} by paradigm: accuracy in percent [95% interval]",
        columns=tuple(evaluation.model for evaluation in evaluations),
        rows=tuple(rows),
        column_settings=tuple(evaluation.signature.settings for evaluation in evaluations),
    )


def _cell(found: Accuracy | None) -> Cell | None:
    return None if found is None else Cell.measured(found.score.value, found.score.interval)
