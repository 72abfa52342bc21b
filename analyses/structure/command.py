"""What a masked language model predicts along trees: ``probe structure --model bert --data en_pud.conllu``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analyses.kept import KeptResults, kept_impacts
from analyses.options import experiment_main, load_models
from analyses.structure.readings import Reading, mean_reading, read_masked
from analyses.structure.tables import About, System, structure_tables
from analyses.structure.views import Heads, View, along, masks_sha256, trees_of, without_trees
from analyses.tables.results import Ran
from analyses.tables.table import FORMATS
from analyses.trees.methods import METHODS
from probe.command_line import Parser, UsageError, option_type, positive
from probe.errors import ProbeError, one_line
from probe.files import file_stem
from probe.fingerprint import weights_sha256, words_sha256
from probe.inputs import add_input_options, read_input
from probe.option_groups import ModelOptions, OutputOptions, RandomOptions, one_of
from probe.structure import RELATIONS, relation_name

if TYPE_CHECKING:
    from analyses.trees.induction import Method
    from data import Sentence
    from probe import Probe
    from probe.source import ImpactSource

SHOWN = ("nearest:1", "nearest:2", "nearest:4", "nearest:8")


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe structure",
        description="Masked words predicted from the words that a tree shows: gold, induced, random trees and "
        "chains, beside full attention (after Syntax-BERT, Bai et al. 2021).",
        epilog="Without --data it reads the bundled sample treebank.",
        failures="some sentences failed",
    )
    add_input_options(parser)
    group = parser.group("trees")
    text = f"what a word sees: {', '.join(RELATIONS)}, or several joined by + (default: {' '.join(SHOWN)})"
    group.add_argument(
        "--relation",
        dest="relations",
        nargs="+",
        type=option_type(relation_name),
        default=list(SHOWN),
        metavar="NAME",
        help=text,
    )
    text = "of the induced trees (default: as probe parse)"
    group.add_argument("--method", help=text, **one_of(METHODS))
    text = "of the induced trees: read their impacts from this directory of probe run, of the same model"
    group.add_argument("--matrices", type=Path, metavar="DIR", help=text)
    text = "random trees of each sentence (default: %(default)s)"
    group.add_argument("--draws", type=positive, default=3, metavar="N", help=text)
    # In bfloat16 logits are rounded to sixteenths.
    ModelOptions.add(parser, several=True, dtype="float32")
    RandomOptions.add(parser, of="random trees and bootstrap", seeds=1)
    text = "write there: tables, the impacts of the induced trees, and what is measured; started again it goes on"
    OutputOptions.add(parser, formats=FORMATS, out=text, strict="a sentence")
    return parser


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    import data

    if args.matrices is not None and len(args.model or ()) > 1:
        raise UsageError(f"--matrices are of one model, found --model {' '.join(args.model)}")
    sentences, name = read_input([], args.data, args.limit, tokenize=args.tokenize)
    gold = all(sentence.heads is not None for sentence in sentences)
    for sentence in sentences if gold else []:
        data.check_tree(sentence)
    relations = tuple(dict.fromkeys(args.relations))
    about = About(data=name, relations=relations, draws=args.draws, seed=args.seed, seeds=args.seeds)
    systems = []
    failed = 0
    for model in load_models(args):
        method = _method(model, args)
        trees, skipped = _induced(model, sentences, method, args)
        for line in skipped:
            print(one_line(f"{model.name}: {line}"), file=sys.stderr)
        if not trees:
            raise ProbeError(f"{name}: {model.name} can read none of the {len(sentences)} sentences")
        failed += len(skipped)
        found = _system(model, trees, args, relations, gold=gold)
        systems.append(replace(found, made_by=method.made_by(model), skipped=len(skipped)))
    return Ran(tables=tuple(structure_tables(systems, about)), failed=bool(args.strict and failed))


def _method(model: Probe, args: argparse.Namespace) -> Method:
    """How the model's trees are made; refuses one that does not fill masks."""
    from analyses.pipeline import choose
    from probe.needs import check_fills_masks

    check_fills_masks(model, "predicting masked words")
    return choose(model, method=args.method, batch_tokens=args.batch_tokens, seed=args.seed)


