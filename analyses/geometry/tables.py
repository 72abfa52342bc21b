"""The geometry of models as tables, and as the files of values by word."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analyses.geometry.measures import Floats
from analyses.geometry.summary import ISOTROPY, SIMILARITY, VARIANCE, Curve, Group, Summary, by_group
from analyses.intervals import Interval
from analyses.tables.signature import Settings, Signature
from analyses.tables.table import Cell, Row, Table
from probe.files import whole_file

if TYPE_CHECKING:
    from analyses.geometry.stream import Geometry
    from data.geometry_curves import GeometryCurves

CITATION = "Ethayarajh, EMNLP 2019"
_CURVE_COLUMNS = {
    "anisotropy": "anisotropy",
    "self-similarity": "self_similarity",
    "intra-sentence": "intra_sentence",
    "explained as released": "explained",
}

_RELEASED = (*SIMILARITY[:-1], VARIANCE[-1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A model on a corpus.

    Attributes:
        geometry: what the pass gave.
        summary: its measures by layer.
        signatures: one a layer.
        groups: the group of each word, by kind of group.
        unknown_words: how many words of its sentences the vocabulary does not know, and how many there are.
    """

    geometry: Geometry
    summary: Summary
    signatures: tuple[Signature, ...]
    groups: Mapping[Group, Sequence[str]]
    unknown_words: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """The model's name without folders."""
        return Path(self.geometry.model).name

    @property
    def signature(self) -> Signature:
        """Of all layers."""
        first = self.signatures[0]
        return replace(first, settings=replace(first.settings, layer=None))


def geometry_tables(measured: Measured, *, notes: Sequence[str], seed: int) -> list[tuple[str, Table]]:
    """Tables by layer and their file stems: contextuality, isotropy, and two for each kind of group."""
    name, summary = measured.name, measured.summary
    isotropy = {measure: Curve.exact(values) for measure, values in summary.isotropy.items()}
    found = [
        (
            f"geometry-{name}",
            _layer_table(measured, f"Geometry of {name}", SIMILARITY, summary.curves, notes),
        ),
        (
            f"mev-{name}",
            _layer_table(measured, f"Explained variance of {name}", VARIANCE, summary.curves, ()),
        ),
        (f"isotropy-{name}", _layer_table(measured, f"Isotropy of {name}", ISOTROPY, isotropy, _NOTES)),
    ]
    for group, groups in measured.groups.items():
        for measure, excess in summary.excess.items():
            stem = f"geometry-{name}-by-{group}-{measure.replace(' ', '-')}"
            found.append((stem, _group_table(measured, group, groups, measure, excess, seed)))
    return found


def _layer_table(
    measured: Measured,
    title: str,
    columns: Sequence[str],
    curves: Mapping[str, Curve],
    notes: Sequence[str],
) -> Table:
    rows = [
        Row(
            name=f"{measured.name} layer {layer}",
            kind="model",
            cells=tuple(_cell(curves[column], layer) for column in columns),
            signature=signature,
        )
        for layer, signature in enumerate(measured.signatures)
    ]
    return Table(title=title, columns=tuple(columns), rows=tuple(rows), notes=tuple(notes))


_NOTES = (
    "IsoScore: 1 where all dimensions vary alike, 0 where one does (Rudman et al. 2022). top k: share of the "
    "anisotropy that the k strongest dimensions contribute. without k, standardized: anisotropy of the "
    "sampled words with these dimensions removed, with all standardised (Timkey and van Schijndel 2021).",
)


def _group_table(
    measured: Measured, group: Group, groups: Sequence[str], measure: str, excess: Floats, seed: int
) -> Table:
    rows = [
        Row(
            name=f"{label} ({words:,} word{'s' * (words > 1)})",
            kind="model",
            cells=tuple(_cell(curve, layer) for layer in range(len(curve.value))),
        )
        for label, (words, curve) in by_group(excess, groups, seed=seed).items()
    ]
    columns = tuple(f"layer {layer}" for layer in range(measured.geometry.n_layers))
    return Table(
        title=f"{measure} of {measured.name} by {group}",
        columns=columns,
        rows=tuple(rows),
        signature=measured.signature,
        column_settings=tuple(signature.settings for signature in measured.signatures),
    )


def released_table(curves: Iterable[GeometryCurves]) -> tuple[str, Table]:
    """The released figures, marked as published."""
    rows = []
    for model in curves:
        values = {measure: getattr(model, field) for measure, field in _CURVE_COLUMNS.items()}
        values["self-similarity adjusted"] = model.self_similarity - model.anisotropy
        values["intra-sentence adjusted"] = model.intra_sentence - model.anisotropy
        absent = np.full(len(model.anisotropy), np.nan)
        shown = [Curve.exact(values.get(measure, absent)) for measure in _RELEASED]
        rows += [
            Row(
                name=f"{model.model} layer {layer}",
                kind="published",
                cells=tuple(_cell(curve, layer) for curve in shown),
                settings=Settings(model=model.model, layer=layer),
            )
            for layer in range(len(model.anisotropy))
        ]
    note = "Words of BERT are pieces; the random words are a sample of 1,000."
    return "geometry-released", Table(
        title=f"{CITATION}, released figures", columns=_RELEASED, rows=tuple(rows), notes=(note,)
    )


def _cell(curve: Curve, layer: int) -> Cell | None:
    value, low, high = (float(part[layer]) for part in (curve.value, curve.low, curve.high))
    if not np.isfinite(value):
        return None
    bounded = np.isfinite(low) and np.isfinite(high)
    return Cell(value, Interval(low, high) if bounded else None, decimals=3, too_few=curve.too_few)


def write_words(folder: Path, geometry: Geometry, *, name: str) -> list[Path]:
    """Write self-similarity and MEV of each word, one file each, in the layout of the released figures.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for measure, values in (("self-similarity", geometry.self_similarity), ("mev", geometry.mev)):
        path = folder / f"{measure}-{name}.csv"
        with whole_file(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["word", *(f"layer_{layer}" for layer in range(geometry.n_layers))])
            for word, row in zip(geometry.words, values.tolist(), strict=True):
                writer.writerow([word, *(f"{value:.6g}" for value in row)])
        paths.append(path)
    return paths
