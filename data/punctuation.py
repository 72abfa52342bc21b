"""Which words are punctuation, and dependency trees without it."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from data.errors import DataError
from data.sentence import Sentence, root

__all__ = ["is_punctuation", "without_punctuation", "words_proper"]

_MARKS_OF_WORDS = "#%&@§‰"
"""Punctuation to Unicode, but read as words, which Universal Dependencies tag SYM or CCONJ."""


def is_punctuation(word: str) -> bool:
    """Whether a word is made of punctuation alone, by the Unicode category of its characters.

    >>> [is_punctuation(word) for word in (".", "``", "«", "。", "%", "n't", "A.")]
    [True, True, True, True, False, False, False]
    """
    return all((unicodedata.category(c)[0] == "P" and c not in _MARKS_OF_WORDS) or c == "`" for c in word)


def words_proper(sentence: Sentence) -> tuple[int, ...]:
    """Places, from 0, of the words that are no punctuation: by UPOS tags, or without them by `is_punctuation`.

    All places where every word is punctuation.
    """
    marks = map(is_punctuation, sentence.words) if sentence.upos is None else _punctuation(sentence)
    kept = tuple(place for place, mark in enumerate(marks) if not mark)
    return kept or tuple(range(len(sentence.words)))


def without_punctuation(sentence: Sentence, is_punctuation: Sequence[bool] | None = None) -> Sentence:
    """Return a sentence without its punctuation, as in WSJ10 (Klein and Manning, ACL 2004).

    A word whose head goes is attached to the nearest ancestor that stays. If the root goes, the first of the
    words attached to it becomes the root, and the others are attached to that word, so that one root remains.
    The new sentence has no ``lines`` and no running text; words that stay keep their tags and relations.

    Args:
        sentence: n words whose heads are a tree.
        is_punctuation: n truth values, True for the words that go; those with UPOS PUNCT by default.

    Raises:
        DataError: The heads are no tree, UPOS tags are needed and missing, or no word is left.
        ValueError: The number of truth values is not n.
    """
    root(sentence)
    assert sentence.heads is not None
    gone = _punctuation(sentence) if is_punctuation is None else is_punctuation
    if len(gone) != len(sentence.words):
        raise ValueError(
            f"sentence {sentence.id}: {len(sentence.words)} truth values are expected, found {len(gone)}"
        )
    kept = [position for position, goes in enumerate(gone, start=1) if not goes]
    if not kept:
        raise DataError(f"{sentence.where}: sentence {sentence.id}: a word besides punctuation is expected")
    lifted = [_kept_ancestor(position, sentence.heads, gone) for position in kept]
    first_root = kept[lifted.index(0)]
    new_position = {0: 0} | {position: new for new, position in enumerate(kept, start=1)}
    heads = [
        first_root if head == 0 and position != first_root else head
        for position, head in zip(kept, lifted, strict=True)
    ]
    return replace(
        sentence,
        words=_at(sentence.words, kept),
        heads=tuple(new_position[head] for head in heads),
        upos=None if sentence.upos is None else _at(sentence.upos, kept),
        relations=None if sentence.relations is None else _at(sentence.relations, kept),
        lines=(),
        spaces=None,
    )


def _punctuation(sentence: Sentence) -> list[bool]:
    if sentence.upos is None:
        raise DataError(f"{sentence.where}: sentence {sentence.id}: UPOS tags are expected, found none")
    return [tag == "PUNCT" for tag in sentence.upos]


def _kept_ancestor(position: int, heads: Sequence[int], gone: Sequence[bool]) -> int:
    head = heads[position - 1]
    while head and gone[head - 1]:
        head = heads[head - 1]
    return head


def _at(values: Sequence[str], positions: Sequence[int]) -> tuple[str, ...]:
    return tuple(values[position - 1] for position in positions)
