"""FASTA and files of contacts: what is read, and what is refused with file and line."""

from pathlib import Path

import numpy as np
import pytest

from data import DataError, InputError, contacts_file, parse_fasta, read_contacts, read_sentences


def test_fasta(tmp_path: Path) -> None:
    path = tmp_path / "a.fasta"
    path.write_text(">one first of two\nACD\nEf\n\n>two\nG\n", encoding="utf-8")
    first, second = read_sentences(path)
    assert (first.id, first.words, first.where) == ("one", tuple("ACDEF"), f"{path}:1")
    assert (second.id, second.words, second.where) == ("two", ("G",), f"{path}:5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no sequences"),
        ("ACD\n", "f:1: a header line '>ID ...' is expected, found 'ACD'"),
        (">\nACD\n", "f:1: an id behind '>' is expected"),
        (">a\nAC*\n", r"f:2: residues, a letter each, are expected, found '\*'"),
        (">a\n>b\nA\n", "f:1: residues below the header are expected"),
        (">a\nA\n>a x\nC\n", "f:3: each id once is expected, found 'a' again"),
    ],
)
def test_malformed_fasta(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(parse_fasta(text.splitlines(), name="f"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "i,j\n1,3\n"),
        ("a.tsv", "1\t3\n"),
        ("a.csv", "i,j,distance\n1,3,7.9\n2,4,8.0\n"),
        ("a.rr", "PFRMAT RR\nTARGET T1\nACDE\n1 3 0 8 0.9\nEND\n"),
    ],
)
def test_contacts(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = read_contacts(tmp_path / name, 4)
    assert np.argwhere(found.touch).tolist() == [[0, 2], [2, 0]]
    assert found.known.all()
    assert contacts_file(tmp_path, "a") == tmp_path / name and contacts_file(tmp_path, "b") is None
    assert contacts_file(tmp_path, "../a") is None


def test_distances(tmp_path: Path) -> None:
    distances = np.array([[0, 4.0, np.nan], [4.0, 0, 9.0], [np.nan, 9.0, 0]])
    np.save(tmp_path / "a.npy", distances)
    found = read_contacts(tmp_path / "a.npy", 3)
    assert np.argwhere(found.touch).tolist() == [[0, 1], [1, 0]]
    assert not found.known[0, 2] and found.known[1, 2]
    assert read_contacts(tmp_path / "a.npy", 3, threshold=10).touch.sum() == 4
    with pytest.raises(DataError, match=r"distances \[4, 4\] are expected, found float64 \[3, 3\]"):
        read_contacts(tmp_path / "a.npy", 4)
    np.save(tmp_path / "b.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="an array of NumPy is expected"):
        read_contacts(tmp_path / "b.npy", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,9\n", "a.csv:1: a residue from 1 to 4 is expected, found '9'"),
        ("i,j\n0,2\n", "a.csv:2: a residue from 1 to 4"),
        ("2,2\n", "two residues are expected, found 2 twice"),
        ("1,2,3,4\n", "found 4 fields"),
        ("1,2,near\n", "a distance from 0 is expected, found 'near'"),
    ],
)
def test_malformed_contacts(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_contacts(tmp_path / "a.csv", 4)


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pdb").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"suffix \.csv"):
        read_contacts(tmp_path / "a.pdb", 4)
