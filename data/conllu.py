"""Reading and writing CoNLL-U (Universal Dependencies v2, https://universaldependencies.org/format.html)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from data.errors import DataError
from data.sentence import Sentence
from data.text import check_input, number_lines, read_lines

__all__ = ["parse_conllu", "read_conllu", "to_conllu"]

_ID, _FORM, _UPOS, _HEAD, _RELATION, _MISC = 0, 1, 3, 6, 7, 9
_COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")

_WORD_ID = re.compile(r"[1-9][0-9]{0,8}")
_RANGE_ID = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY_ID = re.compile(r"(0|[1-9][0-9]{0,8})\.([1-9][0-9]{0,8})")
_HEAD_VALUE = re.compile(r"_|0|[1-9][0-9]{0,8}")
_COMMENT = re.compile(r"#\s*(sent_id|text)\s*=\s*(.*\S)")


def read_conllu(path: Path) -> Iterator[Sentence]:
    """Read a CoNLL-U file sentence by sentence; see `parse_conllu`.

    Raises:
        InputError: The file is missing, a directory or not readable (at the call).
        DataError: As in `parse_conllu`, or the file is not UTF-8 (while iterating).
    """
    check_input(path)
    return parse_conllu(read_lines(path), name=str(path))


def parse_conllu(lines: Iterable[str], *, name: str) -> Iterator[Sentence]:
    """Yield the sentences of CoNLL-U lines, which are held in memory one sentence at a time.

    Several blank lines between sentences and a missing one at the end are accepted. That heads form a tree is
    not checked here; see `data.check_tree`.

    Args:
        lines: Lines with or without line ends.
        name: Name of the input in messages.

    Raises:
        DataError: The first line that breaks the format, or there is no sentence.
    """
    count = 0
    for block in _blocks(number_lines(lines, name=name)):
        count += 1
        yield _sentence(block, name=name, running=count)
    if not count:
        raise DataError(f"{name}: no sentences; at least one CoNLL-U sentence is expected")


def to_conllu(sentence: Sentence, heads: Sequence[int]) -> str:
    """Write a sentence with predicted heads as a CoNLL-U block that ends with its blank line.

    A sentence read from CoNLL-U keeps its lines but for HEAD, DEPREL (``root`` under head 0, else ``dep``)
    and an empty UPOS, which becomes ``X``. Missing ``sent_id`` and ``text`` comments are added, since UD
    requires them. In a word from plain text any white space, such as a no-break space, becomes one space.

    Args:
        sentence: A sentence of n words.
        heads: n heads, 1-based, 0 for the root.

    Raises:
        ValueError: The number of heads is not n, or a head is not in 0..n.
    """
    n = len(sentence.words)
    if len(heads) != n:
        raise ValueError(f"sentence {sentence.id}: {n} heads are expected, one a word, found {len(heads)}")
    for head in heads:
        if not 0 <= head <= n:
            raise ValueError(f"sentence {sentence.id}: heads are expected in 0..{n}, found {head}")
    lines = sentence.lines or _fresh_lines(sentence)
    comments = [line for line in lines if line.startswith("#")]
    rows = [line.split("\t") for line in lines[len(comments) :]]
    present = {match.group(1) for line in comments if (match := _COMMENT.fullmatch(line))}
    if "sent_id" not in present:
        comments.append(f"# sent_id = {sentence.id}")
    if "text" not in present:
        comments.append(f"# text = {_text(rows)}")
    remaining = iter(heads)
    for row in rows:
        if _WORD_ID.fullmatch(row[_ID]):
            head = int(next(remaining))
            row[_HEAD], row[_RELATION] = str(head), "dep" if head else "root"
            row[_UPOS] = "X" if row[_UPOS] == "_" else row[_UPOS]
    return "\n".join([*comments, *("\t".join(row) for row in rows)]) + "\n\n"


def _blocks(numbered: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    block: list[tuple[int, str]] = []
    for number, line in numbered:
        if line:
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _sentence(block: list[tuple[int, str]], *, name: str, running: int) -> Sentence:
    rows = _Rows(name)
    comments: dict[str, str] = {}
    for number, line in block:
        if not line.startswith("#"):
            rows.add(number, line)
        elif rows.started:
            raise DataError(f"{name}:{number}: comments are expected before the first word, found {line!r}")
        elif match := _COMMENT.fullmatch(line):
            comments[match.group(1)] = match.group(2)
    where = f"{name}:{block[0][0]}"
    rows.finish(where)
    upos, relations = rows.column(_UPOS), rows.column(_RELATION)
    heads = rows.column(_HEAD)
    return Sentence(
        id=comments.get("sent_id", str(running)),
        words=rows.column(_FORM),
        heads=None if "_" in heads else tuple(map(int, heads)),
        upos=None if set(upos) == {"_"} else upos,
        relations=None if set(relations) == {"_"} else relations,
        where=where,
        lines=tuple(line for _, line in block),
    )


class _Rows:
    """The rows of one sentence, checked as they come."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = False
        self.words: list[tuple[int, list[str]]] = []  # (line number, columns)
        self.range_start = 0  # of the last multiword token
        self.range_end = 0
        self.range_line = 0
        self.empty_nodes = 0  # since the last word

    def add(self, number: int, line: str) -> None:
        """Check the next row and keep it if it is a word."""
        self.started = True
        columns = line.split("\t")
        if len(columns) != len(_COLUMNS):
            raise self._error(number, f"{len(_COLUMNS)} columns separated by tabs", str(len(columns)))
        for label, value in zip(_COLUMNS, columns, strict=True):
            if not value.strip():
                raise self._error(number, f"a value in column {label}", repr(value))
        identifier = columns[_ID]
        if match := _RANGE_ID.fullmatch(identifier):
            self._add_range(number, int(match.group(1)), int(match.group(2)))
        elif match := _EMPTY_ID.fullmatch(identifier):
            self._add_empty_node(number, int(match.group(1)), int(match.group(2)))
        else:
            self._add_word(number, columns)

    def finish(self, where: str) -> None:
        """Check what only the whole sentence shows."""
        n = len(self.words)
        if not n:
            raise DataError(f"{where}: a sentence with at least one word is expected, found none")
        if self.range_end > n:
            raise self._error(self.range_line, f"a multiword token within words 1..{n}", str(self.range_end))
        for number, columns in self.words:
            if columns[_HEAD] != "_" and int(columns[_HEAD]) > n:
                raise self._error(number, f"HEAD in 0..{n}", columns[_HEAD])

    def column(self, index: int) -> tuple[str, ...]:
        """Return one column of the words."""
        return tuple(columns[index] for _, columns in self.words)

    def _add_word(self, number: int, columns: list[str]) -> None:
        expected = str(len(self.words) + 1)
        if columns[_ID] != expected:
            raise self._error(number, f"ID {expected}", repr(columns[_ID]))
        if not _HEAD_VALUE.fullmatch(columns[_HEAD]):
            raise self._error(number, "HEAD an integer from 0 or _", repr(columns[_HEAD]))
        self.words.append((number, columns))
        self.empty_nodes = 0

    def _add_range(self, number: int, start: int, end: int) -> None:
        expected = len(self.words) + 1
        if start != expected or end <= start:
            raise self._error(number, f"a multiword token from {expected} to a later word", f"{start}-{end}")
        if start <= self.range_end:
            raise self._error(number, f"a multiword token after word {self.range_end}", f"{start}-{end}")
        self.range_start, self.range_end, self.range_line = start, end, number

    def _add_empty_node(self, number: int, word: int, index: int) -> None:
        expected = f"{len(self.words)}.{self.empty_nodes + 1}"
        if f"{word}.{index}" != expected or self.range_start == len(self.words) + 1:
            raise self._error(number, f"an empty node in place, as {expected}", f"{word}.{index}")
        self.empty_nodes += 1

    def _error(self, number: int, expected: str, found: str) -> DataError:
        return DataError(f"{self.name}:{number}: {expected} expected, found {found}")


def _text(rows: Iterable[Sequence[str]]) -> str:
    """Join the forms of tokens, a multiword token standing for its words, by the ``SpaceAfter`` of MISC."""
    parts: list[str] = []
    covered = 0
    for row in rows:
        if match := _RANGE_ID.fullmatch(row[_ID]):
            covered = int(match.group(2))
        elif not _WORD_ID.fullmatch(row[_ID]) or int(row[_ID]) <= covered:
            continue
        parts.append(row[_FORM])
        if "SpaceAfter=No" not in row[_MISC].split("|"):
            parts.append(" ")
    return "".join(parts).strip()


def _fresh_lines(sentence: Sentence) -> list[str]:
    forms = [" ".join(word.split()) for word in sentence.words]
    rest = "\t".join("_" * (len(_COLUMNS) - 2))
    return [f"{position}\t{form}\t{rest}" for position, form in enumerate(forms, start=1)]
