"""Facts asked with another one in the prompt: ``probe triples --model bert --data LAMA`` (after K-BERT)."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from analyses.knowledge.inputs import (
    add_fact_options,
    candidates_of,
    facts_folder,
    progress,
    read_relations,
    word_list,
)
from analyses.options import experiment_main, load_models
from analyses.tables.results import Ran
from analyses.tables.table import FORMATS, Table
from probe.command_line import Parser, UsageError, positive
from probe.errors import one_line
from probe.files import file_stem
from probe.option_groups import ModelOptions, OutputOptions, RandomOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyses.knowledge.candidates import Candidates
    from analyses.knowledge.inserted_tables import InsertedRun
    from analyses.knowledge.triples import Triples
    from data.lama import Relation
    from probe import Probe


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe triples",
        description="Facts asked with and without another fact of the subject in the prompt, inserted by a "
        "visible matrix and soft positions (K-BERT, Liu et al. 2020).",
        epilog="Without --data it runs on a few facts that come with this package.",
        failures="some facts failed",
    )
    add_fact_options(parser, limit="facts of each file that have a triple")
    text = "triples of random subjects for each fact (default: %(default)s)"
    parser.add_argument("--draws", type=positive, default=3, metavar="N", help=text)
    # In bfloat16 many candidates get the same score.
    ModelOptions.add(parser, several=True, dtype="float32")
    RandomOptions.add(parser, of="random triples and the bootstrap", seeds=1)
    text = "write there: each table in every format, and what is measured; started again it goes on"
    OutputOptions.add(parser, formats=FORMATS, out=text)
    return parser


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    from analyses.knowledge.inserted_tables import inserted_tables
    from analyses.knowledge.triples import Triples
    from data.lama import FACT_CORPORA

    with facts_folder(args) as folder:
        known = read_relations(folder, args, command="triples", names=None)
        asked = (
            read_relations(folder, args, command="triples", names=args.relations) if args.relations else known
        )
        templated = _with_template(asked, args)
        words = word_list(folder, args)
        triples = Triples(known)
        tables: list[tuple[str, Table]] = []
        failed = []
        models = load_models(args)
        for model in models:
            found = _probe(model, templated, triples, candidates_of(model, words, args), args)
            # With several models each has files of its own.
            mark = f"-{file_stem(model.name)}" if len(models) > 1 else ""
            of_corpora = [table for corpus in FACT_CORPORA for table in inserted_tables(found, corpus)]
            tables += [(f"{stem}{mark}", table) for stem, table in of_corpora]
            failed += [each for result in found.results for each in result.excluded if each.failed]
    for each in failed:
        print(one_line(f"{each.fact.where}: fact {each.fact.id} skipped: {each.reason}"), file=sys.stderr)
    return Ran(tables=tuple(tables), failed=bool(failed))


def _with_template(relations: Sequence[Relation], args: argparse.Namespace) -> list[Relation]:
    """The relations that can be asked of a subject.

    Raises:
        UsageError: there is none.
    """
    found = [each for each in relations if each.template is not None]
    if not found:
        named = ", ".join(args.relations or [each.name for each in relations])
        raise UsageError(f"relations with a template for their subjects are expected, found {named}")
    return found


def _probe(
    model: Probe,
    relations: Sequence[Relation],
    triples: Triples,
    candidates: Candidates,
    args: argparse.Namespace,
) -> InsertedRun:
    from analyses.knowledge.inserted import probe_inserted
    from analyses.knowledge.inserted_tables import InsertedRun
    from analyses.knowledge.tables import Run

    with progress(None, model.name, args) as bar:
        results = probe_inserted(
            model,
            relations,
            triples,
            candidates,
            weights=[partial(model.with_random_weights, seed=seed) for seed in range(args.seeds)],
            limit=args.limit,
            draws=args.draws,
            seed=args.seed,
            batch_tokens=args.batch_tokens,
            folder=None if args.out is None else args.out / "measured" / file_stem(model.name),
            on_done=bar.update,
        )
    if not any(result.asked for result in results):
        raise UsageError(
            f"{model.name}: no fact with a candidate for its object has another fact of its subject"
        )
    run = Run(model=model, candidates=candidates, results=(), seed=args.seed)
    return InsertedRun(run=run, results=results, draws=args.draws, seeds=args.seeds)


main = experiment_main(build_parser, run)
