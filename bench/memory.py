"""Peak memory of the engine by corpus size: ``python -m bench.memory --input FILE.conllu --counts 100 1000``.

Each count runs in a process of its own, so that peaks do not mix.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from itertools import islice
from pathlib import Path

import probe
from data import read_sentences


def peak_megabytes(model: str, path: Path, count: int) -> float:
    """Probe the first sentences of a file and return the largest resident size of this process."""
    p = probe.load(model)
    for _ in p.impact_many(
        [sentence.words for sentence in islice(read_sentences(path), count)], errors="return"
    ):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--model", default="bert")
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1_000])
    args = parser.parse_args(argv)
    if len(args.counts) == 1:
        print(peak_megabytes(args.model, args.input, args.counts[0]))
        return 0
    peaks = {}
    for count in args.counts:
        command = [sys.executable, "-m", "bench.memory", "--model", args.model, "--input", str(args.input)]
        found = subprocess.run([*command, "--counts", str(count)], check=True, capture_output=True, text=True)
        peaks[count] = round(float(found.stdout), 1)
    print(json.dumps({"peak MB": peaks, "ratio": round(peaks[args.counts[-1]] / peaks[args.counts[0]], 3)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
