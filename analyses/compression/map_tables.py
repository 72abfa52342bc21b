"""Tables of the likeness of layers: the nearest of each, and all pairs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.compression.layer_maps import Floats, cka_interval, nearest, uniform_layer
from analyses.geometry.measures import bootstrap_means
from analyses.intervals import MIN_UNITS, Interval
from analyses.tables.signature import Settings, Signature, digest
from analyses.tables.table import Cell, Row, RowKind, Table
from probe import __version__

if TYPE_CHECKING:
    from data import Sentence
    from probe.model import Probe

COLUMNS = (
    "nearest by impacts",
    "correlation",
    "resamples that agree",
    "nearest by CKA",
    "CKA",
    "uniform",
    "correlation there",
    "CKA there",
)
RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class Likeness:
    """Of the layers of a model to those of another.

    Shapes:
        correlations: [sentences, a, b], of layers 1, 2, ...; NaN where a sentence has none
        cka, errors: [a + 1, b + 1], of layers 0, 1, ...; alignments and their standard errors
    """

    correlations: Floats
    cka: Floats
    errors: Floats

    @classmethod
    def mean_of(cls, several: Sequence[Likeness]) -> Likeness:
        """The mean of several random models; the errors are those of one, since they share the words."""
        return cls(
            correlations=np.mean([one.correlations for one in several], axis=0),
            cka=np.mean([one.cka for one in several], axis=0),
            errors=np.mean([one.errors for one in several], axis=0),
        )

    @property
    def mean(self) -> Floats:
        """The mean correlation of sentences that have one: [a, b]."""
        return np.asarray(_means(self.correlations.reshape(len(self.correlations), -1)).reshape(self.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Layers above the embeddings."""
        return self.correlations.shape[1:]

    def resampled(self, seed: int) -> Floats:
        """The mean correlations of resamples of the sentences: [resamples, a, b]."""
        flat = self.correlations.reshape(len(self.correlations), -1)
        return bootstrap_means(flat, resamples=RESAMPLES, seed=seed).reshape(-1, *self.shape)


def map_tables(
    models: tuple[Probe, Probe],
    own: Likeness,
    blank: Sequence[Likeness],
    nearness: Floats,
    *,
    sentences: Sequence[Sentence],
    name: str,
    words: int,
    skipped: int,
    args: argparse.Namespace,
) -> list[tuple[str, Table]]:
    """The nearest layers; correlations of all pairs; alignments of all pairs.

    Args:
        models: whose layers are the rows, and whose are the columns.
        own: their likeness.
        blank: that of random weights of the first, one a seed.
        nearness: [sentences, b], the correlation of impacts with how near the words stand.
        sentences: that were compared.
        name: of the data.
        words: whose states were compared.
        skipped: sentences that could not be compared.
        args: options of the command.
    """
    first, second = models
    signature = Signature(
        data=name,
        digest=digest(sentences),
        n=len(sentences),
        skipped=skipped or None,
        version=__version__,
        settings=Settings(
            metric=args.metric,
            perturb=args.perturb,
            pool=_pool(models, args),
            dtype=str(first.dtype).removeprefix("torch."),
        ),
        resamples=RESAMPLES,
        seed=args.seed,
        about=(f"words:{words}",),
    )
    title = f"{first.name} and {second.name} on {name}"
    rows = _nearest_rows(models, own, None, args.seed)
    if blank:
        rows = _nearest_rows(models, Likeness.mean_of(blank), len(blank), args.seed) + rows
    table = Table(
        title=f"The nearest layers: {title}",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(
            f"Rows: layers of {first.name}; nearest: layers of {second.name}; uniform: that of TinyBERT's map.",
            "correlation: Spearman's, of impacts off the diagonal, mean over sentences; "
            f"CKA: linear, without bias, of the states of {words:,} words.",
        ),
        signature=signature,
    )
    pairs = [
        ("impacts", "Correlation of impacts", _correlation_rows(models, own, nearness, args.seed), 1),
        ("cka", "Centred kernel alignment", _cka_rows(models, own, len(sentences)), 0),
    ]
    return [(f"layer-map-{name}", table)] + [
        (
            f"layer-map-{name}-{stem}",
            Table(
                title=f"{what}, all layers: {title}",
                columns=tuple(f"layer {layer}" for layer in range(lowest, second.n_layers + 1)),
                rows=tuple(of_pairs),
                signature=signature,
                column_settings=tuple(
                    Settings(model=second.name, layer=layer) for layer in range(lowest, second.n_layers + 1)
                ),
            ),
        )
        for stem, what, of_pairs, lowest in pairs
    ]


