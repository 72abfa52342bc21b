"""Objects of several pieces: each is scored by filling as many masks, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.knowledge.candidates import UNKNOWN, word_pieces
from analyses.knowledge.gaps import Cloze, GapReader, encode_all
from analyses.knowledge.ranks import (
    Excluded,
    Question,
    RankArray,
    Ranks,
    encode_questions,
    frequency_ranks,
    question_digest,
    select,
)
from data.lama import Fact, Relation

if TYPE_CHECKING:
    from probe import Probe

_WINDOW = 4_096
"""Masked copies of prompts that are held at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Objects:
    """The objects of a relation, as pieces, and the masked copies that it takes to score all of them.

    An object of m pieces is asked by m masks. Its first piece is read at the first of them, which it then
    fills, and so on. Objects share a copy where number of masks and pieces filled are the same.

    Attributes:
        objects: pieces of each.
        copies: number of masks at first, and the pieces that fill them from the left.
        most: objects of more pieces are left out.

    Shapes:
        copy_of: int64 [reads], the copy that a piece is read in, ascending
        piece: int64 [reads], which piece
        path: int64 [pieces of all objects], the reads of each object, one object after the other
    """

    objects: tuple[tuple[int, ...], ...]
    copies: tuple[tuple[int, tuple[int, ...]], ...]
    copy_of: NDArray[np.int64]
    piece: NDArray[np.int64]
    path: NDArray[np.int64]
    most: int
    _places: dict[tuple[int, ...], int] = field(repr=False)

    @classmethod
    def of(cls, model: Probe, facts: Sequence[Fact], *, most: int) -> Objects:
        """The distinct objects of the facts that are known to the vocabulary and have at most so many pieces."""
        names = list(dict.fromkeys(fact.object for fact in facts))
        found = dict.fromkeys(word_pieces(model.tokenizer, names))
        objects = tuple(pieces for pieces in found if 1 <= len(pieces) <= most)
        steps = [
            [(len(pieces), pieces[:filled], pieces[filled]) for filled in range(len(pieces))]
            for pieces in objects
        ]
        reads = sorted({step for each in steps for step in each})
        copies = {(masks, filled): None for masks, filled, _ in reads}
        number = {copy: index for index, copy in enumerate(copies)}
        place = {read: index for index, read in enumerate(reads)}
        return cls(
            objects=objects,
            copies=tuple(copies),
            copy_of=np.array([number[masks, filled] for masks, filled, _ in reads], dtype=np.int64),
            piece=np.array([piece for _, _, piece in reads], dtype=np.int64),
            path=np.array([place[step] for each in steps for step in each], dtype=np.int64),
            most=most,
            _places={pieces: index for index, pieces in enumerate(objects)},
        )

    def place(self, pieces: Sequence[int]) -> int | None:
        """Where an object of these pieces stands; None if it is none of them."""
        return self._places.get(tuple(pieces))

    def missing(self, pieces: Sequence[int]) -> str:
        """Why an object of these pieces is left out."""
        return f"its object is more than {self.most} pieces" if pieces else UNKNOWN

    def clozes(self, cloze: Cloze, mask_id: int) -> list[Cloze]:
        """The masked copies of a prompt, in the order of ``copies``."""
        before, after = cloze.ids[: cloze.position], cloze.ids[cloze.position + 1 :]
        return [
            Cloze(
                np.concatenate([before, filled, [mask_id] * (masks - len(filled)), after]).astype(np.int64),
                cloze.position + len(filled),
            )
            for masks, filled in self.copies
        ]

    def mean_log_probabilities(self, reads: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over the pieces of each object. Shapes: [facts, reads] -> [facts, objects]."""
        lengths = np.array([len(pieces) for pieces in self.objects])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        return np.asarray(np.add.reduceat(reads[:, self.path], starts, axis=1) / lengths)


def object_scores(
    model: Probe,
    reader: GapReader,
    prompts: Sequence[Cloze],
    objects: Objects,
    *,
    on_done: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Length-normalised log-probability of each object at the gap of each prompt: float64 [prompts, objects].

    That of an object of pieces p1 ... pm is the mean of log P(pk | p1 ... pk-1 in their places, m - k + 1
    masks), over the whole vocabulary: exact for every object, where a search would look at some (the order
    of filling is left to right; Jiang et al., X-FACTR, EMNLP 2020, section 4).

    Raises:
        probe.ProbeError: scores that are not finite.
    """
    import torch

    from probe import ProbeError

    mask_id = model.tokenizer.mask_token_id
    assert isinstance(mask_id, int)
    n = len(objects.copies)
    size = max(1, _WINDOW // max(1, n))
    found = np.zeros((len(prompts), len(objects.objects)))
    for start in range(0, len(prompts), size):
        window = prompts[start : start + size]
        copies = [copy for base in window for copy in objects.clozes(base, mask_id)]
        reads = np.zeros((len(window), len(objects.piece)))
        for places, scores in reader(copies):
            fact, copy = np.divmod(places, n)
            first, last = (np.searchsorted(objects.copy_of, copy, side=side) for side in ("left", "right"))
            row = np.repeat(np.arange(len(places)), last - first)
            read = np.concatenate([np.arange(*span) for span in zip(first, last, strict=True)])
            index = (torch.from_numpy(part).to(scores.device) for part in (row, objects.piece[read]))
            reads[fact[row], read] = scores[tuple(index)].double().cpu().numpy()
        found[start : start + size] = objects.mean_log_probabilities(reads)
        if on_done is not None:
            on_done(len(window))
    if not np.isfinite(found).all():
        raise ProbeError("scores of objects are not finite: try dtype float32")
    return found


def rank_objects(scores: NDArray[np.float64], questions: Sequence[Question]) -> Ranks:
    """Ranks of the right objects; of equal scores the right one comes last. Shapes: [questions, objects]."""
    if not questions:
        return Ranks(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
    right = scores[np.arange(len(questions)), [question.gold for question in questions]]
    above = scores >= right[:, None]
    others = [int(above[row, list(question.others)].sum()) for row, question in enumerate(questions)]
    plain = above.sum(axis=1)
    return Ranks(plain=plain, filtered=plain - np.array(others, dtype=np.int64), top=scores.argmax(axis=1))


@dataclass(frozen=True, kw_only=True, eq=False)
class PieceResult:
    """What came out for a relation whose objects may have several pieces.

    Attributes:
        relation: which.
        asked: how many facts.
        digest: of prompts and objects, see ``question_digest``.
        objects: how many objects were ranked.
        longer: how many of the facts have an object of more than one piece.
        own: ranks by the model.
        blank: ranks by the model with the subject masked; None where no prompt has its subject in it.
        random: ranks by random weights, one a model of them.
        frequent: ranks by how often an object is right in this relation.
        excluded: the facts that were not asked.
    """

    relation: Relation
    asked: int
    digest: str
    objects: int
    longer: int
    own: Ranks
    blank: Ranks | None
    random: tuple[Ranks, ...]
    frequent: RankArray
    excluded: tuple[Excluded, ...]


def probe_pieces(
    model: Probe,
    relation: Relation,
    facts: Sequence[Fact],
    *,
    most: int,
    weights: Sequence[Probe] = (),
    batch_tokens: int = 4_096,
    on_done: Callable[[int], None] | None = None,
) -> PieceResult:
    """Rank the right objects of a relation's facts among all its objects of at most ``most`` pieces.

    Args:
        model: with a masked-LM head.
        relation: of the facts.
        facts: those without an answer are left out.
        most: masks and pieces of an object.
        weights: the same model with random weights, once or several times.
        batch_tokens: pieces in one forward pass.
        on_done: called with the number of prompts that a pass has answered.

    Raises:
        probe.ModelError: the model has no masked-LM head.
        probe.ProbeError: scores that are not finite.
    """
    objects = Objects.of(model, facts, most=most)
    questions, excluded = select(model, relation, facts, objects)
    spare = most - 1  # masks beside the one that the prompt has
    fit, clozes, failed = encode_questions(model, relation, questions, spare=spare)
    reader = GapReader(model, batch_tokens=batch_tokens)
    own = object_scores(model, reader, clozes, objects, on_done=on_done)
    with_blank = [(each, each.blank) for each in fit if each.blank is not None]
    blank = None
    if with_blank:
        scores = object_scores(
            model, reader, encode_all(model, [prompt for _, prompt in with_blank]), objects
        )
        blank = rank_objects(scores, [each for each, _ in with_blank])
    random = []
    for each in weights:
        scores = object_scores(each, GapReader(each, batch_tokens=batch_tokens), clozes, objects)
        random.append(rank_objects(scores, fit))
    return PieceResult(
        relation=relation,
        asked=len(fit),
        digest=question_digest(fit),
        objects=len(objects.objects),
        longer=sum(len(objects.objects[each.gold]) > 1 for each in fit),
        own=rank_objects(own, fit),
        blank=blank,
        random=tuple(random),
        frequent=frequency_ranks(fit),
        excluded=(*excluded, *failed),
    )
