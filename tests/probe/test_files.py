"""Output files appear whole or not at all."""

import os
import stat
import tempfile
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from probe.files import file_stem, no_empty_folder, whole_file


def names(folder: Path) -> list[str]:
    """What a folder holds, hidden files included."""
    return sorted(path.name for path in folder.iterdir())


def test_takes_its_name_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "trees.conllu"
    with whole_file(target) as file:
        file.write("naïve\n漢字\n")
        file.flush()
        assert not target.exists()
    assert target.read_bytes() == "naïve\n漢字\n".encode()
    assert names(tmp_path) == ["trees.conllu"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_when_the_block_fails(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), whole_file(tmp_path / "new.txt") as file:
        file.write("half")
        raise failure
    assert names(tmp_path) == []


def test_an_older_file_stays_when_the_block_fails(tmp_path: Path) -> None:
    target = tmp_path / "old.txt"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(ValueError), whole_file(target) as file:
        file.write("half")
        raise ValueError
    assert target.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["old.txt"]


def test_an_older_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "old.txt"
    target.write_text("a much longer text than the new one", encoding="utf-8")
    with whole_file(target) as file:
        file.write("new")
    assert target.read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with whole_file(tmp_path / "new.txt") as file:
            file.write("new")
        assert os.umask(mask) == mask, "reading the mask must not change it"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == 0o666 & ~mask


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="a file name is expected"), whole_file(tmp_path):
        pass
    assert names(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "new.txt"
    with pytest.raises(OSError) as caught, whole_file(target):
        pass
    assert str(caught.value) == f"{target}: cannot be written (No such file or directory)"


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)  # the tests may run as root, whom no folder refuses
    with pytest.raises(OSError) as caught, whole_file(tmp_path / "new.txt"):
        pass
    assert str(caught.value) == f"{tmp_path / 'new.txt'}: cannot be written (Permission denied)"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[str] = []
    reader = Thread(target=lambda: found.append(pipe.read_text(encoding="utf-8")), daemon=True)
    reader.start()
    with whole_file(pipe) as file:
        file.write("to the reader\n")
    reader.join(timeout=10)
    assert found == ["to the reader\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


def test_a_stem_is_that_of_a_file_in_its_folder() -> None:
    assert file_stem("dependency-en_pud-ud-test-fair") == "dependency-en_pud-ud-test-fair"
    assert file_stem("a.b+c") == "a.b+c"
    assert file_stem("../../etc/x") == "_._.._etc_x"
    assert file_stem("..") == "_."
    assert file_stem("") == "_"
    assert file_stem("a\0b\nc\\d") == "a_b_c_d"
    long = {file_stem("ü" * count) for count in range(51, 300)}
    assert len(long) == 249
    assert all(len(stem.encode()) <= 100 for stem in long)


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_no_empty_folder(tmp_path: Path, failure: type[BaseException]) -> None:
    (tmp_path / "mine").mkdir()
    for folder in (tmp_path / "mine", tmp_path / "mine" / "new" / "out"):
        with pytest.raises(failure), no_empty_folder(folder):
            folder.mkdir(parents=True, exist_ok=True)
            raise failure
    assert names(tmp_path) == ["mine"]
    assert names(tmp_path / "mine") == []


def test_a_folder_that_holds_something_stays(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="late"), no_empty_folder(tmp_path / "out"):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "table.csv").write_text("a\n", encoding="utf-8")
        raise ValueError("late")
    with no_empty_folder(tmp_path / "empty"):
        (tmp_path / "empty").mkdir()
    assert names(tmp_path) == ["empty", "out"]
