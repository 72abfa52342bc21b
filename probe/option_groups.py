"""The options that commands share, in groups: one name and one meaning everywhere.

A group adds its options to a parser, and ``of`` reads it from what was parsed. A command may lack some options
of a group: then the group has their defaults.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, cast

from probe.command_line import Parser, UsageError, layer_name, one_layer, option_type, positive, whole_number
from probe.metrics import METRICS
from probe.options import POOLS, Layers
from probe.patterns import FULL, PATTERNS, attention_name
from probe.perturbations import PERTURBATIONS
from probe.registry import check_name
from probe.source import EMBEDDED


class Group:
    """What is common to the groups; their fields are named as the attributes of the namespace."""

    @classmethod
    def of(cls, args: argparse.Namespace) -> Self:
        """Read the group from parsed options."""
        names = [field.name for field in fields(cast(Any, cls))]
        return cls(**{name: getattr(args, name) for name in names if hasattr(args, name)})


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Group):
    """Which models, and where and how they compute."""

    model: str | Sequence[str] | None = None
    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int = 4_096

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all models: the embedded one if none is given."""
        return (self.model,) if isinstance(self.model, str) else tuple(self.model or (EMBEDDED,))

    @staticmethod
    def add(
        parser: Parser,
        *,
        several: bool = False,
        default: str | None = None,
        dtype: str = "auto",
        batch_tokens: bool = True,
    ) -> None:
        """Add ``--model``, ``--device``, ``--dtype`` and ``--batch-tokens``.

        Args:
            parser: of the command.
            several: whether it takes several models.
            default: what ``--model`` is where it is not given; None for the embedded model where it makes a
                difference whether it was given.
            dtype: the default of ``--dtype``.
            batch_tokens: whether the command has that option.
        """
        group = parser.group("model")
        what = "bert (the embedded model, default), a directory or a hub id"
        if several:
            more = f"{what}; several are compared"
            group.add_argument("--model", nargs="+", action="extend", metavar="NAME", help=more)
        else:
            group.add_argument("--model", default=default, metavar="NAME", help=what)
        add_device_options(group, dtype=dtype, batch_tokens=batch_tokens)


@dataclass(frozen=True, kw_only=True)
class ImpactOptions(Group):
    """Which impacts: a run directory in place of a model, and the settings; those with an s can be several."""

    matrices: Path | None = None
    metric: str = "dist"
    metrics: Sequence[str] | None = None
    default_metrics: Sequence[str] = ()
    layer: int | str = "best"
    layers: Sequence[int | str] | None = None
    pool: str = "best"
    pools: Sequence[str] | None = None
    perturb: str | Sequence[str] = "pair"
    attention: str = FULL

    @property
    def chosen_metrics(self) -> list[str]:
        """The metrics that are asked for, or those of the command."""
        return list(self.metrics or self.default_metrics or (self.metric,))

    @property
    def chosen_layers(self) -> Layers:
        """The layers, where all and best stand alone.

        Raises:
            UsageError: they do not.
        """
        values = [self.layer] if self.layers is None else list(self.layers)
        if all(isinstance(value, int) for value in values):
            return cast("list[int]", values)
        if len(values) > 1:
            raise UsageError("--layer: all and best stand alone")
        return "all" if values[0] == "all" else "best"

    @staticmethod
    def add(
        parser: Parser,
        *,
        several: Collection[str] = (),
        metrics: Sequence[str] = ("dist",),
        pool: str = "best",
        perturb: str = "pair",
        own: Sequence[str] = (),
        matrices: bool = False,
        attention: bool = True,
        layer: bool = True,
        of_method: bool = False,
    ) -> None:
        """Add ``--metric``, ``--layer``, ``--pool``, ``--perturb``, ``--attention`` and ``--matrices``.

        Args:
            parser: of the command.
            several: the settings that take several values.
            metrics: the default of ``--metric``; one, unless it takes several.
            pool, perturb: the defaults of ``--pool`` and ``--perturb``.
            own: metrics of the command, beside those of the registry.
            matrices: whether the command can read a run directory.
            attention: whether its impacts can be those under a pattern of attention.
            layer: whether a layer is chosen.
            of_method: whether a method has other defaults, also where none is given; the help says so.
        """
        group = parser.group("impacts")
        if matrices:
            text = "in place of a model: read the impact matrices of this directory of probe run"
            group.add_argument("--matrices", type=Path, metavar="DIR", help=text)

        def add(name: str, many: str, default: str, help: str, **options: Any) -> None:
            if name in several:
                if many != name:
                    parser.rename(**{many: f"--{name}"})
                options |= {"nargs": "+", "dest": many}
            first = [default] if name in several else default
            group.add_argument(f"--{name}", default=first, help=help, **options)

        shown = f"{' '.join(metrics)}; of --matrices: all" if matrices and "metric" in several else metrics[0]
        text = f"{', '.join((*own, *METRICS))} (default: {shown})"
        add("metric", "metrics", metrics[0], text, **one_of(METRICS, own))
        if "metric" in several:
            parser.set_defaults(metrics=None, default_metrics=tuple(metrics))
        kind, form = (
            (layer_name, "indices, all or best") if "layer" in several else (one_layer, "an index or best")
        )
        stated = "as the method" if of_method else None
        meaning = f"{form} (default: {stated or 'best'}); 0 = embeddings, -1 = last"
        if layer:
            add("layer", "layers", "best", meaning, type=kind, metavar="LAYER")
        pools = (*POOLS, "best")
        add("pool", "pools", pool, f"{', '.join(pools)} (default: {stated or pool})", **known("pool", pools))
        text = f"{', '.join(PERTURBATIONS)} (default: {stated or perturb})"
        add("perturb", "perturb", perturb, text, **one_of(PERTURBATIONS))
        if attention:
            text = f"who sees whom: {', '.join(PATTERNS)} (N words see each other; default: {FULL})"
            check = option_type(attention_name)
            group.add_argument("--attention", type=check, default=FULL, metavar="NAME", help=text)


