"""Discourse dependency trees of SciDTB (Yang and Li, ACL 2018, https://github.com/PKU-TANGENT/SciDTB)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import DataError
from data.folders import list_files
from data.json_text import read_json
from data.messages import quoted
from data.paths import FilePath

__all__ = ["NO_HEAD", "Document", "read_scidtb"]

NO_HEAD = -1
"""Head of an EDU whose attachment is not annotated."""

_FILE = re.compile(r".+\.edu\.txt\.dep")
_SENTENCE_END = "<S>"
_FIELDS = {"id": int, "parent": int, "text": str, "relation": str}


@dataclass(frozen=True, kw_only=True)
class Document:
    """An abstract of n elementary discourse units (EDUs) with its dependency tree.

    Attributes:
        id: File name before its first dot, such as ``D14-1001``.
        edus: The n texts, tokens separated by white space, without the ``<S>`` mark and outer white space.
        heads: n heads, 1-based, 0 for a root, `NO_HEAD` where none is annotated.
        relations: n relations to the heads; ``ROOT`` for a root, ``null`` where no head is annotated.
        ends_sentence: n truth values: whether the text bore the ``<S>`` mark of a sentence's end.
        where: The file, for messages.
    """

    id: str
    edus: tuple[str, ...]
    heads: tuple[int, ...]
    relations: tuple[str, ...]
    ends_sentence: tuple[bool, ...]
    where: str = "<memory>"

    @property
    def words(self) -> tuple[str, ...]:
        """The words of all EDUs, split at white space, as SciDTB's text is tokenised."""
        return tuple(word for edu in self.edus for word in edu.split())

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """n spans of `words`, ``(start, end)`` with end exclusive: the units of ``Probe.impact_spans``."""
        spans: list[tuple[int, int]] = []
        for edu in self.edus:
            start = spans[-1][1] if spans else 0
            spans.append((start, start + len(edu.split())))
        return tuple(spans)

    @property
    def roots(self) -> tuple[int, ...]:
        """Positions of the roots, from 1. SciDTB has documents with two."""
        return tuple(position for position, head in enumerate(self.heads, start=1) if head == 0)

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps the heads from being a tree with one root, a line each; mostly empty."""
        found = []
        if len(self.roots) != 1:
            found.append(
                f"one root is expected, found {len(self.roots)}: EDUs {', '.join(map(str, self.roots))}"
            )
        for position, head in enumerate(self.heads, start=1):
            if head == NO_HEAD:
                found.append(f"a head of EDU {position} is expected, found none annotated")
        return tuple(f"{self.where}: {problem}" for problem in found)


def read_scidtb(path: FilePath) -> Iterator[Document]:
    """Read a ``.edu.txt.dep`` file, or those of a folder in the order of their names.

    Documents of the published data with two roots, or with an EDU without a head, are read like the others;
    ``Document.problems`` names what is amiss. Any other flaw is an error.

    Args:
        path: A file, or a folder such as SciDTB's ``dataset/test/gold``.

    Raises:
        InputError: The path is missing or not readable, or the folder has no such file (at the call).
        DataError: A file is not UTF-8 or not JSON of the published form, an EDU has no words, a head is out
            of range, or heads form a cycle (while iterating).
    """
    path = Path(path)
    return map(_read_document, list_files(path, pattern=_FILE, kind=".edu.txt.dep"))


def _read_document(path: Path) -> Document:
    where = str(path)
    texts, heads, relations = [], [], []
    for entry in _entries(path):
        texts.append(entry["text"].rstrip())
        heads.append(entry["parent"])
        relations.append(entry["relation"])
    document = Document(
        id=path.name.partition(".")[0],
        edus=tuple(text.removesuffix(_SENTENCE_END).strip() for text in texts),
        heads=tuple(heads),
        relations=tuple(relations),
        ends_sentence=tuple(text.endswith(_SENTENCE_END) for text in texts),
        where=where,
    )
    for position, edu in enumerate(document.edus, start=1):
        if not edu or _SENTENCE_END in edu:
            raise DataError(f"{where}: EDU {position}: words and at most one <S> at the end are expected")
    _check_heads(document.heads, where)
    return document


def _entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries of the EDUs, without that of ROOT, with all fields checked."""
    document = read_json(path)
    entries = document.get("root") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) < 2:
        raise DataError(f"{path}: a list 'root' of ROOT and at least one EDU is expected")
    for number, entry in enumerate(entries):
        for field, kind in _FIELDS.items():
            value = entry.get(field) if isinstance(entry, dict) else None
            if type(value) is not kind:
                raise DataError(
                    f"{path}: EDU {number}: {field} is expected to be {kind.__name__}, found {quoted(value)}"
                )
        if entry["id"] != number:
            raise DataError(f"{path}: EDU {number}: id {number} is expected, found {quoted(entry['id'])}")
    if (entries[0]["parent"], entries[0]["text"]) != (-1, "ROOT"):
        raise DataError(f"{path}: an entry 0 with text ROOT and parent -1 is expected")
    return entries[1:]


def _check_heads(heads: Sequence[int], where: str) -> None:
    """Check that from every EDU the heads lead to ROOT, or to an EDU without a head."""
    for position, head in enumerate(heads, start=1):
        if not NO_HEAD <= head <= len(heads):
            raise DataError(
                f"{where}: EDU {position}: a head in 0..{len(heads)} is expected, found {quoted(head)}"
            )
    leads_to_root = {0, NO_HEAD}
    for position in range(1, len(heads) + 1):
        path: set[int] = set()
        head = position
        while head not in leads_to_root:
            if head in path:
                raise DataError(
                    f"{where}: EDU {position}: heads that lead to ROOT are expected, found a cycle"
                )
            path.add(head)
            head = heads[head - 1]
        leads_to_root |= path
