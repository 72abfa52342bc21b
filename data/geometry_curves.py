"""Per-layer figures of word states in the layout of Ethayarajh's release (EMNLP 2019)."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.csv_rows import csv_rows
from data.errors import DataError, InputError
from data.json_text import read_json
from data.messages import quoted
from data.numbers import parse_number
from data.paths import FilePath
from data.text import check_input

__all__ = ["GeometryCurves", "read_geometry_curves"]

_ACROSS = "mean cosine similarity across words"
_WITHIN = "mean cosine similarity between sentence and words"
_RANDOM = "variance explained for random words"
_LAYER = re.compile(r"layer_([0-9]{1,4})")


@dataclass(frozen=True, kw_only=True, eq=False)
class GeometryCurves:
    """What was released for one model, unadjusted; layers from 0 = embeddings, NaN where there is no value.

    Attributes:
        model: Name of the folder.
        words: Number of words that the means are over.
        anisotropy: Mean cosine of random words, [layers].
        self_similarity: Mean over words, [layers].
        intra_sentence: Mean over sentences, [layers].
        explained: Mean over words of the variance explained by the first component, [layers].
        explained_random: The same of random words, [layers].
    """

    model: str
    words: int
    anisotropy: NDArray[np.float64]
    self_similarity: NDArray[np.float64]
    intra_sentence: NDArray[np.float64]
    explained: NDArray[np.float64]
    explained_random: NDArray[np.float64]


def read_geometry_curves(path: FilePath) -> tuple[GeometryCurves, ...]:
    """Read a model's folder, or every model's folder in a folder, sorted by name.

    A model's folder has ``embedding_space_stats.json``, ``self_similarity.csv`` and ``variance_explained.csv``.

    Raises:
        InputError: There is no such folder, or a file of it is missing.
        DataError: A file is malformed.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: a folder is expected, there is none of this name")
    stats = "embedding_space_stats.json"
    folders = [path] if (path / stats).is_file() else sorted(file.parent for file in path.glob(f"*/{stats}"))
    if not folders:
        raise InputError(f"{path}: a folder with {stats} is expected, found none")
    return tuple(_read_model(folder) for folder in folders)


def _read_model(folder: Path) -> GeometryCurves:
    words, similarity = _means(folder / "self_similarity.csv")
    _, explained = _means(folder / "variance_explained.csv")
    path = folder / "embedding_space_stats.json"
    check_input(path)
    stats = read_json(path)
    layers = len(similarity)
    anisotropy, within, random = (
        _by_layer(_figures(stats, name, where=path), layers, where=path)
        for name in (_ACROSS, _WITHIN, _RANDOM)
    )
    return GeometryCurves(
        model=folder.name,
        words=words,
        anisotropy=anisotropy,
        self_similarity=_by_layer(similarity, layers, where=folder / "self_similarity.csv"),
        intra_sentence=within,
        explained=_by_layer(explained, layers, where=folder / "variance_explained.csv"),
        explained_random=random,
    )


def _figures(stats: object, name: str, *, where: Path) -> dict[str, float]:
    found = stats.get(name) if isinstance(stats, dict) else None
    if not isinstance(found, dict) or not all(type(value) in (int, float) for value in found.values()):
        raise DataError(f"{where}: figures of layer_0, layer_1, ... are expected under {name!r}")
    return found


def _by_layer(figures: dict[str, float], layers: int, *, where: Path) -> NDArray[np.float64]:
    found = np.full(layers, np.nan)
    for name, value in figures.items():
        layer = _LAYER.fullmatch(name)
        if layer is None or int(layer[1]) >= layers or not abs(value) < 1e300:
            raise DataError(
                f"{where}: finite figures of layer_0 to layer_{layers - 1} are expected, "
                f"found {quoted(value)} of {quoted(name)}"
            )
        found[int(layer[1])] = value
    return found


def _means(path: Path) -> tuple[int, dict[str, float]]:
    """Number of words, and the mean of each column ``layer_N``."""
    rows: list[list[float]] = []
    layers: list[str] = []
    for where, row in csv_rows(path):
        layers = [name for name in row if name.startswith("layer_")]
        values = [value for layer in layers if (value := parse_number(row[layer])) is not None]
        if len(values) < len(layers):
            raise DataError(f"{where}: a word and {len(layers)} figures are expected")
        rows.append(values)
    if not rows or not layers:
        raise DataError(f"{path}: a line of column names, then words with figures are expected, found none")
    return len(rows), dict(zip(layers, np.mean(rows, axis=0).tolist(), strict=True))
