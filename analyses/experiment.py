"""What the commands of the paper's tables share: options, models, impact matrices, output."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from analyses.adjust import Adjustment, adjust
from analyses.intervals import paired_bootstrap
from analyses.protocols import PROTOCOLS
from analyses.signature import Settings
from analyses.tables import FORMATS, Table, TableFormat
from probe import __version__
from probe.commands import UsageError, add_device_options, layer_name, positive, whole_number
from probe.errors import SentenceError
from probe.options import METRICS, PERTURBS, POOLS, Layers, Metric, Perturb, Pool

if TYPE_CHECKING:
    from probe import ImpactMatrix, ImpactSet, Probe
    from probe.source import ImpactSource

Matrices: TypeAlias = "tuple[ImpactMatrix, ...]"
"""The matrices of one sentence, one a variant."""


@dataclass(frozen=True)
class Variant:
    """One combination of impact settings, resolved: ``layer`` counts from 0 = embeddings."""

    metric: Metric
    layer: int
    pool: Pool
    perturb: Perturb
    adjust: Adjustment = "none"

    def __str__(self) -> str:
        """``dist, layer 12, mean``; perturbation and adjustment only where they are not the paper's."""
        parts = [self.metric, f"layer {self.layer}", self.pool]
        parts += [self.perturb] if self.perturb != "pair" else []
        return ", ".join(parts + ([self.adjust] if self.adjust != "none" else []))

    def settings(self, model: ImpactSource, *, decoder: str, name: str | None = None) -> Settings:
        """What goes into the signature of a score; ``name`` is that of the model where it has another."""
        return Settings(
            decoder=decoder,
            model=name or model.name,
            metric=self.metric,
            layer=self.layer,
            pool=self.pool,
            perturb=self.perturb,
            adjust=self.adjust if self.adjust != "none" else None,
            dtype=str(model.dtype).removeprefix("torch."),
        )


def add_options(parser: argparse.ArgumentParser, *, metrics: Sequence[Metric] = ("dist",)) -> None:
    """Options of models, impact settings and output; ``metrics`` are those of the command's default."""
    add = parser.add_argument
    parser.set_defaults(default_metrics=tuple(metrics))
    add("--version", action="version", version=f"%(prog)s {__version__}")
    add("--model", nargs="+", help="bert (the embedded model, default), directories or hub ids")
    add("--matrices", type=Path, metavar="DIR", help="in place of a model: a directory of probe.run")
    add("--protocol", nargs="+", choices=PROTOCOLS, default=PROTOCOLS, help="default: both, a table each")
    add("--layers", nargs="+", type=layer_name, default=["best"], help="indices, all or best (default)")
    add("--metrics", nargs="+", choices=METRICS, help=f"default: {' '.join(metrics)}; of --matrices: all")
    add("--pools", nargs="+", choices=(*POOLS, "best"), default=["best"], help="default: best")
    add("--perturb", nargs="+", choices=PERTURBS, default=["pair"], help="default: pair")
    add_seeds(parser)
    add("--seed", type=whole_number, default=0, help="of bootstrap and random trees (default: 0)")
    add("--limit", type=positive, metavar="N", help="only the first N sentences or documents of each corpus")
    add("--format", choices=FORMATS, default="table", help="of standard output (default: table)")
    add("--out", type=Path, metavar="DIR", help="write each table there, too, in every format")
    add_device_options(parser)
    add("--quiet", action="store_true", help="no progress bar")


def add_seeds(parser: argparse.ArgumentParser) -> None:
    """``--seeds``: how many times the architecture is run with random weights."""
    parser.add_argument(
        "--seeds",
        type=whole_number,
        default=3,
        metavar="N",
        help="random-weight models a model; 0: none (default: 3)",
    )


def load_models(args: argparse.Namespace) -> list[Probe]:
    """The models of the command.

    All are loaded before the first one runs: a misspelt name should not cost a night. ``--out`` is made here
    for the same reason.

    Raises:
        probe.commands.UsageError: one model twice.
        probe.ModelError: a model cannot be loaded.
        OSError: ``--out`` cannot be made.
    """
    from probe.loading import EMBEDDED, load

    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    names = args.model or [EMBEDDED]
    if len(set(names)) < len(names):
        raise UsageError(f"--model: each model once, found {' '.join(names)}")
    return [load(name, device=args.device, dtype=args.dtype) for name in names]


def load_sources(args: argparse.Namespace) -> list[ImpactSource]:
    """As :func:`load_models`, or in place of models the run directory of ``--matrices``.

    Raises:
        probe.commands.UsageError: also options that do not go together.
        probe.store.StoreError: the run directory cannot be loaded.
    """
    from probe.store import Store

    if args.matrices is None:
        return list(load_models(args))
    if args.model is not None:
        raise UsageError("--model does not go with --matrices, which come from a model already: choose one")
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    store = Store.open(args.matrices)
    if args.dtype not in ("auto", store.dtype):
        raise UsageError(f"--dtype {args.dtype}: the matrices of {args.matrices} are of {store.dtype}")
    return [store]


def random_weights(model: ImpactSource, args: argparse.Namespace) -> Iterator[Probe]:
    """The same architecture with random weights, ``--seeds`` times; never for stored matrices."""
    from probe.model import Probe

    if isinstance(model, Probe):
        for seed in range(args.seeds):
            yield model.with_random_weights(seed=seed)


