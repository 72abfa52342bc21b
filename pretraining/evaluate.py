"""Evaluate a model as the model card reports it; prints JSON.

    python -m pretraining.evaluate --heldout WIKIPEDIA.txt.xz BOOKS.txt.xz --ratios .15 .3 .5 .7 --positions \
        --dev ewt-dev.conllu --test pud.conllu --wsj wsj-sample/dependencies --scidtb scidtb/test --blimp blimp

Layer and pool are chosen on the development treebank, never on the test treebank.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import probe
from analyses import evaluate_pairs, score_pairs
from analyses.minimal_pairs.accuracy import first_pairs
from data import Sentence, read_conllu, read_minimal_pairs, read_scidtb
from data.dp import wsj10
from pretraining.card_discourse import discourse_scores
from pretraining.card_heldout import position_rows, ratio_rows, read_shard
from pretraining.card_treebank import best_setting, scores_on_test, treebank_scores
from probe.command_line import positive, whole_number
from probe.option_groups import add_device_options
from probe.options import POOLS

_PLAIN_RATIO = 0.15


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m pretraining.evaluate", description=__doc__.partition("\n")[0]
    )
    add = parser.add_argument
    switch = argparse.BooleanOptionalAction
    add("--model", default="bert", help="bert (the embedded model) or a directory")
    add_device_options(parser, dtype="float32", batch_tokens=False)
    add("--heldout", type=Path, nargs="+", default=[], metavar="SHARD", help="held-out shards, .txt.xz")
    add("--documents", type=positive, metavar="N", help="only the first N documents of each shard")
    add(
        "--pieces",
        type=positive,
        default=200_000,
        metavar="N",
        help="run of each shard (default: %(default)s)",
    )
    add(
        "--ratios",
        type=_ratio,
        nargs="+",
        default=[_PLAIN_RATIO],
        metavar="R",
        help="shares of words to mask",
    )
    add("--positions", action="store_true", help="of the shards, too: accuracy by position in the window")
    add("--dev", type=Path, metavar="FILE", help="development treebank, CoNLL-U: every layer and pool")
    add("--test", type=Path, metavar="FILE", help="test treebank, CoNLL-U: one layer and pool")
    add(
        "--wsj",
        type=Path,
        metavar="DIR",
        help="NLTK's Penn Treebank sample, .dp files: WSJ10, one layer and pool",
    )
    add("--scidtb", type=Path, metavar="PATH", help="discourse trees: one layer, pool state")
    add("--layer", type=int, help="for the tests (default: the best on --dev)")
    add("--pool", choices=POOLS, help="for the tests (default: the best on --dev)")
    add("--pools", nargs="+", choices=POOLS, default=POOLS, help="to compare on --dev (default: all)")
    add("--limit", type=positive, metavar="N", help="only the first N sentences or documents of each")
    add("--blimp", type=Path, metavar="DIR", help="minimal pairs, .jsonl files")
    add("--pairs", type=positive, metavar="N", help="only the first N pairs of each paradigm")
    add("--random-model", action=switch, default=True, help="random weights on --test and --blimp, too")
    add("--seed", type=whole_number, default=0, help="of masks, random weights, random trees and bootstrap")
    return parser


def _ratio(value: str) -> float:
    try:
        ratio = float(value)
    except ValueError:
        ratio = 0.0
    if not 0 < ratio < 1:
        raise argparse.ArgumentTypeError(f"a share between 0 and 1 is expected, found {value!r}")
    return ratio


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if (args.layer is None) != (args.pool is None):
        parser.error("--layer and --pool go together")
    for name in ("test", "wsj", "scidtb"):
        if getattr(args, name) and not args.dev and args.layer is None:
            parser.error(f"--{name} needs a layer and a pool: give --dev, or --layer and --pool")
    if args.positions and not args.heldout:
        parser.error("--positions needs a shard: give --heldout")
    try:
        result = _run(args)
    except (OSError, ValueError, probe.ProbeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    json.dump(result, sys.stdout, indent=1)
    print()
    return 0


def _run(args: argparse.Namespace) -> dict[str, Any]:
    p = probe.load(args.model, device=args.device, dtype=args.dtype)
    result: dict[str, Any] = {
        "model": p.name,
        "version": probe.__version__,
        "dtype": str(p.dtype).removeprefix("torch."),
        "seed": args.seed,
    }
    result |= _heldout(args, p) if args.heldout else {}
    result |= _treebanks(args, p)
    if args.blimp:
        result["blimp"] = _minimal_pairs(args, p)
    return result


def _heldout(args: argparse.Namespace, p: probe.Probe) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    positions: list[dict[str, Any]] = []
    for path in args.heldout:
        shard = read_shard(path, p, documents=args.documents)
        rows += ratio_rows(p, shard, ratios=args.ratios, pieces=args.pieces, seed=args.seed)
        if args.positions:
            positions += position_rows(p, shard, ratio=_PLAIN_RATIO, pieces=args.pieces, seed=args.seed)
    return {"heldout": rows, "positions": positions} if args.positions else {"heldout": rows}


def _treebanks(args: argparse.Namespace, p: probe.Probe) -> dict[str, Any]:
    result: dict[str, Any] = {}
    layer, pool = args.layer, args.pool
    if args.dev:
        bank = list(islice(read_conllu(args.dev), args.limit))
        rows = treebank_scores(p, bank, name=args.dev.stem, pools=args.pools)
        best = best_setting(rows)
        result |= {"treebank": args.dev.stem, "sentences": len(bank), "rows": rows, "best": best}
        if layer is None:
            layer, pool = best["layer"], best["pool"]
    tests: dict[str, tuple[str, Iterator[Sentence]]] = {}
    if args.test:
        tests["test"] = args.test.stem, read_conllu(args.test)
    if args.wsj:
        tests["wsj"] = "wsj10", wsj10(args.wsj)
    for key, (name, sentences) in tests.items():
        result[key] = scores_on_test(
            p,
            list(islice(sentences, args.limit)),
            layer=layer,
            pool=pool,
            name=name,
            random_model=args.random_model,
            seed=args.seed,
        )
    if args.scidtb:
        documents = list(islice(read_scidtb(args.scidtb), args.limit))
        result["scidtb"] = discourse_scores(p, documents, layer=layer, name=args.scidtb.name, seed=args.seed)
    return result


def _minimal_pairs(args: argparse.Namespace, p: probe.Probe) -> list[dict[str, Any]]:
    pairs = first_pairs(read_minimal_pairs(args.blimp), args.pairs)
    models = [p.with_random_weights(seed=args.seed), p] if args.random_model else [p]
    evaluations = []
    for model in models:
        evaluation = evaluate_pairs(
            list(score_pairs(model, pairs)),
            model=model.name,
            data=args.blimp.resolve().stem,
            version=probe.__version__,
            score="original",
            dtype=str(model.dtype).removeprefix("torch."),
            seed=args.seed,
        )
        evaluations.append(evaluation.as_dict())
    return evaluations


if __name__ == "__main__":
    sys.exit(main())
