"""Words to pieces, each as it stands in a text: after a space, without one, or at the start.

What stands for a space differs from tokenizer to tokenizer: a mark that the pre-tokenizer or the normalizer
puts before the word, a space that it reads, or nothing. It is found out here by what the tokenizer makes of
short texts, whatever its class. A tokenizer that is not fast serves as well.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args, overload

import numpy as np
from numpy.typing import NDArray

from probe.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids: TypeAlias = list[int]
Place: TypeAlias = Literal["after a space", "without a space", "at the start"]
"""Where a word stands: what comes before it in its text."""
TextName: TypeAlias = Literal["running", "spaced"]
"""What a model reads: the running text, where the spaces of the words are known, or words with a space between."""
TEXTS: tuple[TextName, ...] = get_args(TextName)

_SHORT_WORDS = ("the", "a", "in", "7", "is", "M", "и", "的", "の", "을", "ال", "है")
"""Tried on a tokenizer; those that it does not know tell nothing."""
_LATIN = ("the", "a", "in", "is", "m")
_BEFORE = ("x", "(", "1", "。", "\n")
"""Put before a word that follows without a space; one of them is a piece of its own there."""


@dataclass(frozen=True)
class SpacedWords(Sequence[str]):
    """Words that know where white space stands between them; else a sequence of words like any other.

    Attributes:
        words: of a sentence.
        spaces: whether white space follows each of them, one truth value a word; that of the last is not read.
        leading: whether white space stands before the first, as within a longer text.
    """

    words: tuple[str, ...]
    spaces: tuple[bool, ...]
    leading: bool = False

    def __post_init__(self) -> None:
        if len(self.spaces) != len(self.words):
            raise ValueError(f"a truth value a word is expected: {len(self.words)} words, {len(self.spaces)}")

    def __len__(self) -> int:
        return len(self.words)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.words[index]

    @property
    def places(self) -> list[Place]:
        """Where each word stands."""
        first: Place = "after a space" if self.leading else "at the start"
        rest: list[Place] = ["after a space" if space else "without a space" for space in self.spaces[:-1]]
        return [first, *rest][: len(self.words)]


def running(words: Sequence[str], spaces: Sequence[bool] | None) -> Sequence[str]:
    """The words with what is known of the spaces between them: as they are where that is nothing."""
    return words if spaces is None else SpacedWords(tuple(words), tuple(spaces))


def as_text(words: Sequence[str], text: TextName) -> Sequence[str]:
    """The words, in a ``spaced`` text without what they know of their spaces."""
    return words.words if text == "spaced" and isinstance(words, SpacedWords) else words


def text_of(sentences: Iterable[Sequence[str]]) -> TextName:
    """``running`` where the spaces of any sentence are known."""
    return "running" if any(isinstance(words, SpacedWords) for words in sentences) else "spaced"


def spaces_of(words: Sequence[str]) -> tuple[bool, ...] | None:
    """Whether white space follows each word; None where that is not known."""
    return words.spaces if isinstance(words, SpacedWords) else None


def places_of(words: Sequence[str]) -> list[Place]:
    """Where each word stands: of words alone, all of them after a space (Wu et al. 2020 join words by spaces)."""
    return words.places if isinstance(words, SpacedWords) else ["after a space"] * len(words)


class WordPieces:
    """The pieces that a tokenizer makes of words, by where they stand.

    Words that follow each other without a space keep pieces of their own: the pieces of a running text, but for
    those that would reach over the end of a word.

    Attributes:
        tokenizer: fast or slow.
        prefix: what a word given by itself needs before it to get the pieces that it has after a space.
        sees_spaces: whether a word has other pieces without a space before it. WordPiece, which takes punctuation
            apart itself, does not.
        before, after: the special tokens around a sentence.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.prefix = self._find_prefix()
        self.sees_spaces = self._finds_spaces()
        self.before, self.after = self._special_tokens()

    def __call__(self, words: Sequence[str]) -> list[Ids]:
        """The pieces of each word of a sentence, special tokens left out."""
        return self.encode(words, places_of(words))

    def encode(self, words: Sequence[str], places: Sequence[Place]) -> list[Ids]:
        """The pieces of each word at its place. What looks like a special token is text."""
        texts = list(words)
        if not self.sees_spaces:
            return self._encode(texts)
        for at, (word, place) in enumerate(zip(words, places, strict=True)):
            if place == "after a space" and word.strip():
                texts[at] = self.prefix + word
        found = self._encode(texts)
        for at, (word, place) in enumerate(zip(words, places, strict=True)):
            if place == "without a space":
                found[at] = self._without_space(word, found[at])
        return found

    def some(self, words: Sequence[str]) -> Ids:
        """The pieces of these words; of a tokenizer that makes none of them, as many of its ordinary pieces.

        Raises:
            ModelError: its vocabulary has special tokens only.
        """
        found = [piece for ids in self(words) for piece in ids]
        if not found:  # letters of another alphabet, and no unknown token
            ordinary = set(self.tokenizer.get_vocab().values()) - set(self.tokenizer.all_special_ids)
            found = sorted(ordinary)[: len(words)]
        if not found:
            raise ModelError(f"{self.tokenizer.name_or_path}: its vocabulary has special tokens only")
        return found

    def cls(self, length: int) -> int | None:
        """Where the sentence representation stands in so many pieces; None where the tokenizer adds none.

        It is what comes first; where that is a word, the tokenizer's own [CLS] at the end (XLNet).
        """
        if self.before:
            return 0
        own = self.tokenizer.cls_token_id
        return length - len(self.after) + self.after.index(own) if own in self.after else None

    @cached_property
    def lowercases(self) -> bool:
        """Whether the tokenizer makes small letters of capitals."""
        capitals, small = (self._encode([form(word) for word in _LATIN]) for form in (str.upper, str.lower))
        known = [not self.is_unknown(ids) for ids in small]
        return any(known) and capitals == small

    @cached_property
    def reserved(self) -> frozenset[int]:
        """The special tokens other than the unknown one, which no word may hold."""
        return frozenset(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}

    def is_unknown(self, pieces: Sequence[int]) -> bool:
        """Whether a word's pieces say nothing of it: all are the unknown token, or a lone mark of a space."""
        unknown = self.tokenizer.unk_token_id
        return unknown is not None and unknown in pieces and set(pieces) <= {unknown, *self._space_marks}

    @cached_property
    def _space_marks(self) -> frozenset[int]:
        """The piece of a space alone, where there is one."""
        found = self._encode([f"{self.prefix}x", self.prefix + "\ue000"])[1][:-1]
        return frozenset(found if len(found) == 1 else ())

    def _encode(self, texts: list[str]) -> list[Ids]:
        if not texts:
            return []
        tokenizer: Any = self.tokenizer
        listed = tokenizer(
            texts, add_special_tokens=False, split_special_tokens=True, truncation=False, verbose=False
        )
        return [list(ids) for ids in listed["input_ids"]]

    def _find_prefix(self) -> str:
        """Compare short words by themselves, and with a space before them, with the same words in a text."""
        start, *texts = self._encode(["x", *(f"x {word}" for word in _SHORT_WORDS)])
        scores = {}
        for prefix in ("", " "):
            alone = self._encode([prefix + word for word in _SHORT_WORDS])
            scores[prefix] = sum(
                text == start + pieces and self.tokenizer.unk_token_id not in pieces
                for text, pieces in zip(texts, alone, strict=True)
            )
        return max(scores, key=scores.__getitem__)  # of equal scores the first: no space

    def _finds_spaces(self) -> bool:
        pairs = [(f"({word}", f"( {word}") for word in _SHORT_WORDS]
        without, with_space = (self._encode([pair[at] for pair in pairs]) for at in (0, 1))
        return without != with_space

    def _without_space(self, word: str, otherwise: Ids) -> Ids:
        guards = _BEFORE if not word[:1].isalnum() else (*_BEFORE[1:], _BEFORE[0])
        for guard in guards:
            before, whole = self._encode([guard, guard + word])
            if len(whole) > len(before) and whole[: len(before)] == before:
                return whole[len(before) :]
        return otherwise

    def _special_tokens(self) -> tuple[Ids, Ids]:
        tokenizer: Any = self.tokenizer
        for word in ("x", *_SHORT_WORDS):
            whole = list(tokenizer(word, verbose=False)["input_ids"])
            inside = self._encode([word])[0]
            for start in range(len(whole) - len(inside) + 1):
                if inside and whole[start : start + len(inside)] == inside:
                    return whole[:start], whole[start + len(inside) :]
        return [], []


