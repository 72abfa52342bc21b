"""Facts asked with and without a triple about their subject in the prompt, by the model and by random weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analyses.kept import KeptResults
from analyses.knowledge.candidates import Candidates
from analyses.knowledge.gaps import Cloze, GapReader, piece_span
from analyses.knowledge.ranks import (
    Excluded,
    Question,
    Ranks,
    encode_questions,
    question_digest,
    rank,
    select,
)
from analyses.knowledge.triples import Triple, Triples, branch_pieces, insert
from data.lama import MASK, Relation, read_facts
from probe.errors import ModelError

if TYPE_CHECKING:
    from probe import Probe

NONE, RANDOM, RELATED = "no triple", "random subject's triple", "related triple"
OPEN, COUNTED, PLAIN = "without visible matrix", "without soft positions", "without both"
ASKED, TOLD = "the asked fact itself (control)", "the asked fact itself, without both (control)"
WAYS = (NONE, RANDOM, RELATED, OPEN, COUNTED, PLAIN, ASKED, TOLD)
"""What is inserted, and how: the related triple also without one or both of K-BERT's means."""


@dataclass(frozen=True, kw_only=True, eq=False)
class InsertedResult:
    """What came out for one relation.

    Attributes:
        relation: which.
        subjects: of the facts that were asked.
        digest: of prompts, objects and triples.
        ranks: of each way, one a draw of random triples, one otherwise.
        random: ranks with the related triple by random weights, one a seed.
        branch: pieces inserted with the related triple, the sum over facts.
        alone: how many facts of the file have no related triple.
        excluded: facts with one that were not asked.
    """

    relation: Relation
    subjects: tuple[str, ...]
    digest: str
    ranks: dict[str, tuple[Ranks, ...]]
    random: tuple[Ranks, ...]
    branch: int
    alone: int
    excluded: tuple[Excluded, ...]

    @property
    def asked(self) -> int:
        """How many facts."""
        return len(self.subjects)


@dataclass(frozen=True, kw_only=True, eq=False)
class WayRanks:
    """Ranks of a relation's facts: of each way, one a draw."""

    ranks: dict[str, tuple[Ranks, ...]]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"ranks": {way: [each.as_dict() for each in drawn] for way, drawn in self.ranks.items()}}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> WayRanks:
        """The inverse of ``as_dict``."""
        ranks = {way: tuple(map(Ranks.from_dict, drawn)) for way, drawn in found["ranks"].items()}
        return cls(ranks=ranks)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """The questions of a relation, and their prompts in every way, one list a draw."""

    relation: Relation
    questions: list[Question]
    clozes: dict[str, list[list[Cloze]]]
    digest: str
    branch: int
    alone: int
    excluded: list[Excluded]

    @property
    def stem(self) -> str:
        """Of the names of its files."""
        return f"{self.relation.corpus}-{self.relation.name}"

    def rank(self, reader: GapReader, ways: Sequence[str], on_done: Callable[[int], None] | None) -> WayRanks:
        """Rank the right objects in these ways."""
        return WayRanks(
            ranks={
                way: tuple(rank(reader, self.questions, drawn, on_done=on_done) for drawn in self.clozes[way])
                for way in ways
            }
        )

    def sha256(self, ways: Sequence[str]) -> str:
        """SHA-256 over all that the ranks depend on besides model and candidates."""
        sha = hashlib.sha256(json.dumps([[each.gold, each.others] for each in self.questions]).encode())
        for way in ways:
            for drawn in self.clozes[way]:
                sha.update(f"{way} {len(drawn)}\n".encode())
                for cloze in drawn:
                    sha.update(f"{len(cloze.ids)}\n".encode() + cloze.key.tobytes())
        return sha.hexdigest()


def check_inserts(model: Probe) -> None:
    """Refuse a model that cannot be told who sees whom, or who stands where.

    Raises:
        ModelError: a mask does not control its attention, or position ids are not what tells it the order.
    """
    if (reason := model.attention.refusal_of_places) is not None:
        raise ModelError(
            f"{model.name}: inserted triples need attention that a mask controls and positions that position ids "
            f"give, but {reason}"
        )


def probe_inserted(
    model: Probe,
    relations: Sequence[Relation],
    triples: Triples,
    candidates: Candidates,
    *,
    weights: Sequence[Callable[[], Probe]] = (),
    limit: int | None = None,
    draws: int = 3,
    seed: int = 0,
    batch_tokens: int = 4_096,
    folder: Path | None = None,
    on_done: Callable[[int], None] | None = None,
) -> list[InsertedResult]:
    """Rank the right objects of all facts that have a related triple, in all of ``WAYS``.

    Args:
        model: a masked language model with absolute positions.
        relations: that are asked; those without a template are not.
        triples: that are inserted.
        candidates: what is ranked.
        weights: make the same model with random weights; each is made once and let go.
        limit: of each relation only the first facts that have a related triple.
        draws: triples of random subjects for each fact.
        seed: of these draws.
        batch_tokens: pieces in one forward pass.
        folder: where the ranks of each relation are kept; those that are there of the same model, facts and
            triples are not made again. None: nothing is kept.
        on_done: called with a number of prompts when they are ranked.

    Raises:
        OSError: a file cannot be written.
        data.DataError: as ``data.lama.read_facts``.
        probe.ModelError: the model has no masked-LM head, or as ``check_inserts``.
        probe.ProbeError: scores that are not finite.
    """
    check_inserts(model)
    maker = _Maker(model, triples, draws, seed)
    asked = [
        maker.ask(relation, candidates, limit) for relation in relations if relation.template is not None
    ]

    def ranked(reads: Probe, ways: Sequence[str], mark: str = "") -> list[WayRanks]:
        reader = GapReader(reads, candidates.ids, batch_tokens=batch_tokens)
        kept = KeptResults(folder, reads, candidates.digest)
        return [
            kept(
                f"{each.stem}{mark}",
                WayRanks,
                partial(each.rank, reader, ways, on_done),
                of=each.sha256(ways),
            )
            for each in asked
        ]

    blank = [ranked(make(), [RELATED], f"-random-weights-{at}") for at, make in enumerate(weights)]
    return [
        InsertedResult(
            relation=each.relation,
            subjects=tuple(question.fact.subject or "" for question in each.questions),
            digest=each.digest,
            ranks={way: own.ranks[way] for way in WAYS},
            random=tuple(of_seed[at].ranks[RELATED][0] for of_seed in blank),
            branch=each.branch,
            alone=each.alone,
            excluded=tuple(each.excluded),
        )
        for at, (each, own) in enumerate(zip(asked, ranked(model, WAYS), strict=True))
    ]


