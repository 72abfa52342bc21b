"""Texts whose perplexity is measured, and the sequences of pieces that they are cut into."""

from __future__ import annotations

import hashlib
import json
import lzma
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from probe.errors import OptionError, SentenceError
from probe.masked_likelihood import readable_pieces

if TYPE_CHECKING:
    from data import Sentence
    from probe import Probe
    from probe.spaces import TextPieces, WordPieces


@dataclass(frozen=True, kw_only=True)
class Text:
    """A running text, and where it stands, for messages."""

    text: str
    where: str


def read_texts(source: str | None) -> tuple[list[Text], str]:
    """The texts of ``--data``, and what their source is called in a signature.

    Args:
        source: a ``.conllu`` file, of which each sentence is a text; any other file, of which each line is one,
            also where it is compressed (``.xz``); ``-``, standard input; None, the bundled sample.

    Raises:
        data.InputError, data.DataError: it cannot be read, is not text in UTF-8, or holds no text.
    """
    import data
    from data.text import check_input, decode_lines, read_lines

    if source is None:
        return _of_sentences(data.load_sample()), "sample"
    if source == "-":
        name = "standard input"
        return _of_lines(decode_lines(sys.stdin.buffer, name=name), name=name), "stdin"
    path = Path(source)
    if path.suffix.lower() == ".conllu":
        return _of_sentences(data.read_conllu(path)), path.stem
    check_input(path)
    if path.suffix.lower() != ".xz":
        return _of_lines(read_lines(path), name=source), path.stem
    return _of_lines(_decompressed(path), name=source), Path(path.stem).stem


def _of_sentences(sentences: Iterable[Sentence]) -> list[Text]:
    return [Text(text=each.text or " ".join(each.words), where=each.where) for each in sentences]


def _of_lines(lines: Iterable[str], *, name: str) -> list[Text]:
    from data import DataError
    from data.text import number_lines

    numbered = number_lines(lines, name=name)
    found = [Text(text=line.strip(), where=f"{name}:{number}") for number, line in numbered if line.strip()]
    if not found:
        raise DataError(f"{name}: no text; one text a line is expected")
    return found


def _decompressed(path: Path) -> Iterator[str]:
    from data import DataError
    from data.text import decode_lines

    try:
        with lzma.open(path) as stream:
            yield from decode_lines(stream, name=str(path))
    except (lzma.LZMAError, EOFError) as error:
        raise DataError(f"{path}: xz-compressed text is expected: {error}") from error


@dataclass(frozen=True, eq=False)
class Sequences:
    """What is measured: sequences of pieces, each a text or a part of one.

    Attributes:
        pieces: of each.
        skipped: of texts that cannot be read: where, and why.
        texts: the place of its text in the input, from 0, ascending.
    """

    pieces: tuple[TextPieces, ...]
    skipped: tuple[str, ...]
    texts: tuple[int, ...]

    @property
    def words(self) -> list[int]:
        """Number of words of each sequence."""
        return [len(np.unique(each.words)) for each in self.pieces]

    def sha256(self) -> str:
        """SHA-256 over the piece ids of the sequences in their order, each a line of JSON."""
        sha = hashlib.sha256()
        for each in self.pieces:
            line = json.dumps(each.ids[each.positions].tolist(), separators=(",", ":"))
            sha.update(line.encode("ascii") + b"\n")
        return sha.hexdigest()


def room(model: Probe) -> int:
    """The most pieces of a sequence, special tokens not counted."""
    return model.window - len(model.pieces.before) - len(model.pieces.after)


def cut_texts(model: Probe, texts: Iterable[Text], *, length: int) -> Sequences:
    """Cut texts into sequences of at most ``length`` pieces, between words where a word fits.

    Args:
        model: whose pieces they are.
        texts: running texts; those of more pieces than the window are cut as well.
        length: pieces of a sequence, special tokens not counted.

    Raises:
        probe.OptionError: sequences of this length do not fit the model's window.
    """
    if length > (most := room(model)):
        raise OptionError(f"sequences of {length} pieces: the window of {model.name} takes {most}")
    found: list[TextPieces] = []
    skipped: list[str] = []
    places: list[int] = []
    for place, text in enumerate(texts):
        (read,) = readable_pieces(model, [text.text], window=sys.maxsize)
        if isinstance(read, SentenceError):
            skipped.append(f"{text.where}: text skipped: {read}")
        else:
            parts = list(_cut(model.pieces, read, length))
            found += parts
            places += [place] * len(parts)
    return Sequences(tuple(found), tuple(skipped), tuple(places))


def _cut(pieces: WordPieces, text: TextPieces, length: int) -> Iterator[TextPieces]:
    inside, words = text.ids[text.positions], text.words
    for start, end in _spans(words.tolist(), length):
        ids = np.array([*pieces.before, *inside[start:end], *pieces.after], dtype=np.int64)
        yield replace(
            text,
            ids=ids,
            positions=len(pieces.before) + np.arange(end - start),
            words=words[start:end] - words[start],
        )


def _spans(words: Sequence[int], length: int) -> Iterator[tuple[int, int]]:
    """Spans of at most ``length`` pieces; a word is not cut unless it is longer than that."""
    start = 0
    while start < len(words):
        end = min(start + length, len(words))
        if end < len(words) and words[end] == words[end - 1] and words[start] != words[end]:
            while words[end] == words[end - 1]:
                end -= 1
        yield start, end
        start = end
