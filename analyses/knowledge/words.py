"""Which word of a prompt carried the answer: perturbed masking (Wu et al., ACL 2020) of a cloze question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyses.knowledge.gaps import Cloze, GapReader
from analyses.tables.table import Cell, Row, Table
from data.lama import MASK
from probe.spaces import SpacedWords

if TYPE_CHECKING:
    from analyses.knowledge.candidates import Candidates
    from analyses.knowledge.results import RelationResult
    from data.lama import Relation
    from probe import Probe


@dataclass(frozen=True, kw_only=True)
class WordImpacts:
    """A filled prompt and what each of its words is worth to the answer.

    Attributes:
        words: of the prompt, the answer among them.
        answer: which of them is the answer.
        probability: of the answer, with nothing masked but its place.
        impacts: how much of it goes when a word is masked, too; negative where the word stood in its way.
    """

    words: tuple[str, ...]
    answer: int
    probability: float
    impacts: tuple[float, ...]


def word_impacts(model: Probe, prompt: str, answer: str) -> WordImpacts:
    """Impact of each word of a prompt on its gap by metric ``prob``, from ``Probe.impact`` on the filled prompt.

    Words are what spaces separate; the gap is a word of its own.

    Args:
        model: with a masked-LM head.
        prompt: with ``[MASK]`` once.
        answer: the word that goes there, of one piece.

    Raises:
        ValueError: the prompt has not one gap, or the answer not one piece.
        probe.SentenceError: the filled prompt cannot be probed.
        probe.ModelError: the model has no masked-LM head.
    """
    before, found, after = prompt.partition(MASK)
    if not found or MASK in after:
        raise ValueError(f"a prompt with {MASK} once is expected, found {prompt!r}")
    place = len(before.split())
    words = (*before.split(), answer, *after.split())
    spaces = [True] * len(words)
    if place and not before[-1].isspace():
        spaces[place - 1] = False
    spaces[place] = after[:1].isspace()
    words_of_text = SpacedWords(words, tuple(spaces), leading=True)
    alignment = model.align(words_of_text)
    positions = alignment.positions[alignment.unit_of == place]
    if len(positions) != 1:
        raise ValueError(f"an answer of one piece is expected, found {answer!r} of {len(positions)}")
    impacts = model.impact(words_of_text, metric="prob", layer=model.n_layers, pool="first").values[place]
    ids, gap = alignment.ids.copy(), int(positions[0])
    ids[gap] = model.tokenizer.mask_token_id
    _, scores = next(GapReader(model)([Cloze(ids, gap)]))
    probability = float(scores[0, alignment.ids[gap]].exp())
    return WordImpacts(
        words=words, answer=place, probability=probability, impacts=tuple(float(each) for each in impacts)
    )


def right_answers(
    model: Probe,
    relations: Sequence[Relation],
    candidates: Candidates,
    results: Sequence[RelationResult],
    *,
    count: int,
    limit: int | None = None,
) -> Iterator[tuple[str, str]]:
    """Prompts that the model completed rightly, with their answers: the first of each relation, in turn.

    Args:
        model, relations, candidates, limit: as in ``probe_relations``.
        results: of ``probe_relations`` with the same arguments.
        count: how many are wanted at most.
    """
    from analyses.knowledge.results import ask_relations

    found: list[list[tuple[str, str]]] = []
    for asked, result in zip(ask_relations(model, relations, candidates, limit=limit), results, strict=True):
        right = [asked.questions[place] for place in np.flatnonzero(result.own.plain == 1)[:count]]
        found.append(
            [(each.prompt.text, each.fact.object) for each in right if each.prompt.text.count(MASK) == 1]
        )
    rounds = [each[turn] for turn in range(count) for each in found if turn < len(each)]
    yield from rounds[:count]


def word_table(model: str, found: WordImpacts, *, signature: str) -> Table:
    """One row a word, in points of percent."""
    gap = [*found.words[: found.answer], MASK, *found.words[found.answer + 1 :]]
    rows = tuple(
        Row(name=word, kind="model", cells=(Cell(100 * impact),))
        for place, (word, impact) in enumerate(zip(found.words, found.impacts, strict=True))
        if place != found.answer
    )
    answer = found.words[found.answer]
    return Table(
        title=f"{model}: {' '.join(gap)} -> {answer} ({100 * found.probability:.1f}%)",
        columns=("points lost",),
        rows=rows,
        notes=(
            f"Points of percent that the probability of {answer} loses when the word is masked.",
            signature,
        ),
    )
