"""Which residues of a structure touch: pairs in text, the RR format of CASP, or a matrix of distances."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import DataError, InputError
from data.messages import quoted
from data.numbers import parse_number
from data.paths import FilePath
from data.text import check_input, number_lines, read_lines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SUFFIXES", "THRESHOLD", "Contacts", "contacts_file", "read_contacts"]

THRESHOLD = 8.0
"""Angstrom between two C-beta atoms below which residues are said to touch, as in CASP."""
SUFFIXES = (".csv", ".tsv", ".txt", ".rr", ".npy")
"""Of files with contacts, in the order in which they are looked for."""

_FIELDS = re.compile(r"[,\t ]+")
_NAMES = (["i", "j"], ["i", "j", "distance"])
_RR = re.compile(r"(PFRMAT|TARGET|AUTHOR|REMARK|METHOD|MODEL|END|ENDMDL)\b")
"""Lines of an RR file that are no contacts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contacts:
    """The contacts of a sequence of n residues.

    Shapes:
        touch: bool [n, n], symmetric; whether two residues touch
        known: bool [n, n], symmetric; whether that is known: a residue without coordinates has no distances
    """

    touch: NDArray[np.bool_]
    known: NDArray[np.bool_]


def contacts_file(place: Path, name: str) -> Path | None:
    """The file of the contacts of a sequence: the place itself, or ``NAME.csv`` and the like in a folder.

    Raises:
        InputError: There is nothing at the place.
    """
    if not place.is_dir():
        check_input(place)
        return place
    if "/" in name or name.startswith("."):
        return None
    found = (place / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in found if path.is_file()), None)


def read_contacts(path: FilePath, n: int, *, threshold: float = THRESHOLD) -> Contacts:
    """Read the contacts of a sequence of n residues.

    A ``.npy`` file is a matrix [n, n] of distances in angstrom, NaN where one is not known. Other files have a
    contact a line: two residues, counted from 1, and perhaps their distance, separated by commas, tabs or
    spaces, below a line ``i,j`` or ``i,j,distance`` or none; or the five fields of CASP's RR format, ``i j 0 8
    p``. Pairs that are not named do not touch.

    Args:
        path: The file.
        n: Length of the sequence.
        threshold: Distance below which residues touch.

    Raises:
        InputError: The file cannot be read, or has another suffix.
        DataError: A residue is no whole number from 1 to n, or touches itself; a distance is no number from 0;
            a matrix is not symmetric or of another shape.
    """

    path = Path(path)
    import numpy as np

    check_input(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: suffix {', '.join(SUFFIXES)} is expected, found {path.suffix!r}")
    if path.suffix.lower() == ".npy":
        return _of_distances(_matrix(path, n), threshold)
    touch = np.zeros((n, n), dtype=bool)
    first = True
    for number, line in number_lines(read_lines(path), name=str(path)):
        text = line.strip()
        if not text or text.startswith("#") or _RR.match(text):
            continue
        fields = _FIELDS.split(text)
        if first and [field.lower() for field in fields] in _NAMES:
            first = False
            continue
        first = False
        if len(fields) == 1 and fields[0].isalpha():  # the sequence, which RR files may repeat
            continue
        i, j, near = _pair(fields, n, threshold, where=f"{path}:{number}")
        touch[i, j] |= near
        touch[j, i] |= near
    return Contacts(touch=touch, known=np.ones((n, n), dtype=bool))


def _pair(fields: list[str], n: int, threshold: float, *, where: str) -> tuple[int, int, bool]:
    """Two residues from 0, and whether they touch."""
    if len(fields) not in (2, 3, 5):
        raise DataError(
            f"{where}: two residues and perhaps a distance, or the 5 fields of RR, are expected, "
            f"found {len(fields)} fields"
        )
    for field in fields[:2]:
        if not (field.isascii() and field.isdecimal() and 1 <= int(field[:9]) <= n and len(field) < 10):
            raise DataError(f"{where}: a residue from 1 to {n} is expected, found {quoted(field)}")
    i, j = (int(field) - 1 for field in fields[:2])
    if i == j:
        raise DataError(f"{where}: two residues are expected, found {i + 1} twice")
    if len(fields) != 3:
        return i, j, True
    distance = parse_number(fields[2])
    if distance is None or distance < 0:
        raise DataError(f"{where}: a distance from 0 is expected, found {quoted(fields[2])}")
    return i, j, distance < threshold


def _matrix(path: Path, n: int) -> NDArray[np.float64]:
    """A matrix of distances, checked."""

    import numpy as np

    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)  # a size that is not there takes no memory
    except Exception as error:  # of a damaged head, those of Python's own tokenizer, too
        raise DataError(f"{path}: an array of NumPy is expected, found {quoted(str(error))}") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu" or found.shape != (n, n):
        about = f"{found.dtype} {list(found.shape)}" if isinstance(found, np.ndarray) else "an archive"
        raise DataError(f"{path}: distances [{n}, {n}] are expected, found {about}")
    distances = found.astype(np.float64)
    if (distances < 0).any() or not np.allclose(distances, distances.T, atol=1e-3, equal_nan=True):
        raise DataError(f"{path}: a symmetric matrix of distances from 0 is expected")
    return distances


def _of_distances(distances: NDArray[np.float64], threshold: float) -> Contacts:
    import numpy as np

    touch = distances < threshold  # False for NaN
    np.fill_diagonal(touch, False)
    return Contacts(touch=touch, known=~np.isnan(distances))