def count_unknown(pieces: WordPieces, sentences: Iterable[Sequence[str]]) -> tuple[int, int]:
    """How many words of sentences the vocabulary does not know, and how many words there are."""
    counts = Counter(placed for words in sentences for placed in zip(words, places_of(words), strict=True))
    found = pieces.encode([word for word, _ in counts], [place for _, place in counts])
    unknown = sum(count for count, ids in zip(counts.values(), found, strict=True) if pieces.is_unknown(ids))
    return unknown, counts.total()


def text_words(text: str) -> Iterator[tuple[int, int]]:
    """The words of a raw text, ``(start, end)`` with end exclusive, by the rules of BERT (Devlin et al. 2019).

    They are what stands between white space, each mark of punctuation and each CJK ideograph by itself.
    """
    for found in re.finditer(r"\S+", text):
        start = found.start()
        for at in range(found.start(), found.end()):
            if _stands_alone(text[at]):
                if start < at:
                    yield start, at
                yield at, at + 1
                start = at + 1
        if start < found.end():
            yield start, found.end()


def _stands_alone(letter: str) -> bool:
    if letter.isascii():
        return not letter.isalnum() and letter.isprintable()
    return unicodedata.category(letter).startswith("P") or unicodedata.name(letter, "").startswith("CJK")


