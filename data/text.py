"""Reading lines, and plain text with one tokenised sentence a line."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from data.errors import DataError, InputError
from data.messages import quoted
from data.paths import FilePath
from data.sentence import Sentence

__all__ = ["check_input", "decode_lines", "number_lines", "parse_text", "read_lines", "read_text"]

# str.split() would also split at a no-break space, which belongs to its word.
_SEPARATORS = re.compile(r"[ \t]+")


def read_text(path: FilePath) -> Iterator[Sentence]:
    """Read a text file; see `parse_text`.

    Raises:
        InputError: The file is missing, a directory or not readable (at the call).
        DataError: As in `parse_text`, or the file is not UTF-8 (while iterating).
    """
    path = Path(path)
    check_input(path)
    return parse_text(read_lines(path), name=str(path))


def parse_text(lines: Iterable[str], *, name: str) -> Iterator[Sentence]:
    """Yield a sentence for every line that is not empty; words are separated by spaces or tabs.

    A no-break space does not separate words. Sentences are numbered from 1, without the empty lines.

    Args:
        lines: Lines with or without line ends.
        name: Name of the input in messages.

    Raises:
        DataError: A word is only white space, a line has a NUL, or there is no sentence.
    """
    count = 0
    for number, line in number_lines(lines, name=name):
        words = tuple(word for word in _SEPARATORS.split(line) if word)
        if not words:
            continue
        where = f"{name}:{number}"
        for word in words:
            if not word.strip():
                raise DataError(f"{where}: a word with a visible character is expected, found {quoted(word)}")
        count += 1
        yield Sentence(id=str(count), words=words, where=where)
    if not count:
        raise DataError(f"{name}: no sentences; one tokenised sentence a line is expected")


def check_input(path: FilePath) -> None:
    """Check that a path names a file that can be read.

    Raises:
        InputError: It is missing, a directory or not readable.
    """
    if os.path.isdir(path):
        raise InputError(f"{path}: a file is expected, found a directory")
    if not os.path.exists(path):
        raise InputError(f"{path}: a file is expected, there is none of this name")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: a readable file is expected, permission to read it is missing")


def read_lines(path: Path) -> Iterator[str]:
    """Yield the decoded lines of a file, which is open only while they are taken; see `decode_lines`."""
    with path.open("rb") as stream:
        yield from decode_lines(stream, name=str(path))


def decode_lines(stream: Iterable[bytes], *, name: str) -> Iterator[str]:
    r"""Decode the lines of a binary file such as ``sys.stdin.buffer``; only ``\n`` ends a line.

    Raises:
        DataError: A line is not UTF-8.
    """
    for number, raw in enumerate(stream, start=1):
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            found = f"byte 0x{raw[error.start]:02x} at offset {error.start} of the line"
            raise DataError(f"{name}:{number}: UTF-8 text is expected, found {found}") from None


def number_lines(lines: Iterable[str], *, name: str) -> Iterator[tuple[int, str]]:
    r"""Yield lines with their numbers from 1, without line ends (``\n`` or ``\r\n``) and byte order mark.

    Raises:
        DataError: A line has a NUL, an escape character, a carriage return before its end, or a code point that
            UTF-8 cannot hold.
    """
    for number, line in enumerate(lines, start=1):
        text = line.removesuffix("\n").removesuffix("\r")
        if number == 1:
            text = text.removeprefix("\ufeff")
        if bad := re.search(r"[\0\r\x1b\ud800-\udfff]", text):
            found = f"U+{ord(bad.group()):04X} at character {bad.start() + 1}"
            raise DataError(f"{name}:{number}: a line of UTF-8 text is expected, found {found}")
        yield number, text