@dataclass(frozen=True, kw_only=True)
class _Inserts:
    """The pieces that are put into the prompt of a question, and the related triple in words."""

    question: Question
    text: str
    related: list[int]
    asked: list[int]
    random: list[list[int]]


class _Maker:
    """Makes the prompts of one model."""

    def __init__(self, model: Probe, triples: Triples, draws: int, seed: int) -> None:
        self._model, self._triples, self._draws, self._seed = model, triples, draws, seed
        self._pieces: dict[str, list[int] | None] = {}

    def ask(self, relation: Relation, candidates: Candidates, limit: int | None) -> _Asked:
        """The prompts of a relation's facts."""
        questions, excluded = select(self._model, relation, list(read_facts(relation)), candidates)
        related = [(each, self._triples.related(relation, each.fact)) for each in questions]
        chosen = [(each, triple) for each, triple in related if triple is not None][:limit]
        made: dict[str, _Inserts] = {}
        failed = []
        for place, (question, triple) in enumerate(chosen):
            found = self._inserts(relation, place, question, triple)
            if isinstance(found, str):
                failed.append(Excluded(relation=relation, fact=question.fact, reason=found))
            else:
                made[question.fact.where] = found
        spare = max((len(each) for one in made.values() for each in (one.related, one.asked)), default=0)
        fit, clozes, too_long = encode_questions(
            self._model, relation, [each.question for each in made.values()], spare=spare
        )
        kept = [made[question.fact.where] for question in fit]
        ways = [self._ways(relation, each, cloze) for each, cloze in zip(kept, clozes, strict=True)]
        told = "".join(f"{each.text}\n" for each in kept)
        return _Asked(
            relation=relation,
            questions=fit,
            clozes={
                way: [
                    [each[way][draw] for each in ways] for draw in range(self._draws if way == RANDOM else 1)
                ]
                for way in WAYS
            },
            digest=hashlib.sha256(f"{question_digest(fit)}{told}".encode()).hexdigest(),
            branch=sum(len(each.related) for each in kept),
            alone=sum(triple is None for _, triple in related),
            excluded=[*(each for each in excluded if self._has_triple(each)), *failed, *too_long],
        )

    def _has_triple(self, left: Excluded) -> bool:
        return self._triples.related(left.relation, left.fact) is not None

    def _inserts(self, relation: Relation, place: int, question: Question, triple: Triple) -> _Inserts | str:
        """What is inserted, or why the fact cannot be asked in all ways."""
        answer = question.fact.object
        own = self._branch(triple)
        asked = self._branch(Triple(subject=triple.subject, relation=relation, object=answer))
        if own is None or asked is None:
            return "the vocabulary lacks a word of its triple"
        others = [self._branch(other) for other in self._triples.alike(triple, answer)]
        alike = [each for each in others if each is not None and len(each) == len(own)]
        if not alike:
            return "no other subject's triple has as many pieces"
        rngs = [np.random.default_rng([self._seed, draw, place]) for draw in range(self._draws)]
        drawn = [alike[int(rng.integers(len(alike)))] for rng in rngs]
        return _Inserts(question=question, text=triple.text, related=own, asked=asked, random=drawn)

    def _branch(self, triple: Triple) -> list[int] | None:
        if triple.text not in self._pieces:
            self._pieces[triple.text] = branch_pieces(self._model, triple)
        return self._pieces[triple.text]

    def _ways(self, relation: Relation, what: _Inserts, cloze: Cloze) -> dict[str, list[Cloze]]:
        """The prompt in every way, one a draw."""
        start = (relation.template or "").replace("[Y]", MASK).index("[X]")
        end = start + len(what.question.fact.subject or "")
        entity = piece_span(self._model, what.question.prompt.text, start, end)
        return {
            NONE: [cloze],
            RANDOM: [insert(cloze, entity, branch) for branch in what.random],
            RELATED: [insert(cloze, entity, what.related)],
            OPEN: [insert(cloze, entity, what.related, visible=False)],
            COUNTED: [insert(cloze, entity, what.related, soft=False)],
            PLAIN: [insert(cloze, entity, what.related, visible=False, soft=False)],
            ASKED: [insert(cloze, entity, what.asked)],
            TOLD: [insert(cloze, entity, what.asked, visible=False, soft=False)],
        }
