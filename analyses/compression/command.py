"""A BERT cut down, and what of its structure stays: ``probe compress --width .25 .5 .75 1 --depth .5 .75 1``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from analyses.compression.exit_command import read_treebank
from analyses.compression.importance import Importance, importance
from analyses.compression.measures import Corpora, Meter
from analyses.compression.pruning import (
    Cell,
    choose,
    grid,
    layout_of,
    prune,
    random_importance,
    save,
)
from analyses.compression.tables import Entry, grid_table
from analyses.constituency.scores import Gold
from analyses.dependency.trees import Treebank
from analyses.minimal_pairs.accuracy import first_pairs
from analyses.options import experiment_main
from analyses.tables.results import Ran, read_json
from analyses.tables.table import FORMATS
from analyses.trees.protocols import scored_words
from analyses.trees.systems import Skipped, skip_lines
from probe import __version__
from probe.command_line import Parser, UsageError, positive, whole_number
from probe.errors import ProbeError, SentenceError
from probe.files import whole_file
from probe.fingerprint import weights_sha256, words_sha256
from probe.option_groups import InputOptions, ModelOptions, OutputOptions, RandomOptions
from probe.source import EMBEDDED
from probe.spaces import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analyses.tables.table import Table
    from data import ConstituencySentence, MinimalPair, Sentence
    from probe.model import Probe

Item = TypeVar("Item", "Sentence", "ConstituencySentence")
LIMIT, PAIR_LIMIT = 50, 5
"""Sentences of each corpus, and pairs of each paradigm, by default: minutes, not hours."""
_GRID = "grid.json"
"""Of ``--out``: what its files depend on."""
_RANKED = 4
"""Times as many sentences rank as are scored."""


WIDTHS, DEPTHS = (0.25, 0.5, 0.75, 1.0), (0.5, 0.75, 1.0)
"""Of the grid by default."""


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe compress",
        description="Cut a masked LM down to shares of its heads and neurons (the most important by DynaBERT, Hou "
        "et al. 2020) and of its layers (dropped evenly), and measure what of trees, predictions and impacts "
        "stays, beside cutting at random. With --out every model of the grid is a directory that --model takes.",
        epilog="Without --data and --trees it runs on the bundled samples.",
        failures="some sentences failed",
    )
    add = parser.group("grid").add_argument
    text = "shares of heads and neurons that stay in each layer (default: %(default)s)"
    add("--width", nargs="+", type=_share, default=list(WIDTHS), metavar="SHARE", help=text)
    text = "shares of layers that stay (default: %(default)s)"
    add("--depth", nargs="+", type=_share, default=list(DEPTHS), metavar="SHARE", help=text)
    text = "models whose heads and neurons are drawn at random, for each cell; 0: none (default: %(default)s)"
    add("--draws", type=whole_number, default=1, metavar="N", help=text)
    InputOptions.add(
        parser,
        help="treebank in CoNLL-U",
        metavar="FILE",
        limit=f"sentences of each corpus (default: {LIMIT})",
    )
    parser.set_defaults(limit=LIMIT)
    add = parser.group("input").add_argument
    text = "text that ranks heads and neurons: .conllu, or .txt, a tokenised sentence a line"
    text += " (default: every other sentence of --data, which is not scored)"
    add("--text", type=Path, metavar="FILE", help=text)
    add("--trees", type=Path, metavar="PATH", help="Penn Treebank: a .mrg file, or a folder of them")
    text = "minimal pairs: a folder of .jsonl files, or one of them; without: none are judged"
    add("--pairs", type=Path, metavar="PATH", help=text)
    text = "only the first N pairs of each paradigm (default: %(default)s)"
    add("--pair-limit", type=positive, default=PAIR_LIMIT, metavar="N", help=text)
    ModelOptions.add(parser, default=EMBEDDED)
    RandomOptions.add(parser, of="masks, draws and bootstrap", seeds=1)
    OutputOptions.add(
        parser,
        formats=FORMATS,
        out="write there, too: tables, the figure, models, their impacts and what is measured",
    )
    text = "with --out, write the model of each cell, too"
    parser.group("output").add_argument(
        "--models", action=argparse.BooleanOptionalAction, default=True, help=text
    )
    return parser


def _share(text: str) -> float:
    from data.numbers import parse_number

    value = parse_number(text)
    if value is None or not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"a share above 0, at most 1, is expected, found {text!r}")
    return value


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    from probe.loading import load

    treebank, text = _treebank(args)
    trees, pairs = _constituents(args), _pairs(args)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    whole = load(args.model, device=args.device, dtype=args.dtype)
    layout_of(whole)  # before minutes are spent: not every model can be cut
    words, brackets = _taken(whole, treebank.items), _taken(whole, trees)
    corpora = Corpora(
        treebank=replace(treebank, items=words),
        gold=Gold.of(brackets, "fair"),
        pairs=pairs,
        skipped=len(treebank.items) - len(words),
    )
    if args.out is not None:
        _begin(args, whole, corpora, text)
    meter = Meter(whole, corpora, args)
    entries = [Entry(name=whole.name, cell=Cell(1, 1), measured=(meter(whole, "whole"),))]
    if args.seeds:
        blank = [meter(whole.with_random_weights(seed=seed), f"blank-{seed}") for seed in range(args.seeds)]
        entries.append(Entry(name=f"{whole.name} random weights", cell=None, measured=tuple(blank)))
    ranks = _ranks(whole, text, args)
    for cell in [cell for cell in grid(args.width, args.depth) if cell != Cell(1, 1)]:
        own = _cut(whole, ranks, cell, "", args)
        entries.append(Entry(name=own.name, cell=cell, measured=(meter(own, cell.stem),)))
        if args.draws and cell.width < 1:
            drawn = tuple(meter(model, stem) for stem, model in _drawn(whole, ranks, cell, args))
            name = f"{whole.name} at random, {cell}"
            entries.append(Entry(name=name, cell=cell, measured=drawn, at_random=True))
    table = grid_table(whole, entries, corpora, ranked=len(text), args=args)
    if args.out is not None:
        _draw(table, args)
    failed = len(words) + len(brackets) < len(treebank.items) + len(trees)
    return Ran(tables=((f"compress-{treebank.name}", table),), failed=failed)


def _begin(args: argparse.Namespace, whole: Probe, corpora: Corpora, text: Sequence[Sequence[str]]) -> None:
    """Note what a folder's files depend on; refuse one that has those of another grid.

    Raises:
        UsageError: it does, with what differs.
        OSError: it cannot be written.
    """
    own = {
        "model": weights_sha256(whole.model),
        "data": corpora.digest(),
        "text": words_sha256(text),
        "seed": args.seed,
        "version": __version__,
    }
    found = read_json(args.out / _GRID)
    if found and (other := [name for name, value in own.items() if found.get(name) != value]):
        raise UsageError(f"--out {args.out}: holds a grid with another {other[0]}: name another directory")
    with whole_file(args.out / _GRID) as file:
        json.dump(own, file, indent=1)
        file.write("\n")


def _treebank(args: argparse.Namespace) -> tuple[Treebank, list[Sequence[str]]]:
    """The sentences that are scored, and the words of those that rank.

    Raises:
        UsageError: one of them is empty, or nothing can be scored.
    """
    import data

    found = read_treebank(args.data, args.limit if args.text else None)
    ranking: Sequence[Sentence]
    if args.text is not None:
        scored, ranking = found.items, tuple(data.read_sentences(args.text))
    else:
        scored, ranking = found.items[::2][: args.limit], found.items[1::2]
    ranking = ranking[: _RANKED * args.limit]
    if not ranking:
        raise UsageError("no sentence to rank by: give --text, or a treebank of two sentences or more")
    try:
        there = any(scored_words(sentence, "fair").any() for sentence in scored)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not there:
        raise UsageError(f"{found.name}: no word to score")
    return Treebank(name=found.name, items=scored), [running(one.words, one.spaces) for one in ranking]


def _taken(whole: Probe, sentences: Sequence[Item]) -> tuple[Item, ...]:
    """The sentences that the model can take; the others are named on stderr.

    Raises:
        ProbeError: it can take none.
    """
    skipped: Skipped = {}
    for place, one in enumerate(sentences):
        try:
            whole.align(running(one.words, getattr(one, "spaces", None))).check_known()
        except SentenceError as error:
            skipped[place] = str(error)
    for line in skip_lines(sentences, skipped):
        print(line, file=sys.stderr)
    if len(skipped) == len(sentences):
        raise ProbeError(f"none of {len(sentences)} sentences can be read by {whole.name}")
    return tuple(one for place, one in enumerate(sentences) if place not in skipped)


def _constituents(args: argparse.Namespace) -> list[ConstituencySentence]:
    """The sentences with gold constituents."""
    import data

    trees = (
        data.read_ptb(args.trees)
        if args.trees is not None
        else (
            data.PtbTree(id=f"sample:{at}", tree=tree) for at, tree in enumerate(data.load_sample_trees(), 1)
        )
    )
    sentences = list(data.constituency_sentences(trees, protocol="fair", min_length=2))[: args.limit]
    if not sentences:
        raise UsageError(f"{args.trees}: no sentence of 2 words or more without punctuation to score")
    return sentences


def _pairs(args: argparse.Namespace) -> tuple[MinimalPair, ...]:
    import data

    if args.pairs is None:
        return ()
    return tuple(first_pairs(data.read_minimal_pairs(args.pairs), args.pair_limit))


def _ranks(whole: Probe, text: Sequence[Sequence[str]], args: argparse.Namespace) -> Importance:
    """The importances, with a progress bar."""
    from tqdm import tqdm

    hidden = args.quiet or not sys.stderr.isatty()
    with tqdm(total=len(text), desc="ranking", unit="sentence", disable=hidden, dynamic_ncols=True) as bar:
        return importance(whole, text, seed=args.seed, on_sentences=bar.update)


def _cut(whole: Probe, ranks: Importance, cell: Cell, kind: str, args: argparse.Namespace) -> Probe:
    """The model of a cell, which is written where ``--out`` is given without ``--no-models``."""
    model = prune(whole, choose(ranks, cell), name=f"{whole.name}{kind} {cell}")
    if args.out is not None and args.models and not kind:
        save(model, args.out / "models" / cell.stem, chosen=f"where the layers of {whole.name} were")
    return model


def _drawn(
    whole: Probe, ranks: Importance, cell: Cell, args: argparse.Namespace
) -> Iterator[tuple[str, Probe]]:
    """The models of a cell whose heads and neurons are drawn, and the stems of their files."""
    for draw in range(args.draws):
        rng = np.random.default_rng([args.seed, draw])
        yield (
            f"{cell.stem}-random-{draw}",
            _cut(whole, random_importance(ranks, rng), cell, f" random {draw}", args),
        )


def _draw(table: Table, args: argparse.Namespace) -> None:
    from analyses.compression.grid_figure import heatmaps
    from analyses.pictures.style import save as save_figure
    from analyses.pictures.style import style

    with style():
        save_figure(heatmaps(table), args.out / "compress")


main = experiment_main(build_parser, run)
