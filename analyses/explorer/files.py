"""What can be downloaded from the explorer: the matrix, the tree and the pictures of a view."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from analyses.explorer.view import View
from probe.metrics import METRICS


@dataclass(frozen=True)
class File:
    """A kind of file: its media type and how it is made."""

    media_type: str
    make: Callable[[View], bytes]


def matrix_safetensors(view: View) -> bytes:
    """The impact matrix, for ``probe.ImpactMatrix.load``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "matrix.safetensors"
        view.matrix.save(path)
        return path.read_bytes()


def matrix_csv(view: View) -> bytes:
    """The impact matrix: a row for each word that is influenced, a column for each that is masked."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["", *view.sentence.words])
    for word, row in zip(view.sentence.words, view.matrix.values.tolist(), strict=True):
        writer.writerow([word, *row])
    return text.getvalue().encode()


def tree_conllu(view: View) -> bytes:
    """The dependency tree, as ``probe.parse --format conllu`` writes it."""
    from data import to_conllu

    return to_conllu(view.sentence, view.heads).encode()


def arcs_svg(view: View) -> str:
    """The dependency tree as a picture."""
    from analyses.pictures.arcs_svg import arcs_svg

    return arcs_svg(view.sentence.words, view.heads)


def heatmap_svg(view: View) -> str:
    """The impact matrix as a picture."""
    from probe.svg import heatmap_svg

    scale = METRICS[view.matrix.metric].label
    return heatmap_svg(view.sentence.words, view.matrix.values, scale=scale)


def brackets_svg(view: View) -> str:
    """The binary tree as a picture."""
    from analyses.pictures.brackets_svg import brackets_svg

    return brackets_svg(view.constituents, view.bracketing)


def _picture(draw: Callable[[View], str]) -> File:
    return File("image/svg+xml", lambda view: draw(view).encode())


FILES: Mapping[str, File] = {
    "matrix.safetensors": File("application/octet-stream", matrix_safetensors),
    "matrix.csv": File("text/csv; charset=utf-8", matrix_csv),
    "tree.conllu": File("text/plain; charset=utf-8", tree_conllu),
    "arcs.svg": _picture(arcs_svg),
    "heatmap.svg": _picture(heatmap_svg),
    "brackets.svg": _picture(brackets_svg),
}
"""By the name under which a file is saved."""
