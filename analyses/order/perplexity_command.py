"""Perplexity of texts in any order: ``probe perplexity --model bert --data held-out.txt``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.kept import KeptResults
from analyses.options import experiment_main, load_models
from analyses.order.orders import ORDERS
from analyses.order.perplexity import PSEUDO, WAYS, Reading, draws_of, read_in_order
from analyses.order.perplexity_tables import About, System, perplexity_tables, systems_of
from analyses.order.ratio_tables import ratio_tables
from analyses.order.texts import Sequences, cut_texts, read_texts, room
from analyses.tables.results import Ran
from analyses.tables.table import FORMATS
from probe.command_line import Parser, positive
from probe.errors import ProbeError, one_line
from probe.files import file_stem
from probe.option_groups import InputOptions, ModelOptions, OutputOptions, RandomOptions, one_of

if TYPE_CHECKING:
    from probe import Probe

LENGTH = 64
"""Pieces of a sequence: the passes of a text grow with the square of it."""


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe perplexity",
        description="Perplexity of texts under a masked language model whose pieces are predicted one by one: all "
        "others seen (pseudo), left to right, right to left, in random orders (Liao et al. 2020).",
        failures="some texts failed",
    )
    text = ".txt or .txt.xz (a text a line), .conllu, - for standard input (default: the bundled sample)"
    InputOptions.add(parser, help=text, metavar="FILE", type=str, limit="texts")
    add = parser.group("input").add_argument
    text = (
        f"cut texts into sequences of at most N pieces (default: {LENGTH}, or what the model's window takes)"
    )
    add("--length", type=positive, metavar="N", help=text)
    group = parser.group("orders")
    shown = (PSEUDO, "left-to-right", "random")
    text = f"{', '.join(WAYS)} (default: {' '.join(shown)})"
    group.add_argument(
        "--order", dest="orders", nargs="+", default=list(shown), help=text, **one_of(ORDERS, (PSEUDO,))
    )
    text = "random orders of each sequence (default: %(default)s)"
    group.add_argument("--draws", type=positive, default=3, metavar="N", help=text)
    # In bfloat16 logits are rounded to sixteenths.
    ModelOptions.add(parser, several=True, dtype="float32")
    RandomOptions.add(parser, of="random orders and bootstrap", seeds=1)
    text = "write there: each table in every format, and what is measured; started again it goes on"
    OutputOptions.add(parser, formats=FORMATS, out=text, strict="a text")
    return parser


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    texts, name = read_texts(args.data)
    texts = texts[: args.limit]
    ways = tuple(dict.fromkeys(args.orders))
    models = load_models(args)
    length = args.length or min(LENGTH, *(room(model) for model in models))
    about = About(data=name, ways=ways, length=length, draws=args.draws, seed=args.seed)
    cut = [cut_texts(model, texts, length=length) for model in models]
    systems: list[System] = []
    for model, sequences in zip(models, cut, strict=True):
        for reason in sequences.skipped:
            print(one_line(f"{model.name}: {reason}"), file=sys.stderr)
        if not sequences.pieces:
            raise ProbeError(f"{name}: {model.name} can read none of the {len(texts)} texts")
        folder = None if args.out is None else args.out / "measured" / file_stem(model.name)
        blank = [model.with_random_weights(seed=seed) for seed in range(args.seeds)]
        found = [
            _read(each, sequences, ways, args, folder, f"-random-weights-{seed}")
            for seed, each in enumerate(blank)
        ]
        random = _together(found, ways)
        readings = _read(model, sequences, ways, args, folder)
        systems += systems_of(model, sequences, readings, random, seeds=args.seeds)
    _check_finite(systems, ways)
    skipped = any(sequences.skipped for sequences in cut)
    tables = (*perplexity_tables(systems, about), *ratio_tables(systems, about))
    return Ran(tables=tables, failed=bool(args.strict and skipped))


def _read(
    model: Probe,
    sequences: Sequences,
    ways: Sequence[str],
    args: argparse.Namespace,
    folder: Path | None,
    mark: str = "",
) -> dict[str, list[Reading]]:
    """Every way, with a progress bar; what an earlier run read is taken from its files.

    Args:
        model: that reads.
        sequences: of its pieces.
        ways: to read.
        args: options of the command.
        folder: of what is read, a file an order; None: nothing is kept.
        mark: behind the names of these files.
    """
    from probe.progress import Progress

    draws = {way: draws_of(way, args.draws) for way in ways}
    once = sum(len(each.positions) for each in sequences.pieces)
    kept = KeptResults(folder, model, sequences.sha256())
    with Progress(
        sentences=sum(draws.values()), passes=once * sum(draws.values()), label=model.name, quiet=args.quiet
    ) as progress:
        found: dict[str, list[Reading]] = {}
        for way, count in draws.items():
            for draw in range(count):
                make = partial(
                    read_in_order,
                    model,
                    sequences.pieces,
                    way,
                    seed=args.seed + draw,
                    batch_tokens=args.batch_tokens,
                    on_passes=progress.passes,
                )
                name = f"{way}-{args.seed + draw}{mark}"
                found.setdefault(way, []).append(kept(name, Reading, make))
    return found


def _together(
    found: Sequence[Mapping[str, Sequence[Reading]]], ways: Sequence[str]
) -> dict[str, list[Reading]]:
    return {way: [reading for each in found for reading in each[way]] for way in ways}


def _check_finite(systems: Sequence[System], ways: Sequence[str]) -> None:
    import numpy as np

    for system in systems:
        for way in ways:
            if not np.isfinite(system.log_probabilities(way)).all():
                raise ProbeError(f"{system.name}: log-probabilities are not finite: try dtype float32")


main = experiment_main(build_parser, run)
