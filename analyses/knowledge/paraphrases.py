"""The same facts asked in other words: accuracy by paraphrase, its spread, and consistency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.knowledge.gaps import Cloze, GapReader, Prompt, encode
from analyses.knowledge.ranks import Question, Ranks, fill, rank
from analyses.knowledge.results import COLUMNS, values_of
from analyses.knowledge.scores import mean_over_facts, mean_over_relations
from analyses.tables.signature import Signature
from analyses.tables.table import Cell, Row, Table
from data.lama import Relation
from probe.errors import SentenceError

if TYPE_CHECKING:
    from probe import Probe

_COLUMNS = ("P@1 template", "P@1 mean", "consistency", "P@1 best", "P@1 worst", "P@1 std")


@dataclass(frozen=True, kw_only=True, eq=False)
class ParaphraseResult:
    """A relation asked by several patterns, all of them of the same facts.

    Attributes:
        relation: which.
        patterns: each with ``[X]`` and ``[Y]``; the first is the relation's own template.
        ranks: by each pattern; ``top`` is among the objects of the relation.
        dropped: facts left out because one of the patterns does not fit the model's window with them.
    """

    relation: Relation
    patterns: tuple[str, ...]
    ranks: tuple[Ranks, ...]
    dropped: int

    @property
    def facts(self) -> int:
        """How many facts were asked."""
        return len(self.ranks[0].plain)

    @property
    def consistency(self) -> NDArray[np.float64]:
        """Share of the pairs of patterns that give a fact the same answer, in percent: float64 [facts].

        Answers are limited to the objects of the relation (Elazar et al., TACL 2021, section 3).
        """
        tops = np.stack([ranks.top for ranks in self.ranks])
        first, second = np.triu_indices(len(tops), k=1)
        return np.asarray(100 * (tops[first] == tops[second]).mean(axis=0))


def probe_paraphrases(
    model: Probe,
    reader: GapReader,
    relation: Relation,
    questions: Sequence[Question],
    patterns: Sequence[str],
    *,
    on_done: Callable[[int], None] | None = None,
) -> ParaphraseResult | None:
    """Ask the facts of a relation by its template and by every other pattern.

    A pattern that differs from the template only in spaces is the template and is asked once.

    Returns:
        None if there is no fact to ask, or no pattern beside the template.

    Raises:
        probe.ProbeError: scores that are not finite.
    """
    assert relation.template is not None
    listed = {"".join(text.split()): text for text in (*reversed(patterns), relation.template)}
    texts = tuple(dict.fromkeys((relation.template, *(listed["".join(each.split())] for each in patterns))))
    by_text = [list(encode(model, [_prompt(text, each) for each in questions])) for text in texts]
    fit = [at for at, found in enumerate(zip(*by_text, strict=True)) if all(map(_is_cloze, found))]
    if not fit or len(texts) < 2:
        return None
    asked = [questions[at] for at in fit]
    objects = sorted({question.gold for question in asked})
    ranks = []
    for encoded in by_text:
        clozes = [cloze for at in fit if isinstance(cloze := encoded[at], Cloze)]
        ranks.append(rank(reader, asked, clozes, among=objects, on_done=on_done))
    return ParaphraseResult(
        relation=relation, patterns=texts, ranks=tuple(ranks), dropped=len(questions) - len(fit)
    )


def _prompt(text: str, question: Question) -> Prompt:
    return Prompt(fill(text, question.fact.subject or ""))


def _is_cloze(found: Cloze | SentenceError) -> bool:
    return isinstance(found, Cloze)


def paraphrase_tables(
    model: str, results: Sequence[ParaphraseResult], *, signature: Signature, seed: int = 0
) -> list[tuple[str, Table]]:
    """By relation with the mean over relations, and by pattern; each with the stem of its file names."""
    rows, means, spreads = [], [], []
    for number, result in enumerate(results):
        values = np.stack([values_of([ranks])[:, 0] for ranks in result.ranks])
        columns = np.column_stack([values[0], values.mean(axis=0), result.consistency])
        means.append(mean_over_facts(columns, seed=seed, relation=number))
        by_pattern = values.mean(axis=1)
        spreads.append((by_pattern.max(), by_pattern.min(), by_pattern.std()))
        name = f"{_name(result)}, {result.facts} facts, {len(result.patterns)} patterns"
        rows.append(_row(name, means[-1].cells(), spreads[-1]))
    total = mean_over_relations(means).cells()
    rows.append(_row(f"{model}, mean over relations", total, np.mean(spreads, axis=0)))
    notes = ["Consistency: share of pairs of patterns with the same answer among the relation's objects."]
    if dropped := sum(result.dropped for result in results):
        notes.append(f"{dropped:,} facts left out: too long for the window under one of the patterns.")
    title = f"Paraphrases: {model}, in percent"
    return [
        (
            "knowledge-paraphrases",
            Table(title=title, columns=_COLUMNS, rows=tuple(rows), notes=tuple(notes), signature=signature),
        ),
        ("knowledge-paraphrases-by-pattern", _by_pattern(model, results, signature, seed)),
    ]


def _row(name: str, cells: Sequence[Cell], spread: Sequence[float]) -> Row:
    return Row(name=name, kind="model", cells=(*cells, *(Cell(float(value)) for value in spread)))


def _by_pattern(model: str, results: Sequence[ParaphraseResult], signature: Signature, seed: int) -> Table:
    rows = tuple(
        Row(
            name=f"{result.relation.name} {pattern}",
            kind="model",
            cells=mean_over_facts(values_of([ranks]), seed=seed, relation=number).cells(),
        )
        for number, result in enumerate(results)
        for pattern, ranks in zip(result.patterns, result.ranks, strict=True)
    )
    return Table(
        title=f"Paraphrases: {model} by pattern, in percent", columns=COLUMNS, rows=rows, signature=signature
    )


def _name(result: ParaphraseResult) -> str:
    return " ".join(filter(None, (result.relation.name, result.relation.label)))
