"""Unlabelled binary trees over words: what the constituency decoders return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import nltk  # type: ignore[import-untyped]

Node = TypeVar("Node")

# How the Penn Treebank writes the brackets that are words.
_BRACKET_WORDS = {"(": "-LRB-", ")": "-RRB-"}


@dataclass(frozen=True)
class Bracketing:
    """A binary tree over n words, as the set of its spans.

    Attributes:
        n: number of words.
        spans: (start, end) of all spans of more than one word, the whole sentence included: n - 1 of them.
            Words are counted from 0, the end is exclusive.

    Raises:
        ValueError: there is no word, or the spans are no binary tree over the words.

    Example:
        >>> from parsers import Bracketing
        >>> tree = Bracketing(3, frozenset({(0, 3), (0, 2)}))
        >>> tree.brackets(["the", "cat", "sat"])
        '(X (X the cat) sat)'
        >>> print(tree.draw(["the", "cat", "sat"]))
        ┬─┬─ the
        │ └─ cat
        └─ sat
    """

    n: int
    spans: frozenset[tuple[int, int]]

    def __post_init__(self) -> None:
        """Check that the spans make one binary tree."""
        if self.n < 1:
            raise ValueError(f"n: expected at least 1 word, got {self.n}")
        merged = sum(1 for _ in self._merges())
        if merged != self.n - 1 or merged != len(self.spans):
            raise ValueError(
                f"spans: expected the {self.n - 1} spans of a binary tree over {self.n} words, "
                f"got {sorted(self.spans)}"
            )

    @classmethod
    def from_splits(cls, n: int, split: Callable[[int, int], int]) -> Bracketing:
        """Build a tree from the top: the span [start, end) falls apart at `split(start, end)`.

        Raises:
            ValueError: `n` is below 1, or a split is not inside its span.

        Example:
            >>> from parsers import Bracketing
            >>> sorted(Bracketing.from_splits(3, lambda start, end: start + 1).spans)
            [(0, 3), (1, 3)]
        """
        spans, todo = set(), [(0, n)]
        while todo:
            start, end = todo.pop()
            if end - start < 2:
                continue
            spans.add((start, end))
            middle = split(start, end)
            if not start < middle < end:
                raise ValueError(f"split: expected a position inside [{start}, {end}), got {middle}")
            todo += [(start, middle), (middle, end)]
        return cls(n, frozenset(spans))

    def fold(self, leaves: Iterable[Node], join: Callable[[Node, Node], Node]) -> Node:
        """Join the leaves, one a word, from the bottom up: `join(left part, right part)` at each span.

        Raises:
            ValueError: there are not as many leaves as words.

        Example:
            >>> from parsers import Bracketing
            >>> tree = Bracketing(3, frozenset({(0, 3), (1, 3)}))
            >>> tree.fold([0, 0, 0], lambda left, right: 1 + max(left, right))  # its height
            2
        """
        nodes = list(leaves)
        if len(nodes) != self.n:
            raise ValueError(f"expected {self.n} words, got {len(nodes)}")
        for start, middle in self._merges():
            nodes[start] = join(nodes[start], nodes[middle])
        return nodes[0]

    def to_tree(self, words: Sequence[str], *, label: str = "X") -> nltk.Tree:
        """Return the tree as an `nltk.Tree` whose nodes all have one label and whose leaves are the words.

        Raises:
            ValueError: there are not as many words as the tree has.

        Example:
            >>> from parsers import Bracketing
            >>> Bracketing(2, frozenset({(0, 2)})).to_tree(["cats", "sleep"], label="S")
            Tree('S', ['cats', 'sleep'])
        """
        from nltk.tree import Tree  # type: ignore[import-untyped]

        def join(left: Any, right: Any) -> Any:
            return Tree(label, [left, right])

        tree: Any = self.fold(words, join)
        return tree if self.n > 1 else Tree(label, [tree])

    def brackets(self, words: Sequence[str], *, label: str = "X") -> str:
        """Return the tree on one line, in the bracket notation of the Penn Treebank without tags.

        Brackets in words become -LRB- and -RRB-, as there.

        Raises:
            ValueError: there are not as many words as the tree has, or a word is empty or has white space.
        """
        for word in words:
            if word.split() != [word]:
                raise ValueError(f"expected words without white space, got {word!r}")
        escaped = ["".join(_BRACKET_WORDS.get(char, char) for char in word) for word in words]
        line = self.fold(escaped, lambda left, right: f"({label} {left} {right})")
        return line if self.n > 1 else f"({label} {line})"

    def draw(self, words: Sequence[str]) -> str:
        """Return a drawing of the tree: one word a line, the root on the left.

        Raises:
            ValueError: there are not as many words as the tree has.
        """

        def join(left: list[str], right: list[str]) -> list[str]:
            upper = ["┬─" + left[0], *("│ " + line for line in left[1:])]
            return [*upper, "└─" + right[0], *("  " + line for line in right[1:])]

        lines = self.fold(([f" {word}"] for word in words), join)
        return "\n".join(lines).removeprefix(" ")

    def _repr_html_(self) -> str:
        """The drawing with numbers for the words, for a notebook."""
        return f'<pre style="font-family:monospace;line-height:1.2">{self.draw(self._numbers())}</pre>'

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The same where a notebook shows plain text."""
        printer.text(self.draw(self._numbers()))

    def _numbers(self) -> list[str]:
        return [str(place) for place in range(self.n)]

    def _merges(self) -> Iterator[tuple[int, int]]:
        """Yield start and split of every span whose two parts were there before it, small spans first."""
        ends: list[int | None] = list(range(1, self.n + 1))  # of the largest part so far that starts here
        for start, end in sorted(self.spans, key=lambda span: (span[1] - span[0], span)):
            middle = ends[start] if 0 <= start < end <= self.n else None
            if middle is not None and middle < end and ends[middle] == end:
                ends[start], ends[middle] = end, None
                yield start, middle