def variants(model: ImpactSource, args: argparse.Namespace) -> tuple[Variant, ...]:
    """The combinations of ``--metrics``, ``--layers``, ``--pools`` and ``--perturb`` for a model.

    "best" is resolved metric by metric, so that ``dist`` keeps its layer beside ``prob``.

    Raises:
        probe.OptionError: a layer that the model does not have, or a pool that goes with none of the metrics.
        probe.commands.UsageError: ``all`` or ``best`` beside other layers.
    """
    from probe.store import Store

    metrics = args.metrics or args.default_metrics
    if args.metrics is None and isinstance(model, Store):
        metrics = model.configuration.metric
    layers = _layers(args.layers)
    found = [
        Variant(*combination)
        for metric in metrics
        for combination in model.resolve(
            metric=metric, layer=layers, pool=args.pools, perturb=args.perturb
        ).combinations()
    ]
    return tuple(dict.fromkeys(found))


def _layers(values: Sequence[int | str]) -> Layers:
    indices = [value for value in values if isinstance(value, int)]
    if len(indices) == len(values):
        return indices
    if len(values) > 1:
        raise UsageError("--layers: all and best stand alone")
    return "all" if values[0] == "all" else "best"


def matrices(
    model: ImpactSource,
    sentences: Sequence[Sequence[str]],
    chosen: Sequence[Variant],
    args: argparse.Namespace,
    *,
    label: str,
) -> Iterator[Matrices | SentenceError]:
    """Impact matrices of all variants from one pass, streamed in input order with a progress bar.

    Yields:
        For each sentence the matrices in the order of ``chosen``, or why it could not be probed.

    Raises:
        probe.OptionError, probe.ModelError, probe.store.StoreError: as ``impact_many`` of model or store.
    """
    from probe.plan import n_variants
    from probe.progress import Progress

    runs = args.matrices is None
    pairs = any(variant.perturb == "pair" for variant in chosen)
    sizes = [n_variants(len(words), pairs=pairs) if runs else 0 for words in sentences]
    with Progress(sentences=len(sizes), passes=sum(sizes), label=label, quiet=args.quiet) as progress:
        results = model.impact_many(
            sentences,
            metric=list(dict.fromkeys(variant.metric for variant in chosen)),
            layer=list(dict.fromkeys(variant.layer for variant in chosen)),
            pool=list(dict.fromkeys(variant.pool for variant in chosen)),
            perturb=list(dict.fromkeys(variant.perturb for variant in chosen)),
            batch_tokens=args.batch_tokens,
            on_passes=progress.passes,
            errors="return",
        )
        for size, result in zip(sizes, results, strict=True):
            picked = result if isinstance(result, SentenceError) else _pick(cast("ImpactSet", result), chosen)
            progress.sentence(size, ran=not isinstance(picked, SentenceError))
            yield picked


def _pick(found: ImpactSet, chosen: Sequence[Variant]) -> Matrices | SentenceError:
    """The matrices of the variants; half precision can overflow, and then there are none."""
    by_variant = {Variant(m.metric, m.layer, m.pool, m.perturb): m for m in found}
    picked = tuple(adjust(by_variant[replace(variant, adjust="none")], variant.adjust) for variant in chosen)
    if all(np.isfinite(matrix.values).all() for matrix in picked):
        return picked
    return SentenceError("its impacts are not finite: try dtype float32")


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A row of a table as counts: correct and all items of each sentence, both [sentences].

    A row that sums several runs (seeds of random weights, random trees) has their sums in both.
    """

    name: str
    correct: ArrayLike
    total: ArrayLike

    @property
    def value(self) -> float:
        """Share of the correct items, from 0 to 1."""
        return float(np.sum(self.correct) / np.sum(self.total))


def paired_note(column: str, row: Counted, baselines: Sequence[Counted], *, seed: int) -> str:
    """A row against the strongest baseline of a column, by ``analyses.paired_bootstrap``.

    Difference and interval are in points of percent: ``UAS -2.3 [-3.4, -1.1] to right-chain (p = 0.001)``.
    """
    strongest = max(baselines, key=lambda baseline: baseline.value)
    total = np.asarray(row.total, dtype=np.float64)
    # The baseline may be a sum over several runs; a mean over them shares the denominator of the row.
    runs = np.sum(strongest.total) / total.sum()
    found = paired_bootstrap(row.correct, np.asarray(strongest.correct) / runs, total, seed=seed)
    low, high = 100 * found.interval.low, 100 * found.interval.high
    difference = f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}]"
    return f"{column} {difference} to {strongest.name} (p = {found.p_value:.3f})"


def emit(tables: Sequence[tuple[str, Table]], args: argparse.Namespace) -> None:
    """Print the tables in ``--format``, and write each as ``DIR/STEM.*`` where ``--out`` is given.

    On a terminal the signatures of a table's rows stand below it. JSON is one list of tables.

    Args:
        tables: pairs of the stem of the file names and the table.
        args: parsed options of ``add_options``.

    Raises:
        OSError: a file cannot be written.
    """
    if args.out is not None:
        for stem, table in tables:
            table.write(args.out, stem)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as JSON must be, whatever the locale
    form = cast(TableFormat, args.format)
    if form == "json":
        print(
            json.dumps([json.loads(table.render(form)) for _, table in tables], indent=1, ensure_ascii=False)
        )
    else:
        shown = [table.render(form) + (_signatures(table) if form == "table" else "") for _, table in tables]
        print("\n".join(shown), end="")
    sys.stdout.flush()


def _signatures(table: Table) -> str:
    lines = [f"{row.name} | {signature}\n" for row in table.rows for signature in row.signatures]
    return "".join(["\n", *lines]) if lines else ""
