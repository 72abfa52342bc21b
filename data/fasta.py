"""Sequences of proteins and nucleotides in FASTA: each residue is a word."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from data.errors import DataError
from data.messages import quoted
from data.paths import FilePath
from data.sentence import Sentence
from data.text import check_input, number_lines, read_lines

__all__ = ["parse_fasta", "read_fasta"]

_NOT_A_RESIDUE = re.compile(r"[^A-Za-z]")


def read_fasta(path: FilePath) -> Iterator[Sentence]:
    """Read a FASTA file; see `parse_fasta`.

    Raises:
        InputError: The file is missing, a directory or not readable (at the call).
        DataError: As in `parse_fasta`, or the file is not UTF-8 (while iterating).
    """
    path = Path(path)
    check_input(path)
    return parse_fasta(read_lines(path), name=str(path))


def parse_fasta(lines: Iterable[str], *, name: str) -> Iterator[Sentence]:
    """Yield a sentence for every record: its id is the first word of the header, its words are the residues.

    Small letters, which mark repeats in genomes, are read as capitals. Empty lines are passed over.

    Args:
        lines: Lines with or without line ends.
        name: Name of the input in messages.

    Raises:
        DataError: A residue is no letter (a gap, a stop), an id is missing or there twice, a record has no
            residues, text stands before the first header, or there is no record.
    """
    seen: set[str] = set()
    header: tuple[str, str] | None = None  # the id, and file:line
    residues: list[str] = []
    for number, line in number_lines(lines, name=name):
        where, text = f"{name}:{number}", line.strip()
        if text.startswith(">"):
            if header is not None:
                yield _record(*header, residues)
            header, residues = (_id(text, seen, where=where), where), []
        elif text and header is None:
            raise DataError(f"{where}: a header line '>ID ...' is expected, found {quoted(text)}")
        elif bad := _NOT_A_RESIDUE.search(text):
            raise DataError(f"{where}: residues, a letter each, are expected, found {quoted(bad.group())}")
        else:
            residues += text.upper()
    if header is None:
        raise DataError(f"{name}: no sequences; records '>ID' and residues are expected")
    yield _record(*header, residues)


def _id(header: str, seen: set[str], *, where: str) -> str:
    """The first word of a header, which no other record has."""
    words = header[1:].split()
    if not words:
        raise DataError(f"{where}: an id behind '>' is expected, found none")
    if words[0] in seen:
        raise DataError(f"{where}: each id once is expected, found {quoted(words[0])} again")
    seen.add(words[0])
    return words[0]


def _record(name: str, where: str, residues: list[str]) -> Sentence:
    if not residues:
        raise DataError(f"{where}: residues below the header are expected, found none")
    return Sentence(id=name, words=tuple(residues), where=where)
