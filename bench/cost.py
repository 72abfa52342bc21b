"""What probing costs by length, corpus and threads: ``python -m bench.cost --input FILE.conllu``.

Processor seconds of ``pair``, ``single`` and ``knockout`` on the last layer, timed in turn, as JSON, one object
each:

- for ``--words``, sentences of so many words, or as near as there are;
- for ``--corpus``, so many sentences, evenly spread over the lengths of the input: one run each, since they are
  long;
- for ``--threads``, the first of ``--words`` with so many threads.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import probe
from bench import shapes
from bench.corpus import words_of
from bench.engine import Sentences, ours, spread_by_length
from bench.in_turn import Seconds, medians

PERTURBS = ("pair", "single", "knockout")
_READ = 10_000
"""Sentences of the input that are looked at."""


def cost(
    p: probe.Probe, sentences: Sentences, *, perturbs: Sequence[str], repeats: int
) -> dict[str, dict[str, float]]:
    """By perturbation: sequences, and median seconds of the processor and by the clock."""
    runs = {name: partial(ours, p, sentences, perturb=name, layer=-1) for name in perturbs}
    for name in perturbs:
        ours(p, sentences[:1], perturb=name, layer=-1)
    seconds = medians(p.device, runs, repeats=repeats)
    return {
        name: {"sequences": sum(p.passes(words, [name]) for words in sentences), **_rounded(found)}
        for name, found in seconds.items()
    }


def by_threads(
    p: probe.Probe, sentences: Sentences, *, counts: Sequence[int], repeats: int
) -> Iterator[tuple[int, dict[str, dict[str, float]]]]:
    """For each number of threads, seconds by perturbation; all numbers are timed in turn."""

    def run(count: int, perturb: str) -> None:
        with _threads(count):
            ours(p, sentences, perturb=perturb, layer=-1)

    runs = {(count, name): partial(run, count, name) for count in counts for name in ("pair", "knockout")}
    for one in runs.values():
        one()
    found = medians(
        p.device, {f"{count} {name}": one for (count, name), one in runs.items()}, repeats=repeats
    )
    for count in counts:
        yield count, {name: _rounded(found[f"{count} {name}"]) for name in ("pair", "knockout")}


def _rounded(seconds: Seconds) -> dict[str, float]:
    return {"processor seconds": round(seconds.processor, 4), "seconds": round(seconds.clock, 4)}


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def nearest(sentences: Sentences, words: int, count: int) -> Sentences:
    """So many sentences whose lengths are nearest to a number of words: the first ones of that length, mostly."""
    return sorted(sentences, key=lambda one: abs(len(one) - words))[:count]


def results(p: probe.Probe, found: Sentences, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All objects that are printed."""
    for words in args.words:
        sentences = nearest(found, words, args.sentences)
        measured = cost(p, sentences, perturbs=PERTURBS, repeats=args.repeats)
        yield {"by": "words", **_size(sentences), "cost": measured}
    for count in args.corpus:
        perturbs = [name for name in PERTURBS if name != "pair" or count <= args.most_pairs]
        sentences = spread_by_length(found, count)
        measured = cost(p, sentences, perturbs=perturbs, repeats=1)
        yield {"by": "corpus", **_size(sentences), "cost": measured}
    sentences = nearest(found, args.words[0], args.sentences)
    for count, measured in by_threads(p, sentences, counts=args.threads, repeats=args.repeats):
        yield {"by": "threads", "threads": count, **_size(sentences), "cost": measured}


def _size(sentences: Sentences) -> dict[str, int]:
    return {"sentences": len(sentences), "words": sum(map(len, sentences))}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    add = parser.add_argument
    add("--model", default="bert", help=f"also {', '.join(shapes.SHAPES)}")
    add("--input", type=Path, help="treebank or text (default: the bundled sample)")
    add("--words", nargs="+", type=int, default=[10], metavar="N", help="or nearest to them (default: 10)")
    add("--sentences", type=int, default=2, help="how many of each length (default: 2)")
    add("--corpus", nargs="+", type=int, default=[], metavar="N", help="sizes of corpora")
    add("--most-pairs", type=int, default=100, metavar="N", help="the largest corpus of pairs (default: 100)")
    add("--threads", nargs="+", type=int, default=[], metavar="N", help="numbers of threads")
    add("--repeats", type=int, default=5)
    add("--device", default="auto")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        found = list(islice(words_of(args.input), _READ))
        if not found:
            raise ValueError("no sentence in the input")
        p = shapes.load(args.model, device=args.device, dtype="float32")
        about = {"model": Path(args.model).name, "device": str(p.device)}
        for one in results(p, found, args):
            print(json.dumps({**about, **one}), flush=True)
    except (OSError, ValueError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
