"""Discourse trees: what is read, what is reported and what is refused."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

import data
from data import DataError, Document, InputError
from data.scidtb import NO_HEAD
from parsers.baselines import left_chain, right_chain

needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")

ROOT = {"id": 0, "parent": -1, "text": "ROOT", "relation": "null"}


def edu(
    number: object, parent: object, text: object = "some words", relation: object = "joint"
) -> dict[str, Any]:
    return {"id": number, "parent": parent, "text": text, "relation": relation}


def write(folder: Path, *edus: object, name: str = "D14-1001") -> Path:
    """Write a document as published: with a byte order mark."""
    file = folder / f"{name}.edu.txt.dep"
    file.write_text(json.dumps({"root": [ROOT, *edus]}), encoding="utf-8-sig")
    return file


def read(folder: Path, *edus: object) -> Document:
    (document,) = data.read_scidtb(write(folder, *edus))
    return document


def test_document(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        edu(1, 2, "We show , ", "attribution"),
        edu(2, 0, "that it  works . <S>\r", "ROOT"),
        edu(3, 2, "Très bien . <S>"),
    )
    assert document.id == "D14-1001"
    assert document.edus == ("We show ,", "that it  works .", "Très bien .")
    assert document.heads == (2, 0, 2)
    assert document.relations == ("attribution", "ROOT", "joint")
    assert document.ends_sentence == (False, True, True)
    assert document.words == ("We", "show", ",", "that", "it", "works", ".", "Très", "bien", ".")
    assert document.spans == ((0, 3), (3, 7), (7, 10))
    assert (document.roots, document.problems) == ((2,), ())
    assert document.where == str(tmp_path / "D14-1001.edu.txt.dep")


def test_flaws_of_the_published_files_are_reported(tmp_path: Path) -> None:
    two = read(tmp_path, edu(1, 0), edu(2, 1), edu(3, 0))
    assert two.roots == (1, 3)
    assert two.problems == (f"{two.where}: one root is expected, found 2: EDUs 1, 3",)
    headless = read(tmp_path, edu(1, -1, relation="null"), edu(2, 0), edu(3, 1))
    assert headless.heads == (NO_HEAD, 0, 1)
    assert headless.problems == (f"{headless.where}: a head of EDU 1 is expected, found none annotated",)
    none = read(tmp_path, edu(1, -1))
    assert len(none.problems) == 2


@pytest.mark.parametrize(
    ("edus", "message"),
    [
        ([edu(1, 2)], r"EDU 1: a head in 0\.\.1 is expected, found 2"),
        ([edu(1, -2)], r"EDU 1: a head in 0\.\.1 is expected, found -2"),
        ([edu(1, 0), edu(2, 3), edu(3, 2)], "EDU 2: heads that lead to ROOT are expected, found a cycle"),
        ([edu(1, 1)], "EDU 1: heads that lead to ROOT are expected, found a cycle"),
        ([edu(2, 0)], "EDU 1: id 1 is expected, found 2"),
        ([edu(1, "0")], "EDU 1: parent is expected to be int, found '0'"),
        ([edu(1, True)], "EDU 1: parent is expected to be int, found True"),
        ([edu(1, 0, None)], "EDU 1: text is expected to be str, found None"),
        (["words"], "EDU 1: id is expected to be int, found None"),
        ([edu(1, 0, " <S>\r")], "EDU 1: words and at most one <S> at the end are expected"),
        ([edu(1, 0, "a <S> b <S>")], "EDU 1: words and at most one <S> at the end are expected"),
        ([], "a list 'root' of ROOT and at least one EDU is expected"),
    ],
)
def test_malformed_documents(tmp_path: Path, edus: list[object], message: str) -> None:
    with pytest.raises(DataError, match=f"^{tmp_path / 'D14-1001.edu.txt.dep'}: {message}$"):
        read(tmp_path, *edus)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"root": [\n}', ":2: JSON is expected, found Expecting value.*"),
        (b"", ":1: JSON is expected, found .*"),
        (b"[" * 100_000, ": JSON is expected, found .*"),
        (b"\xff", ":1: UTF-8 text is expected, found byte 0xff .*"),
        (b"[]", ": a list 'root' of ROOT and at least one EDU is expected"),
        (
            b'{"root": [{"id": 0, "parent": 0, "text": "", "relation": ""},'
            b' {"id": 1, "parent": 0, "text": "", "relation": ""}]}',
            ": an entry 0 with text ROOT and parent -1 is expected",
        ),
    ],
)
def test_malformed_files(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.edu.txt.dep"
    file.write_bytes(content)
    with pytest.raises(DataError, match=f"^{file}{message}$"):
        list(data.read_scidtb(file))


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a folder with \.edu\.txt\.dep files is expected, found none"):
        data.read_scidtb(tmp_path)
    for name in ("P14-1101", "D14-1001"):
        write(tmp_path, edu(1, 0), name=name)
    assert [document.id for document in data.read_scidtb(tmp_path)] == ["D14-1001", "P14-1101"]


@needs_data
@pytest.mark.parametrize(
    ("part", "documents", "edus", "two_roots", "without_head"),
    [
        ("test", 152, 2118, ["D14-1004"], ["D14-1042"]),
        ("dev", 154, 2133, ["D14-1052", "P14-1127"], ["D14-1080", "D14-1099"]),
        ("test-second-annotator", 152, 2118, [], []),
    ],
)
def test_published_data(
    part: str, documents: int, edus: int, two_roots: list[str], without_head: list[str]
) -> None:
    read = list(data.read_scidtb(Path(os.environ["PROBE_DATA"]) / "scidtb" / part))
    assert len(read) == documents
    assert sum(len(document.edus) for document in read) == edus
    assert [document.id for document in read if len(document.roots) != 1] == two_roots
    assert [document.id for document in read if NO_HEAD in document.heads] == without_head
    assert sum(len(document.problems) for document in read) == len(two_roots) + len(without_head)
    assert all(document.ends_sentence[-1] for document in read)
    assert not any("\r" in text or "<S>" in text for document in read for text in document.edus)


@needs_data
def test_chains_of_the_published_evaluation() -> None:
    """As Wu et al. (ACL 2020): the last EDU has no head, the given root is not counted as correct."""
    documents = list(data.read_scidtb(Path(os.environ["PROBE_DATA"]) / "scidtb" / "test"))
    n_edus = sum(len(document.edus) for document in documents)
    for chain, expected in ((left_chain, 41.45), (right_chain, 10.67)):
        correct = 0
        for document in documents:
            heads = chain(len(document.edus), document.roots[0])
            correct += sum(a == b for a, b in zip(heads[:-1].tolist(), document.heads[:-1], strict=True))
        assert round(100 * (correct - len(documents)) / n_edus, 2) == expected
