"""Facts that are inserted into prompts about the same subject, in the manner of K-BERT (Liu et al., AAAI 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from analyses.knowledge.gaps import Cloze
from data.lama import MASK, Fact, Relation, read_facts

if TYPE_CHECKING:
    from probe import Probe


@dataclass(frozen=True, kw_only=True)
class Triple:
    """A fact that can be inserted: subject, relation and object."""

    subject: str
    relation: Relation
    object: str

    @property
    def text(self) -> str:
        """What is put behind the subject: the relation in words, and the object."""
        return f"{relation_words(self.relation)} {self.object}"


def relation_words(relation: Relation) -> str:
    """What a relation is called: its label, or its name with spaces."""
    return relation.label or relation.name.replace("_", " ")


class Triples:
    """All facts of relations with a template, as triples; those that most judges rejected are left out.

    Args:
        relations: from ``data.lama.list_relations``.

    Raises:
        data.DataError: as ``data.lama.read_facts``.
    """

    def __init__(self, relations: Sequence[Relation]) -> None:
        self._of_subject: dict[tuple[str, str], list[Triple]] = {}
        self._of_relation: dict[tuple[str, str], list[Triple]] = {}
        for relation in relations:
            for triple in _triples(relation):
                self._of_subject.setdefault((relation.corpus, triple.subject), []).append(triple)
                self._of_relation.setdefault((relation.corpus, relation.name), []).append(triple)

    @property
    def any_related(self) -> bool:
        """Whether a subject has two relations with different objects."""
        return any(
            one.relation.name != other.relation.name and not _same(one.object, other.object)
            for known in self._of_subject.values()
            for one, other in combinations(known, 2)
        )

    def related(self, relation: Relation, fact: Fact) -> Triple | None:
        """The first fact of the same subject, in another relation of the corpus; None if there is none.

        One whose object is the answer is passed over: it would say it.
        """
        known = self._of_subject.get((relation.corpus, fact.subject or ""), ())
        others = (each for each in known if each.relation.name != relation.name)
        return next((each for each in others if not _same(each.object, fact.object)), None)

    def alike(self, triple: Triple, answer: str) -> Iterator[Triple]:
        """The same relation of other subjects, without those whose object is the triple's own or the answer."""
        for each in self._of_relation[triple.relation.corpus, triple.relation.name]:
            told = _same(each.object, answer) or _same(each.object, triple.object)
            if each.subject != triple.subject and not told:
                yield each


def _triples(relation: Relation) -> Iterator[Triple]:
    if relation.template is None:
        return
    for fact in read_facts(relation):
        if fact.subject and not fact.rejected and MASK not in f"{fact.subject} {fact.object}":
            yield Triple(subject=fact.subject, relation=relation, object=fact.object)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def branch_pieces(model: Probe, triple: Triple) -> list[int] | None:
    """The pieces of what is inserted; None where the vocabulary lacks one of its words."""
    words = triple.text.split()
    pieces = model.pieces.encode(words, ["after a space"] * len(words))
    lacking = model.pieces.reserved | {model.tokenizer.unk_token_id}
    return (
        None if any(lacking.intersection(ids) for ids in pieces) else [each for ids in pieces for each in ids]
    )


def insert(
    cloze: Cloze, entity: tuple[int, int], branch: Sequence[int], *, visible: bool = True, soft: bool = True
) -> Cloze:
    """Put a branch behind an entity of a prompt (Liu et al. 2020, sections 3.3 and 3.4).

    Args:
        cloze: the prompt, whose gap is no part of the entity; all of its pieces see each other.
        entity: positions of the entity's first piece, and after its last one.
        branch: the pieces that are inserted.
        visible: whether the visible matrix is used: the branch sees the entity and itself, and of the prompt only
            the entity sees the branch. Else all see all.
        soft: whether positions are soft: those of the branch go on from the entity's, those of the prompt are as
            without it. Else they are counted from left to right.

    Raises:
        ValueError: the entity is empty or not within the prompt, or holds the gap.
    """
    start, end = entity
    n, more = len(cloze.ids), len(branch)
    if not 0 <= start < end <= n or start <= cloze.position < end:
        raise ValueError(f"an entity within {n} pieces and without the gap is expected, found {entity}")
    places = np.concatenate([np.arange(end), end + np.arange(more), np.arange(end, n)])
    sees = np.ones((n + more, n + more), dtype=bool)
    if visible:
        inside = np.zeros(n + more, dtype=bool)
        inside[end : end + more] = True
        known = inside.copy()
        known[start:end] = True
        sees = np.where(inside[:, None], known, known[:, None] | ~inside)
    return replace(
        cloze,
        ids=np.insert(cloze.ids, end, np.asarray(branch, dtype=np.int64)),
        position=cloze.position + more * (cloze.position >= end),
        sees=sees,
        places=places if soft else np.arange(n + more),
    )
