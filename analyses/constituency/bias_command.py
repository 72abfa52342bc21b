"""How far constituency decoders prefer a side: ``probe bias``."""

from __future__ import annotations

import argparse
import sys

from analyses.constituency import bias_tables as bias_report
from analyses.constituency.bias import measure_bias, measure_reach
from analyses.options import add_decoders, keep
from analyses.tables.results import Ran
from analyses.trees.decoders import CONSTITUENT_DECODERS
from probe.command_line import DONE, Parser, command_main, positive
from probe.option_groups import OutputOptions, RandomOptions


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe bias",
        description="Right- and left-branching F1 of constituency decoders on random impact matrices, "
        "and how many of the binary trees each can give.",
        failures="failed",
    )
    add = parser.add_argument
    add_decoders(parser, CONSTITUENT_DECODERS)
    add("--lengths", nargs="+", type=_length, default=[5, 10, 20, 40], metavar="N", help="numbers of words")
    add("--random-matrices", type=positive, default=1000, metavar="N", help="random matrices a length")
    add("--scale", type=_scale, default=1.0, help="impacts are uniform between 0 and this (default: 1)")
    add("--reach", type=int, default=6, metavar="N", help="count trees up to N words (below 3: do not)")
    RandomOptions.add(parser, of="matrices and bootstrap")
    where = "also write bias.csv, reach.csv and bias.pdf, .png, .svg there"
    OutputOptions.add(parser, formats=bias_report.FORMATS, out=where, quiet=False)
    parser.rename(matrices="--random-matrices")
    return parser


def run(args: argparse.Namespace) -> Ran:
    """The tables, one a protocol; with ``--out`` the figure and the files of all numbers are written."""
    return _measure(args)[1]


def _main(args: argparse.Namespace) -> int:
    text, ran = _measure(args)
    keep(ran, args)
    sys.stdout.write(text)
    return DONE


def _measure(args: argparse.Namespace) -> tuple[str, Ran]:
    if args.out is not None:
        bias_report.check_folder(args.out)
    settings = {"matrices": args.random_matrices, "scale": args.scale, "seed": args.seed}
    rows = [
        row for n in args.lengths for decoder in args.decoders for row in measure_bias(decoder, n, **settings)
    ]
    reaches = [
        measure_reach(decoder, n, matrices=args.random_matrices, seed=args.seed)
        for n in range(3, args.reach + 1)
        for decoder in args.decoders
    ]
    if args.out is not None:
        bias_report.write(rows, reaches, args.out, settings=settings)
    text = bias_report.text(rows, reaches, form=args.format, settings=settings)
    return text, Ran(tables=tuple(bias_report.bias_tables(rows, settings)))


def _length(value: str) -> int:
    n = positive(value)
    if n < 3:
        raise argparse.ArgumentTypeError(f"at least 3 words are expected, found {n}")
    return n


def _scale(value: str) -> float:
    try:
        scale = float(value)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1e6:
        raise argparse.ArgumentTypeError(f"a number above 0, up to 1e6, is expected, found {value!r}")
    return scale


main = command_main(build_parser, _main)
