"""How far constituency decoders prefer a side: ``probe bias``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analyses.constituency import bias_tables as bias_report
from analyses.constituency.bias import measure_bias, measure_reach
from analyses.options import keep
from analyses.tables.results import Ran
from analyses.trees.decoders import CONSTITUENT_DECODERS
from probe.command_line import DONE, Parser, exit_code, option_type, positive, whole_number


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe bias",
        description="Right- and left-branching F1 of constituency decoders on random impact matrices, "
        "and how many of the binary trees each can give.",
        failures="failed",
    )
    add = parser.add_argument
    add(
        "--decoder",
        nargs="+",
        type=option_type(CONSTITUENT_DECODERS.resolve),
        default=list(CONSTITUENT_DECODERS),
        metavar="NAME",
        help=f"default: all, {', '.join(CONSTITUENT_DECODERS)}",
    )
    add("--lengths", nargs="+", type=_length, default=[5, 10, 20, 40], metavar="N", help="numbers of words")
    add("--matrices", type=positive, default=1000, metavar="N", help="random matrices a length")
    add("--scale", type=_scale, default=1.0, help="impacts are uniform between 0 and this (default: 1)")
    add("--reach", type=int, default=6, metavar="N", help="count trees up to N words (below 3: do not)")
    add("--seed", type=whole_number, default=0, metavar="N", help="of matrices and bootstrap")
    add("--format", choices=bias_report.FORMATS, default="table", help=", ".join(bias_report.FORMATS))
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="also write bias.csv, reach.csv and bias.pdf, .png, .svg there",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    return exit_code(parser.prog, lambda: _main(args))


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
    settings = {"matrices": args.matrices, "scale": args.scale, "seed": args.seed}
    rows = [
        row for n in args.lengths for decoder in args.decoder for row in measure_bias(decoder, n, **settings)
    ]
    reaches = [
        measure_reach(decoder, n, matrices=args.matrices, seed=args.seed)
        for n in range(3, args.reach + 1)
        for decoder in args.decoder
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
