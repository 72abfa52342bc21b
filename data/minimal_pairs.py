"""Minimal pairs of an acceptable and an unacceptable sentence, in the layout of BLiMP."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.errors import DataError, InputError
from data.json_text import json_records, object_text
from data.paths import FilePath
from data.text import check_input

__all__ = ["MinimalPair", "read_minimal_pairs"]

_KEYS = {
    "good": "sentence_good",
    "bad": "sentence_bad",
    "phenomenon": "linguistics_term",
    "paradigm": "UID",
    "field": "field",
}


@dataclass(frozen=True, kw_only=True)
class MinimalPair:
    """Two sentences that differ as little as possible, of which speakers accept one (Warstadt et al. 2020).

    Attributes:
        good: The acceptable sentence, as plain text.
        bad: The unacceptable one.
        phenomenon: ``linguistics_term`` of the file, such as ``binding``.
        paradigm: ``UID`` of the file, such as ``principle_A_case_1``: the pairs made from one template.
        field: ``morphology``, ``syntax``, ...; spelled as in the file.
        where: ``file:line`` of the pair, for messages.
    """

    good: str
    bad: str
    phenomenon: str
    paradigm: str
    field: str
    where: str = "<memory>"


def read_minimal_pairs(path: FilePath) -> Iterator[MinimalPair]:
    """Read a BLiMP file, one JSON object a line, or the ``*.jsonl`` files of a folder, sorted by name.

    Empty lines are passed over, and so are keys that BLiMP files have beside the five of `MinimalPair`.

    Raises:
        InputError: The path is missing or not readable, or the folder has no such file (at the call).
        DataError: A line is no JSON object with these five texts, or a file has no pairs (while iterating).
    """
    path = Path(path)
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: a folder with .jsonl files is expected, found none in it")
    for file in files:
        check_input(file)
    return (pair for file in files for pair in _read_file(file))


def _read_file(path: Path) -> Iterator[MinimalPair]:
    count = 0
    for where, record in json_records(path):
        texts = {name: object_text(record, key, where=where) for name, key in _KEYS.items()}
        yield MinimalPair(**texts, where=where)
        count += 1
    if not count:
        raise DataError(f"{path}: no minimal pairs; one JSON object a line is expected")
