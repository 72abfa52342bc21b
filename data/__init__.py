"""Files in, typed records out: CoNLL-U, tokenised text and the bundled sample treebank."""

from collections.abc import Iterator
from pathlib import Path

from data.conllu import parse_conllu, read_conllu, to_conllu
from data.errors import DataError, InputError
from data.sample import load_sample, load_sample_trees
from data.sentence import Sentence, check_tree, root
from data.text import decode_lines, parse_text, read_text

__all__ = [
    "DataError",
    "InputError",
    "Sentence",
    "check_tree",
    "decode_lines",
    "load_sample",
    "load_sample_trees",
    "parse_conllu",
    "parse_text",
    "read_conllu",
    "read_sentences",
    "read_text",
    "root",
    "to_conllu",
]


def read_sentences(path: Path) -> Iterator[Sentence]:
    """Read a ``.conllu`` or ``.txt`` file, chosen by suffix; see `read_conllu` and `read_text`.

    Raises:
        InputError: The suffix is another one, or the file cannot be read.
        DataError: The content is malformed (while iterating).
    """
    readers = {".conllu": read_conllu, ".txt": read_text}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: suffix {' or '.join(readers)} is expected, found {path.suffix!r}")
    return reader(path)
