"""The options of commands that read the states of words."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.tables.table import FORMATS
from probe.command_line import add_device_options, positive, whole_number
from probe.word_states import PIECES

if TYPE_CHECKING:
    from data import Sentence


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """What the states are of."""

    name: str
    sentences: tuple[Sentence, ...]


def read_corpus(path: Path | None, limit: int | None = None) -> Corpus:
    """Read a corpus: a folder of STS files, one of them (``.tsv``), ``.conllu``, ``.txt``; None: the sample.

    Raises:
        data.InputError, data.DataError: as the readers of ``data``.
    """
    import data
    from data.sts import read_sts

    if path is None:
        return Corpus(name="sample", sentences=data.load_sample()[:limit])
    read = read_sts if path.is_dir() or path.suffix.lower() == ".tsv" else data.read_sentences
    # All of it is read before anything runs: a fault in the last line should not cost a night.
    return Corpus(name=path.resolve().stem, sentences=tuple(read(path))[:limit])


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Options of corpus, words and model, for this command and ``analyses.static_vectors``."""
    add = parser.add_argument
    add(
        "--corpus",
        type=Path,
        metavar="PATH",
        help=".conllu, .txt (a tokenised sentence a line), .tsv of STS, or a folder of these; "
        "default: the bundled sample",
    )
    add("--limit", type=positive, metavar="N", help="only the first N sentences")
    add("--pieces", choices=PIECES, default="mean", help="of words of several pieces (default: mean)")
    add("--cased", action="store_true", help="The and the are two words (default: one)")
    add("--seed", type=whole_number, default=0, help="of draws and bootstrap (default: 0)")
    add_device_options(parser, dtype="float32")
    add("--format", choices=FORMATS, default="table", help="of standard output (default: table)")
    add("--quiet", action="store_true", help="no progress bar")
