"""How far constituency decoders prefer a side: ``probe bias``.

A decoder that is given random impacts knows nothing of the sentence, so what its trees have in common with
the right- and the left-branching tree is its own. Dyer et al. (2019, "A critical analysis of biased parsers
in unsupervised parsing", arXiv:1909.09428) show how much of a published F1 such a preference can make.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np

from analyses.intervals import MIN_UNITS, Interval, bootstrap
from analyses.scores.brackets import count_brackets
from analyses.trees.arc_scores import Floats
from analyses.trees.decoders import CONSTITUENT_DECODERS
from analyses.trees.protocols import PROTOCOLS, ProtocolName
from parsers import branching


@dataclass(frozen=True)
class Estimate:
    """A mean over random matrices, with its 95% bootstrap interval; none of fewer than ``MIN_UNITS``."""

    value: float
    interval: Interval | None


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
        decoder: a name in ``CONSTITUENT_DECODERS``.
        n: number of words, at least 3, since smaller sentences have no bracket to score under ``fair``.
        matrices: how many.
        scale: largest impact.
        seed: of the matrices and of the bootstrap.

    Raises:
        ValueError: the decoder is unknown or n is below 3.
    """
    _check(decoder, n)
    impacts = scale * np.random.default_rng([seed, n]).random((matrices, n, n))
    trees = [tree.spans for tree in CONSTITUENT_DECODERS[decoder].decode(list(impacts))]

    def estimate(values: Floats) -> Estimate:
        enough = matrices >= MIN_UNITS
        interval = bootstrap(values, np.ones(matrices), seed=seed) if enough else None
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
    found = {tree.spans for tree in CONSTITUENT_DECODERS[decoder].decode(list(impacts))}
    trees = comb(2 * n - 2, n - 1) // n
    allowed = _left_word_rest(n) if CONSTITUENT_DECODERS[decoder].left_word_rest else trees
    return Reach(decoder=decoder, n=n, found=len(found), allowed=allowed, trees=trees)


@cache
def _left_word_rest(n: int) -> int:
    """Number of trees over n words all of whose spans are (left (word rest)): a Motzkin number."""
    if n < 2:
        return 1
    return sum(_left_word_rest(k) * _left_word_rest(n - k - 1) for k in range(1, n))


def _check(decoder: str, n: int) -> None:
    CONSTITUENT_DECODERS.resolve(decoder)
    if n < 3:
        raise ValueError(f"expected at least 3 words, found {n}")
