"""Early exit: at which layer the tree of a model stops changing, ``probe early-exit --data FILE``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.compression.exit_tables import Trees, exit_tables
from analyses.compression.figures import exits_by_layer
from analyses.dependency.trees import Treebank, induce, treebank_ways
from analyses.options import add_method, add_protocol, experiment_main, load_sources
from analyses.pictures.style import save, style
from analyses.tables.results import Ran
from analyses.tables.table import FORMATS
from analyses.trees.decoders import DECODERS
from analyses.trees.protocols import scored_words
from analyses.trees.systems import Skipped, check_probed, skip_lines
from analyses.trees.variants import Variant
from probe.command_line import Parser, UsageError
from probe.errors import ProbeError
from probe.inputs import say_guess
from probe.option_groups import (
    ImpactOptions,
    InputOptions,
    ModelOptions,
    OutputOptions,
    RandomOptions,
    one_of,
)

if TYPE_CHECKING:
    from probe.source import ImpactSource


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe early-exit",
        description="At which layer the head of each word stops changing, beside random weights: the early exit "
        "of DeeBERT (Xin et al. 2020), asked of trees.",
        epilog="Without --data it runs on the bundled sample treebank. --layer is the layer of column 'as best'.",
        failures="some sentences failed",
    )
    InputOptions.add(parser, help="treebank in CoNLL-U", metavar="FILE")
    ModelOptions.add(parser, several=True)
    ImpactOptions.add(parser, matrices=True, of_method=True)
    trees = parser.group("trees")
    text = f"{', '.join(DECODERS)} (default: eisner)"
    trees.add_argument("--decoder", default="eisner", help=text, **one_of(DECODERS))
    add_protocol(parser, several=False)
    add_method(parser, several=False, choose=lambda args: "openness", default="openness")
    RandomOptions.add(parser, of="bootstrap", seeds=1)
    OutputOptions.add(
        parser, formats=FORMATS, out="write each table there, too, in every format, and the figure"
    )
    return parser


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    corpus = read_treebank(args.data, args.limit)
    _check(corpus, args)
    sources = load_sources(args)
    skipped: Skipped = {}
    systems, best = [], {}
    for source in sources:
        say_guess(source, args)
        variants, chosen = _variants(source, args)
        best[source.name] = chosen
        ways = treebank_ways(source, corpus, [args.protocol], [args.decoder], variants)
        if not ways:
            raise UsageError(f"--decoder {args.decoder} has no scores under protocol {args.protocol}")
        systems += induce(source, ways, corpus, args, skipped)
    for line in skip_lines(corpus.items, skipped):
        print(line, file=sys.stderr)
    places = tuple(place for place in range(len(corpus.items)) if place not in skipped)
    trees = Trees(corpus=corpus, protocol=args.protocol, places=places, best=best, seed=args.seed)
    check_probed(trees.sentences, skipped=len(skipped))
    if not any(mask.any() for mask in trees.scored):
        raise ProbeError("no sentence with words that count could be probed")
    tables = exit_tables(systems, trees)
    if args.out is not None:
        stem, table = tables[0]
        with style():
            save(exits_by_layer(table), args.out / stem)
    return Ran(tables=tuple(tables), failed=bool(skipped))


def read_treebank(path: Path | None, limit: int | None) -> Treebank:
    """The first sentences of a treebank, or of the bundled sample where None; their trees are checked.

    Raises:
        data.InputError, data.DataError: it cannot be read, or a tree is none.
    """
    import data

    sentences = data.load_sample() if path is None else data.read_conllu(path)
    items = tuple(sentences)[:limit]
    name = "sample" if path is None else path.stem
    for sentence in items:
        data.check_tree(sentence)
    return Treebank(name=name, items=items)


def _check(corpus: Treebank, args: argparse.Namespace) -> None:
    """Refuse before a model runs what could not be scored."""
    try:
        scored = any(scored_words(sentence, args.protocol).any() for sentence in corpus.items)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not scored:
        raise UsageError(f"{corpus.name}: no word to score under protocol {args.protocol}")


def _variants(source: ImpactSource, args: argparse.Namespace) -> tuple[list[Variant], int]:
    """The impacts of every layer above the embeddings, and the layer that is best.

    Raises:
        UsageError: the best layer is that of the embeddings, whose impacts tell no tree.
    """
    options = {
        "metric": args.metric,
        "pool": args.pool,
        "perturb": args.perturb,
        "attention": args.attention,
    }
    settings = source.resolve(**options, layer=list(range(1, source.n_layers + 1)))
    (best,) = source.resolve(**options, layer=args.layer).layers
    if not best:
        raise UsageError("--layer: a layer above the embeddings is expected, found 0")
    found = [
        Variant(*each, adjust=args.adjust, attention=settings.attention) for each in settings.combinations()
    ]
    return found, best


main = experiment_main(build_parser, run)
