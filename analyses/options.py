"""The options that commands share, and what is loaded and printed by them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, cast

from analyses.tables.results import Ran
from analyses.tables.table import FORMATS, Table, TableFormat
from analyses.trees.protocols import PROTOCOLS
from probe.command_line import (
    DONE,
    SOME_FAILED,
    UsageError,
    add_device_options,
    layer_name,
    option_type,
    positive,
    whole_number,
)
from probe.metrics import METRICS
from probe.options import POOLS
from probe.perturbations import PERTURBATIONS

if TYPE_CHECKING:
    from probe import Probe
    from probe.source import ImpactSource


def add_options(parser: argparse.ArgumentParser, *, metrics: Sequence[str] = ("dist",)) -> None:
    """Options of models, impact settings and output; ``metrics`` are those of the command's default."""
    add = parser.add_argument
    parser.set_defaults(default_metrics=tuple(metrics))
    add("--model", nargs="+", help="bert (the embedded model, default), directories or hub ids")
    add("--matrices", type=Path, metavar="DIR", help="in place of a model: a directory of probe.run")
    add("--protocol", nargs="+", choices=PROTOCOLS, default=PROTOCOLS, help="default: both, a table each")
    add("--layers", nargs="+", type=layer_name, default=["best"], help="indices, all or best (default)")
    add(
        "--metrics",
        nargs="+",
        type=option_type(METRICS.resolve),
        help=f"{', '.join(METRICS)}; default: {' '.join(metrics)}; of --matrices: all",
    )
    add("--pools", nargs="+", choices=(*POOLS, "best"), default=["best"], help="default: best")
    add(
        "--perturb",
        nargs="+",
        type=option_type(PERTURBATIONS.resolve),
        default=["pair"],
        help=f"{', '.join(PERTURBATIONS)}; default: pair",
    )
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
        probe.command_line.UsageError: one model twice.
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
        probe.command_line.UsageError: also options that do not go together.
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


def finish(ran: Ran, args: argparse.Namespace) -> int:
    """Print and write the tables of a command; returns its exit code.

    Raises:
        OSError: a file cannot be written.
    """
    keep(ran, args)
    if ran.tables:
        show([table for _, table in ran.tables], cast(TableFormat, args.format))
    return SOME_FAILED if ran.failed else DONE


def keep(ran: Ran, args: argparse.Namespace) -> None:
    """Write each table as ``DIR/STEM.*``, where ``--out`` is given.

    Raises:
        OSError: a file cannot be written.
    """
    for stem, table in ran.tables if getattr(args, "out", None) is not None else ():
        table.write(args.out, stem)


def show(tables: Sequence[Table], form: TableFormat) -> None:
    """Print tables; on a terminal the signatures of a table's rows stand below it. JSON is one list of tables."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as JSON must be, whatever the locale
    if form == "json":
        print(json.dumps([json.loads(table.render(form)) for table in tables], indent=1, ensure_ascii=False))
    else:
        shown = [table.render(form) + (_signatures(table) if form == "table" else "") for table in tables]
        print("\n".join(shown), end="")
    sys.stdout.flush()


def _signatures(table: Table) -> str:
    lines = [f"{row.name} | {row.signature}\n" for row in table.rows if row.signature is not None]
    return "".join(["\n", *lines]) if lines else ""
