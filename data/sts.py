"""Sentences of SemEval's Semantic Textual Similarity tasks: ``score<TAB>sentence<TAB>sentence`` a line."""

import re
from collections.abc import Iterator
from pathlib import Path

import regex

from data.errors import DataError
from data.folders import list_files
from data.messages import quoted
from data.numbers import parse_number
from data.paths import FilePath
from data.sentence import Sentence
from data.text import number_lines, read_lines

__all__ = ["read_sts", "split_words"]

_INVISIBLE = r"\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ufffd"
# re's \w leaves out the marks that Devanagari and other scripts write their vowels with; regex's, some numbers.
_LETTER = r"[\w\p{M}\p{N}]"
_WORD = regex.compile(rf"{_LETTER}+(?:['’]{_LETTER}+)*|[^\w\p{{M}}\p{{N}}\s{_INVISIBLE}]")


def split_words(text: str) -> tuple[str, ...]:
    """Split raw text into runs of letters and digits, with apostrophes inside, and single other characters.

    White space, control and format characters and the replacement character separate words and are none.
    """
    return tuple(_WORD.findall(text))


def read_sts(path: FilePath) -> Iterator[Sentence]:
    """Read the sentences of a ``.tsv`` file, or of those of a folder and its subfolders, each text once.

    The first column, a score from 0 to 5 or empty, is checked and passed over. Sentences are numbered from 1;
    one that stands in several pairs or files counts where it comes first.

    Raises:
        InputError: The path is missing or not readable, or the folder has no such file (at the call).
        DataError: A line has not these three columns, or a sentence has no words (while iterating).
    """
    path = Path(path)
    return _read(list_files(path, pattern=re.compile(r".*\.tsv"), kind=".tsv"))


def _read(files: list[Path]) -> Iterator[Sentence]:
    seen: set[str] = set()
    for file in files:
        for number, line in number_lines(read_lines(file), name=str(file)):
            if not line:
                continue
            where = f"{file}:{number}"
            for text in _texts(line, where=where):
                if text not in seen:
                    seen.add(text)
                    yield Sentence(id=str(len(seen)), words=split_words(text), where=where)
    if not seen:
        raise DataError(f"{files[0]}: no sentences; a score and two sentences a line are expected")


def _texts(line: str, *, where: str) -> list[str]:
    score, *texts = line.split("\t")
    if len(texts) != 2:
        raise DataError(f"{where}: a score and two sentences are expected, found {len(texts) + 1} columns")
    if score and ((value := parse_number(score)) is None or not 0 <= value <= 5):
        raise DataError(f"{where}: a score from 0 to 5, or none, is expected, found {quoted(score)}")
    for text in texts:
        if not split_words(text):
            raise DataError(f"{where}: a sentence with words is expected, found {quoted(text)}")
    return [text.strip() for text in texts]
