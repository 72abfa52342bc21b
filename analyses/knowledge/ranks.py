"""Ranks of the right objects among the candidates, relation by relation (Petroni et al., EMNLP 2019)."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analyses.knowledge.candidates import Answers, word_pieces
from analyses.knowledge.gaps import Cloze, GapReader, Prompt, encode
from data.lama import MASK, Fact, Relation
from probe.errors import SentenceError

if TYPE_CHECKING:
    import torch

    from probe import Probe

RankArray: TypeAlias = NDArray[np.int64]
"""int64 [facts], ranks from 1."""

MAX_WORDS = 100
"""Masked sentences of more words are left out, as LAMA does."""


@dataclass(frozen=True, kw_only=True)
class Excluded:
    """A fact that is not asked.

    Attributes:
        relation, fact: which.
        reason: why.
        failed: the rules would have it asked, but the model cannot.
    """

    relation: Relation
    fact: Fact
    reason: str
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class Question:
    """A fact that is asked.

    Attributes:
        fact: what is asked.
        prompt: with ``[MASK]`` in the place of the object.
        blank: the prompt with the subject masked, too; None where the subject is not in it.
        gold: place of the object among the candidates.
        others: places of the other objects that the subject has in the relation.
    """

    fact: Fact
    prompt: Prompt
    blank: Prompt | None
    gold: int
    others: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of the right objects of a relation's facts, in the order of its questions.

    Attributes:
        plain: among all candidates, as the released code of LAMA ranks them.
        filtered: without the other right objects of the same subject, as the paper's text says.
        top: the candidate that ranks first, or the first of those that the choice was limited to.
    """

    plain: RankArray
    filtered: RankArray
    top: NDArray[np.int64]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {name: getattr(self, name).tolist() for name in ("plain", "filtered", "top")}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Ranks:
        """The inverse of ``as_dict``."""
        return cls(*(np.array(found[name], dtype=np.int64) for name in ("plain", "filtered", "top")))


def fill(template: str, subject: str, gap: str = MASK) -> str:
    """The template with subject and gap; a subject may hold ``[Y]``."""
    before, _, after = template.replace("[Y]", gap).partition("[X]")
    return before + subject + after


def _prompts(fact: Fact, template: str | None) -> tuple[Prompt, Prompt | None]:
    """The prompt of a fact, and the same without its subject, for which one mask stands."""
    text = fact.sentences[0] if template is None else fill(template, fact.subject or "")
    if template is not None:
        blank, starts = fill(template, MASK), template.index("[X]")
        return Prompt(text), Prompt(blank, gap=int(starts < template.index("[Y]")))
    if (found := _subject(fact.subject, text)) is None:
        return Prompt(text), None
    start, end = found
    return Prompt(text), Prompt(text[:start] + MASK + text[end:], gap=int(start < text.index(MASK)))


def _subject(subject: str | None, text: str) -> tuple[int, int] | None:
    """Where the subject stands in a masked sentence as a word or phrase of its own; None if nowhere."""
    if not subject:
        return None
    found = re.search(rf"(?<!\w){re.escape(subject)}(?!\w)", text)
    return None if found is None else found.span()


def select(
    model: Probe, relation: Relation, facts: Sequence[Fact], candidates: Answers
) -> tuple[list[Question], list[Excluded]]:
    """Which facts of a relation are asked, by the rules of LAMA, and why the others are not.

    Left out are facts that most judges rejected, whose object is not among the candidates, whose masked
    sentences have more than 100 words or are several, and repetitions of subject and object under a template.
    """
    objects = list(dict.fromkeys(fact.object for fact in facts))
    pieces_of = dict(zip(objects, word_pieces(model.tokenizer, objects), strict=True))
    place_of = {name: candidates.place(pieces) for name, pieces in pieces_of.items()}
    valid: dict[_Key, dict[int, None]] = {}
    for fact in facts:
        place = place_of[fact.object]
        if fact.subject is not None and place is not None and not fact.rejected:
            valid.setdefault(_key(fact), {})[place] = None
    asked: list[Question] = []
    excluded: list[Excluded] = []
    seen: dict[tuple[_Key, int], str] = {}
    for fact in facts:
        place = place_of[fact.object]
        reason = _reason(fact, relation)
        if reason is None and place is None:
            reason = candidates.missing(pieces_of[fact.object])
        if reason is None and place is not None and relation.template is not None:
            first = seen.setdefault((_key(fact), place), fact.where)
            reason = None if first == fact.where else f"subject and object of {first} again"
        if reason is not None or place is None:
            excluded.append(Excluded(relation=relation, fact=fact, reason=reason or ""))
            continue
        others = tuple(other for other in valid.get(_key(fact), {}) if other != place)
        prompt, blank = _prompts(fact, relation.template)
        asked.append(Question(fact=fact, prompt=prompt, blank=blank, gold=place, others=others))
    return asked, excluded


