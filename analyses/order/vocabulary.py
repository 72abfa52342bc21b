"""Which pieces of a vocabulary can be written: never special ones, and which of them begin a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from probe import Probe
    from probe.spaces import WordPieces

Bools: TypeAlias = NDArray[np.bool_]

_UNUSED = re.compile(r"\[unused\d+\]")
"""Rows that BERT keeps for later."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The pieces of a model.

    Attributes:
        texts: of each piece, as it is written by itself.
        readable: bool [vocabulary]: neither a special token, nor unused, nor half a character, nor white space.
        words: bool [vocabulary]: readable, and a word by itself after a space.
    """

    texts: tuple[str, ...]
    readable: Bools
    words: Bools

    @classmethod
    def of(cls, model: Probe) -> Vocabulary:
        """Ask the tokenizer of a model."""
        tokenizer, size = model.tokenizer, len(model.tokenizer)
        texts = tuple(_text(tokenizer, piece) for piece in range(size))
        readable = np.array(["\ufffd" not in text and text.isprintable() and bool(text) for text in texts])
        readable[[piece for piece in tokenizer.all_special_ids if piece < size]] = False
        readable[[piece for piece, text in enumerate(texts) if _UNUSED.fullmatch(text)]] = False
        return cls(texts, readable, readable & _words(model.pieces, texts))

    def beginning_with(self, letter: str) -> Bools:
        """The words that begin with a letter, small or capital."""
        wanted = letter.casefold()
        first = np.array([text[:1].casefold() == wanted and text.isalpha() for text in self.texts])
        found: Bools = self.words & first
        return found


def _text(tokenizer: PreTrainedTokenizerBase, piece: int) -> str:
    return str(tokenizer.decode([piece])).strip()


def _words(pieces: WordPieces, texts: tuple[str, ...]) -> Bools:
    """Whether a piece is what its own text becomes after a space."""
    asked = [text or "." for text in texts]
    found = pieces.encode(asked, ["after a space"] * len(asked))
    return np.array([ids == [piece] for piece, ids in enumerate(found)])