@dataclass(frozen=True, kw_only=True, eq=False)
class TextPieces:
    """A raw text in pieces.

    Attributes:
        unknown: of how many words the vocabulary knows nothing.

    Shapes:
        ids: int64 [length], special tokens included
        positions: int64 [pieces], where in ``ids`` the text's own pieces stand
        words: int64 [pieces], the word of each of them, ascending from 0
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    words: NDArray[np.int64]
    unknown: int


def text_pieces(pieces: WordPieces, texts: Sequence[str]) -> Iterator[TextPieces]:
    """Tokenise running texts, and say of each piece which word it is of (see :func:`text_words`).

    Words that share a piece are one. A tokenizer that is not fast does not say where its pieces stand: it is
    given the words one by one, each where it stands.
    """
    tokenizer: Any = pieces.tokenizer
    if not tokenizer.is_fast:
        for text in texts:
            listed = pieces(split_text(text))
            inside = [piece for ids in listed for piece in ids]
            yield _text_pieces(pieces, inside, [at for at, ids in enumerate(listed) for _ in ids])
        return
    options = {
        "add_special_tokens": False,
        "split_special_tokens": True,
        "truncation": False,
        "verbose": False,
    }
    encoding = tokenizer(list(texts), return_offsets_mapping=True, **options) if texts else {"input_ids": []}
    for at, text in enumerate(texts):
        words = _words_of_pieces(text, encoding["offset_mapping"][at])
        yield _text_pieces(pieces, encoding["input_ids"][at], words)


def split_text(text: str) -> SpacedWords:
    """A raw text as words, see :func:`text_words`."""
    spans = list(text_words(text))
    spaces = [end < start for (_, end), (start, _) in zip(spans, [*spans[1:], (0, 0)], strict=False)]
    return SpacedWords(tuple(text[start:end] for start, end in spans), tuple(spaces))


def _words_of_pieces(text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The word of each piece, numbered from 0; what a piece has of the space before its word does not count."""
    word_at = np.zeros(len(text) + 1, dtype=np.int64)
    for number, (start, _) in enumerate(text_words(text)):
        word_at[start:] = number  # white space at the end of the text belongs to the last word
    words: list[int] = []
    shared: dict[int, int] = {}
    for start, end in offsets:
        while start < len(text) and text[start].isspace():
            start += 1  # a space, alone or not, belongs to the word after it
        first = int(word_at[start])
        first = shared.get(first, first)
        for later in range(first + 1, int(word_at[max(start, end - 1)]) + 1):
            shared[later] = first
        words.append(first)
    return np.unique(words, return_inverse=True)[1].tolist() if words else []


def _text_pieces(pieces: WordPieces, inside: Ids, words: list[int]) -> TextPieces:
    by_word: dict[int, Ids] = {}
    for piece, word in zip(inside, words, strict=True):
        by_word.setdefault(word, []).append(piece)
    return TextPieces(
        ids=np.array([*pieces.before, *inside, *pieces.after], dtype=np.int64),
        positions=len(pieces.before) + np.arange(len(inside)),
        words=np.array(words, dtype=np.int64),
        unknown=sum(map(pieces.is_unknown, by_word.values())),
    )
