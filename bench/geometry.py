"""Speed and memory of the geometry: ``python -m bench.geometry --input sts --sentences 2000``.

Timed in turn, so that a noisy machine disturbs both alike; medians are printed, by the clock and
of the processors' seconds, which other work on the machine disturbs less:

- ``ours``: all that ``analyses.geometry`` does from words to measures, tokenisation and intervals included;
- ``bare``: the forward passes of the same sentences alone, inputs prepared in advance, at the best batch size.

``--memory`` runs ours once in a process of its own, on as many sentences, and prints its largest resident size.
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
from analyses.geometry.stream import Geometry, measure
from analyses.geometry.summary import Summary, summarize
from analyses.states.occurrences import find_occurrences
from analyses.states.options import read_corpus
from bench.engine import BATCH_SIZES
from bench.in_turn import in_turn, timed
from data import DataError
from probe.alignment import align
from probe.errors import SentenceError
from probe.word_states import Encoder, load_encoder

Sentences = Sequence[Sequence[str]]


def ours(encoder: Encoder, sentences: Sentences) -> tuple[Geometry, Summary]:
    """The whole of it at the command's defaults."""
    occurrences = find_occurrences(sentences, min_count=5, most=32)
    found = measure(encoder, sentences, occurrences)
    return found, summarize(found)


def prepare_bare(encoder: Encoder, sentences: Sentences, size: int) -> list[torch.Tensor]:
    """Input batches of one length each, at most ``size`` sentences; without those that cannot be run."""
    by_length: dict[int, list[Any]] = {}
    for words in sentences:
        try:
            ids = align(encoder.tokenizer, words, window=encoder.window).ids
        except SentenceError:
            continue
        by_length.setdefault(len(ids), []).append(ids)
    rows = [torch.from_numpy(np.stack(group)).to(encoder.device) for group in by_length.values()]
    return [batch for group in rows for batch in torch.split(group, size)]


@torch.inference_mode()
def bare(encoder: Encoder, batches: Sequence[torch.Tensor]) -> None:
    """Forward passes and nothing else."""
    for batch in batches:
        encoder.model.base_model(input_ids=batch)


def best_size(encoder: Encoder, sentences: Sentences) -> int:
    """The batch size at which the bare passes are fastest: the better of two runs each, after a warm-up."""
    batches = {size: prepare_bare(encoder, sentences, size) for size in BATCH_SIZES}
    bare(encoder, batches[BATCH_SIZES[0]])
    seconds = {
        size: min(timed(encoder.device, partial(bare, encoder, found)).clock for _ in range(2))
        for size, found in batches.items()
    }
    return min(seconds, key=lambda size: seconds[size])


def compare(encoder: Encoder, sentences: Sentences, *, repeats: int) -> dict[str, Any]:
    """Medians of both and their ratio."""
    best = best_size(encoder, sentences[:: max(1, len(sentences) // 500)])
    batches = prepare_bare(encoder, sentences, best)
    return {
        "dtype": encoder.dtype,
        "device": str(encoder.device),
        "threads": torch.get_num_threads(),
        "sentences": len(sentences),
        "pieces": sum(batch.numel() for batch in batches),
        "best bare batch": best,
        **in_turn(
            encoder.device,
            ours=partial(ours, encoder, sentences),
            bare=partial(bare, encoder, batches),
            repeats=repeats,
        ),
    }


def peak_megabytes(encoder: Encoder, sentences: Sentences) -> float:
    """Largest resident size of this process after a run of ours."""
    ours(encoder, sentences)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.geometry", description=__doc__)
    parser.add_argument("--model", default="bert")
    parser.add_argument("--input", type=Path, help="as --corpus of analyses.geometry (default: the sample)")
    parser.add_argument("--sentences", type=int, help="evenly spaced (default: all)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--memory", action="store_true", help="peak memory in place of speed")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    arguments = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(arguments)
    if args.memory and not args.in_this_process:
        command = [sys.executable, "-m", "bench.geometry", *arguments, "--in-this-process"]
        return subprocess.run(command, check=False).returncode
    try:
        corpus = read_corpus(args.input)
        encoder = load_encoder(args.model, device=args.device, dtype=args.dtype)
        words = [sentence.words for sentence in corpus.sentences]
        count = min(args.sentences or len(words), len(words))
        picked = [words[i] for i in np.linspace(0, len(words) - 1, count).round().astype(int)]
        if args.memory:
            result = {"sentences": count, "peak MB": round(peak_megabytes(encoder, picked), 1)}
        else:
            result = compare(encoder, picked, repeats=args.repeats)
    except (OSError, DataError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
