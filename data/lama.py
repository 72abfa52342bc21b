"""Facts as cloze questions, in the layout of LAMA (Petroni et al., EMNLP 2019)."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from data.errors import DataError, InputError
from data.json_text import json_records, object_text
from data.messages import listed, quoted
from data.paths import FilePath
from data.text import check_input, number_lines, read_lines

__all__ = [
    "FACT_CORPORA",
    "MASK",
    "Fact",
    "FactCorpus",
    "Relation",
    "list_relations",
    "read_facts",
    "read_patterns",
    "read_word_list",
]

MASK = "[MASK]"
"""The gap of a masked sentence, whatever a model calls its mask token."""

FactCorpus: TypeAlias = Literal["Google-RE", "T-REx", "ConceptNet", "SQuAD", "sample"]
"""A part of LAMA, or facts of another source in the layout of its T-REx."""
FACT_CORPORA: tuple[FactCorpus, ...] = get_args(FactCorpus)

_GOOGLE_RE = {
    "place_of_birth": "[X] was born in [Y] .",
    "date_of_birth": "[X] (born [Y]).",
    "place_of_death": "[X] died in [Y] .",
}
"""LAMA asks its Google-RE facts by these templates, not by the masked sentences of the files."""
_RELATION_TYPES = ("1-1", "N-1", "N-M")
_FILE_NAME = re.compile(r"\w[\w.-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Relation:
    """The facts of one file, asked by one template or each by a masked sentence of its own.

    Attributes:
        corpus: The part of LAMA it belongs to.
        name: ``P19``, ``place_of_birth``, ...
        file: Where its facts are, one JSON object a line.
        template: With ``[X]`` for the subject and ``[Y]`` for the object; None where facts have sentences.
        type: ``1-1``, ``N-1`` or ``N-M``; None where LAMA gives none.
        label: What the relation is called in words.
    """

    corpus: FactCorpus
    name: str
    file: Path
    template: str | None = None
    type: str | None = None
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Subject and object of a relation, as text.

    Attributes:
        subject: None where the file has none (SQuAD).
        object: The word that fills the gap.
        sentences: Masked sentences, with ``[MASK]`` in the place of the object; may be empty.
        id: ``uuid`` or ``id`` of the file; the number of the line where there is neither.
        predicate: ``pred`` of the file, such as ``IsA`` in ConceptNet.
        rejected: Most of those who judged a Google-RE fact said no.
        where: ``file:line`` of the fact, for messages.
    """

    subject: str | None
    object: str
    sentences: tuple[str, ...]
    id: str
    predicate: str | None = None
    rejected: bool = False
    where: str = "<memory>"


