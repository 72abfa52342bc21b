"""The sentence record that all readers return, and the test that its heads form a tree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conllu.models import TokenList

from data.errors import DataError
from data.messages import QUOTED, quoted
from data.tokens import to_token_list

__all__ = ["Sentence", "check_tree", "root"]

_SHOWN = 3  # words of a cycle in a message


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One sentence of n syntactic words; multiword tokens and empty nodes live in ``lines`` only.

    Attributes:
        id: ``sent_id`` of the treebank, else the running number of the sentence, from 1.
        words: The n word forms.
        heads: n heads, 1-based, 0 for the root. None when any head is not annotated.
        upos: n universal part-of-speech tags. None when no word has one.
        relations: n dependency relations. None when no word has one.
        where: ``file:line`` of the first line of the sentence, for messages.
        lines: The lines of the CoNLL-U block as read, without line ends; empty for plain text.
        spaces: n truth values: whether white space follows the word in the running text; False for the last.
            None where that is not known, as for a line of words separated by spaces.
    """

    id: str
    words: tuple[str, ...]
    heads: tuple[int, ...] | None = None
    upos: tuple[str, ...] | None = None
    relations: tuple[str, ...] | None = None
    where: str = "<memory>"
    lines: tuple[str, ...] = ()
    spaces: tuple[bool, ...] | None = None

    @property
    def tokens(self) -> TokenList:
        """The sentence as a token list of the ``conllu`` package, a new one at every call.

        Of `lines`, with multiword tokens and empty nodes; else made of words, tags, heads and relations.
        """
        return to_token_list(self.lines or self._fresh_lines())

    @property
    def text(self) -> str | None:
        """The running text: the words, with one space where `spaces` has one; None where that is not known."""
        if self.spaces is None:
            return None
        parts = (word + " " * space for word, space in zip(self.words, self.spaces, strict=True))
        return "".join(parts)

    @property
    def offsets(self) -> tuple[tuple[int, int], ...] | None:
        """n spans of `text` in characters, ``(start, end)`` with end exclusive, one a word."""
        if self.spaces is None:
            return None
        spans, at = [], 0
        for word, space in zip(self.words, self.spaces, strict=True):
            spans.append((at, at + len(word)))
            at += len(word) + space
        return tuple(spans)

    def _fresh_lines(self) -> Iterator[str]:
        empty = ("_",) * len(self.words)
        spaces = self.spaces or (True,) * len(self.words)
        misc = ["_" if space else "SpaceAfter=No" for space in (*spaces[:-1], True)]
        columns = (
            [" ".join(word.split()) for word in self.words],  # a column holds no other white space
            empty,
            self.upos or empty,
            empty,
            empty,
            empty if self.heads is None else map(str, self.heads),
            self.relations or empty,
            empty,
            misc,
        )
        for position, row in enumerate(zip(*columns, strict=True), start=1):
            yield "\t".join((str(position), *row))


def check_tree(sentence: Sentence) -> None:
    """Check that the heads of a sentence form a tree with one root.

    Raises:
        DataError: Heads are missing, out of range, self-attached or cyclic, or there is not one root.
    """
    _checked_heads(sentence)


def root(sentence: Sentence) -> int:
    """Return the position of the root word, from 1.

    Raises:
        DataError: The heads are not a tree; see `check_tree`.
    """
    return _checked_heads(sentence).index(0) + 1


def _checked_heads(sentence: Sentence) -> tuple[int, ...]:
    if sentence.heads is None:
        raise _not_a_tree(sentence, "a head for every word is expected, at least one is missing")
    heads, n = sentence.heads, len(sentence.words)
    if len(heads) != n:
        raise _not_a_tree(sentence, f"{n} heads are expected, one a word, found {len(heads)}")
    for position, head in enumerate(heads, start=1):
        word = _name(sentence, position)
        if not 0 <= head <= n:
            raise _not_a_tree(sentence, f"head of word {word} is expected in 0..{n}, found {head}")
        if head == position:
            raise _not_a_tree(sentence, f"word {word} is its own head")
    problems = []
    if (roots := heads.count(0)) != 1:
        problems.append(f"one root is expected, found {roots}")
    if cycle := _cycle(heads):
        shown = (*cycle, cycle[0]) if len(cycle) <= _SHOWN else (*cycle[:_SHOWN],)
        words = " -> ".join(_name(sentence, position) for position in shown)
        words += f" -> ... ({len(cycle)} words)" if len(cycle) > _SHOWN else ""
        problems.append(f"the heads form a cycle: {words}")
    if problems:
        raise _not_a_tree(sentence, "; ".join(problems))
    return heads


def _cycle(heads: Sequence[int]) -> list[int]:
    """Return the positions of one cycle, each followed by its head, or an empty list."""
    safe = {0}
    for start in range(1, len(heads) + 1):
        path: list[int] = []
        seen: set[int] = set()
        node = start
        while node not in safe and node not in seen:
            path.append(node)
            seen.add(node)
            node = heads[node - 1]
        if node in seen:
            return path[path.index(node) :]
        safe |= seen
    return []


def _name(sentence: Sentence, position: int) -> str:
    return f"{position} {quoted(sentence.words[position - 1])}"


def _not_a_tree(sentence: Sentence, problem: str) -> DataError:
    return DataError(f"{sentence.where}: sentence {sentence.id[:QUOTED]}: {problem}")
