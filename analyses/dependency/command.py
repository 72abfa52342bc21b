"""Dependency trees, Tables 1 and 2 of Wu et al. (ACL 2020): ``probe dependency --data FILE``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from analyses import published
from analyses.dependency.tables import tables
from analyses.dependency.trees import Treebank, induce, treebank_ways
from analyses.options import add_decoders, add_options, experiment_main, load_sources
from analyses.scores.recall import GROUPS
from analyses.tables.results import Ran
from analyses.trees.decoders import DECODERS
from analyses.trees.protocols import scored_words
from analyses.trees.systems import Skipped, skip_lines
from analyses.trees.variants import variants
from data.dp import wsj10
from probe.command_line import Parser, UsageError
from probe.option_groups import InputOptions


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
    text = "treebank in CoNLL-U; of PUD if its name has en_pud in it"
    InputOptions.add(parser, help=text, metavar="FILE", limit=None)
    add("--wsj", type=Path, metavar="DIR", help="dependencies/*.dp of NLTK's Penn Treebank sample, for WSJ10")
    add_decoders(parser, DECODERS)
    add("--by", nargs="+", choices=GROUPS, default=[], help="recall by these, too, in a table each")
    add_options(parser, metrics=("dist", "prob"))
    return parser


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    corpora = _corpora(args)
    models = load_sources(args)
    chosen = [variants(model, args) for model in models]
    found, failed = [], 0
    for corpus in corpora:
        skipped: Skipped = {}
        induced = [
            system
            for model, own in zip(models, chosen, strict=True)
            for system in induce(
                model,
                treebank_ways(model, corpus, args.protocol, args.decoders, own),
                corpus,
                args,
                skipped,
            )
        ]
        failed += len(skipped)
        for line in skip_lines(corpus.items, skipped):
            print(line, file=sys.stderr)
        for protocol in dict.fromkeys(args.protocol):
            found += tables(corpus, induced, protocol, skipped=skipped, by=args.by, seed=args.seed)
    return Ran(tables=tuple(found), failed=failed > 0)


# --- corpora


def _corpora(args: argparse.Namespace) -> list[Treebank]:
    """Read and check all input before a model is loaded."""
    import data

    found = []
    if args.data is not None:
        treebank: published.Treebank | None = "PUD" if "en_pud" in args.data.stem.lower() else None
        sentences = tuple(data.read_conllu(args.data))[: args.limit]
        found.append(Treebank(name=args.data.stem, items=sentences, treebank=treebank))
    if args.wsj is not None:
        note = (
            "WSJ10 is taken from NLTK's sample, a tenth of the treebank, with heads by head rules: "
            "published figures are on all of WSJ10."
        )
        sentences = tuple(wsj10(args.wsj))[: args.limit]
        found.append(Treebank(name="wsj10", items=sentences, treebank="WSJ10-U", note=note))
    if not found:
        note = "Data: the bundled sample treebank, since neither --data nor --wsj is given."
        found.append(Treebank(name="sample", items=data.load_sample()[: args.limit], note=note))
    if args.matrices is not None and len(found) > 1:
        raise UsageError("--matrices are those of one corpus: give --data or --wsj")
    for corpus in found:
        _check(corpus, args)
    return found


def _check(corpus: Treebank, args: argparse.Namespace) -> None:
    """Find out before a model runs whether the corpus has what the scores need."""
    from data import check_tree

    for sentence in corpus.items:
        check_tree(sentence)
        if "relation" in args.by and sentence.relations is None:
            raise UsageError(f"--by relation: {sentence.where}: sentence {sentence.id} has no relations")
    for protocol in args.protocol:
        try:
            scored = any(scored_words(sentence, protocol).any() for sentence in corpus.items)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if not scored:
            raise UsageError(f"{corpus.name}: no word to score under protocol {protocol}")


main = experiment_main(build_parser, run)
