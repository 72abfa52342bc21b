"""What is given of a text that is to be written: words at their places, and blanks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from analyses.order.vocabulary import Bools, Vocabulary
from probe.errors import OptionError, quoted
from probe.spaces import SpacedWords, split_text

if TYPE_CHECKING:
    from probe import Probe

Unit: TypeAlias = Literal["piece", "word"]
"""What fills a blank: any piece, or one that begins a word."""
UNITS: tuple[Unit, ...] = get_args(Unit)
BLANK = "_"


@dataclass(frozen=True, eq=False)
class Template:
    """Pieces and blanks.

    Attributes:
        allowed: bool [vocabulary] for each blank: what it may be filled with.

    Shapes:
        ids: int64 [length], special tokens included, the mask token at blanks
        positions: int64 [pieces], where in ``ids`` they stand, blanks among them
        blanks: int64 [blanks], which of the pieces are blanks, ascending from 0
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    blanks: NDArray[np.int64]
    allowed: tuple[Bools, ...]


def make_template(
    model: Probe,
    vocabulary: Vocabulary,
    text: str = "",
    *,
    length: int = 0,
    fixed: Mapping[int, str] | None = None,
    initials: str = "",
    unit: Unit = "piece",
) -> Template:
    """A template of a text in which every ``_`` is a blank.

    Args:
        model: whose pieces they are.
        vocabulary: of the model.
        text: words and blanks; it may be empty.
        length: number of blanks behind the text.
        fixed: words by the place of their first piece, counted from 1, or from the end with -1 as the last; they
            take the place of blanks.
        initials: a letter for each blank that is left, with which its word begins.
        unit: what fills the blanks behind the text. A blank of the text is filled with a piece that begins a word
            where white space stands before it, as is the first piece; with any piece where none does.

    Raises:
        OptionError: there is no blank, a fixed word does not fit, the letters are not as many as the blanks, no
            word begins with one, or all of it does not fit the model's window.
    """
    mask = model.tokenizer.mask_token_id
    assert isinstance(mask, int)
    inside, begins = _with_blanks(model, text, mask)
    behind = length or (0 if text else len(initials))
    inside += [mask] * behind
    begins += [unit == "word"] * behind
    begins[:1] = [True]
    for place, word in (fixed or {}).items():
        _put(model, inside, place, word, mask)
    if len(inside) > (most := model.window - len(model.pieces.before) - len(model.pieces.after)):
        raise OptionError(f"{len(inside)} pieces: the window of {model.name} takes {most}")
    blanks = np.flatnonzero(np.array(inside) == mask)
    if not len(blanks):
        raise OptionError(f"a blank is expected: {BLANK} in the text, or a length")
    return Template(
        ids=np.array([*model.pieces.before, *inside, *model.pieces.after], dtype=np.int64),
        positions=len(model.pieces.before) + np.arange(len(inside)),
        blanks=blanks,
        allowed=_allowed(vocabulary, [begins[at] for at in blanks], initials),
    )


def _with_blanks(model: Probe, text: str, mask: int) -> tuple[list[int], list[bool]]:
    """The pieces of the words of a text, the mask token for blanks; and whether each begins a word."""
    split = split_text(text)
    kept = [(word, place) for word, place in zip(split, split.places, strict=True) if word != BLANK]
    encoded = iter(model.pieces.encode([word for word, _ in kept], [place for _, place in kept]))
    inside: list[int] = []
    begins: list[bool] = []
    for word, place in zip(split, split.places, strict=True):
        found = [mask] if word == BLANK else _known(model, word, next(encoded))
        inside += found
        begins += [place != "without a space", *[False] * (len(found) - 1)]
    return inside, begins


def _known(model: Probe, word: str, ids: Sequence[int]) -> list[int]:
    if not ids or model.pieces.is_unknown(ids) or not model.pieces.reserved.isdisjoint(ids):
        raise OptionError(f"{quoted(word)}: {model.name} has no pieces for this word")
    return list(ids)


def _put(model: Probe, inside: list[int], place: int, word: str, mask: int) -> None:
    """Put the pieces of a word in the place of blanks."""
    start = place - 1 if place > 0 else len(inside) + place
    words = SpacedWords((word,), (False,), leading=start > 0)
    (ids,) = model.pieces(words)
    ids = _known(model, word, ids)
    end = start + len(ids)
    if place == 0 or start < 0 or end > len(inside):
        raise OptionError(f"{quoted(word)} at {place}: its {len(ids)} pieces do not fit {len(inside)}")
    if any(piece != mask for piece in inside[start:end]):
        raise OptionError(f"{quoted(word)} at {place}: {len(ids)} blanks are expected there, found a word")
    inside[start:end] = ids


def _allowed(vocabulary: Vocabulary, begins: Sequence[bool], initials: str) -> tuple[Bools, ...]:
    if not initials:
        return tuple(vocabulary.words if each else vocabulary.readable for each in begins)
    if len(initials) != len(begins):
        raise OptionError(f"initials: a letter for each of {len(begins)} blanks is expected: {initials}")
    found = tuple(vocabulary.beginning_with(letter) for letter in initials)
    for letter, words in zip(initials, found, strict=True):
        if not words.any():
            raise OptionError(f"initials: no word of the vocabulary begins with {quoted(letter)}")
    return found
