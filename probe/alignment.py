"""Words to pieces, through the fast tokenizer's own word ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from probe.errors import SentenceError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, eq=False)
class Alignment:
    """The pieces of one sentence and the units they belong to.

    Shapes:
        ids: int64 [length], special tokens included
        positions: int64 [pieces of units], where in ``ids`` they stand, unit after unit
        unit_of: int64 [pieces of units], the unit of each of them, ascending

    ``cls`` is the position of the sentence representation, None where the tokenizer adds none.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    unit_of: NDArray[np.int64]
    units: tuple[str, ...]
    cls: int | None


def align(
    tokenizer: PreTrainedTokenizerBase,
    words: Sequence[str],
    *,
    window: int,
    spans: Sequence[tuple[int, int]] | None = None,
) -> Alignment:
    """Tokenise a sentence word by word and collect the pieces of its units.

    Units are the words, or the given spans ``(start, end)`` of words, end exclusive. Words outside every span
    are context and are never masked. A word that looks like a special token ("[MASK]") is taken as text, where
    the tokenizer can tell them apart (a Unigram vocabulary cannot).

    Raises:
        SentenceError: no words, a word without pieces or one that is a special token, more pieces than the
            model's window, or spans that are empty, out of range or overlapping.
    """
    if isinstance(words, str):
        raise SentenceError("a sentence is a list of words, not one string: split it first")
    words = list(words)
    if not words:
        raise SentenceError("the sentence has no words")
    encoding = tokenizer(
        spaced(words) if is_byte_level(tokenizer) else words,
        is_split_into_words=True,
        split_special_tokens=True,
        truncation=False,
        verbose=False,
    )
    word_ids = encoding.word_ids()
    ids = np.array(encoding["input_ids"], dtype=np.int64)
    by_word: list[list[int]] = [[] for _ in words]
    for position, word in enumerate(word_ids):
        if word is not None:
            by_word[word].append(position)
    if empty := [i for i, pieces in enumerate(by_word) if not pieces]:
        raise SentenceError(
            f"word {empty[0] + 1} ({words[empty[0]]!r}) has no pieces in this model's vocabulary"
        )
    reserved = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    for word, pieces in enumerate(by_word):
        if not reserved.isdisjoint(ids[pieces].tolist()):
            raise SentenceError(
                f"word {word + 1} ({words[word]!r}) cannot be told from a special token of this model"
            )
    if len(ids) > window:
        raise SentenceError(f"{len(ids)} pieces are more than the model's window of {window}")
    groups = [(i, i + 1) for i in range(len(words))] if spans is None else check_spans(spans, len(words))
    unit_pieces = [[p for word in range(start, end) for p in by_word[word]] for start, end in groups]
    return Alignment(
        ids=ids,
        positions=np.array([p for unit in unit_pieces for p in unit], dtype=np.int64),
        unit_of=np.repeat(np.arange(len(groups)), [len(unit) for unit in unit_pieces]),
        units=tuple(" ".join(words[start:end]) for start, end in groups),
        cls=0 if word_ids[0] is None else None,
    )


def is_byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether pieces are of bytes, so that a word has others after a space than at the start of the text."""
    from tokenizers import pre_tokenizers

    first = tokenizer.backend_tokenizer.pre_tokenizer
    steps: Any = first if isinstance(first, pre_tokenizers.Sequence) else [first]
    return any(isinstance(step, pre_tokenizers.ByteLevel) for step in steps)


def spaced(words: list[str]) -> list[str]:
    """Words with the space that a byte-level tokenizer saw before them in the texts of its training."""
    return [f" {word}" if word.strip() else word for word in words]


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