@dataclass(frozen=True, kw_only=True)
class InputOptions(Group):
    """What is read."""

    data: Any = None
    limit: int | None = None

    @staticmethod
    def add(
        parser: Parser,
        *,
        help: str | None = None,
        metavar: str = "PATH",
        required: bool = False,
        type: Callable[[str], Any] = Path,
        nargs: str | None = None,
        limit: str | None = "sentences",
    ) -> None:
        """Add ``--data``, if there is a help text for it, and ``--limit``, unless None is limited."""
        group = parser.group("input")
        if help is not None:
            group.add_argument(
                "--data", type=type, nargs=nargs, metavar=metavar, required=required, help=help
            )
        if limit is not None:
            group.add_argument("--limit", type=positive, metavar="N", help=f"only the first N {limit}")


@dataclass(frozen=True, kw_only=True)
class OutputOptions(Group):
    """What is written, and where."""

    out: Path | None = None
    format: str | None = None
    strict: bool = False
    quiet: bool = False

    @staticmethod
    def add(
        parser: Parser,
        *,
        formats: Iterable[str] = (),
        default: str | None = "table",
        out: str | None = "write each table there, too, in every format",
        dest: str = "out",
        metavar: str = "DIR",
        required: bool = False,
        strict: str | None = None,
        quiet: bool = True,
    ) -> None:
        """Add ``--out``, ``--format``, ``--strict`` and ``--quiet``.

        Args:
            parser: of the command.
            formats: of standard output; without any there is no ``--format``.
            default: that of ``--format``.
            out: help of ``--out``; None where there is none.
            dest, metavar, required: of ``--out``; a file has another ``dest`` than the folder of tables.
            strict: what is skipped without ``--strict``; None where there is no such option.
            quiet: whether there is ``--quiet``.
        """
        add = parser.group("output").add_argument
        if out is not None:
            add("--out", dest=dest, type=Path, metavar=metavar, required=required, help=out)
        if names := tuple(formats):
            shown = f" (default: {default})" if default else " (default: by the suffix of --out)"
            add("--format", default=default, help=f"{', '.join(names)}{shown}", **known("format", names))
        if strict is not None:
            add("--strict", action="store_true", help=f"exit with 1 if {strict} is skipped")
        if quiet:
            add("--quiet", action="store_true", help="no progress bar, no summary")


@dataclass(frozen=True, kw_only=True)
class RandomOptions(Group):
    """What is drawn, and how often."""

    seed: int = 0
    seeds: int = 0

    @staticmethod
    def add(
        parser: Parser, *, of: str | None = "bootstrap and random trees", seeds: int | None = None
    ) -> None:
        """Add ``--seed``, if it is of anything, and ``--seeds`` where ``seeds`` is its default."""
        add = parser.group("randomness").add_argument
        if of is not None:
            add("--seed", type=whole_number, default=0, metavar="N", help=f"of {of} (default: 0)")
        if seeds is not None:
            add(
                "--seeds",
                type=whole_number,
                default=seeds,
                metavar="N",
                help="random-weight models a model; 0: none (default: %(default)s)",
            )


def add_device_options(
    parser: argparse._ActionsContainer, *, dtype: str = "auto", batch_tokens: bool = True
) -> None:
    """Options of where and how a model computes: ``--device``, ``--dtype`` and ``--batch-tokens``.

    Args:
        parser: of the command, or a group of its options.
        dtype: the default.
        batch_tokens: whether the command has that option.
    """
    add = parser.add_argument
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (default: auto)")
    types = "auto (float32), float32, bfloat16, float16, float64, fastest (as measured here)"
    add("--dtype", default=dtype, help=f"{types} (default: %(default)s)")
    if batch_tokens:
        text = "pieces in one forward pass (default: %(default)s)"
        add("--batch-tokens", type=positive, default=4_096, metavar="N", help=text)


def known(kind: str, names: Iterable[str]) -> dict[str, Any]:
    """Type, choices and metavar of an option that takes one of these names; others are told the nearest."""
    choices = tuple(names)
    check = option_type(lambda value: check_name(kind, value, choices))
    return {"type": check, "choices": choices, "metavar": "NAME"}


def one_of(registry: Any, own: Sequence[str] = ()) -> dict[str, Any]:
    """As :func:`known`, for the entries of a registry and its aliases, and names of the command's own."""
    check = option_type(lambda name: name if name in own else registry.resolve(name))
    # The registry itself knows names with an argument, such as substitute:ACGT.
    return {"type": check, "choices": (*own, *registry) if own else registry, "metavar": "NAME"}
