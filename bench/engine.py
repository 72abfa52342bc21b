"""Speed of the engine: ``python -m bench.engine --input FILE.conllu``.

Three ways to the same matrices, timed in turn so that a noisy machine disturbs all alike; medians are printed:

- ``ours``: ``Probe.impact_many`` at its defaults;
- ``naive``: T x T sequences a sentence of T pieces, one row of T a batch, as published by Wu et al. (2020);
- ``bare``: the forward passes of our variants alone, inputs prepared in advance, at the best batch size.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

import probe
from analyses import decode
from data import load_sample, read_sentences
from probe.lexicon import Lexicon
from probe.plan import make_plan

BATCH_SIZES = (8, 16, 32, 64, 128, 256)


def ours(p: probe.Probe, sentences: Sequence[Sequence[str]]) -> list[probe.ImpactMatrix]:
    """Our engine, as a user calls it."""
    return list(p.impact_many(sentences))


@torch.inference_mode()
def naive(p: probe.Probe, sentences: Sequence[Sequence[str]]) -> list[np.ndarray[Any, Any]]:
    """The published loop: for every piece, a batch of the T sequences that mask its word and another's."""
    mask_id = p.tokenizer.mask_token_id
    matrices = []
    for words in sentences:
        alignment = p.align(words)
        ids = torch.from_numpy(alignment.ids).to(p.device)
        unit_at = np.full(len(ids), -1)
        unit_at[alignment.positions] = alignment.unit_of
        masks = torch.from_numpy(np.stack([(unit_at == unit) & (unit >= 0) for unit in unit_at])).to(p.device)
        piece = torch.zeros(len(ids), len(ids), dtype=torch.float32)
        for row in range(len(ids)):
            batch = ids.repeat(len(ids), 1).masked_fill(masks | masks[row], mask_id)
            states = p.model.base_model(input_ids=batch).last_hidden_state[:, row].float()
            # Where nothing but the row's own word is masked stands the state that the others are compared with.
            piece[row] = (states - states[row]).norm(dim=-1).cpu()
        matrices.append(_words(piece.numpy(), alignment.positions, alignment.unit_of))
    return matrices


def _words(
    piece: np.ndarray[Any, Any], positions: np.ndarray[Any, Any], unit_of: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    begins = np.flatnonzero(np.append(True, unit_of[1:] != unit_of[:-1]))
    sizes = np.diff(np.append(begins, len(unit_of)))
    rows = np.add.reduceat(piece[np.ix_(positions, positions[begins])], begins, axis=0) / sizes[:, None]
    np.fill_diagonal(rows, 0)
    return np.asarray(rows)


def prepare_bare(p: probe.Probe, sentences: Sequence[Sequence[str]], size: int) -> list[torch.Tensor]:
    """Our variants as input batches of one length each, at most ``size`` sequences."""
    subject = Lexicon(p).subject(lambda length: 1, lambda passes: None)
    by_length: dict[int, list[np.ndarray[Any, Any]]] = {}
    for words in sentences:
        plan = make_plan(p.align(words), ["pair"])
        by_length.setdefault(plan.length, []).append(plan.inputs(subject, 0, 0, plan.passes).ids)
    rows = [torch.from_numpy(np.concatenate(parts)).to(p.device) for parts in by_length.values()]
    return [batch for group in rows for batch in torch.split(group, size)]


@torch.inference_mode()
def bare(p: probe.Probe, batches: Sequence[torch.Tensor]) -> None:
    """Forward passes and nothing else."""
    for batch in batches:
        p.model.base_model(input_ids=batch)


def timed(p: probe.Probe, run: Callable[[], object]) -> float:
    """Seconds of one run, the device's queue included."""
    started = time.perf_counter()
    run()
    if p.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def best_size(p: probe.Probe, sentences: Sequence[Sequence[str]]) -> int:
    """The batch size at which the bare passes are fastest: the better of two runs each, after a warm-up."""
    batches = {size: prepare_bare(p, sentences, size) for size in BATCH_SIZES}
    bare(p, batches[BATCH_SIZES[0]])
    seconds = {
        size: min(timed(p, partial(bare, p, found)) for _ in range(2)) for size, found in batches.items()
    }
    return min(seconds, key=lambda size: seconds[size])


def compare(
    p: probe.Probe, sentences: Sequence[Sequence[str]], *, repeats: int, with_naive: bool
) -> dict[str, Any]:
    """Medians of all three, their ratios, and the largest difference between the matrices."""
    ours(p, sentences[:3])
    best = best_size(p, sentences[::4])
    batches = prepare_bare(p, sentences, best)
    seconds: dict[str, list[float]] = {"ours": [], "naive": [], "bare": []}
    for _ in range(repeats):
        seconds["ours"].append(timed(p, lambda: ours(p, sentences)))
        seconds["bare"].append(timed(p, lambda: bare(p, batches)))
        if with_naive:
            seconds["naive"].append(timed(p, lambda: naive(p, sentences)))
    medians = {name: statistics.median(values) for name, values in seconds.items() if values}
    matrices = ours(p, sentences)
    result: dict[str, Any] = {
        "dtype": str(p.dtype).removeprefix("torch."),
        "device": str(p.device),
        "sentences": len(sentences),
        "sequences": sum(len(batch) for batch in batches),
        "pieces": sum(batch.numel() for batch in batches),
        "best bare batch": best,
        "seconds": {name: round(value, 2) for name, value in medians.items()},
        "ours / bare": round(medians["ours"] / medians["bare"], 3),
        "decoding share": round(
            timed(p, lambda: decode(matrices, protocol="fair", decoder="eisner")) / medians["ours"], 4
        ),
    }
    if with_naive:
        pairs = zip(matrices, naive(p, sentences), strict=True)
        result["largest difference"] = max(float(np.abs(a.values - b).max()) for a, b in pairs)
    return result


def spread_by_length(sentences: Sequence[Sequence[str]], count: int) -> list[Sequence[str]]:
    """Sentences evenly spaced in the order of their lengths, so that short and long ones are both there."""
    ordered = sorted(sentences, key=len)
    picks = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[index] for index in picks]


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__)
    parser.add_argument("--model", default="bert")
    parser.add_argument("--input", type=Path, help="treebank or text (default: the bundled sample)")
    parser.add_argument("--sentences", type=int, default=40, help="how many of them, by length (default: 40)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", nargs="+", default=["float32"], help="one or several")
    parser.add_argument("--no-naive", action="store_true", help="leave the published loop out: it takes long")
    args = parser.parse_args(argv)
    try:
        read = read_sentences(args.input) if args.input else iter(load_sample())
        words = spread_by_length([sentence.words for sentence in islice(read, 10_000)], args.sentences)
        published = None
        for dtype in args.dtype:
            p = probe.load(args.model, device=args.device, dtype=dtype)
            result = compare(p, words, repeats=args.repeats, with_naive=not args.no_naive)
            # The published code runs in float32: what bf16 is worth is measured against that.
            published = published or result["seconds"].get("naive")
            if published:
                result[f"naive {args.dtype[0]} / ours"] = round(published / result["seconds"]["ours"], 2)
            print(json.dumps(result, indent=1), flush=True)
    except (OSError, ValueError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
