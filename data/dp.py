"""Dependencies in three columns (``.dp``), as NLTK distributes those of its Penn Treebank sample."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from data.errors import DataError
from data.folders import list_files
from data.messages import quoted
from data.paths import FilePath
from data.ptb_tags import universal_tag
from data.sentence import Sentence
from data.text import number_lines, read_lines

__all__ = ["parse_dp", "read_dp"]

_DP = re.compile(r".+\.dp")
_HEAD_VALUE = re.compile(r"0|[1-9][0-9]{0,8}")


def read_dp(path: FilePath) -> Iterator[Sentence]:
    """Read the sentences of a ``.dp`` file or of a folder, file by file; see `parse_dp`.

    Raises:
        InputError: The path is missing or not readable, or the folder has no ``.dp`` file (at the call).
        DataError: As in `parse_dp`, or a file is not UTF-8 (while iterating).
    """
    path = Path(path)
    files = list_files(path, pattern=_DP, kind=".dp")
    return (sentence for file in files for sentence in parse_dp(read_lines(file), name=str(file)))


def parse_dp(lines: Iterable[str], *, name: str) -> Iterator[Sentence]:
    """Yield the sentences of lines with word, Penn Treebank tag and head (0 for the root), separated by tabs.

    Blank lines separate sentences. Ids are the file name and the running number of the sentence in it, from
    1, such as ``wsj_0001.dp:2``. The tags become universal ones, so that punctuation is PUNCT: see
    `data.ptb_tags.universal_tag`. That heads form a tree is not checked here; see `data.check_tree`.

    Args:
        lines: Lines with or without line ends.
        name: Name of the input in messages.

    Raises:
        DataError: The first line that breaks the format, or there is no sentence.
    """
    count = 0
    rows: list[tuple[str, str, int]] = []
    first = 0
    for number, line in chain(number_lines(lines, name=name), [(0, "")]):
        if line:
            first = first if rows else number
            rows.append(_row(line, where=f"{name}:{number}"))
        elif rows:
            count += 1
            yield _sentence(rows, name=name, first=first, running=count)
            rows = []
    if not count:
        raise DataError(f"{name}: no sentences; lines of word, tag and head are expected")


def _row(line: str, *, where: str) -> tuple[str, str, int]:
    columns = line.split("\t")
    if len(columns) != 3 or not all(column.strip() for column in columns):
        raise DataError(f"{where}: word, tag and head separated by tabs are expected, found {quoted(line)}")
    word, tag, head = columns
    if not _HEAD_VALUE.fullmatch(head):
        raise DataError(f"{where}: a head, an integer from 0, is expected, found {quoted(head)}")
    try:
        return word, universal_tag(tag), int(head)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None


def _sentence(rows: list[tuple[str, str, int]], *, name: str, first: int, running: int) -> Sentence:
    words, upos, heads = zip(*rows, strict=True)
    for number, head in enumerate(heads, start=first):
        if head > len(rows):
            raise DataError(f"{name}:{number}: a head in 0..{len(rows)} is expected, found {head}")
    return Sentence(
        id=f"{Path(name).name}:{running}", words=words, heads=heads, upos=upos, where=f"{name}:{first}"
    )


WSJ10_WORDS = 10


def wsj10(folder: FilePath) -> Iterator[Sentence]:
    """The sentences of 1 to 10 words without their punctuation (Klein and Manning, ACL 2004).

    Args:
        folder: ``.dp`` files; see ``data.read_dp``.

    Raises:
        data.DataError: as ``data.read_dp`` and ``data.without_punctuation``.
    """
    folder = Path(folder)
    import data

    for sentence in data.read_dp(folder):
        words = sum(tag != "PUNCT" for tag in sentence.upos or ())
        if 1 <= words <= WSJ10_WORDS:
            yield data.without_punctuation(sentence)
