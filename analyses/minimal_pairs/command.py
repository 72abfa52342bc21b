"""Accuracy on minimal pairs: ``probe minimal-pairs --model bert --data blimp``."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from analyses.minimal_pairs.accuracy import (
    PairEvaluation,
    PairOutcome,
    SkippedPair,
    evaluate_pairs,
    first_pairs,
    score_pairs,
)
from analyses.minimal_pairs.pseudo_likelihood import SCORES
from analyses.minimal_pairs.tables import listed, pair_tables
from analyses.options import show
from analyses.tables.forms import table_dict
from analyses.tables.results import Ran
from analyses.tables.table import FORMATS, SUFFIXES, TableFormat, say_unknown
from probe.command_line import (
    DONE,
    SOME_FAILED,
    Parser,
    command_main,
)
from probe.option_groups import InputOptions, ModelOptions, OutputOptions, RandomOptions
from probe.source import EMBEDDED

if TYPE_CHECKING:
    from analyses.tables.table import Table
    from data import MinimalPair
    from probe import Probe

_CSV_COLUMNS = ("model", "level", "name", "phenomenon", "accuracy", "low", "high", "pairs", "ties")


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(
        prog="probe minimal-pairs",
        description="Accuracy of a masked language model on minimal pairs such as BLiMP, "
        "by pseudo-log-likelihood (Salazar et al. 2020).",
        failures="some input failed (under --strict also where it was skipped)",
    )
    add = parser.add_argument
    text = "folder of .jsonl files, or one of them"
    InputOptions.add(parser, help=text, required=True, limit="pairs of each paradigm")
    add("--score", choices=SCORES, default="original", help="what is masked (default: %(default)s)")
    switch = argparse.BooleanOptionalAction
    add("--random-model", action=switch, default=True, help="score random weights, too (twice the time)")
    # In bfloat16 logits are rounded to sixteenths, which is as much as many pairs differ by.
    ModelOptions.add(parser, default=EMBEDDED, dtype="float32")
    RandomOptions.add(parser, of="bootstrap and random weights")
    where = "write here, not to standard output"
    OutputOptions.add(
        parser, formats=FORMATS, default=None, out=where, dest="file", metavar="FILE", strict="a pair"
    )
    parser.rename(output="--out")
    return parser


def _main(args: argparse.Namespace) -> int:
    ran = run(args)
    sys.stdout.flush()
    return SOME_FAILED if ran.failed else DONE


def run(args: argparse.Namespace) -> Ran:
    """Score the pairs, write what ``--out`` and ``--format`` ask for; the tables as values."""
    import data
    import probe
    from probe.spaces import count_unknown, split_text

    pairs = first_pairs(data.read_minimal_pairs(args.data), args.limit)
    with _output(args.file) as out:
        model = probe.load(args.model, device=args.device, dtype=args.dtype)
        blank = [model.with_random_weights(seed=args.seed)] if args.random_model else []
        evaluations = [
            _evaluate(args, each, _score(args, each, pairs, "random weights"), random_weights=True)
            for each in blank
        ]
        outcomes = _score(args, model, pairs, "scoring")
        evaluations.append(_evaluate(args, model, outcomes))
        skipped = [outcome for outcome in outcomes if isinstance(outcome, SkippedPair)]
        for outcome in skipped:
            print(f"{outcome.pair.where}: pair skipped: {outcome.reason}", file=sys.stderr)
        texts = (text for pair in pairs for text in (pair.good, pair.bad))
        unknown = count_unknown(model.pieces, map(split_text, texts))
        say_unknown(model.name, unknown, quiet=args.quiet)
        tables = pair_tables(evaluations, skipped=len(skipped), unknown_words=unknown)
        _write(_format(args), evaluations, skipped, tables, out)
    return Ran(tables=tuple(tables), failed=bool(args.strict and skipped), kept=True)


def _score(
    args: argparse.Namespace, model: Probe, pairs: Sequence[MinimalPair], label: str
) -> list[PairOutcome]:
    """Score all pairs, with a progress bar on a terminal."""
    from tqdm import tqdm

    hidden = args.quiet or not sys.stderr.isatty()
    with tqdm(total=len(pairs), desc=label, unit="pair", disable=hidden, dynamic_ncols=True) as bar:
        outcomes = []
        for outcome in score_pairs(model, pairs, score=args.score, batch_tokens=args.batch_tokens):
            outcomes.append(outcome)
            bar.update()
    return outcomes


def _evaluate(
    args: argparse.Namespace, model: Probe, outcomes: Sequence[PairOutcome], *, random_weights: bool = False
) -> PairEvaluation:
    from probe import ProbeError, __version__

    try:
        return evaluate_pairs(
            outcomes,
            model=model.name,
            data=args.data.resolve().stem,
            version=__version__,
            score=args.score,
            dtype=str(model.dtype).removeprefix("torch."),
            random_weights=random_weights,
            seed=args.seed,
        )
    except ValueError as error:
        raise ProbeError(f"{args.data}: {error}") from error


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    from probe.files import whole_file

    if path is None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as JSON must be, whatever the locale
        yield sys.stdout
    else:
        with whole_file(path) as file:
            yield file


def _format(args: argparse.Namespace) -> TableFormat:
    if args.format is not None:
        form: TableFormat = args.format
        return form
    suffix = args.file.suffix.removeprefix(".") if args.file else ""
    return next((form for form in FORMATS if SUFFIXES[form] == suffix), "table")


def _write(
    form: TableFormat,
    evaluations: Sequence[PairEvaluation],
    skipped: Sequence[SkippedPair],
    tables: Sequence[tuple[str, Table]],
    out: TextIO,
) -> None:
    if form == "json":
        left_out = [{"where": outcome.pair.where, "reason": outcome.reason} for outcome in skipped]
        document = {
            "evaluations": [each.as_dict() for each in evaluations],
            "skipped": left_out,
            "tables": [table_dict(table) for _, table in tables],
        }
        json.dump(document, out, ensure_ascii=False, indent=1)
        out.write("\n")
    elif form == "csv":
        _write_csv(evaluations, out)
    else:
        show(listed(evaluations, tables), form, out=out)


def _write_csv(evaluations: Sequence[PairEvaluation], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for evaluation in evaluations:
        for row in evaluation.rows:
            score = row.score
            cells = (
                row.phenomenon or "",
                score.value,
                None if score.interval is None else score.interval.low,
                None if score.interval is None else score.interval.high,
                score.n,
                row.ties,
            )
            writer.writerow((evaluation.model, row.level, row.name, *cells))


main = command_main(build_parser, _main)
