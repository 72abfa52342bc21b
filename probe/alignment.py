"""Which pieces of a sentence belong to which unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.errors import OptionError, SentenceError, quoted
from probe.patterns import FULL, AttentionChoice, AttentionsChoice, Mask, reach, seen_by
from probe.spaces import WordPieces

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def least_pieces(model: PreTrainedModel) -> int:
    """How many pieces a model takes at least: CANINE makes one position of every four."""
    return int(getattr(model.config, "downsampling_rate", 1))


class Request(NamedTuple):
    """A sentence, and how it is read.

    Attributes:
        words: of the sentence.
        spans: of words that are units; None: the words are.
        attention: who sees whom, see ``probe.patterns``.
    """

    words: Sequence[str]
    spans: Sequence[tuple[int, int]] | None = None
    attention: AttentionChoice = FULL


def requests_of(sentences: Iterable[Sequence[str]], attention: AttentionsChoice) -> Iterator[Request]:
    """Each sentence with who sees whom in it.

    Raises:
        OptionError: there are more matrices or fewer than sentences.
    """
    if isinstance(attention, str):
        yield from (Request(words, None, attention) for words in sentences)
        return
    for words, sees in zip_longest(sentences, attention):
        if words is None or sees is None:
            raise OptionError("attention: a matrix for each sentence is expected, found more or fewer")
        yield Request(words, None, sees)


@dataclass(frozen=True, eq=False)
class Alignment:
    """The pieces of one sentence and the units they belong to.

    Shapes:
        ids: int64 [length], special tokens included
        positions: int64 [pieces of units], where in ``ids`` they stand, unit after unit
        unit_of: int64 [pieces of units], the unit of each of them, ascending
        sees: bool [length, length], which positions (columns) each one attends to, on top of what the model itself
            hides; None: no mask is given

    ``cls`` is the position of the sentence representation, None where the tokenizer adds none. ``unknown`` says of
    each unit whether the vocabulary knows nothing of it.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    unit_of: NDArray[np.int64]
    units: tuple[str, ...]
    cls: int | None
    unknown: tuple[bool, ...] = ()
    sees: Mask | None = None

    @cached_property
    def moved_by(self) -> Mask | None:
        """Which units can move the state at each position, in any layer: bool [length, units]; None: all."""
        if self.sees is None:
            return None
        begins = np.searchsorted(self.unit_of, np.arange(len(self.units)))
        return np.asarray(np.logical_or.reduceat(reach(self.sees)[:, self.positions], begins, axis=1))

    def check_length(self, model: PreTrainedModel) -> None:
        """Check that the model takes so few pieces.

        Raises:
            SentenceError: it does not; says how many it takes.
        """
        least = least_pieces(model)
        if len(self.ids) < least:
            raise SentenceError(
                f"{len(self.ids)} pieces are fewer than the {least} that the model takes at least"
            )

    def check_known(self, *, n_words: int | None = None) -> None:
        """Check that the vocabulary knows a unit of the sentence.

        Args:
            n_words: how many words the units have; one each, if None.

        Raises:
            SentenceError: it knows none; says how many words there are.
        """
        if self.unknown and all(self.unknown):
            n = n_words or len(self.unknown)
            raise SentenceError(f"unknown words {n} of {n}: the model's vocabulary has none of them")


def align(
    pieces: WordPieces | PreTrainedTokenizerBase,
    words: Sequence[str],
    *,
    window: int,
    spans: Sequence[tuple[int, int]] | None = None,
    attention: AttentionChoice = FULL,
) -> Alignment:
    """Tokenise a sentence word by word and collect the pieces of its units.

    Words that know the spaces between them (``probe.spaces.SpacedWords``) get the pieces that they have in
    their text, others those that they have after a space. Units are the words, or the given spans
    ``(start, end)`` of words, end exclusive. Words outside every span are context and are never masked. A word
    that looks like a special token ("[MASK]") is taken as text, where the tokenizer can tell them apart (a
    Unigram vocabulary cannot).

    Raises:
        SentenceError: no words, a word without pieces or one that is a special token, more pieces than the
            model's window, spans that are empty, out of range or overlapping, or attention of other words.
    """
    if isinstance(words, str):
        raise SentenceError("a sentence is a list of words, not one string: split it first")
    if not isinstance(words, Sequence):
        raise SentenceError(f"a sentence is a list of words, not of type {type(words).__name__}")
    if not isinstance(pieces, WordPieces):
        pieces = WordPieces(pieces)
    if not words:
        raise SentenceError("the sentence has no words")
    check_words(words)
    by_word = pieces(words)
    if empty := [i for i, ids in enumerate(by_word) if not ids]:
        raise SentenceError(
            f"word {empty[0] + 1} ({quoted(words[empty[0]])}) has no pieces in this model's vocabulary"
        )
    for word, ids in enumerate(by_word):
        if not pieces.reserved.isdisjoint(ids):
            raise SentenceError(
                f"word {word + 1} ({quoted(words[word])}) cannot be told from a special token of this model"
            )
    unknown = [pieces.is_unknown(ids) for ids in by_word]
    length = len(pieces.before) + sum(map(len, by_word)) + len(pieces.after)
    if length > window:
        raise SentenceError(f"{length} pieces are more than the model's window of {window}")
    groups = [(i, i + 1) for i in range(len(words))] if spans is None else check_spans(spans, len(words))
    ends = np.cumsum([len(pieces.before), *map(len, by_word)])
    units = [np.arange(ends[start], ends[end]) for start, end in groups]
    return Alignment(
        ids=np.array(
            [*pieces.before, *(piece for ids in by_word for piece in ids), *pieces.after], dtype=np.int64
        ),
        positions=np.concatenate(units),
        unit_of=np.repeat(np.arange(len(groups)), [len(unit) for unit in units]),
        units=tuple(" ".join(words[start:end]) for start, end in groups),
        cls=pieces.cls(length),
        unknown=tuple(all(unknown[start:end]) for start, end in groups),
        sees=seen_by(attention, ends, length),
    )


def check_words(words: Sequence[str]) -> None:
    """Check that the words are text.

    Raises:
        SentenceError: one of them is not, or holds half of a surrogate pair; names it.
    """
    for at, word in enumerate(words, start=1):
        if not isinstance(word, str):
            raise SentenceError(f"word {at} ({quoted(word)}) is not text but of type {type(word).__name__}")
        if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise SentenceError(
                f"word {at} ({quoted(word)}) holds half of a surrogate pair, which is no text"
            )


def check_spans(spans: Sequence[tuple[int, int]], n_words: int) -> list[tuple[int, int]]:
    """The spans as a list, if they are disjoint, not empty and within the sentence.

    Raises:
        SentenceError: they are not; names the span.
    """
    listed = [(int(start), int(end)) for start, end in spans]
    if not listed:
        raise SentenceError("no spans: at least one unit is needed")
    for start, end in listed:
        if not 0 <= start < end <= n_words:
            raise SentenceError(f"span ({start}, {end}) is empty or outside the sentence of {n_words} words")
    for (_, end), (start, after) in zip(sorted(listed)[:-1], sorted(listed)[1:], strict=True):
        if start < end:
            raise SentenceError(f"span ({start}, {after}) overlaps the one before it")
    return listed
