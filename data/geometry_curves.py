"""Per-layer figures of word states in the layout of Ethayarajh's release (EMNLP 2019)."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, InputError
from data.text import check_input, number_lines, read_lines

__all__ = ["GeometryCurves", "read_geometry_curves"]

_ACROSS = "mean cosine similarity across words"
_WITHIN = "mean cosine similarity between sentence and words"
_RANDOM = "variance explained for random words"


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


def read_geometry_curves(path: Path) -> tuple[GeometryCurves, ...]:
    """Read a model's folder, or every model's folder in a folder, sorted by name.

    A model's folder has ``embedding_space_stats.json``, ``self_similarity.csv`` and ``variance_explained.csv``.

    Raises:
        InputError: There is no such folder, or a file of it is missing.
        DataError: A file is malformed.
    """
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
    try:
        stats = json.loads("".join(read_lines(path)))
        anisotropy, within, random = (
            _by_layer({key: float(value) for key, value in stats[name].items()}, len(similarity))
            for name in (_ACROSS, _WITHIN, _RANDOM)
        )
        return GeometryCurves(
            model=folder.name,
            words=words,
            anisotropy=anisotropy,
            self_similarity=_by_layer(similarity, len(similarity)),
            intra_sentence=within,
            explained=_by_layer(explained, len(similarity)),
            explained_random=random,
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{path}: figures of layer_0, layer_1, ... are expected ({error})") from None


def _by_layer(figures: dict[str, float], layers: int) -> NDArray[np.float64]:
    found = np.full(layers, np.nan)
    for name, value in figures.items():
        found[int(name.removeprefix("layer_"))] = value
    return found


def _means(path: Path) -> tuple[int, dict[str, float]]:
    """Number of words, and the mean of each column ``layer_N``."""
    check_input(path)
    reader = csv.DictReader(text for _, text in number_lines(read_lines(path), name=str(path)))
    layers = [name for name in reader.fieldnames or () if name.startswith("layer_")]
    rows = []
    for row in reader:
        try:
            rows.append([float(row[layer]) for layer in layers])
        except (ValueError, TypeError):
            raise DataError(
                f"{path}:{reader.line_num}: a word and {len(layers)} figures are expected"
            ) from None
    if not rows or not layers:
        raise DataError(f"{path}: a line of column names, then words with figures are expected, found none")
    return len(rows), dict(zip(layers, np.mean(rows, axis=0).tolist(), strict=True))
