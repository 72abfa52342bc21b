"""Speed and memory of knowledge probes: ``python -m bench.knowledge --data LAMA``.

Two ways over the same prompts, timed in turn so that a noisy machine disturbs both alike; medians are printed, by
the clock and of the processors' seconds, which other work on the machine disturbs less:

- ``ours``: ``probe_relations``: facts from files, prompts, ranks of all candidates, subject-masked baseline;
- ``bare``: the forward passes of the same prompts, inputs prepared in advance, at the best batch size.

``--counts 100 1000`` prints the peak memory by facts a relation instead, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import probe
from analyses.knowledge.candidates import Candidates
from analyses.knowledge.results import RelationResult, ask_relations, probe_relations
from bench.engine import BATCH_SIZES, Batch, bare
from bench.in_turn import in_turn, timed
from data.lama import Relation, list_relations, read_word_list

_VOCABULARY = "common_vocab_cased.txt"


def ours(
    p: probe.Probe, relations: Sequence[Relation], candidates: Candidates, limit: int | None
) -> list[RelationResult]:
    """Our probe, as a user calls it."""
    return probe_relations(p, relations, candidates, limit=limit)


def prepare_bare(
    p: probe.Probe, relations: Sequence[Relation], candidates: Candidates, limit: int | None
) -> list[torch.Tensor]:
    """The prompts of all facts as inputs, int64 [prompts, length], one tensor a length."""
    by_length: dict[int, list[np.ndarray[Any, Any]]] = {}
    for asked in ask_relations(p, relations, candidates, limit=limit):
        for cloze in asked.clozes:
            by_length.setdefault(len(cloze.ids), []).append(cloze.ids)
    return [torch.from_numpy(np.stack(rows)).to(p.device) for rows in by_length.values()]


def batches(groups: Sequence[torch.Tensor], size: int) -> list[Batch]:
    """Batches of at most ``size`` prompts of one length."""
    return [(batch, None) for group in groups for batch in torch.split(group, size)]


def best_size(p: probe.Probe, groups: Sequence[torch.Tensor]) -> int:
    """The batch size at which every fourth of the bare passes is fastest: the better of two runs each."""
    some = [group[::4] for group in groups]
    bare(p, batches(some, BATCH_SIZES[0]))
    seconds = {
        size: min(timed(p.device, partial(bare, p, batches(some, size))).clock for _ in range(2))
        for size in BATCH_SIZES
    }
    return min(seconds, key=lambda size: seconds[size])


def compare(
    p: probe.Probe,
    relations: Sequence[Relation],
    candidates: Candidates,
    *,
    limit: int | None,
    repeats: int,
) -> dict[str, Any]:
    """Medians of both and their ratio."""
    groups = prepare_bare(p, relations, candidates, limit)
    best = best_size(p, groups)
    return {
        "dtype": str(p.dtype).removeprefix("torch."),
        "device": str(p.device),
        "facts": sum(len(group) for group in groups),
        "pieces": sum(group.numel() for group in groups),
        "candidates": len(candidates),
        "best bare batch": best,
        **in_turn(
            p.device,
            ours=partial(ours, p, relations, candidates, limit),
            bare=partial(bare, p, batches(groups, best)),
            repeats=repeats,
        ),
    }


def peak_megabytes(arguments: Sequence[str], counts: Sequence[int]) -> dict[str, Any]:
    """Largest resident size by facts a relation, each in a process of its own."""
    peaks = {}
    for count in counts:
        command = [sys.executable, "-m", "bench.knowledge", *arguments, "--limit", str(count), "--peak"]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[count] = round(float(found.stdout), 1)
    return {"peak MB": peaks, "ratio": round(peaks[counts[-1]] / peaks[counts[0]], 3)}


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.knowledge", description=__doc__)
    parser.add_argument("--model", default="bert")
    parser.add_argument("--data", type=Path, required=True, help="facts in the layout of LAMA")
    parser.add_argument("--relations", nargs="+", help="only these")
    parser.add_argument("--limit", type=int, help="only the first N facts of each file")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--counts", type=int, nargs="+", help="facts a relation: peak memory of each")
    parser.add_argument("--peak", action="store_true", help="one run and its peak memory in MB")
    args = parser.parse_args(argv)
    if args.counts:
        chosen = ["--relations", *args.relations] if args.relations else []
        shared = ["--model", args.model, "--data", str(args.data), "--device", args.device, *chosen]
        print(json.dumps(peak_megabytes([*shared, "--dtype", args.dtype], args.counts)))
        return 0
    try:
        relations, _ = list_relations(args.data, names=args.relations)
        p = probe.load(args.model, device=args.device, dtype=args.dtype)
        candidates = Candidates.of(p.tokenizer, read_word_list(args.data / _VOCABULARY))
        if args.peak:
            ours(p, relations, candidates, args.limit)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(peak / (1e6 if sys.platform == "darwin" else 1e3))
        else:
            found = compare(p, relations, candidates, limit=args.limit, repeats=args.repeats)
            print(json.dumps(found))
    except (OSError, ValueError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