_Key: TypeAlias = tuple[str | None, tuple[str, ...], str | None]


def _key(fact: Fact) -> _Key:
    """What makes two facts ones of the same question: the subject under a template, else the sentence."""
    return fact.subject, fact.sentences, fact.predicate


def _reason(fact: Fact, relation: Relation) -> str | None:
    """Why LAMA leaves a fact out, whatever the model."""
    if fact.rejected:
        return "most judges rejected it"
    if relation.template is None and sum(len(text.split()) for text in fact.sentences) > MAX_WORDS:
        return f"its masked sentences have more than {MAX_WORDS} words"
    if relation.template is None and len(fact.sentences) > 1:
        return "it has several masked sentences"
    if relation.template is not None and MASK in (fact.subject or ""):
        return f"its subject holds {MASK}"
    return None


def encode_questions(
    model: Probe, relation: Relation, questions: Sequence[Question], *, spare: int = 0
) -> tuple[list[Question], list[Cloze], list[Excluded]]:
    """Which questions the model can take with so many pieces more.

    Returns:
        These questions, their prompts as pieces, and the others as failed.
    """
    fit: list[Question] = []
    clozes: list[Cloze] = []
    failed: list[Excluded] = []
    for question, cloze in zip(questions, encode(model, [each.prompt for each in questions]), strict=True):
        reason = None
        if isinstance(cloze, SentenceError):
            reason = str(cloze)
        elif len(cloze.ids) + spare > model.window:
            reason = f"{len(cloze.ids) + spare} pieces are more than the model's window of {model.window}"
        else:
            fit.append(question)
            clozes.append(cloze)
        if reason is not None:
            failed.append(Excluded(relation=relation, fact=question.fact, reason=reason, failed=True))
    return fit, clozes, failed


def rank(
    reader: GapReader,
    questions: Sequence[Question],
    clozes: Sequence[Cloze],
    *,
    among: Sequence[int] | None = None,
    on_done: Callable[[int], None] | None = None,
) -> Ranks:
    """Rank the right object of each question; of equal scores the right one comes last.

    Args:
        reader: over the candidates that the questions count in.
        questions: what is right.
        clozes: the prompt of each question: its own, or another.
        among: candidates that ``top`` is limited to; the ranks are not.
        on_done: called with the number of facts after each batch.

    Raises:
        probe.ProbeError: scores that are not finite.
    """
    plain, filtered, top = (np.zeros(len(questions), dtype=np.int64) for _ in range(3))
    for places, scores in reader(clozes):
        found = _ranks(scores, [questions[place] for place in places], among)
        plain[places], filtered[places], top[places] = found
        if on_done is not None:
            on_done(len(places))
    return Ranks(plain=plain, filtered=filtered, top=top)


def _ranks(
    scores: torch.Tensor, questions: Sequence[Question], among: Sequence[int] | None
) -> tuple[RankArray, RankArray, NDArray[np.int64]]:
    """Plain and filtered ranks, and the first candidate. Shapes: scores [questions, candidates]."""
    import torch

    from probe import ProbeError

    rows = torch.arange(len(questions), device=scores.device)
    gold = torch.tensor([question.gold for question in questions], device=scores.device)
    right = scores[rows, gold][:, None]
    # Scores are normalised: one that is not a number, or infinite, leaves none of its row finite.
    if not bool(torch.isfinite(right).all()):
        raise ProbeError("scores of candidates are not finite: try dtype float32")
    plain = (scores >= right).sum(1).cpu().numpy()
    filtered = plain.copy()
    others = [(row, other) for row, question in enumerate(questions) for other in question.others]
    if others:
        row, other = torch.tensor(others, device=scores.device).T
        above = scores[row, other] >= right[row, 0]
        np.subtract.at(filtered, row.cpu().numpy(), above.cpu().numpy().astype(np.int64))
    if among is None:
        return plain, filtered, scores.argmax(1).cpu().numpy()
    return plain, filtered, np.array(among)[scores[:, list(among)].argmax(1).cpu().numpy()]


def frequency_ranks(questions: Sequence[Question]) -> RankArray:
    """Ranks of the right objects if those of the relation are guessed by how often they are right in it.

    The counts are those of the questions themselves, so this is the best that a constant answer can do
    (column Freq of Petroni et al. 2019, Table 2). Objects of one count come in the order of the candidates.
    """
    counts = Counter(question.gold for question in questions)
    order = sorted(counts, key=lambda place: (-counts[place], place))
    rank_of = {place: number for number, place in enumerate(order, start=1)}
    return np.array([rank_of[question.gold] for question in questions], dtype=np.int64)


def question_digest(questions: Sequence[Question]) -> str:
    """SHA-256 over prompts and objects of the questions, one line of JSON each."""
    sha = hashlib.sha256()
    for question in questions:
        sha.update(json.dumps([question.prompt.text, question.fact.object]).encode("ascii") + b"\n")
    return sha.hexdigest()
