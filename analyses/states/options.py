"""The options of commands that read the states of words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analyses.tables.table import FORMATS
from probe.command_line import Parser
from probe.option_groups import InputOptions, ModelOptions, OutputOptions, RandomOptions, known
from probe.source import EMBEDDED
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


def add_state_options(parser: Parser, *, several: bool, out: str) -> None:
    """Options of input, words, models and output.

    Args:
        parser: of the command.
        several: whether it takes several models.
        out: help of ``--out``.
    """
    add = parser.add_argument
    text = (
        ".conllu, .txt (a tokenised sentence a line), .tsv of STS, or a folder of these; without: the sample"
    )
    InputOptions.add(parser, help=text)
    text = f"{', '.join(PIECES)}: of words of several pieces (default: mean)"
    parser.group("impacts").add_argument("--pool", default="mean", help=text, **known("pool", PIECES))
    parser.rename(corpus="--data", pieces="--pool")
    add("--cased", action="store_true", help="The and the are two words (default: one)")
    ModelOptions.add(parser, several=several, default=None if several else EMBEDDED, dtype="float32")
    RandomOptions.add(parser, of="draws and bootstrap")
    OutputOptions.add(parser, formats=FORMATS, out=out)
