"""Constituent trees in the brackets of the Penn Treebank (Marcus et al. 1993), and their gold spans."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from data.errors import DataError, InputError
from data.folders import list_files
from data.messages import QUOTED, quoted
from data.paths import FilePath
from data.ptb_tags import is_word_tag
from data.text import number_lines, read_lines

if TYPE_CHECKING:
    import nltk  # type: ignore[import-untyped]

__all__ = [
    "ConstituencyProtocol",
    "ConstituencySentence",
    "PtbTree",
    "constituency_sentence",
    "constituency_sentences",
    "parse_ptb",
    "read_ptb",
]

ConstituencyProtocol: TypeAlias = Literal["wu2020", "fair"]

DEEPEST = 250
"""Brackets within each other in one tree; the Penn Treebank has far fewer. Trees are walked by recursion."""

_TOKEN = re.compile(r"[()]|[^\s()]+")
_MRG = re.compile(r".+\.mrg", re.IGNORECASE)
_SECTION = re.compile(r"wsj_(\d\d)\d\d\.mrg", re.IGNORECASE)

# The words that the published preprocessing writes as 19, once runs of digits are N.
_NUMBERS = frozenset({"N.N", r"N\/N", "N,N", "N,N,N", "N-N"})


@dataclass(frozen=True, kw_only=True)
class PtbTree:
    """One tree as annotated, traces and punctuation included.

    Attributes:
        id: File name and running number of the tree in it, from 1, such as ``wsj_0001.mrg:2``.
        tree: The tree; its leaves are the words, with ``-LRB-`` and ``-RRB-`` for round brackets.
        where: ``file:line`` of the tree's first bracket, for messages.
    """

    id: str
    tree: nltk.Tree
    where: str = "<memory>"

    @property
    def words(self) -> tuple[str, ...]:
        """The leaves, traces included."""
        return tuple(self.tree.leaves())

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the leaves, ``-NONE-`` for traces."""
        return tuple(tag for _, tag in self.tree.pos())


@dataclass(frozen=True, kw_only=True)
class ConstituencySentence:
    """The n words that are decoded, with the gold spans that are scored under one protocol.

    Attributes:
        id: That of the tree.
        words: The n words.
        labelled_spans: ``(start, end, label)``, 0 <= start < end <= n, end exclusive, label without function
            tags. Constituents that cover the same words, such as a unary chain S - VP, give an entry for each
            of their labels, and one entry if a label comes twice.
        where: ``file:line`` of the tree, for messages.
    """

    id: str
    words: tuple[str, ...]
    labelled_spans: frozenset[tuple[int, int, str]]
    where: str = "<memory>"

    @property
    def spans(self) -> frozenset[tuple[int, int]]:
        """``(start, end)`` of the scored spans, each once."""
        return frozenset((start, end) for start, end, _ in self.labelled_spans)


def read_ptb(
    path: FilePath, *, sections: Collection[int] | None = None, function_tags: bool = True
) -> Iterator[PtbTree]:
    """Read the trees of a ``.mrg`` file or of a folder, file by file; see `parse_ptb`.

    A folder may be flat, as NLTK's sample, or have section folders, as ``00`` to ``24`` in the LDC's
    ``combined/wsj``.

    Args:
        path: A file, or a folder with ``.mrg`` files in it or in its subfolders.
        sections: WSJ sections to read, from 0; they are told by file names ``wsj_SSNN.mrg``. All by default.
        function_tags: Keep function tags and indices, as in ``NP-SBJ-1``; else ``NP``.

    Raises:
        InputError: There is no such file, or none of one of the sections (at the call).
        DataError: As in `parse_ptb`, or a file is not UTF-8 (while iterating).
    """
    path = Path(path)
    files = list_files(path, pattern=_MRG, kind=".mrg")
    if sections is not None:
        files = _of_sections(files, sections, path)
    return (
        tree
        for file in files
        for tree in parse_ptb(read_lines(file), name=str(file), function_tags=function_tags)
    )


def parse_ptb(lines: Iterable[str], *, name: str, function_tags: bool = True) -> Iterator[PtbTree]:
    """Yield the trees of bracketed lines; only one tree is held in memory.

    A tree may go over several lines. Its outermost bracket may lack a label, as in the Penn Treebank; with
    one constituent inside, that bracket is taken off.

    Args:
        lines: Lines with or without line ends.
        name: Name of the input in messages.
        function_tags: As in `read_ptb`.

    Raises:
        DataError: The brackets do not match or are deeper than `DEEPEST`, a label or a word is missing, or
            there is no tree.
    """
    open_brackets: list[_Bracket] = []
    count = 0
    for number, line in number_lines(lines, name=name):
        for token in _TOKEN.findall(line):
            where = f"{name}:{number}"
            if token == "(":
                if open_brackets:
                    open_brackets[-1].check_inner(where, open_brackets[0])
                if len(open_brackets) == DEEPEST:
                    raise DataError(f"{where}: at most {DEEPEST} brackets within each other are expected")
                open_brackets.append(_Bracket(number))
            elif not open_brackets:
                raise DataError(f"{where}: '(' is expected, found {quoted(token)}")
            elif token != ")":
                open_brackets[-1].add_text(token, where)
            else:
                bracket = open_brackets.pop()
                tree = bracket.to_tree(where, function_tags=function_tags)
                if open_brackets:
                    open_brackets[-1].children.append(tree)
                    continue
                count += 1
                yield PtbTree(id=f"{Path(name).name}:{count}", tree=tree, where=f"{name}:{bracket.line}")
    if open_brackets:
        line_number = open_brackets[-1].line
        raise DataError(
            f"{name}:{line_number}: ')' for a '(' of this line is expected, found the end of the file"
        )
    if not count:
        raise DataError(f"{name}: no trees; at least one bracketed tree is expected")


