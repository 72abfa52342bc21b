"""All relations of LAMA under one model: its ranks and those of the baselines, relation by relation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.knowledge.candidates import Candidates
from analyses.knowledge.gaps import Cloze, GapReader, encode_all
from analyses.knowledge.ranks import (
    Excluded,
    Question,
    RankArray,
    Ranks,
    encode_questions,
    frequency_ranks,
    question_digest,
    rank,
    select,
)
from analyses.knowledge.scores import fact_values
from data.lama import Fact, Relation, read_facts

if TYPE_CHECKING:
    from pandas import DataFrame

    from probe import Probe


@dataclass(frozen=True, kw_only=True, eq=False)
class RelationResult:
    """What came out for one relation.

    Attributes:
        relation: which.
        facts: those that were asked, without their sentences.
        answers: what ranked first for each of them, by the model.
        digest: of prompts and objects, see ``question_digest``.
        own: ranks by the model.
        blank: ranks by the model with the subject masked; None where no prompt has its subject in it.
        frequent: ranks by how often an object is right in this relation.
        random: ranks by random weights, one a seed.
        excluded: the facts that were not asked.
    """

    relation: Relation
    facts: tuple[Fact, ...]
    answers: tuple[str, ...]
    digest: str
    own: Ranks
    blank: Ranks | None
    frequent: RankArray
    random: tuple[Ranks, ...]
    excluded: tuple[Excluded, ...]

    @property
    def asked(self) -> int:
        """How many facts."""
        return len(self.facts)

    def to_frame(self) -> DataFrame:
        """The facts that were asked as a pandas frame, a row each.

        Columns: ``relation``, ``id``, ``subject``, ``object``, ``answer``, and the rank of the object from 1:
        ``rank`` among all candidates, ``rank_filtered`` without other right ones, ``rank_frequent`` by how often
        an object is right.
        """
        import pandas

        columns = {
            "relation": [self.relation.name] * self.asked,
            "id": [fact.id for fact in self.facts],
            "subject": [fact.subject for fact in self.facts],
            "object": [fact.object for fact in self.facts],
            "answer": list(self.answers),
        }
        ranks = {
            "rank": self.own.plain,
            "rank_filtered": self.own.filtered,
            "rank_frequent": self.frequent,
        }
        return pandas.DataFrame(columns | ranks).astype({name: "string" for name in columns})


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """The questions of a relation, their prompts as pieces, and the facts that none was made of."""

    relation: Relation
    questions: list[Question]
    clozes: list[Cloze]
    excluded: list[Excluded]


def ask_relations(
    model: Probe, relations: Sequence[Relation], candidates: Candidates, *, limit: int | None = None
) -> Iterator[Asked]:
    """The questions of each relation; facts are read as they are needed, one relation at a time.

    A file whose facts name their predicates (ConceptNet) is as many relations.

    Args:
        model: that they are made for.
        relations: from ``data.lama.list_relations``.
        candidates: that the objects are sought among.
        limit: only the first facts of each file.

    Raises:
        data.DataError: as ``data.lama.read_facts``.
    """
    for relation in relations:
        for part, facts in _by_predicate(relation, list(islice(read_facts(relation), limit))):
            questions, excluded = select(model, part, facts, candidates)
            fit, clozes, failed = encode_questions(model, part, questions)
            yield Asked(relation=part, questions=fit, clozes=clozes, excluded=[*excluded, *failed])


def _by_predicate(relation: Relation, facts: list[Fact]) -> list[tuple[Relation, list[Fact]]]:
    if relation.corpus != "ConceptNet":
        return [(relation, facts)]
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(fact.predicate or relation.name, []).append(fact)
    return [(dataclasses.replace(relation, name=name), group) for name, group in sorted(groups.items())]


def probe_relations(
    model: Probe,
    relations: Sequence[Relation],
    candidates: Candidates,
    *,
    weights: Sequence[Callable[[], Probe]] = (),
    limit: int | None = None,
    batch_tokens: int = 4_096,
    on_done: Callable[[int], None] | None = None,
) -> list[RelationResult]:
    """Rank the right objects of all facts, by the model and by the baselines.

    What is kept of a fact is its ranks and its names; what is held of texts and scores is that of one relation and
    batch.

    Args:
        model: a masked language model with its head.
        relations: from ``data.lama.list_relations``.
        candidates: what is ranked.
        weights: make the same model with random weights; each is made once and let go.
        limit: only the first facts of each file.
        batch_tokens: pieces in one forward pass.
        on_done: called with a number of facts when they are ranked.

    Raises:
        data.DataError: as ``data.lama.read_facts``.
        probe.ModelError: the model has no masked-LM head.
        probe.ProbeError: scores that are not finite.
    """
    random: list[list[Ranks]] = []
    for make in weights:
        blank_model = make()
        reader = GapReader(blank_model, candidates.ids, batch_tokens=batch_tokens)
        asked = ask_relations(blank_model, relations, candidates, limit=limit)
        random.append([rank(reader, each.questions, each.clozes, on_done=on_done) for each in asked])
    reader = GapReader(model, candidates.ids, batch_tokens=batch_tokens)
    results = []
    for number, each in enumerate(ask_relations(model, relations, candidates, limit=limit)):
        own = rank(reader, each.questions, each.clozes, on_done=on_done)
        results.append(
            RelationResult(
                relation=each.relation,
                facts=tuple(dataclasses.replace(question.fact, sentences=()) for question in each.questions),
                answers=tuple(candidates.words[place] for place in own.top),
                digest=question_digest(each.questions),
                own=own,
                blank=_blank_ranks(model, reader, each.questions),
                frequent=frequency_ranks(each.questions),
                random=tuple(ranks[number] for ranks in random),
                excluded=tuple(each.excluded),
            )
        )
    return results


def _blank_ranks(model: Probe, reader: GapReader, questions: Sequence[Question]) -> Ranks | None:
    pairs = [(each, each.blank) for each in questions if each.blank is not None]
    if not pairs:
        return None
    return rank(reader, [each for each, _ in pairs], encode_all(model, [blank for _, blank in pairs]))


COLUMNS = ("P@1", "P@10", "P@100", "MRR", "P@1 filtered")
"""The columns of :func:`values_of`."""


def values_of(runs: Sequence[Ranks]) -> NDArray[np.float64]:
    """Values of each fact under ranks, averaged over runs: float64 [facts, 5], see ``COLUMNS``."""
    columns = [np.column_stack([fact_values(run.plain), 100.0 * (run.filtered <= 1)]) for run in runs]
    return np.asarray(np.mean(columns, axis=0))
