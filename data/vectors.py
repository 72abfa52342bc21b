"""Static word vectors: text files of word2vec and GloVe, and a JSON object of lists."""

import os
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.json_text import read_json
from data.messages import quoted
from data.numbers import DECIMAL
from data.paths import FilePath
from data.text import check_input, number_lines, read_lines

__all__ = ["WordVectors", "read_vectors", "write_vectors"]

_HEADER = re.compile(r"([0-9]{1,9}) ([0-9]{1,9})")


@dataclass(frozen=True, eq=False)
class WordVectors:
    """One vector a word.

    Attributes:
        words: The words, each once.
        values: float32 [words, size], finite.

    Raises:
        ValueError: The shapes do not fit, a word is there twice, or a value is not finite.
    """

    words: tuple[str, ...]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.values) != len(self.words):
            raise ValueError(
                f"values of shape [{len(self.words)}, size] are expected, found {self.values.shape}"
            )
        if len(set(self.words)) < len(self.words):
            raise ValueError("each word once is expected, found one twice")
        if not np.isfinite(self.values).all():
            raise ValueError("finite values are expected, found others")

    @property
    def size(self) -> int:
        """Number of dimensions."""
        return int(self.values.shape[1])

    def index(self) -> dict[str, int]:
        """The row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    def select(self, words: Iterable[str]) -> "WordVectors":
        """Return the vectors of those of the words that have one, in the order asked for."""
        rows = self.index()
        found = [word for word in dict.fromkeys(words) if word in rows]
        return WordVectors(tuple(found), self.values[[rows[word] for word in found]])


def read_vectors(path: FilePath, *, words: Collection[str] | None = None) -> WordVectors:
    r"""Read vectors of words from a text file, one word a line, or from a ``.json`` file ``{word: [numbers]}``.

    A first line of two whole numbers is the header of word2vec: words and size. Without one (GloVe) the first
    line says how many numbers there are. A word may contain spaces, as some of GloVe 840B do: the numbers are
    counted from the right. Where a word is there twice, the first one counts, as in gensim; in JSON that is an
    error, since programs differ in which of the two they take.

    Args:
        path: The file, UTF-8.
        words: Only these are kept; lines that cannot be one of them are passed over unread, which is faster.

    Raises:
        InputError: The file is missing, a directory or not readable.
        DataError: A line is too short or lacks its word, a number is malformed or not finite, the header promises
            another number of lines, or there are no vectors; names file and line.
    """
    path = Path(path)
    check_input(path)
    wanted = None if words is None else frozenset(words)
    if path.suffix.lower() == ".json":
        found = _from_json(path, wanted)
    else:
        found = {}
        for word, values in _from_text(path, wanted):
            found.setdefault(word, values)
    if not found:
        which = "words" if words is None else "some of the words asked for"
        raise DataError(f"{path}: vectors of {which} are expected, found none")
    return WordVectors(tuple(found), np.stack(list(found.values())))


def write_vectors(path: FilePath, vectors: WordVectors) -> None:
    """Write the text format of word2vec: a line of words and size, then a line a word; whole or not at all.

    Numbers have the nine digits that give back every float32 exactly.

    Raises:
        ValueError: A word is empty or contains white space, which the format cannot hold.
        OSError: The file cannot be written.
    """
    path = Path(path)
    for word in vectors.words:
        if word.split() != [word]:
            raise ValueError(f"a word without white space is expected, found {quoted(word)}")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(f"{len(vectors.words)} {vectors.size}\n")
            for word, row in zip(vectors.words, vectors.values.tolist(), strict=True):
                file.write(f"{word} {' '.join(format(value, '.9g') for value in row)}\n")
        partial.chmod(0o666 & ~_umask())  # as any new file: that of mkstemp is the owner's alone
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _umask() -> int:
    # The only portable way to read it is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _from_text(path: Path, wanted: frozenset[str] | None) -> Iterator[tuple[str, NDArray[np.float32]]]:
    begins = None if wanted is None else {word.split(" ", 1)[0] for word in wanted}
    size = promised = None
    count = 0
    for number, line in number_lines(read_lines(path), name=str(path)):
        text = line.rstrip(" ")
        if not text:
            continue
        if number == 1 and (header := _header(text)):
            promised, size = header
            continue
        count += 1
        size = text.count(" ") if size is None else size
        if begins is not None and text.split(" ", 1)[0] not in begins:
            continue
        word, *fields = text.rsplit(" ", size) if size else [text]
        where = f"{path}:{number}"
        if not word.strip(" "):
            raise DataError(f"{where}: a word and {size} numbers are expected, found no word")
        values = _of_text(fields, size, where=where)
        if wanted is None or word in wanted:
            yield word, values
    if promised is not None and count != promised:
        raise DataError(f"{path}:1: the header promises {promised} words, found {count}")


def _header(line: str) -> tuple[int, int] | None:
    found = _HEADER.fullmatch(line)
    return (int(found[1]), int(found[2])) if found else None


def _from_json(path: Path, wanted: frozenset[str] | None) -> dict[str, NDArray[np.float32]]:
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(values, list) for values in found.values()):
        raise DataError(f"{path}: a JSON object with a list of numbers a word is expected")
    size = len(next(iter(found.values()), []))
    vectors = {}
    for word, values in found.items():
        if wanted is None or word in wanted:
            where = f"{path}: {quoted(word)}"
            if not all(type(value) in (int, float) for value in values):
                raise DataError(f"{where}: a word and {size} numbers are expected, found something else")
            vectors[word] = _numbers(values, size, where=where)
    return vectors


def _of_text(fields: list[str], size: int, *, where: str) -> NDArray[np.float32]:
    if not all(map(DECIMAL.fullmatch, fields)):
        other = next(field for field in fields if not DECIMAL.fullmatch(field))
        raise DataError(f"{where}: a word and {size} numbers are expected, found {quoted(other)}")
    return _numbers(fields, size, where=where)


def _numbers(fields: Sequence[str | float], size: int, *, where: str) -> NDArray[np.float32]:
    if len(fields) != size or not size:
        raise DataError(
            f"{where}: a word and {size or 'its'} numbers are expected, found {len(fields)} numbers"
        )
    try:
        with np.errstate(over="ignore"):  # what is too large for float32 is refused below
            values = np.array(fields, dtype=np.float32)
    except (ValueError, TypeError, OverflowError):
        raise DataError(f"{where}: a word and {size} numbers are expected, found something else") from None
    if not np.isfinite(values).all():
        raise DataError(
            f"{where}: finite numbers are expected, found {quoted(fields[0])} to {quoted(fields[-1])}"
        )
    return values
