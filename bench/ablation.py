"""What each adjustment of method ``openness`` brings, added in turn and left out alone, with paired intervals.

    probe run --data en_ewt-ud-dev.conllu --perturb knockout --layer 4 --openness --out RUN
    python -m bench.ablation --data en_ewt-ud-dev.conllu --matrices RUN

UAS, UUAS and the share of roots found under ``fair``, in percent, with paired differences, 95% bootstrap over
sentences: in the first table to the row above, in the second, where a step or cue is left out of the whole method,
to the whole. No model runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

import probe
from analyses import decode
from analyses.intervals import paired_bootstrap
from analyses.scores.attachment import count_arcs
from analyses.trees.adjust import WEIGHTS, Weights, adjust
from analyses.trees.methods import METHODS
from analyses.trees.protocols import scored_words
from bench.stored import add_stored_options, read_stored
from data import DataError, Sentence

ADDED = (
    "none",
    "log+offset+symmetric",
    "log+offset+symmetric+root",
    "log+offset+symmetric+content+root",
    "log+offset+symmetric+content+root+summary",
    METHODS["openness"].adjust,
)
"""Steps added in turn."""

BEFORE = "log+offset+symmetric+openness+root"
"""What the method was before it knew cues."""


@dataclass(frozen=True)
class Row:
    """Adjustments of impacts and what they weigh, by a name."""

    name: str
    adjust: str
    weights: Weights = WEIGHTS


def left_out(whole: str) -> Iterator[Row]:
    """The whole without each of its steps, and without each of the cues of adjustment content."""
    steps = whole.split("+")
    for step in steps:
        yield Row(f"without {step}", "+".join(one for one in steps if one != step))
    for cue in ("frequent", "norm", "seen"):
        yield Row(f"without cue {cue}", whole, replace(WEIGHTS, **{cue: 0}))


@dataclass(frozen=True)
class Counts:
    """Of each sentence, int64 [sentences]: scored arcs, those right, right in either direction, right roots."""

    total: NDArray[np.int64]
    directed: NDArray[np.int64]
    undirected: NDArray[np.int64]
    root: NDArray[np.int64]

    def columns(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Numerators and denominators of UAS, UUAS and root."""
        ones = np.ones_like(self.root)
        return [(self.directed, self.total), (self.undirected, self.total), (self.root, ones)]


def counts(sentences: Sequence[Sentence], matrices: Sequence[probe.ImpactMatrix], row: Row) -> Counts:
    """Trees of a row, by Eisner's algorithm and protocol ``fair``, against the gold trees."""
    adjusted = [adjust(matrix, row.adjust, weights=row.weights) for matrix in matrices]
    return counts_of(sentences, decode(adjusted, protocol="fair", decoder="eisner"))


def counts_of(sentences: Sequence[Sentence], trees: Sequence[NDArray[np.int64]]) -> Counts:
    """Trees under protocol ``fair`` against the gold trees."""
    gold = [one.heads or () for one in sentences]
    arcs = count_arcs(gold, trees, scored=[scored_words(one, "fair") for one in sentences])
    root = [int(heads.index(0) == tree.tolist().index(0)) for heads, tree in zip(gold, trees, strict=True)]
    return Counts(arcs.total, arcs.directed, arcs.undirected, np.array(root, dtype=np.int64))


def report(sentences: Sequence[Sentence], matrices: Sequence[probe.ImpactMatrix]) -> Iterator[str]:
    """Both tables, a line at a time."""
    before: Counts | None = None
    yield from head("the row above")
    for name in ADDED:
        own = counts(sentences, matrices, Row(name, name))
        yield line(f"`{name}`", own, before)
        before = own
    yield ""
    yield from head("the whole")
    for row in (*left_out(ADDED[-1]), Row(f"`{BEFORE}`", BEFORE)):
        yield line(row.name, counts(sentences, matrices, row), before)


def head(beside: str, *, of: str = "`--adjust`") -> Iterator[str]:
    """The first lines of a table ``of`` something whose differences are those to a row of this name."""
    yield f"| {of} | UAS / UUAS | root | UAS, less {beside} | UUAS | root |"
    yield "|---|---:|---:|---:|---:|---:|"


def line(name: str, own: Counts, other: Counts | None) -> str:
    """A row of a table, with its differences to another row if there is one."""
    uas, uuas, root = (100 * right.sum() / total.sum() for right, total in own.columns())
    return f"| {name} | {uas:.1f} / {uuas:.1f} | {root:.1f} | {' | '.join(_differences(own, other))} |"


def _differences(own: Counts, other: Counts | None) -> list[str]:
    """UAS, UUAS and root of ``own`` less those of ``other``, with intervals."""
    if other is None:
        return ["", "", ""]
    shown = []
    for (right, total), (theirs, _) in zip(own.columns(), other.columns(), strict=True):
        found = paired_bootstrap(right, theirs, total)
        low, high = 100 * found.interval.low, 100 * found.interval.high
        shown.append(f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}]")
    return shown


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.ablation", description=__doc__)
    add_stored_options(parser)
    args = parser.parse_args(argv)
    try:
        sample, about = read_stored(args)
    except (OSError, DataError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(about, flush=True)
    for line in report(sample.sentences, sample.matrices):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
