"""Negated and misprimed prompts (Kassner and Schütze, ACL 2020): does an answer heed what the prompt says?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from analyses.knowledge.candidates import Candidates, word_pieces
from analyses.knowledge.gaps import GapReader, Prompt, encode_all
from analyses.tables.table import Cell, Row, Table
from probe.json_text import parse_json

if TYPE_CHECKING:
    from probe import Probe

_COLUMNS = ("P@1", "P@1 misprimed", "prime answered", "same answer negated")


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A prompt, its negation, a word that misleads when it is said before, and the right answer."""

    prompt: str
    negated: str
    prime: str
    object: str

    @property
    def misprimed(self) -> str:
        """The prompt after its prime, as a question: ``West? The sun rises in the [MASK] .``"""
        return f"{self.prime[0].upper()}{self.prime[1:]}? {self.prompt}"


@dataclass(frozen=True, kw_only=True)
class ContrastAnswers:
    """The first candidates of a model for the three prompts."""

    contrast: Contrast
    plain: str
    negated: str
    misprimed: str


def load_contrasts() -> tuple[Contrast, ...]:
    """The prompts that come with this package."""
    text = files("analyses.knowledge").joinpath("prompts.jsonl").read_text(encoding="utf-8")
    return tuple(Contrast(**parse_json(line)) for line in text.splitlines())


def answer_contrasts(
    model: Probe, reader: GapReader, contrasts: Sequence[Contrast], candidates: Candidates
) -> list[ContrastAnswers]:
    """Ask all prompts whose object and prime are among the candidates.

    Args:
        model: what is asked.
        reader: of the model, over the candidates.
        contrasts: as of :func:`load_contrasts`.
        candidates: the answers.

    Raises:
        probe.SentenceError: a prompt cannot be asked.
    """
    kept = [
        contrast
        for contrast in contrasts
        if all(
            candidates.place(pieces) is not None
            for pieces in word_pieces(model.tokenizer, [contrast.object, contrast.prime])
        )
    ]
    prompts = [Prompt(text) for each in kept for text in (each.prompt, each.negated, each.misprimed)]
    tops = [""] * len(prompts)
    for places, scores in reader(encode_all(model, prompts)):
        for place, top in zip(places.tolist(), scores.argmax(1).tolist(), strict=True):
            tops[place] = candidates.words[top]
    return [
        ContrastAnswers(contrast=contrast, plain=plain, negated=negated, misprimed=misprimed)
        for contrast, plain, negated, misprimed in zip(kept, tops[::3], tops[1::3], tops[2::3], strict=True)
    ]


def contrast_table(
    model: Probe,
    answers: Sequence[ContrastAnswers],
    candidates: Candidates,
    *,
    left_out: int,
    signature: str,
) -> Table:
    """Shares in percent, and below them the answers to each prompt."""

    def same(word: str, other: str) -> bool:
        first, second = word_pieces(model.tokenizer, [word, other])
        return candidates.place(first) == candidates.place(second)

    shares = (
        [same(each.plain, each.contrast.object) for each in answers],
        [same(each.misprimed, each.contrast.object) for each in answers],
        [same(each.misprimed, each.contrast.prime) for each in answers],
        [same(each.negated, each.plain) for each in answers],
    )
    cells = tuple(Cell(100 * sum(share) / len(answers)) for share in shares)
    notes = [
        f"{each.contrast.prompt} {each.plain}; negated: {each.negated}; "
        f"after {each.contrast.prime}?: {each.misprimed}"
        for each in answers
    ]
    if left_out:
        notes.append(f"{left_out} prompts left out: object or prime is not among the candidates.")
    return Table(
        title=f"Negated and misprimed prompts: {len(answers)}, in percent",
        columns=_COLUMNS,
        rows=(Row(name=model.name, kind="model", cells=cells, signature=signature),),
        notes=tuple(notes),
    )