def _pool(models: tuple[Probe, Probe], args: argparse.Namespace) -> str:
    """The pool of both models, or what was asked for where they differ."""
    pools = {
        model.resolve(metric=args.metric, pool=args.pool, perturb=args.perturb).pools[0] for model in models
    }
    return pools.pop() if len(pools) == 1 else str(args.pool)


def _nearest_rows(models: tuple[Probe, Probe], found: Likeness, weights: int | None, seed: int) -> list[Row]:
    """A row a layer of the first model, or of so many seeds of its random weights."""
    first, second = models
    itself = first is second and weights is None
    mean, resampled = found.mean, found.resampled(seed)
    by_impacts = nearest(mean, but_itself=itself)
    by_cka = nearest(found.cka, but_itself=itself)
    agree = np.array([nearest(each, but_itself=itself) for each in resampled]) == by_impacts
    count = len(found.correlations)
    rows = []
    for layer in range(1, first.n_layers + 1):
        at, near, like = layer - 1, int(by_impacts[layer - 1]), int(by_cka[layer])
        kind: RowKind = "model" if weights is None else "baseline"
        cells = (
            Cell(near + 1, decimals=0),
            _correlation(mean[at, near], resampled[:, at, near], count),
            Cell(100 * float(agree[:, at].mean()), decimals=0),
            Cell(like, decimals=0),
            _alignment(found, layer, like, count),
            *(None if itself else each for each in _uniform(models, found, resampled, layer)),
        )
        blank = "" if weights is None else " random weights"
        made = Settings(model=first.name, layer=layer, random_weights=weights)
        name = f"{first.name}{blank}, layer {layer}"
        rows.append(
            Row(name=name, kind=kind, cells=cells if near >= 0 else (None,) * len(COLUMNS), settings=made)
        )
    return rows


def _uniform(
    models: tuple[Probe, Probe], found: Likeness, resampled: Floats, layer: int
) -> tuple[Cell | None, Cell | None, Cell | None]:
    """The layer that the uniform map gives a layer, and how alike the two are."""
    there = uniform_layer(layer, models[0].n_layers, models[1].n_layers)
    count, at = len(found.correlations), layer - 1
    return (
        Cell(there, decimals=0),
        _correlation(found.mean[at, there - 1], resampled[:, at, there - 1], count) if there else None,
        _alignment(found, layer, there, count),
    )


def _correlation_rows(models: tuple[Probe, Probe], found: Likeness, nearness: Floats, seed: int) -> list[Row]:
    """A row a layer of the first model, and one of how near words stand."""
    mean, resampled = found.mean, found.resampled(seed)
    count = len(found.correlations)
    near = bootstrap_means(nearness, resamples=RESAMPLES, seed=seed)
    values = _means(nearness)
    cells = tuple(_correlation(value, near[:, at], count) for at, value in enumerate(values))
    rows = [Row(name="words stand near", kind="baseline", cells=cells)]
    for at, layer in enumerate(range(1, models[0].n_layers + 1)):
        cells = tuple(
            _correlation(mean[at, other], resampled[:, at, other], count) for other in range(mean.shape[1])
        )
        made = Settings(model=models[0].name, layer=layer)
        rows.append(Row(name=f"{models[0].name}, layer {layer}", kind="model", cells=cells, settings=made))
    return rows


def _cka_rows(models: tuple[Probe, Probe], found: Likeness, count: int) -> list[Row]:
    return [
        Row(
            name=f"{models[0].name}, layer {layer}",
            kind="model",
            cells=tuple(_alignment(found, layer, other, count) for other in range(found.cka.shape[1])),
            settings=Settings(model=models[0].name, layer=layer),
        )
        for layer in range(found.cka.shape[0])
    ]


def _correlation(value: float, resampled: NDArray[np.float64], count: int) -> Cell | None:
    """A mean correlation with its interval, of so many sentences."""
    if not np.isfinite(value):
        return None
    there = resampled[np.isfinite(resampled)]
    interval = None
    if count >= MIN_UNITS and len(there):
        low, high = np.quantile(there, (0.025, 0.975))
        interval = Interval(float(low), float(high))
    return Cell.measured(float(value), interval, decimals=3)


def _alignment(found: Likeness, layer: int, other: int, count: int) -> Cell | None:
    value, error = float(found.cka[layer, other]), float(found.errors[layer, other])
    if other < 0 or not np.isfinite(value):
        return None
    interval = cka_interval(value, error) if count >= MIN_UNITS else None
    return Cell.measured(value, interval, decimals=3)


def _means(values: Floats) -> Floats:
    """The means of the columns, without NaN; NaN where there is nothing else."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0).sum(axis=0) / there.sum(axis=0))