def _induced(
    model: Probe, sentences: Sequence[Sentence], method: Method, args: argparse.Namespace
) -> tuple[list[tuple[Sentence, Heads]], list[str]]:
    """The sentences that the model can read, with its trees, and why it cannot read the others."""
    from analyses.trees.induction import Induced, induce
    from probe.progress import Progress

    texts = list(method.read(sentences, model))
    sizes = [model.passes(one, [method.perturb], openness=True) for one in texts]
    trees, skipped = [], []
    with Progress(sentences=len(sizes), passes=sum(sizes), label="trees", quiet=args.quiet) as progress:
        source = _source(model, texts, method, args, progress.passes)
        outcomes = induce(sentences, source, method, on_passes=progress.passes)
        for size, outcome in zip(sizes, outcomes, strict=True):
            progress.sentence(size, ran=isinstance(outcome, Induced))
            one = outcome.sentence
            if isinstance(outcome, Induced):
                trees.append((one, outcome.heads))
            else:
                skipped.append(f"{one.where}: sentence {one.id} skipped: {outcome.reason}")
    return trees, skipped


def _source(
    model: Probe,
    texts: Sequence[Sequence[str]],
    method: Method,
    args: argparse.Namespace,
    on_passes: Callable[[int], None],
) -> ImpactSource:
    """Where the impacts come from: ``--matrices``, the run directory in ``--out``, or the model itself.

    Raises:
        UsageError: ``--matrices`` are those of another model.
        probe.store.StoreError: they cannot be read; ``--out`` has those of another run.
    """
    from analyses.trees.variants import openness_choice
    from probe.store import Store

    if args.matrices is not None:
        store = Store.open(args.matrices)
        if store.configuration.weights_sha256 != weights_sha256(model.model):
            raise UsageError(
                f"--matrices {args.matrices}: of {store.name}, whose weights are not {model.name}'s"
            )
        return store
    return kept_impacts(
        args.out,
        model.name,
        model,
        texts,
        **method.impact,
        openness=openness_choice(model, [method.adjust], method.openness_from),
        batch_tokens=method.batch_tokens,
        on_passes=on_passes,
    )


def _system(
    model: Probe,
    trees: Sequence[tuple[Sentence, Heads]],
    args: argparse.Namespace,
    relations: Sequence[str],
    *,
    gold: bool,
) -> System:
    """All readings of a model, with a progress bar."""
    from probe.progress import Progress
    from probe.spaces import running

    sentences = [sentence for sentence, _ in trees]
    texts = [running(one.words, one.spaces) for one in sentences]
    sizes = [len(words) for words in texts]
    by_name = trees_of(
        sizes,
        gold=[np.array(one.heads) for one in sentences] if gold else None,
        induced=[heads for _, heads in trees],
        draws=args.draws,
        seed=args.seed,
    )
    bare = without_trees(sizes)
    readings = sum(len(drawn) for drawn in by_name.values()) * len(relations) + len(bare) + args.seeds
    with Progress(
        sentences=readings, passes=readings * sum(sizes), label=model.name, quiet=args.quiet
    ) as bar:

        def read(source: Probe, view: View, about: str = "") -> Reading:
            folder = None if args.out is None else args.out / "measured" / file_stem(model.name)
            kept, found = KeptResults(folder, source, words_sha256(texts)), []
            for number, draw in enumerate(view.draws):
                make = partial(
                    read_masked, source, texts, draw, batch_tokens=args.batch_tokens, on_passes=bar.passes
                )
                name = " ".join(filter(None, [view.name, about, str(number)]))
                found.append(kept(name.replace(" ", "-"), Reading, make, of=masks_sha256(draw)))
                bar.sentence(sum(sizes), ran=True)
            if not all(one.is_finite for one in found):
                raise ProbeError(f"{source.name}: predictions are not finite: try dtype float32")
            return mean_reading(found)

        alone = {view.name: read(model, view) for view in bare}
        blank = [
            read(model.with_random_weights(seed=seed), bare[-1], f"random weights {seed}")
            for seed in range(args.seeds)
        ]
        seen = {
            relation: {view.name: read(model, view, relation) for view in along(by_name, relation)}
            for relation in relations
        }
    return System(
        model=model,
        sentences=sentences,
        alone=alone,
        blank=mean_reading(blank) if blank else None,
        along=seen,
    )


main = experiment_main(build_parser, run)
