"""Output files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

_LONGEST_STEM = 100
"""Bytes: file systems allow 255, of which suffixes and the marks of unfinished files need some."""


def file_stem(text: str) -> str:
    """A text as the stem of a file name: that of a path or of the input is never followed or too long.

    What is no letter, digit, space or one of ``.-_+,:=@`` becomes ``_``, and so does a dot in front.
    Of more than 100 bytes the end gives way to a checksum, so that different texts stay different files.
    """
    stem = re.sub(r"[^\w.\- +,:=@]", "_", text)
    stem = re.sub(r"^\.", "_", stem) or "_"
    if len(stem.encode()) <= _LONGEST_STEM:
        return stem
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    kept = stem.encode()[: _LONGEST_STEM - 9].decode("utf-8", "ignore")
    return f"{kept}-{digest}"


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text file to write to; it takes its name when the block ends, and is gone if the block fails.

    A device or a pipe (``/dev/stdout``) is written to as it is: it cannot be replaced.

    Raises:
        OSError: the folder is missing or cannot be written to, or ``path`` is a directory.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: a file name is expected, this is a directory")
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    except OSError as error:
        raise OSError(f"{path}: cannot be written ({error.strerror})") from error
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            yield file
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def no_empty_folder(folder: Path | None) -> Iterator[None]:
    """If the block fails, remove this folder and those above it that it made and left empty.

    Args:
        folder: that of the output; None where there is none.
    """
    way = [] if folder is None else [folder, *folder.parents]
    missing = [place for place in way if not os.path.lexists(place)]
    try:
        yield
    except BaseException:
        for place in missing:
            with suppress(OSError):  # it holds something, or was not made
                place.rmdir()
        raise


def _umask() -> int:
    # The only portable way to read it is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
