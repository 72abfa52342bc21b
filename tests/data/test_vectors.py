import json
import os
from pathlib import Path

import numpy as np
import pytest

from data import DataError, InputError
from data.vectors import WordVectors, read_vectors, write_vectors

VECTORS = WordVectors(("the", "café", "'"), np.array([[1, 2.5], [-3e-9, 1 / 3], [0, 7]], dtype=np.float32))


def written(tmp_path: Path, text: str, name: str = "v.txt") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_round_trip_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    write_vectors(path, VECTORS)
    assert path.read_text(encoding="utf-8").splitlines()[0] == "3 2"
    found = read_vectors(path)
    assert found.words == VECTORS.words
    np.testing.assert_array_equal(found.values, VECTORS.values)
    assert [file.name for file in tmp_path.iterdir()] == ["v.txt"]


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o002, 0o664)])
def test_a_file_has_the_rights_of_any_new_one(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_vectors(tmp_path / "v.txt", VECTORS)
        assert os.umask(mask) == mask, "reading the mask must not change it"
    finally:
        os.umask(before)
    assert (tmp_path / "v.txt").stat().st_mode & 0o777 == mode


def test_glove_words_may_hold_spaces(tmp_path: Path) -> None:
    path = written(tmp_path, "the 1 2 3\n. . . 4 5 6\nat name 7 8 9 \n")
    found = read_vectors(path)
    assert found.words == ("the", ". . .", "at name")
    np.testing.assert_array_equal(found.values, np.arange(1, 10).reshape(3, 3))
    assert read_vectors(path, words={"at name", "of"}).words == ("at name",)


def test_the_first_of_two_counts(tmp_path: Path) -> None:
    found = read_vectors(written(tmp_path, "a 1 1\nb 2 2\na 3 3\n"))
    assert found.words == ("a", "b")
    assert found.values[0].tolist() == [1, 1]


def test_json(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"the": [1, 2], "of": [3, 4.5]}), "v.json")
    assert read_vectors(path).words == ("the", "of")
    np.testing.assert_array_equal(read_vectors(path, words=["of"]).values, [[3, 4.5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2\nb 3\n", "v.txt:2: a word and 2 numbers are expected, found 1 numbers"),
        ("a 1 2\nb 3 x\n", "v.txt:2: a word and 2 numbers are expected, found 'x'"),
        ("a 1 2\nb 3 nan\n", "v.txt:2: a word and 2 numbers are expected, found 'nan'"),
        ("a 1 2\nb 3 1e40\n", "v.txt:2: finite numbers are expected"),
        ("3 2\na 1 2\nb 3 4\n", "v.txt:1: the header promises 3 words, found 2"),
        ("a 1 2\n 3 4\n", "v.txt:2: a word and 2 numbers are expected, found no word"),
        (" 1 2\nb 3 4\n", "v.txt:1: a word and 2 numbers are expected, found no word"),
        ("2 2\na 1 2\n  3 4\n", "v.txt:3: a word and 2 numbers are expected, found no word"),
        ("a\n", "v.txt:1: a word and its numbers are expected"),
        (f"1 {'9' * 5_000}\na 1\n", "v.txt:1: finite numbers are expected"),  # too much for a header
        ("", "v.txt: vectors of words are expected, found none"),
        ("a 1 2\nb \0 3\n", "v.txt:2: a line of UTF-8 text is expected"),
    ],
)
def test_malformed_text(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as raised:
        read_vectors(written(tmp_path, text))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "text", ["[1]", "{", '{"a": 1}', '{"a": [1, 2], "b": [1]}', '{"a": [NaN]}', '{"a": [[1]]}', "{}"]
)
def test_malformed_json(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"v\.json"):
        read_vectors(written(tmp_path, text, "v.json"))


def test_a_missing_file_and_no_wanted_word(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_vectors(tmp_path / "none.txt")
    with pytest.raises(DataError, match="some of the words"):
        read_vectors(written(tmp_path, "a 1 2\n"), words=["b"])


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    with pytest.raises(ValueError, match="without white space"):
        write_vectors(path, WordVectors(("a b",), np.ones((1, 2), dtype=np.float32)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "values"), [(("a",), [[1.0], [2.0]]), (("a", "a"), [[1.0], [2.0]]), (("a",), [[np.inf]])]
)
def test_vectors_are_checked(words: tuple[str, ...], values: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        WordVectors(words, np.array(values, dtype=np.float32))


def test_select_keeps_the_order_asked_for() -> None:
    found = VECTORS.select(["café", "of", "the", "café"])
    assert found.words == ("café", "the")
    np.testing.assert_array_equal(found.values, VECTORS.values[[1, 0]])
