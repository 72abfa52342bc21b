"""The options that commands share, and what is loaded and printed by them."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from analyses.scores.recall import GROUPS
from analyses.tables.results import Ran
from analyses.tables.table import FORMATS, SUFFIXES, Table, TableFormat
from analyses.tables.text import ROOM, text_of
from analyses.trees.adjust import ADJUSTMENTS, NONE, adjustment_name
from analyses.trees.methods import METHODS
from analyses.trees.protocols import PROTOCOLS
from probe.command_line import DONE, SOME_FAILED, Parser, UsageError, command_main, option_type
from probe.files import file_stem
from probe.option_groups import (
    ImpactOptions,
    InputOptions,
    ModelOptions,
    OutputOptions,
    RandomOptions,
    known,
    one_of,
)

if TYPE_CHECKING:
    from probe import Probe
    from probe.source import ImpactSource

_BESIDE = (
    "differences",
    *(f"by-{group}" for group in (*GROUPS, "type", "upos", "sequence", "pattern")),
    *(
        f"by-{group}-{measure}"
        for group in ("frequency", "pos")
        for measure in ("self-similarity-adjusted", "MEV-matched")
    ),
)
"""Endings of the stems of tables that stand beside one of scores, by whichever command."""


def add_options(
    parser: Parser,
    *,
    metrics: Sequence[str] = ("dist",),
    pool: str = "best",
    limit: str = "sentences of each corpus",
    constituents: bool = False,
) -> None:
    """Options of models, impact settings and output.

    Args:
        parser: of the command.
        metrics: the default of ``--metric``.
        pool: the default of ``--pool``.
        limit: what ``--limit`` limits.
        constituents: whether the decoders of the command are those of constituents.
    """
    InputOptions.add(parser, limit=limit)
    ModelOptions.add(parser, several=True)
    settings = ("metric", "layer", "pool", "perturb")
    ImpactOptions.add(parser, several=settings, metrics=metrics, pool=pool, matrices=True)
    RandomOptions.add(parser, seeds=3)
    OutputOptions.add(parser, formats=FORMATS)
    add_protocol(parser)
    add_method(parser, constituents=constituents)


def add_method(
    parser: Parser,
    *,
    methods: bool = False,
    several: bool | Collection[str] = True,
    constituents: bool = False,
    choose: Callable[[argparse.Namespace], str | None] | None = None,
    default: str = "none",
) -> None:
    """``--method``, ``--adjust`` and ``--openness-from``.

    Args:
        parser: of the command; ``ImpactOptions`` and the decoders are added before.
        methods: whether it takes several methods.
        several: whether the settings that a method bundles take several values, or those that do.
        constituents: whether ``--decoder`` is that of constituents.
        choose: the method where none is given, from the other options.
        default: what the help says of that.
    """
    group = parser.group("trees")
    about = "; ".join(f"{name}: {entry.about}" for name, entry in METHODS.items())
    text = f"sets metric, layer, pool, perturb, adjust and decoder unless given; {about} (default: {default})"
    if methods:
        group.add_argument("--method", nargs="+", help=f"one or several: {text}", **one_of(METHODS))
    else:
        group.add_argument("--method", help=text, **one_of(METHODS))
    listed = ("adjust", "perturb") if several is True else several or ()
    many: dict[str, Any] = {"nargs": "+", "default": [NONE]} if "adjust" in listed else {"default": NONE}
    shown = NONE if choose is None else "as the method"
    text = f"{', '.join(ADJUSTMENTS)}, or several joined by +, in turn (default: {shown})"
    group.add_argument("--adjust", type=option_type(adjustment_name), metavar="NAME", help=text, **many)
    text = "another masked LM, whose openness of words is read by adjustment openness (default: the model)"
    group.add_argument("--openness-from", metavar="MODEL", help=text)
    taken = {action.dest for action in parser._actions} | set(parser._defaults)

    def defaults(name: str) -> dict[str, object]:
        found: dict[str, object] = {}
        for setting, value in METHODS[name].settings(constituents=constituents).items():
            if f"{setting}s" in taken:
                found[f"{setting}s"] = [value]
            elif setting in taken:
                found[setting] = [value] if setting in listed else value
        return found

    parser.preset("method", defaults, choose)


def add_protocol(parser: Parser, *, several: bool = True) -> None:
    """``--protocol``: both by default where it takes several, else ``fair``."""
    group = parser.group("trees")
    if several:
        text = f"{', '.join(PROTOCOLS)} (default: all, a table each)"
        group.add_argument(
            "--protocol", nargs="+", default=PROTOCOLS, help=text, **known("protocol", PROTOCOLS)
        )
    else:
        text = f"{', '.join(PROTOCOLS)} (default: fair)"
        group.add_argument("--protocol", default="fair", help=text, **known("protocol", PROTOCOLS))


def add_decoders(parser: Parser, decoders: Mapping[str, object]) -> None:
    """``--decoder`` of a command that takes several, as ``decoders``; all by default."""
    text = f"{', '.join(decoders)} (default: all)"
    parser.group("trees").add_argument(
        "--decoder", dest="decoders", nargs="+", default=list(decoders), help=text, **one_of(decoders)
    )
    parser.rename(decoders="--decoder")


def load_models(args: argparse.Namespace) -> list[Probe]:
    """The models of the command.

    All are loaded before the first one runs: a misspelt name should not cost a night. ``--out`` is made here
    for the same reason.

    Raises:
        probe.command_line.UsageError: one model twice.
        probe.ModelError: a model cannot be loaded.
        OSError: ``--out`` cannot be made.
    """
    from probe.loading import load

    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    chosen = ModelOptions.of(args)
    if len(set(chosen.models)) < len(chosen.models):
        raise UsageError(f"--model: each model once, found {' '.join(chosen.models)}")
    return [load(name, device=chosen.device, dtype=chosen.dtype) for name in chosen.models]


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
    check_openness_from(args)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    given = any(getattr(args, name, None) is not None for name in ("data", "wsj"))
    say_sample(args, given=given)
    store = Store.open(args.matrices)
    if args.dtype not in ("auto", store.dtype):
        raise UsageError(f"--dtype {args.dtype}: the matrices of {args.matrices} are of {store.dtype}")
    return [store]


def check_openness_from(args: argparse.Namespace) -> None:
    """Refuse ``--openness-from`` beside ``--matrices``.

    Raises:
        probe.command_line.UsageError: both are given.
    """
    if args.matrices is not None and getattr(args, "openness_from", None) is not None:
        raise UsageError(
            "--openness-from does not go with --matrices, which keep the openness that probe run was asked for"
        )


def say_sample(args: argparse.Namespace, *, given: bool) -> None:
    """Say on stderr, unless ``--quiet``, that ``--matrices`` are read as those of the bundled sample.

    Args:
        args: options of the command.
        given: whether they name another input.
    """
    if not given and not args.quiet:
        text = f"--matrices {args.matrices} without --data: its sentences are to be the bundled sample's"
        print(text, file=sys.stderr)


def experiment_main(
    build_parser: Callable[[], argparse.ArgumentParser], run: Callable[[argparse.Namespace], Ran]
) -> Callable[[Sequence[str] | None], int]:
    """The ``main`` of a command whose ``run`` returns its tables as values: they are printed and written."""
    return command_main(build_parser, lambda args: finish(run(args), args))


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

    What an earlier run wrote beside one of them (``DIR/STEM-differences.*``, ``DIR/STEM-by-relation.*``) and this
    one does not is removed: it belongs to other scores.

    Raises:
        OSError: a file cannot be written or removed.
    """
    if ran.kept or args.out is None:
        return
    written = {path for stem, table in ran.tables for path in table.write(args.out, stem)}
    for stem, _ in ran.tables:
        for path in _beside(args.out, stem):
            if path not in written:
                path.unlink(missing_ok=True)


def _beside(folder: Path, stem: str) -> list[Path]:
    """The files of all tables that may stand beside one of scores."""
    stems = [file_stem(f"{stem}-{ending}") for ending in _BESIDE]
    return [folder / f"{each}.{suffix}" for each in stems for suffix in SUFFIXES.values()]


def show(tables: Sequence[Table], form: TableFormat, *, out: TextIO | None = None) -> None:
    """Print tables, to standard output unless told: JSON as one list of them, text as wide as the terminal."""
    if out is None and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as JSON must be, whatever the locale
    to = sys.stdout if out is None else out
    if form == "json":
        found = [json.loads(table.render(form)) for table in tables]
        print(json.dumps(found, indent=1, ensure_ascii=False), file=to)
    elif form == "table":
        room = shutil.get_terminal_size().columns if to.isatty() else ROOM
        print("\n".join(text_of(table.arranged, room=room) for table in tables), end="", file=to)
    else:
        print("\n".join(table.render(form) for table in tables), end="", file=to)
    to.flush()
