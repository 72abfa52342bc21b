"""Raw text shards to clean sentences.

A shard is an xz-compressed UTF-8 text file: one paragraph a line, an empty line between documents.
"""

from __future__ import annotations

import hashlib
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

_EMPTY_BRACKETS = re.compile(r"\(\s*[,;:.\-–]*\s*\)|\[\s*[,;:.\-–]*\s*\]")
_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_MARK = re.compile(r"\s+([,;.])(?=\s|$)")

_BOUNDARY = re.compile(r"""(?<=[.!?…])["'”’)\]]*\s+(?=["'“‘(\[]*[A-Z0-9])""")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Messrs|Dr|Prof|Rev|Hon|Gen|Col|Maj|Capt|Lt|Sgt|Sen|Rep|Gov|St|Mt|Ft|Jr|Sr"
    r"|No|Nos|Vol|vol|Fig|pp|p|vs|cf|ca|c|e\.g|i\.e|etc|al|Inc|Ltd|Co|Corp|Bros|approx"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|[A-Z])|(?:\b[A-Za-z]\.)+[A-Za-z])\.$"
)


def read_documents(path: Path) -> Iterator[list[str]]:
    """Documents of one shard, each a list of its paragraphs as they stand in the file.

    Raises:
        ValueError: the file is not xz-compressed UTF-8 text; names the file.
    """
    paragraphs: list[str] = []
    try:
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if text := line.strip():
                    paragraphs.append(text)
                elif paragraphs:
                    yield paragraphs
                    paragraphs = []
    except (lzma.LZMAError, UnicodeDecodeError, EOFError) as error:
        raise ValueError(f"{path}: expected xz-compressed UTF-8 text ({error})") from error
    if paragraphs:
        yield paragraphs


def clean(paragraph: str) -> str:
    """The paragraph without what markup removal left behind: emptied brackets, stray spaces."""
    text = _EMPTY_BRACKETS.sub(" ", paragraph)
    text = _SPACE.sub(" ", text)
    return _SPACE_BEFORE_MARK.sub(r"\1", text).strip()


def split_sentences(paragraph: str) -> list[str]:
    """Sentences of a paragraph, by punctuation, the case of what follows, and a list of abbreviations."""
    sentences: list[str] = []
    start = 0
    for boundary in _BOUNDARY.finditer(paragraph):
        candidate = paragraph[start : boundary.end()].strip()
        if _ABBREVIATION.search(candidate):
            continue
        sentences.append(candidate)
        start = boundary.end()
    if rest := paragraph[start:].strip():
        sentences.append(rest)
    return sentences


def read_sentences(path: Path) -> Iterator[list[str]]:
    """Documents of one shard, each a list of clean sentences; empty documents are left out."""
    for document in read_documents(path):
        sentences = [s for paragraph in document for s in split_sentences(clean(paragraph))]
        if sentences:
            yield sentences


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