def list_relations(
    folder: FilePath, *, names: Collection[str] | None = None
) -> tuple[tuple[Relation, ...], tuple[str, ...]]:
    """Find the relations of a folder: ``Google_RE``, ``TREx``, ``ConceptNet``, ``Squad`` as far as they are there.

    The templates of T-REx are those of ``relations.jsonl``, in whose order its relations come.

    Args:
        folder: The ``data`` folder of LAMA.
        names: Only these relations; all if None.

    Returns:
        The relations, and the names of those in ``relations.jsonl`` that have no file of facts.

    Raises:
        InputError: The folder is missing or has none of the four, or one of the names is not there.
        DataError: ``relations.jsonl`` is malformed, or a template lacks ``[X]`` or ``[Y]``.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: a folder in the layout of LAMA is expected, there is none of this name")
    found = [*_google_re(folder), *_trex(folder), *_sentences(folder)]
    if not found:
        raise InputError(f"{folder}: Google_RE, TREx, ConceptNet or Squad is expected in it, found none")
    there = tuple(relation for relation in found if relation.file.is_file())
    absent = tuple(relation.name for relation in found if not relation.file.is_file())
    if names is None:
        return there, absent
    if unknown := sorted(set(names) - {relation.name for relation in there}):
        known = listed(relation.name for relation in there)
        raise InputError(f"{folder}: no facts of relation {unknown[0][:60]}; there are {known}")
    return tuple(relation for relation in there if relation.name in names), ()


def _google_re(folder: Path) -> Iterator[Relation]:
    if (folder / "Google_RE").is_dir():
        for name, template in _GOOGLE_RE.items():
            file = folder / "Google_RE" / f"{name}_test.jsonl"
            yield Relation(corpus="Google-RE", name=name, file=file, template=template)


def _trex(folder: Path) -> Iterator[Relation]:
    if not (folder / "TREx").is_dir():
        return
    templates = folder / "relations.jsonl"
    check_input(templates)
    seen: set[str] = set()
    for where, record in json_records(templates):
        name, template = (_text(record, key, where=where) for key in ("relation", "template"))
        _check_template(template, where=where)
        if not _FILE_NAME.fullmatch(name):
            raise DataError(
                f"{where}: a relation whose name can be that of a file is expected, found {quoted(name)}"
            )
        if name in seen:
            raise DataError(f"{where}: each relation once is expected, found {name} again")
        seen.add(name)
        kind = _optional(record, "type", where=where)
        if kind is not None and kind not in _RELATION_TYPES:
            raise DataError(f"{where}: type {', '.join(_RELATION_TYPES)} is expected, found {quoted(kind)}")
        yield Relation(
            corpus="T-REx",
            name=name,
            file=folder / "TREx" / f"{name}.jsonl",
            template=template,
            type=kind,
            label=_optional(record, "label", where=where),
        )
    for file in sorted((folder / "TREx").glob("*.jsonl")):
        if file.stem not in seen:
            raise DataError(f"{templates}: a template for {file} is expected, found none")


def _sentences(folder: Path) -> Iterator[Relation]:
    corpora: tuple[tuple[str, FactCorpus], ...] = (("ConceptNet", "ConceptNet"), ("Squad", "SQuAD"))
    for subfolder, corpus in corpora:
        if (folder / subfolder).is_dir():
            yield Relation(corpus=corpus, name=corpus, file=folder / subfolder / "test.jsonl")


def read_facts(relation: Relation) -> Iterator[Fact]:
    """Read the facts of a relation; empty lines are passed over.

    Raises:
        InputError: The file is missing or not readable (at the call).
        DataError: A line is no JSON object or lacks what the relation needs, or there are no facts (while
            iterating).
    """
    check_input(relation.file)
    return _read_facts(relation)


def _read_facts(relation: Relation) -> Iterator[Fact]:
    count = 0
    for where, record in json_records(relation.file):
        yield _fact(record, relation, where=where)
        count += 1
    if not count:
        raise DataError(f"{relation.file}: no facts; one JSON object a line is expected")


def _fact(record: dict[str, Any], relation: Relation, *, where: str) -> Fact:
    if relation.template is not None:
        subject: str | None = _text(record, "sub_label", where=where)
    elif relation.corpus == "SQuAD":
        subject = None  # the files put the word "Squad" there
    else:
        subject = _optional(record, "sub_label", where=where) or _optional(record, "sub", where=where)
    return Fact(
        subject=subject,
        object=_text(record, "obj_label", where=where),
        sentences=() if relation.template is not None else _masked_sentences(record, where=where),
        id=_id(record, where=where),
        predicate=_optional(record, "pred", where=where),
        rejected=_is_rejected(record, where=where),
        where=where,
    )


def _masked_sentences(record: dict[str, Any], *, where: str) -> tuple[str, ...]:
    found = record.get("masked_sentences")
    if not isinstance(found, list) or not found:
        raise DataError(
            f"{where}: a list of sentences is expected as 'masked_sentences', found {quoted(found)}"
        )
    texts = tuple(_text({"masked_sentences": text}, "masked_sentences", where=where) for text in found)
    if not any(MASK in text for text in texts):
        raise DataError(f"{where}: {MASK} is expected in 'masked_sentences', found none")
    return texts


def _id(record: dict[str, Any], *, where: str) -> str:
    for key in ("uuid", "id"):
        if type(value := record.get(key)) in (str, int):
            return str(value)
    return where.rpartition(":")[2]


def _is_rejected(record: dict[str, Any], *, where: str) -> bool:
    judgments = record.get("judgments", [])
    if not isinstance(judgments, list) or not all(isinstance(each, dict) for each in judgments):
        raise DataError(f"{where}: a list of objects is expected as 'judgments', found {quoted(judgments)}")
    votes = [each.get("judgment") == "yes" for each in judgments]
    return votes.count(False) > votes.count(True)


def read_patterns(path: FilePath) -> tuple[str, ...]:
    """Read the paraphrases of a template, in the layout of ParaRel (Elazar et al., TACL 2021); each once.

    Raises:
        InputError: The file is missing or not readable.
        DataError: A line is no JSON object with a ``pattern`` that has ``[X]`` and ``[Y]``, or there is none.
    """
    path = Path(path)
    check_input(path)
    patterns = []
    for where, record in json_records(path):
        pattern = _text(record, "pattern", where=where)
        _check_template(pattern, where=where)
        patterns.append(pattern)
    if not patterns:
        raise DataError(f"{path}: no patterns; one JSON object a line is expected")
    return tuple(dict.fromkeys(patterns))


def read_word_list(path: FilePath) -> tuple[str, ...]:
    """Read a word a line, such as ``common_vocab_cased.txt`` of LAMA; empty lines are passed over.

    Raises:
        InputError: The file is missing or not readable.
        DataError: It has no words.
    """
    path = Path(path)
    check_input(path)
    words = tuple(line.strip() for _, line in number_lines(read_lines(path), name=str(path)) if line.strip())
    if not words:
        raise DataError(f"{path}: no words; one word a line is expected")
    return words


def _check_template(template: str, *, where: str) -> None:
    for gap in ("[X]", "[Y]"):
        if template.count(gap) != 1:
            raise DataError(f"{where}: a template with {gap} once is expected, found {quoted(template)}")


def _text(record: dict[str, Any], key: str, *, where: str) -> str:
    return object_text(record, key, where=where).strip()


def _optional(record: dict[str, Any], key: str, *, where: str) -> str | None:
    return None if record.get(key) is None else _text(record, key, where=where)
