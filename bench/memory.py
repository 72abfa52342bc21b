"""Peak memory of the engine by corpus size: ``python -m bench.memory --input FILE.conllu --counts 100 1000``.

Each count runs in a process of its own, so that peaks do not mix. ``--words N`` measures one document of N words
in place of a corpus.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import probe
from bench.corpus import words_of


def sentences_of(path: Path, count: int, words: int | None) -> Iterator[Sequence[str]]:
    """The first sentences of a file, or a document of so many words: those of the file, one after the other."""
    all_words = words_of(path)
    if words is None:
        yield from islice(all_words, count)
    else:
        yield tuple(islice(chain.from_iterable(all_words), words))


def peak_megabytes(args: argparse.Namespace) -> float:
    """Probe and return the largest resident size of this process."""
    p = probe.load(args.model)
    layer: Any = "all" if args.layer == "all" else "best" if args.layer == "best" else int(args.layer)
    sentences = sentences_of(args.input, args.counts[0], args.words)
    for _ in p.impact_many(sentences, perturb=args.perturb, layer=layer, errors="return"):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--model", default="bert")
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1_000])
    parser.add_argument("--words", type=int, help="one document of so many words in place of a corpus")
    parser.add_argument("--perturb", default="pair")
    parser.add_argument("--layer", default="best", help="an index, all or best")
    args = parser.parse_args(argv)
    if len(args.counts) == 1 or args.words is not None:
        print(peak_megabytes(args))
        return 0
    peaks = {}
    for count in args.counts:
        command = [sys.executable, "-m", "bench.memory", "--model", args.model, "--input", str(args.input)]
        command += ["--perturb", args.perturb, "--layer", args.layer]
        found = subprocess.run([*command, "--counts", str(count)], check=True, capture_output=True, text=True)
        peaks[count] = round(float(found.stdout), 1)
    print(json.dumps({"peak MB": peaks, "ratio": round(peaks[args.counts[-1]] / peaks[args.counts[0]], 3)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
