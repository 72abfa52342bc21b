"""What a model knows of facts, asked by gaps: ``probe knowledge --model bert --data LAMA``."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
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
from probe.command_line import (
    Parser,
    UsageError,
    whole_number,
)
from probe.option_groups import ModelOptions, OutputOptions, RandomOptions

if TYPE_CHECKING:
    from analyses.knowledge.candidates import Candidates
    from analyses.knowledge.ranks import Excluded
    from analyses.knowledge.tables import Run
    from data.lama import Relation
    from probe import Probe

    _Left = tuple[Probe, str, Excluded]

_PARAPHRASES = "pararel-patterns"
_EXCLUDED = ("model", "asked by", "corpus", "relation", "file", "line", "id", "object", "reason")


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe knowledge",
        description="Facts that a masked language model can fill in, beside baselines and published figures "
        "(LAMA, Petroni et al. 2019).",
        epilog="Without --data it runs on a few facts that come with this package.",
        failures="some facts failed",
    )
    add = parser.add_argument
    add_fact_options(parser, limit="facts of each file")
    add("--paraphrases", action="store_true", help=f"ask by every pattern in {_PARAPHRASES} of --data, too")
    add(
        "--max-pieces",
        type=whole_number,
        default=0,
        metavar="N",
        help="objects of up to N pieces, too (default: 0)",
    )
    add("--prompts", action="store_true", help="ask the negated and misprimed prompts of this package, too")
    add(
        "--words",
        type=whole_number,
        default=0,
        metavar="N",
        help="for N right answers: which word carried them",
    )
    parser.rename(pieces="--max-pieces")
    # In bfloat16 many candidates get the same score.
    ModelOptions.add(parser, several=True, dtype="float32")
    RandomOptions.add(parser, of="the bootstrap", seeds=1)
    OutputOptions.add(parser, formats=FORMATS, out="write each table there, too, and excluded.csv")
    return parser


def run(args: argparse.Namespace) -> Ran:
    """What the options ask for, as values: main prints and writes them."""
    with facts_folder(args) as folder:
        return _run_on(folder, args)


def _run_on(folder: Path, args: argparse.Namespace) -> Ran:
    relations = read_relations(folder, args, command="knowledge", names=args.relations)
    words = word_list(folder, args)
    total = sum(_counts(relations, args.limit))
    tables: list[tuple[str, Table]] = []
    excluded: list[_Left] = []
    models = load_models(args)
    for model in models:
        run = _probe(model, relations, candidates_of(model, words, args), args, total)
        more, left_out = _more_tables(run, relations, folder, args)
        found = [*_main_tables(run), *more]
        # With several models each has files of its own.
        mark = f"-{Path(model.name).name}" if len(models) > 1 else ""
        tables += [(f"{stem}{mark}", table) for stem, table in found]
        excluded += [(model, "one mask", each) for result in run.results for each in result.excluded]
        excluded += [(model, "several pieces", each) for each in left_out]
    if args.out is not None:
        _write_excluded(excluded, args.out)
    failed = [each for _, _, each in excluded if each.failed]
    for each in failed:
        print(f"{each.fact.where}: fact {each.fact.id} skipped: {each.reason}", file=sys.stderr)
    return Ran(tables=tuple(tables), failed=bool(failed))


def _counts(relations: Sequence[Relation], limit: int | None) -> Iterator[int]:
    """Facts of each relation; all input is read once before a model is loaded, so that faults show early."""
    from data.lama import read_facts

    for relation in relations:
        count = sum(1 for _ in read_facts(relation))
        yield count if limit is None else min(count, limit)


def _probe(
    model: Probe, relations: Sequence[Relation], candidates: Candidates, args: argparse.Namespace, total: int
) -> Run:
    from analyses.knowledge.results import probe_relations
    from analyses.knowledge.tables import Run

    with progress(total * (1 + args.seeds), model.name, args) as bar:
        results = probe_relations(
            model,
            relations,
            candidates,
            weights=[partial(model.with_random_weights, seed=seed) for seed in range(args.seeds)],
            limit=args.limit,
            batch_tokens=args.batch_tokens,
            on_done=bar.update,
        )
    if not any(result.asked for result in results):
        raise UsageError(f"{model.name}: none of the {total:,} facts has an object among the candidates")
    return Run(model=model, candidates=candidates, results=results, seed=args.seed)


def _main_tables(run: Run) -> list[tuple[str, Table]]:
    from analyses.knowledge.tables import corpus_tables
    from data.lama import FACT_CORPORA

    return [table for corpus in FACT_CORPORA for table in corpus_tables(run, corpus)]


def _more_tables(
    run: Run, relations: Sequence[Relation], folder: Path, args: argparse.Namespace
) -> tuple[list[tuple[str, Table]], list[Excluded]]:
    """What was asked for beside the single mask, and the facts that were left out there."""
    from analyses.knowledge import extras

    asked = extras.Extras(run, relations, limit=args.limit, batch_tokens=args.batch_tokens)
    found: list[tuple[str, Table]] = []
    excluded: list[Excluded] = []
    if args.paraphrases:
        with progress(None, f"{run.model.name}, paraphrases", args) as bar:
            found += asked.paraphrases(folder / _PARAPHRASES, on_done=bar.update)
    if args.max_pieces:
        with progress(None, f"{run.model.name}, several pieces", args) as bar:
            weights = [run.model.with_random_weights(seed=seed) for seed in range(args.seeds)]
            tables, excluded = asked.pieces(args.max_pieces, weights=weights, on_done=bar.update)
            found += tables
    if args.prompts:
        found += asked.contrasts()
    if args.words:
        tables = asked.words(args.words)
        found += tables
        if len(tables) < args.words and not args.quiet:
            print(f"knowledge: {len(tables)} right answers of {run.model.name}", file=sys.stderr)
    return found, excluded


def _write_excluded(excluded: Sequence[_Left], folder: Path) -> None:
    from probe.files import whole_file

    with whole_file(folder / "excluded.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_EXCLUDED)
        for model, row, each in excluded:
            relation, fact = each.relation, each.fact
            line = fact.where.rpartition(":")[2]
            about = (relation.corpus, relation.name, relation.file.name, line, fact.id, fact.object)
            writer.writerow((model.name, row, *about, each.reason))


main = experiment_main(build_parser, run)
