"""Reading and writing CoNLL-U (Universal Dependencies v2, https://universaldependencies.org/format.html)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from conllu.models import Token, TokenList
from conllu.serializer import serialize_field

from data.errors import DataError
from data.messages import quoted
from data.paths import FilePath
from data.running_text import SurfaceToken, spaces_between
from data.sentence import Sentence
from data.text import check_input, number_lines, read_lines
from data.tokens import COLUMNS, split_lines, to_token_list

__all__ = ["added_comments", "parse_conllu", "read_conllu", "to_conllu"]

_ID, _HEAD = COLUMNS.index("ID"), COLUMNS.index("HEAD")

_RANGE_ID = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY_ID = re.compile(r"(0|[1-9][0-9]{0,8})\.([1-9][0-9]{0,8})")
_HEAD_VALUE = re.compile(r"_|0|[1-9][0-9]{0,8}")
_NO_TEXT = "_"


def read_conllu(path: FilePath) -> Iterator[Sentence]:
    """Read a CoNLL-U file sentence by sentence; see `parse_conllu`.

    Raises:
        InputError: The file is missing, a directory or not readable (at the call).
        DataError: As in `parse_conllu`, or the file is not UTF-8 (while iterating).
    """
    path = Path(path)
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

    A sentence read from CoNLL-U keeps its lines to the byte but for HEAD and DEPREL (``root`` under head 0, else
    ``dep``), and for the comments that UD requires of a valid file and it lacks; see `added_comments`. Of plain
    text a valid block is made: UPOS is ``X``, and white space in a word, such as a no-break space, one space.

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
    comments, _ = split_lines(sentence.lines)
    tokens = TokenList([*sentence.tokens])  # without metadata, which cannot hold every comment
    remaining = iter(heads)
    for token in tokens:
        if isinstance(token["id"], int):
            head = int(next(remaining))
            token["head"], token["deprel"] = head, "dep" if head else "root"
            if not sentence.lines and token["upos"] == "_":
                token["upos"] = "X"
    added = {"sent_id": sentence.id, "text": _text(tokens)}
    comments += [f"# {name} = {added[name]}" for name in added_comments(sentence)]
    return "".join(f"{line}\n" for line in comments) + tokens.serialize()


def added_comments(sentence: Sentence) -> tuple[str, ...]:
    """Which of ``sent_id`` and ``text``, without which a block is not valid UD, `to_conllu` adds to it."""
    present = sentence.tokens.metadata
    return tuple(name for name in ("sent_id", "text") if not present.get(name))


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
    for number, line in block:
        if not line.startswith("#"):
            rows.add(number, line)
        elif rows.started:
            raise DataError(
                f"{name}:{number}: comments are expected before the first word, found {quoted(line)}"
            )
    where = f"{name}:{block[0][0]}"
    rows.finish(where)
    lines = tuple(line for _, line in block)
    tokens = to_token_list(lines)
    words = [token for token in tokens if isinstance(token["id"], int)]
    forms, heads = tuple(word["form"] for word in words), [word["head"] for word in words]
    if set(forms) == {_NO_TEXT}:
        raise DataError(
            f"{where}: a word in column FORM is expected, found _ in every row: the text is missing"
        )
    return Sentence(
        id=tokens.metadata.get("sent_id") or str(running),
        words=forms,
        heads=None if None in heads else tuple(heads),
        upos=_column(words, "upos"),
        relations=_column(words, "deprel"),
        where=where,
        lines=lines,
        spaces=spaces_between(_surface(tokens), tokens.metadata.get("text")),
    )


def _column(words: Iterable[Token], field: str) -> tuple[str, ...] | None:
    """A column of the words; None where it is empty throughout."""
    values = tuple(word[field] for word in words)
    return None if set(values) == {"_"} else values


def _surface(tokens: TokenList) -> list[SurfaceToken]:
    """The tokens of the text: words, and multiword tokens in place of theirs."""
    found: list[SurfaceToken] = []
    forms = {token["id"]: token["form"] for token in tokens}
    covered = 0
    for token in tokens:
        identifier = token["id"]
        if isinstance(identifier, int):
            first = last = identifier
        elif identifier[1] == "-":
            first, _, last = identifier
        else:
            continue  # an empty node
        if first <= covered:
            continue
        covered = last
        space = "SpaceAfter=No" not in serialize_field(token["misc"]).split("|")
        words = tuple(forms[position] for position in range(first, last + 1))
        found.append(SurfaceToken(form=token["form"], words=words, space_after=space))
    return found


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
        if len(columns) != len(COLUMNS):
            raise self._error(number, f"{len(COLUMNS)} columns separated by tabs", str(len(columns)))
        for label, value in zip(COLUMNS, columns, strict=True):
            if not value.strip():
                raise self._error(number, f"a value in column {label}", quoted(value))
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

    def _add_word(self, number: int, columns: list[str]) -> None:
        expected = str(len(self.words) + 1)
        if columns[_ID] != expected:
            raise self._error(number, f"ID {expected}", quoted(columns[_ID]))
        if not _HEAD_VALUE.fullmatch(columns[_HEAD]):
            raise self._error(number, "HEAD an integer from 0 or _", quoted(columns[_HEAD]))
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


def _text(tokens: TokenList) -> str:
    """The forms of the tokens, with a space where MISC has no ``SpaceAfter=No``."""
    return "".join(token.form + " " * token.space_after for token in _surface(tokens)).strip()