def constituency_sentence(tree: PtbTree, *, protocol: ConstituencyProtocol) -> ConstituencySentence:
    r"""Return the words and the gold spans of a tree under one of the two protocols.

    Both keep the leaves with a word tag of the Penn Treebank: punctuation, the currency signs ``$`` and ``#``
    and traces go, and so do the constituents that are left without words. Spans of one word are not scored.

    - ``wu2020``, the preprocessing of Wu et al. (ACL 2020, section 4): words in lower case, runs of digits
      become ``N``, the words ``N.N``, ``N\/N``, ``N,N``, ``N,N,N`` and ``N-N`` become ``19``; the span of the
      whole sentence is scored.
    - ``fair``: words as they stand; the span of the whole sentence is not scored.

    Raises:
        DataError: A tag is not of the Penn Treebank, or no word is left.
        ValueError: The protocol is another one.
    """
    sentence = _sentence(tree, protocol)
    if not sentence.words:
        raise DataError(f"{tree.where}: tree {tree.id}: at least one word is expected, found none")
    return sentence


def constituency_sentences(
    trees: Iterable[PtbTree],
    *,
    protocol: ConstituencyProtocol,
    min_length: int = 1,
    max_length: int | None = None,
) -> Iterator[ConstituencySentence]:
    """Yield the sentences of trees whose number of words is in a range, in their order.

    Lengths are those without punctuation: with `max_length` 10 the sentences are those of WSJ10 (Klein and
    Manning, ACL 2002). Trees without a word are left out.

    Raises:
        DataError: As `constituency_sentence`.
        ValueError: The protocol is another one, or the shortest length is below 1.
    """
    if min_length < 1:
        raise ValueError(f"a shortest length of at least 1 word is expected, found {min_length}")
    for tree in trees:
        sentence = _sentence(tree, protocol)
        if len(sentence.words) >= min_length and (max_length is None or len(sentence.words) <= max_length):
            yield sentence


@dataclass
class _Bracket:
    """A bracket that is being read: ``(label child ...)`` or ``(tag word)``."""

    line: int
    label: str | None = None
    word: str | None = None
    children: list[nltk.Tree] = field(default_factory=list)

    def add_text(self, token: str, where: str) -> None:
        """Take a label, tag or word."""
        if self.children:
            raise DataError(f"{where}: '(' or ')' is expected after a constituent, found {quoted(token)}")
        if self.word is not None:
            raise DataError(f"{where}: ')' is expected after word {quoted(self.word)}, found {quoted(token)}")
        if self.label is None:
            self.label = token
        else:
            self.word = token

    def check_inner(self, where: str, outermost: _Bracket) -> None:
        """Check that a bracket may open inside this one."""
        if self.word is not None:
            raise DataError(f"{where}: ')' is expected after word {quoted(self.word)}, found '('")
        if self.label is None and self is not outermost:
            raise DataError(
                f"{where}: a label is expected after '(', found '('; a ')' may be missing in the tree "
                f"that begins in line {outermost.line}"
            )

    def to_tree(self, where: str, *, function_tags: bool) -> nltk.Tree:
        """Close the bracket."""
        from nltk import Tree

        if self.word is not None:
            return Tree(self.label, [self.word])
        if not self.children:
            expected = (
                "a label" if self.label is None else f"a word or a constituent in ({self.label[:QUOTED]}"
            )
            raise DataError(f"{where}: {expected} is expected, found ')'")
        if self.label is None:
            return self.children[0] if len(self.children) == 1 else Tree("", self.children)
        return Tree(self.label if function_tags else _without_function(self.label), self.children)


def _sentence(tree: PtbTree, protocol: ConstituencyProtocol) -> ConstituencySentence:
    """The sentence of a tree; it may be without words."""
    if protocol not in ("wu2020", "fair"):
        raise ValueError(f"protocol wu2020 or fair is expected, found {protocol!r}")
    words: list[str] = []
    spans: set[tuple[int, int, str]] = set()
    try:
        _collect(tree.tree, words, spans)
    except ValueError as error:
        raise DataError(f"{tree.where}: tree {tree.id}: {error}") from None
    if protocol == "wu2020":
        words = [_wu2020_word(word) for word in words]
    else:
        spans = {span for span in spans if span[:2] != (0, len(words))}
    return ConstituencySentence(
        id=tree.id, words=tuple(words), labelled_spans=frozenset(spans), where=tree.where
    )


def _collect(tree: nltk.Tree, words: list[str], spans: set[tuple[int, int, str]]) -> None:
    """Append the words of a tree to those before it, and add its spans of two words and more."""
    start = len(words)
    for child in tree:
        if not isinstance(child, str):
            _collect(child, words, spans)
        elif is_word_tag(tree.label()):
            words.append(child)
    if len(words) - start > 1:
        spans.add((start, len(words), _without_function(tree.label())))


def _without_function(label: str) -> str:
    """``NP-SBJ-1`` and ``NP=2`` become ``NP``."""
    return re.split("[-=]", label, maxsplit=1)[0] or label


def _wu2020_word(word: str) -> str:
    word = re.sub("[0-9]+", "N", word.lower())
    return "19" if word in _NUMBERS else word


def _of_sections(files: list[Path], sections: Collection[int], path: Path) -> list[Path]:
    section_of = {file: int(match[1]) for file in files if (match := _SECTION.fullmatch(file.name))}
    for section in sections:
        if section not in section_of.values():
            raise InputError(
                f"{path}: files wsj_{section:02}NN.mrg of section {section} are expected, found none"
            )
    return [file for file in files if section_of.get(file) in sections]
