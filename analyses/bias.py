"""How far constituency decoders prefer a side: ``python -m analyses.bias``.

A decoder that is given random impacts knows nothing of the sentence, so what its trees have in common with
the right- and the left-branching tree is its own. Dyer et al. (2019, "A critical analysis of biased parsers
in unsupervised parsing", arXiv:1909.09428) show how much of a published F1 such a preference can make.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import comb
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

import parsers
from analyses import bias_report
from analyses.bracket_scores import count_brackets
from analyses.intervals import Interval, bootstrap
from analyses.protocols import PROTOCOLS, ProtocolName
from parsers import Bracketing, branching, span_scores
from probe.commands import DONE, Parser, exit_code, positive, whole_number

Floats = NDArray[np.float64]
Decoder = Callable[[Sequence[Floats]], list[Bracketing]]

SPAN_SCORES: dict[str, Callable[[ArrayLike], Floats]] = {
    "block": span_scores.block_contrast,
    "neighbour": span_scores.neighbour_contrast,
    "row": span_scores.row_similarity,
}


def _of_span_scores(
    decode: Callable[[Sequence[Floats]], list[Bracketing]], score: Callable[[ArrayLike], Floats]
) -> Decoder:
    return lambda impacts: decode([score(impact) for impact in impacts])


DECODERS: Mapping[str, Decoder] = {
    "mart-released": lambda impacts: parsers.mart_many(impacts, "released"),
    "mart-paper": lambda impacts: parsers.mart_many(impacts, "paper"),
    **{f"chart-{name}": _of_span_scores(parsers.chart_many, score) for name, score in SPAN_SCORES.items()},
    **{
        f"top-down-{name}": _of_span_scores(parsers.top_down_many, score)
        for name, score in SPAN_SCORES.items()
    },
}


@dataclass(frozen=True)
class Estimate:
    """A mean over random matrices, with its 95% bootstrap interval."""

    value: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Bias:
    """What the trees of a decoder on random matrices of n words have in common with the branchings.

    Attributes:
        decoder: its name.
        n: number of words.
        protocol: ``fair`` does not count the span of the whole sentence, ``wu2020`` does.
        right: mean F1 against the right-branching tree, 0 to 1.
        left: mean F1 against the left-branching tree.
        difference: right minus left.
    """

    decoder: str
    n: int
    protocol: ProtocolName
    right: Estimate
    left: Estimate
    difference: Estimate


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How many of the binary trees of n words a decoder can give.

    Attributes:
        decoder: its name.
        n: number of words.
        found: different trees that it gave in a search over random matrices: it can give at least these.
        allowed: trees of the form that its output has: it can give at most these.
        trees: all binary trees, the Catalan number C(n - 1).
    """

    decoder: str
    n: int
    found: int
    allowed: int
    trees: int


def measure_bias(
    decoder: str, n: int, *, matrices: int = 1000, scale: float = 1.0, seed: int = 0
) -> tuple[Bias, ...]:
    """Measure the bias of a decoder on random matrices, once under each protocol.

    Impacts are independent and uniform between 0 and `scale`; only ``mart-released``, which applies a
    softmax, depends on the scale. Matrices depend on n, their number, scale and seed alone.

    Args:
        decoder: a name in ``DECODERS``.
        n: number of words, at least 3, since smaller sentences have no bracket to score under ``fair``.
        matrices: how many.
        scale: largest impact.
        seed: of the matrices and of the bootstrap.

    Raises:
        ValueError: the decoder is unknown or n is below 3.
    """
    _check(decoder, n)
    impacts = scale * np.random.default_rng([seed, n]).random((matrices, n, n))
    trees = [tree.spans for tree in DECODERS[decoder](list(impacts))]

    def estimate(values: Floats) -> Estimate:
        interval = bootstrap(values, np.ones(matrices), seed=seed)
        return Estimate(float(values.mean()), interval)

    rows = []
    for protocol in PROTOCOLS:
        right, left = (
            count_brackets([tree.spans] * matrices, trees, lengths=[n] * matrices, protocol=protocol).f1
            for tree in (branching.right_branching(n), branching.left_branching(n))
        )
        row = Bias(
            decoder=decoder,
            n=n,
            protocol=protocol,
            right=estimate(right),
            left=estimate(left),
            difference=estimate(right - left),
        )
        rows.append(row)
    return tuple(rows)


def measure_reach(decoder: str, n: int, *, matrices: int = 1000, seed: int = 0) -> Reach:
    """Count the trees that a decoder gives on random matrices of very different scales and spreads.

    Impacts are log-normal; each matrix has its own scale, from .1 to 100, and its own spread (sigma), from 0
    to 4.

    Raises:
        ValueError: the decoder is unknown or n is below 3.
    """
    _check(decoder, n)
    rng = np.random.default_rng([seed, n])
    scale = 10 ** rng.uniform(-1, 2, (matrices, 1, 1))
    spread = rng.uniform(0, 4, (matrices, 1, 1))
    impacts = scale * np.exp(spread * rng.normal(size=(matrices, n, n)))
    found = {tree.spans for tree in DECODERS[decoder](list(impacts))}
    trees = comb(2 * n - 2, n - 1) // n
    allowed = _left_word_rest(n) if decoder == "mart-released" else trees
    return Reach(decoder=decoder, n=n, found=len(found), allowed=allowed, trees=trees)


@cache
def _left_word_rest(n: int) -> int:
    """Number of trees over n words all of whose spans are (left (word rest)): a Motzkin number."""
    if n < 2:
        return 1
    return sum(_left_word_rest(k) * _left_word_rest(n - k - 1) for k in range(1, n))


def _check(decoder: str, n: int) -> None:
    if decoder not in DECODERS:
        raise ValueError(f"expected a decoder out of {', '.join(DECODERS)}, found {decoder!r}")
    if n < 3:
        raise ValueError(f"expected at least 3 words, found {n}")


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="python -m analyses.bias",
        description="Right- and left-branching F1 of constituency decoders on random impact matrices, "
        "and how many of the binary trees each can give.",
    )
    add = parser.add_argument
    add("--decoder", nargs="+", choices=DECODERS, default=list(DECODERS), metavar="NAME", help="default: all")
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
    """Run the command; the exit code is 0, or 2 for wrong use."""
    args = build_parser().parse_args(argv)
    return exit_code("python -m analyses.bias", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
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
    sys.stdout.write(bias_report.text(rows, reaches, form=args.format, settings=settings))
    if args.out is not None:
        bias_report.write(rows, reaches, args.out, settings=settings)
    return DONE


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


if __name__ == "__main__":
    sys.exit(main())
