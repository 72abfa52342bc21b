"""Dependency trees, Tables 1 and 2 of Wu et al. (ACL 2020): ``probe dependency --data FILE``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from analyses import published
from analyses.dependency.tables import Corpus, Runs, Trees, Way, root_of, tables
from analyses.options import add_options, emit, load_sources
from analyses.scores.recall import GROUPS
from analyses.trees.adjust import ADJUSTMENTS, adjustment_name
from analyses.trees.decoders import DECODERS, Heads
from analyses.trees.protocols import decode, gold_roots, is_defined, scored_words
from analyses.trees.variants import Matrices, Variant, matrices, random_weights, variants
from data.dp import wsj10
from probe.command_line import DONE, SOME_FAILED, Parser, UsageError, exit_code, option_type
from probe.errors import SentenceError

if TYPE_CHECKING:
    from probe import ImpactMatrix
    from probe.source import ImpactSource


_CHUNK = 64
"""Sentences whose matrices are held at a time."""


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe dependency",
        description="UAS, UUAS and NED of dependency trees induced by perturbed masking, beside baselines "
        "and published figures (Wu et al. 2020, Tables 1 and 2).",
        epilog="Without --data and --wsj it runs on the bundled sample treebank.",
        failures="some sentences failed",
    )
    add = parser.add_argument
    add("--data", type=Path, metavar="FILE", help="treebank in CoNLL-U; of PUD if its name has en_pud in it")
    add("--wsj", type=Path, metavar="DIR", help="dependencies/*.dp of NLTK's Penn Treebank sample, for WSJ10")
    add(
        "--decoders",
        nargs="+",
        type=option_type(DECODERS.resolve),
        default=list(DECODERS),
        metavar="NAME",
        help=f"default: all, {', '.join(DECODERS)}",
    )
    add(
        "--adjust",
        nargs="+",
        type=option_type(adjustment_name),
        default=["none"],
        metavar="NAME",
        help=f"of the impacts: {', '.join(ADJUSTMENTS)}, or several joined by + (default: none)",
    )
    add("--by", nargs="+", choices=GROUPS, default=[], help="recall by these, too, in a table each")
    add_options(parser, metrics=("dist", "prob"))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    return exit_code(parser.prog, lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    corpora = _corpora(args)
    models = load_sources(args)
    chosen = [
        tuple(
            replace(one, adjust=name) for one in variants(model, args) for name in dict.fromkeys(args.adjust)
        )
        for model in models
    ]
    found, failed = [], 0
    for corpus in corpora:
        skipped: dict[int, str] = {}
        systems = [
            runs
            for model, own in zip(models, chosen, strict=True)
            for runs in _all_runs(model, own, corpus, args, skipped)
        ]
        failed += len(skipped)
        for place, reason in sorted(skipped.items()):
            sentence = corpus.sentences[place]
            print(f"{sentence.where}: sentence {sentence.id} skipped: {reason}", file=sys.stderr)
        for protocol in dict.fromkeys(args.protocol):
            found += tables(corpus, systems, protocol, skipped=skipped, by=args.by, seed=args.seed)
    emit(found, args)
    return SOME_FAILED if failed else DONE


# --- corpora


def _corpora(args: argparse.Namespace) -> list[Corpus]:
    """Read and check all input before a model is loaded."""
    import data

    found = []
    if args.data is not None:
        treebank: published.Treebank | None = "PUD" if "en_pud" in args.data.stem.lower() else None
        sentences = tuple(data.read_conllu(args.data))[: args.limit]
        found.append(Corpus(name=args.data.stem, sentences=sentences, treebank=treebank))
    if args.wsj is not None:
        note = (
            "WSJ10 is taken from NLTK's sample, a tenth of the treebank, with heads by head rules: "
            "published figures are on all of WSJ10."
        )
        sentences = tuple(wsj10(args.wsj))[: args.limit]
        found.append(Corpus(name="wsj10", sentences=sentences, treebank="WSJ10-U", note=note))
    if not found:
        note = "Data: the bundled sample treebank, since neither --data nor --wsj is given."
        found.append(Corpus(name="sample", sentences=data.load_sample()[: args.limit], note=note))
    if args.matrices is not None and len(found) > 1:
        raise UsageError("--matrices are those of one corpus: give --data or --wsj")
    for corpus in found:
        _check(corpus, args)
    return found


def _check(corpus: Corpus, args: argparse.Namespace) -> None:
    """Find out before a model runs whether the corpus has what the scores need."""
    from data import check_tree

    for sentence in corpus.sentences:
        check_tree(sentence)
        if "relation" in args.by and sentence.relations is None:
            raise UsageError(f"--by relation: {sentence.where}: sentence {sentence.id} has no relations")
    for protocol in args.protocol:
        try:
            scored = any(scored_words(sentence, protocol).any() for sentence in corpus.sentences)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if not scored:
            raise UsageError(f"{corpus.name}: no word to score under protocol {protocol}")


# --- trees


def _all_runs(
    model: ImpactSource,
    chosen: Sequence[Variant],
    corpus: Corpus,
    args: argparse.Namespace,
    skipped: dict[int, str],
) -> list[Runs]:
    """Trees of random weights and of the model itself; notes the sentences that cannot be probed."""
    ways = [
        Way(protocol, decoder, variant)
        for protocol in dict.fromkeys(args.protocol)
        for decoder in dict.fromkeys(args.decoders)
        for variant in chosen
        if is_defined(protocol, decoder, negative=variant.can_be_negative)
    ]
    blank = tuple(
        _induce(weights, ways, chosen, corpus, args, skipped, label=f"{corpus.name}, random weights {seed}")
        for seed, weights in enumerate(random_weights(model, args))
    )
    own = _induce(model, ways, chosen, corpus, args, skipped, label=f"{corpus.name}, {model.name}")
    found = [Runs(model, f"{model.name} random weights", "baseline", blank)] if blank else []
    return [*found, Runs(model, model.name, "model", (own,))]


def _induce(
    model: ImpactSource,
    ways: Sequence[Way],
    chosen: Sequence[Variant],
    corpus: Corpus,
    args: argparse.Namespace,
    skipped: dict[int, str],
    *,
    label: str,
) -> Trees:
    """Decode the matrices of a corpus in every way as they come; only trees are kept."""
    trees: Trees = {way: {} for way in ways}
    words = [sentence.words for sentence in corpus.sentences]
    results = iter(enumerate(matrices(model, words, chosen, args, label=label)))
    while chunk := list(islice(results, _CHUNK)):
        probed: dict[int, Matrices] = {}
        for place, result in chunk:
            if isinstance(result, SentenceError):
                skipped.setdefault(place, str(result))
            else:
                probed[place] = result
        for way in ways:
            column = chosen.index(way.variant)
            heads = _decode([found[column] for found in probed.values()], list(probed), way, corpus)
            trees[way].update(zip(probed, heads, strict=True))
    return trees


def _decode(found: Sequence[ImpactMatrix], places: Sequence[int], way: Way, corpus: Corpus) -> list[Heads]:
    sentences = [corpus.sentences[place] for place in places]
    try:
        return decode(
            found,
            protocol=way.protocol,
            decoder=way.decoder,
            roots=gold_roots(sentences) if root_of(way.protocol) == "gold" else None,
            names=[f"sentence {sentence.id}" for sentence in sentences],
        )
    except ValueError as error:
        raise UsageError(f"{way} under protocol {way.protocol}: {error}") from error
