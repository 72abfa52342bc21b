"""Which words can fill a gap: those that are one piece of a model's vocabulary."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from probe.spaces import WordPieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNKNOWN = "its object is unknown to the model's vocabulary"

_TOKENIZED = 1_000
"""Words that the tokenizer is given at a time."""


class Answers(Protocol):
    """What is ranked at a gap: words, by their pieces."""

    def place(self, pieces: Sequence[int]) -> int | None:
        """Where the word of these pieces stands; None if it is not ranked."""

    def missing(self, pieces: Sequence[int]) -> str:
        """Why a word of these pieces, which has no place, is not ranked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The answers that are compared with each other at a gap, in the order of their word list.

    Attributes:
        words: of each candidate; where several are one piece (of a model without case), the first of them.
        ids: int64 [candidates], their pieces.
        listed: how many words the list has.
        lowercase: whether the tokenizer makes small letters of capitals.
    """

    words: tuple[str, ...]
    ids: NDArray[np.int64]
    listed: int
    lowercase: bool
    _places: dict[int, int] = field(repr=False)

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> Candidates:
        """The words that the tokenizer makes one piece of, as they stand within a sentence: after a space.

        So they are the whole pieces of WordPiece (without ``##``), and the pieces with a space mark of
        byte-level BPE and SentencePiece. Words that the tokenizer makes the same piece of are one candidate.

        Raises:
            ValueError: none of the words is one piece.
        """
        first: dict[int, str] = {}
        for word, pieces in zip(words, word_pieces(tokenizer, words), strict=True):
            if len(pieces) == 1:
                first.setdefault(pieces[0], word)
        if not first:
            raise ValueError(f"none of the {len(words):,} words is one piece of this model's vocabulary")
        return cls(
            words=tuple(first.values()),
            ids=np.array(list(first), dtype=np.int64),
            listed=len(words),
            lowercase=WordPieces(tokenizer).lowercases,
            _places={piece: place for place, piece in enumerate(first)},
        )

    def __len__(self) -> int:
        return len(self.words)

    def place(self, pieces: Sequence[int]) -> int | None:
        """Where a word of these pieces stands among the candidates; None if it is none of them."""
        return self._places.get(pieces[0]) if len(pieces) == 1 else None

    def missing(self, pieces: Sequence[int]) -> str:
        """Why an object of these pieces is no candidate."""
        if not pieces:
            return UNKNOWN
        return "its object is several pieces" if len(pieces) > 1 else "its object is not in the word list"

    @property
    def digest(self) -> str:
        """SHA-256 over the candidates' words, a line each."""
        return hashlib.sha256("".join(f"{word}\n" for word in self.words).encode()).hexdigest()

    def __str__(self) -> str:
        """For a signature: how many, of how many in the list, their digest, and the case."""
        case = "lower" if self.lowercase else "kept"
        return f"candidates:{len(self)} of {self.listed}@{self.digest[:4]}… | case:{case}"


def word_pieces(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[tuple[int, ...]]:
    """The pieces of each word as it stands after a space; no pieces where a part of it is unknown."""
    pieces = WordPieces(tokenizer)
    reserved = pieces.reserved | {tokenizer.unk_token_id}
    found: list[tuple[int, ...]] = []
    for start in range(0, len(words), _TOKENIZED):
        batch = words[start : start + _TOKENIZED]
        listed = pieces.encode(batch, ["after a space"] * len(batch))
        found += [() if reserved.intersection(ids) else tuple(ids) for ids in listed]
    return found


def model_words(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """The words of a model's own vocabulary: pieces that are whole words of letters or digits, by id."""
    texts = [str(tokenizer.decode([piece])).strip() for piece in sorted(tokenizer.get_vocab().values())]
    return tuple(dict.fromkeys(text for text in texts if text.isalnum()))
