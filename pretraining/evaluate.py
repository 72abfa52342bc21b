"""Evaluate a model as the model card reports it: ``python -m pretraining.evaluate --heldout SHARD --dev FILE``.

Held-out masked-word prediction, and on a development treebank the attachment scores of every layer and pool.
Layer and pool are chosen there, never on the test treebank.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import probe
from analyses import decode, evaluate, gold_roots
from analyses.protocols import PROTOCOLS
from data import Sentence, read_conllu
from pretraining.batches import Specials, assemble, mask_words, pack
from pretraining.corpus import read_sentences
from pretraining.prepare import tokenize
from pretraining.train import evaluate as predict

if TYPE_CHECKING:
    from probe.options import Pool

_POOLS: tuple[Pool, ...] = ("first", "mean", "max", "state")


def treebank_scores(p: probe.Probe, sentences: Sequence[Sentence], *, name: str) -> list[dict[str, Any]]:
    """UAS and UUAS of every layer and pool under both protocols (Eisner, ``dist``, ``pair``).

    One pass over the model serves all of them.
    """
    sets = list(p.impact_many([s.words for s in sentences], layer="all", pool=_POOLS, errors="return"))
    kept = [
        (s, found) for s, found in zip(sentences, sets, strict=True) if isinstance(found, probe.ImpactSet)
    ]
    gold = [sentence for sentence, _ in kept]
    rows = []
    for layer in range(p.n_layers + 1):
        for pool in _POOLS:
            matrices = [found.select(layer=layer, pool=pool) for _, found in kept]
            row: dict[str, Any] = {"layer": layer, "pool": pool}
            for protocol in PROTOCOLS:
                roots = gold_roots(gold) if protocol == "wu2020" else None
                trees = decode(matrices, protocol=protocol, decoder="eisner", roots=roots)
                scored = evaluate(
                    gold,
                    trees,
                    name=p.name,
                    data=name,
                    version=probe.__version__,
                    protocol=protocol,
                    root="gold" if roots else "predicted",
                )
                row[protocol] = {s.name: round(s.value, 2) for s in scored.scores}
            rows.append(row)
    return rows


def heldout_scores(p: probe.Probe, shard: Path, *, documents: int, seed: int) -> list[dict[str, Any]]:
    """Accuracy and perplexity on masked words of a held-out shard, at the model's training and full length."""
    tokenizer = p.tokenizer.backend_tokenizer
    specials = Specials.of(tokenizer)
    pieces = tokenize(islice(read_sentences(shard), documents), tokenizer)
    rows = []
    for length in sorted({min(64, p.window), p.window}):
        rng = np.random.default_rng(seed)
        spans = pack(pieces, length)
        parts = np.array_split(spans, max(1, len(spans) * length // 4_096))
        batches = [
            mask_words(assemble(pieces, part, specials), specials, low=0.15, high=0.15, rng=rng)
            for part in parts
        ]
        loss, accuracy = predict(p.model, batches, p.device)  # type: ignore[arg-type]
        rows.append(
            {
                "shard": shard.name,
                "documents": documents,
                "length": length,
                "masked": 0.15,
                "accuracy": round(100 * accuracy, 2),
                "perplexity": round(float(np.exp(loss)), 2),
            }
        )
    return rows


def best_setting(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row with the highest UAS under ``wu2020``."""
    return max(rows, key=lambda row: float(row["wu2020"]["UAS"]))


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pretraining.evaluate", description=__doc__)
    parser.add_argument("--model", default="bert", help="bert (the embedded model) or a directory")
    parser.add_argument("--dev", type=Path, help="development treebank, CoNLL-U")
    parser.add_argument("--limit", type=int, help="only the first N sentences of the treebank")
    parser.add_argument("--heldout", type=Path, help="held-out shard, .txt.xz")
    parser.add_argument("--documents", type=int, default=300, help="of the shard (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the masks")
    args = parser.parse_args(argv)
    try:
        p = probe.load(args.model)
        result: dict[str, Any] = {"model": p.name}
        if args.heldout:
            result["heldout"] = heldout_scores(p, args.heldout, documents=args.documents, seed=args.seed)
        if args.dev:
            sentences = list(islice(read_conllu(args.dev), args.limit))
            rows = treebank_scores(p, sentences, name=args.dev.stem)
            result |= {"treebank": args.dev.stem, "sentences": len(sentences), "rows": rows}
            result["best"] = best_setting(rows)
    except (OSError, ValueError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    json.dump(result, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
