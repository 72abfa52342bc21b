"""Constituency trees, Table 3 of Wu et al. (ACL 2020): ``probe constituency --data DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.constituency.scores import WSJ10_WORDS, Gold
from analyses.constituency.tables import Scores, choice_table, score_tables
from analyses.constituency.trees import Found, induce
from analyses.options import add_decoders, add_options, finish, load_sources
from analyses.tables.results import Ran
from analyses.tables.table import Table
from analyses.trees.decoders import CONSTITUENT_DECODERS
from analyses.trees.protocols import ProtocolName
from analyses.trees.systems import Corpus, Skipped, System, Way, skip_lines
from analyses.trees.variants import variants
from probe.command_line import Parser, UsageError, command_main, positive
from probe.errors import ProbeError
from probe.files import whole_file
from probe.option_groups import InputOptions

if TYPE_CHECKING:
    from data import ConstituencySentence, PtbTree


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe constituency",
        description="Unlabelled F1 and recall by label of constituency trees induced by perturbed masking, "
        "beside baselines and published figures (Wu et al. 2020, Table 3).",
        epilog="Without --data it runs on the bundled sample trees.",
        failures="some sentences failed",
    )
    add = parser.add_argument
    text = "Penn Treebank: a .mrg file, or a folder of them"
    InputOptions.add(parser, help=text, limit=None)
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--sections", nargs="+", type=_section, metavar="N", help="only these sections of --data"
    )
    part.add_argument(
        "--dev",
        nargs="+",
        type=_section,
        metavar="N",
        help="only choose layer and span score: F1 of all of them, on these sections and no others",
    )
    add(
        "--max-length",
        type=_length,
        metavar="N",
        help="sentences of up to N words; 10 for WSJ10 (default: all)",
    )
    add_decoders(parser, CONSTITUENT_DECODERS)
    add("--brackets", metavar="FILE", help="write the induced trees there, one a line; - for standard output")
    add_options(parser, constituents=True)
    return parser


def _section(value: str) -> int:
    if not value.isdecimal() or int(value) > 99:
        raise argparse.ArgumentTypeError(f"a section from 0 to 99 is expected, found {value!r}")
    return int(value)


def _length(value: str) -> int:
    if (n := positive(value)) < 2:
        raise argparse.ArgumentTypeError("at least 2 words are expected, since one word has no tree, found 1")
    return n


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    _check(args)
    corpus = _corpus(args)
    golds = [
        Gold.of(_sentences(corpus, protocol, args), protocol) for protocol in dict.fromkeys(args.protocol)
    ]
    models = load_sources(args)
    chosen = [list(product(dict.fromkeys(args.decoders), variants(model, args))) for model in models]
    if args.brackets is not None and len(golds) * sum(map(len, chosen)) > 1:
        raise UsageError(
            "--brackets writes the trees of one row: give one --protocol, model, decoder, layer, metric, pool"
        )
    tables, failed = [], 0
    for gold in golds:
        skipped: Skipped = {}
        induced = [
            system
            for model, pairs in zip(models, chosen, strict=True)
            for system in induce(
                model,
                [Way(gold.protocol, *pair) for pair in pairs],
                gold,
                args,
                skipped,
                label=gold.protocol,
                keep=args.brackets is not None,
            )
        ]
        failed += len(skipped)
        for line in skip_lines(gold.sentences, skipped):
            print(line, file=sys.stderr)
        tables += _tables(corpus, gold, induced, args, skipped)
        if args.brackets is not None:
            _write_brackets(args.brackets, gold, induced[-1])
    return Ran(tables=tuple(tables), failed=failed > 0)


def _main(args: argparse.Namespace) -> int:
    """Standard output may be that of the brackets."""
    ran = run(args)
    with redirect_stdout(sys.stderr if args.brackets == "-" else sys.stdout):
        return finish(ran, args)


def _check(args: argparse.Namespace) -> None:
    """Refuse options that do not go together, before anything is read."""
    if args.data is None and (args.sections or args.dev):
        raise UsageError("--sections and --dev choose from --data, which is missing")
    if args.dev and args.brackets is not None:
        raise UsageError("--dev writes no trees: choose it or --brackets")
    if args.dev:
        args.seeds = 0
        args.decoders = [
            decoder for decoder in args.decoders if CONSTITUENT_DECODERS[decoder].score is not None
        ]
        args.layers = ["all"] if args.layers == ["best"] else args.layers
        if not args.decoders:
            raise UsageError("--dev chooses the span score of a decoder: none of those in --decoder has one")
    if args.matrices is not None and len(set(args.protocol)) > 1:
        raise UsageError("--matrices are of the words of one protocol: give --protocol")


# --- sentences


def _corpus(args: argparse.Namespace) -> Corpus[PtbTree]:
    import data

    if args.data is None:
        trees = (
            data.PtbTree(id=f"sample:{number}", tree=tree)
            for number, tree in enumerate(data.load_sample_trees(), start=1)
        )
        return Corpus(name="sample", items=tuple(trees))
    sections = args.dev or args.sections
    name = "-".join([args.data.stem, *(f"{section:02}" for section in sections or [])])
    return Corpus(name=name, items=tuple(data.read_ptb(args.data, sections=sections)))


def _sentences(
    corpus: Corpus[PtbTree], protocol: ProtocolName, args: argparse.Namespace
) -> tuple[ConstituencySentence, ...]:
    """The sentences of a protocol; one word has no tree and is left out."""
    import data

    found = data.constituency_sentences(
        corpus.items, protocol=protocol, min_length=2, max_length=args.max_length
    )
    sentences = tuple(islice(found, args.limit))
    if not sentences:
        raise UsageError(f"{corpus.name}: no sentence of 2 words or more without punctuation to score")
    return sentences


def _write_brackets(target: str, gold: Gold, system: System[Found]) -> None:
    """One tree a line, in order; the line of a sentence that could not be probed is empty."""
    ((found,),) = (run.values() for run in system.runs)
    trees = {place: each.tree for place, each in found.items() if each.tree is not None}
    lines = [
        (trees[place].brackets(sentence.words) if place in trees else "") + "\n"
        for place, sentence in enumerate(gold.sentences)
    ]
    if target == "-":
        sys.stdout.writelines(lines)
        return
    with whole_file(Path(target)) as file:
        file.writelines(lines)


# --- tables


def _tables(
    corpus: Corpus[PtbTree],
    gold: Gold,
    systems: Sequence[System[Found]],
    args: argparse.Namespace,
    skipped: Skipped,
) -> list[tuple[str, Table]]:
    """The scores under a protocol, or with ``--dev`` the choice of layer and span score."""
    places = [place for place in range(len(gold.sentences)) if place not in skipped]
    if not places:
        raise ProbeError("no sentence could be probed, so there is nothing to score")
    table = Scores.of(corpus.name, gold, places, max_length=args.max_length, seed=args.seed)
    stem = f"constituency-{corpus.name}-{gold.protocol}"
    if args.dev:
        found = [choice_table(table, system) for system in systems]
        return [(f"{stem}-dev-{number}", each) for number, each in enumerate(found, start=1)]
    notes = [_sentences_note(table.columns.gold, args.max_length)]
    if skipped:
        notes.append(f"{len(skipped):,} more sentences could not be probed and are left out of every row.")
    if args.data is None:
        notes.append("Data: the bundled sample trees, since --data is not given.")
    return score_tables(stem, table, systems, beside_published=args.data is not None, notes=notes)


def _sentences_note(gold: Gold, max_length: int | None) -> str:
    lengths = "2 words or more" if max_length is None else f"2 to {max_length} words"
    short = int((gold.lengths <= WSJ10_WORDS).sum())
    return (
        f"{len(gold.sentences):,} sentences of {lengths} without punctuation, {short:,} of them of up to "
        f"{WSJ10_WORDS}; one word has no tree."
    )


main = command_main(build_parser, _main)
