"""Sets that word vectors are evaluated on: similarity, analogy, categorization."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.csv_rows import csv_rows
from data.errors import DataError
from data.folders import list_files
from data.messages import quoted
from data.numbers import parse_number
from data.paths import FilePath
from data.text import number_lines, read_lines

__all__ = [
    "Analogy",
    "AnalogySet",
    "CategorySet",
    "SimilaritySet",
    "read_analogies",
    "read_categories",
    "read_similarities",
]


@dataclass(frozen=True, kw_only=True)
class SimilaritySet:
    """Pairs of words and how similar people find them.

    Attributes:
        name: Of the file.
        pairs: The pairs.
        scores: One a pair; what their scale is plays no part.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Analogy:
    """``a`` is to ``b`` as ``c`` is to ``target``."""

    a: str
    b: str
    c: str
    target: str
    section: str


@dataclass(frozen=True, kw_only=True)
class AnalogySet:
    """The questions of a file."""

    name: str
    questions: tuple[Analogy, ...]


@dataclass(frozen=True, kw_only=True)
class CategorySet:
    """Words and the category of each; a word of two categories is there twice."""

    name: str
    words: tuple[str, ...]
    categories: tuple[str, ...]


def read_similarities(path: FilePath) -> tuple[SimilaritySet, ...]:
    """Read a ``.txt`` file of two words and a score a line, or those of a folder, sorted by name.

    Raises:
        InputError: The path is missing or not readable, or the folder has no such file.
        DataError: A line is not of this form, or a file has none.
    """
    path = Path(path)
    return tuple(_similarities(file) for file in _files(path, "txt"))


def read_analogies(path: FilePath) -> tuple[AnalogySet, ...]:
    """Read a ``.txt`` file in the layout of Google's questions-words, or a ``.csv`` file, or those of a folder.

    ``.txt``: four words a line, and lines ``: section``. ``.csv``: columns type, word1, word2, word3, target.

    Raises:
        InputError, DataError: As ``read_similarities``.
    """
    path = Path(path)
    return tuple(
        _questions_csv(file) if file.suffix == ".csv" else _questions_txt(file)
        for file in _files(path, "txt|csv")
    )


def read_categories(path: FilePath) -> tuple[CategorySet, ...]:
    """Read a ``.csv`` file with columns category and word, or those of a folder, sorted by name.

    A row without a word, which ends a category in some of these files, is passed over.

    Raises:
        InputError, DataError: As ``read_similarities``.
    """
    path = Path(path)
    found = []
    for file in _files(path, "csv"):
        rows = list(_csv_rows(file, ("category", "word"), optional="word"))
        words, categories = tuple(row[1] for row in rows), tuple(row[0] for row in rows)
        found.append(CategorySet(name=file.stem, words=words, categories=categories))
    return tuple(found)


def _files(path: Path, suffixes: str) -> list[Path]:
    kind = " or ".join(f".{suffix}" for suffix in suffixes.split("|"))
    return list_files(path, pattern=re.compile(rf".*\.({suffixes})"), kind=kind)


def _similarities(path: Path) -> SimilaritySet:
    pairs, scores = [], []
    for number, line in number_lines(read_lines(path), name=str(path)):
        if not (fields := line.split()):
            continue
        if len(fields) != 3 or (score := parse_number(fields[2])) is None:
            raise DataError(f"{path}:{number}: two words and a score are expected, found {quoted(line)}")
        pairs.append((fields[0], fields[1]))
        scores.append(score)
    if not pairs:
        raise DataError(f"{path}: no pairs; two words and a score a line are expected")
    return SimilaritySet(name=path.stem, pairs=tuple(pairs), scores=tuple(scores))


def _questions_txt(path: Path) -> AnalogySet:
    questions, section = [], ""
    for number, line in number_lines(read_lines(path), name=str(path)):
        if line.startswith(":"):
            section = line[1:].strip()
        elif fields := line.split():
            if len(fields) != 4:
                raise DataError(f"{path}:{number}: four words are expected, found {len(fields)}")
            a, b, c, target = fields
            questions.append(Analogy(a, b, c, target, section))
    return _analogy_set(path, questions)


def _questions_csv(path: Path) -> AnalogySet:
    columns = ("word1", "word2", "word3", "target", "type")
    return _analogy_set(path, [Analogy(*row) for row in _csv_rows(path, columns)])


def _analogy_set(path: Path, questions: list[Analogy]) -> AnalogySet:
    if not questions:
        raise DataError(f"{path}: no questions; four words a line are expected")
    return AnalogySet(name=path.stem, questions=tuple(questions))


def _csv_rows(path: Path, columns: tuple[str, ...], *, optional: str = "") -> Iterator[list[str]]:
    """These columns of each row, all with a text; rows without one in ``optional`` are passed over."""
    count = 0
    for where, row in csv_rows(path):
        if lacking := [column for column in columns if column not in row]:
            raise DataError(f"{path}:1: columns {', '.join(columns)} are expected, {lacking[0]} is missing")
        if optional and not row[optional].strip():
            continue
        values = [row[column].strip() for column in columns]
        if not all(values):
            raise DataError(f"{where}: a text in {', '.join(columns)} is expected")
        count += 1
        yield values
    if not count:
        raise DataError(f"{path}: no rows; columns {', '.join(columns)} are expected")
