"""What the commands of knowledge read: relations, word lists, candidates; their options, and a progress bar."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe.command_line import Parser, UsageError
from probe.option_groups import InputOptions

if TYPE_CHECKING:
    from analyses.knowledge.candidates import Candidates
    from data.lama import Relation
    from probe import Probe

_VOCABULARY = "common_vocab_cased.txt"


def add_fact_options(parser: Parser, *, limit: str) -> None:
    """Add ``--data``, ``--limit``, ``--relations`` and ``--vocabulary``.

    Args:
        parser: of the command.
        limit: what ``--limit`` limits.
    """
    add = parser.add_argument
    InputOptions.add(parser, help="facts in the layout of LAMA", metavar="DIR", limit=limit)
    add("--relations", nargs="+", metavar="NAME", help="only these, such as P19 or place_of_birth or SQuAD")
    add("--vocabulary", metavar="FILE", help=f"a word a line, or 'model' (default: {_VOCABULARY} of --data)")


@contextmanager
def facts_folder(args: argparse.Namespace) -> Iterator[Path]:
    """The folder of facts: that of ``--data``, or the one that comes with the package."""
    if args.data is not None:
        yield args.data
    else:
        with as_file(files("analyses.knowledge").joinpath("sample")) as folder:
            yield folder


def read_relations(
    folder: Path, args: argparse.Namespace, *, command: str, names: Sequence[str] | None
) -> tuple[Relation, ...]:
    """The relations of these names, or all; says on stderr which have no facts.

    Raises:
        data.InputError, data.DataError: as ``data.lama.list_relations``.
    """
    from data.lama import list_relations

    relations, absent = list_relations(folder, names=names)
    if absent:
        print(f"{command}: no facts of {', '.join(absent)} in {folder}: skipped", file=sys.stderr)
    if args.data is None:
        return tuple(replace(relation, corpus="sample") for relation in relations)
    return relations


def word_list(folder: Path, args: argparse.Namespace) -> tuple[str, ...] | None:
    """The words of ``--vocabulary``; None where the model's own are meant.

    Raises:
        UsageError: there is no list in the folder.
        data.InputError, data.DataError: as ``data.lama.read_word_list``.
    """
    from data.lama import read_word_list

    if args.vocabulary == "model":
        return None
    path = folder / _VOCABULARY if args.vocabulary is None else Path(args.vocabulary)
    if args.vocabulary is None and not path.is_file():
        if args.data is None:
            return None
        raise UsageError(f"{path}: the word list of LAMA is expected, there is none: give --vocabulary")
    return read_word_list(path)


def candidates_of(model: Probe, words: tuple[str, ...] | None, args: argparse.Namespace) -> Candidates:
    """The candidates of a model among the words, or among its own.

    Raises:
        UsageError: none of the words is one piece.
    """
    from analyses.knowledge.candidates import Candidates, model_words

    try:
        return Candidates.of(model.tokenizer, model_words(model.tokenizer) if words is None else words)
    except ValueError as error:
        raise UsageError(f"{args.vocabulary or _VOCABULARY}, {model.name}: {error}") from error


def progress(total: int | None, label: str, args: argparse.Namespace) -> Any:
    """A bar over facts."""
    from tqdm import tqdm

    hidden = args.quiet or not sys.stderr.isatty()
    return tqdm(total=total, desc=label, unit="fact", disable=hidden, file=sys.stderr, dynamic_ncols=True)
