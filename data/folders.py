"""Finding the files of a treebank in a folder."""

import re
from pathlib import Path

from data.errors import InputError
from data.text import check_input

__all__ = ["list_files"]


def list_files(path: Path, *, pattern: re.Pattern[str], kind: str) -> list[Path]:
    """Return the file itself, or the files of a folder and of its subfolders, sorted by name.

    Args:
        path: A file of any name, or a folder.
        pattern: What the whole name of a file in the folder matches.
        kind: How messages call these files, such as ``.mrg``.

    Raises:
        InputError: The path is missing or not readable, or the folder has no such file.
    """
    if not path.is_dir():
        check_input(path)
        return [path]
    found = [file for file in path.rglob("*") if pattern.fullmatch(file.name) and file.is_file()]
    if not found:
        raise InputError(f"{path}: a folder with {kind} files is expected, found none")
    return sorted(found, key=lambda file: (file.name, file))
