"""What the commands ``probe.parse`` and ``probe.run`` share: options, input, exit codes."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from probe import __version__
from probe.errors import ModelError, OptionError, ProbeError
from probe.manifest import StoreError

if TYPE_CHECKING:
    from data import Sentence
    from probe.model import Probe

DONE, SOME_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """Wrong use of a command, found after the options were read."""


class Parser(argparse.ArgumentParser):
    """A parser of options whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with the message."""
        self.exit(WRONG_USE, f"{self.prog}: error: {message} (see --help)\n")


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Options of input, model and messages."""
    add = parser.add_argument
    add("--version", action="version", version=f"%(prog)s {__version__}")
    add("--input", metavar="FILE", help=".conllu, .txt (a tokenised sentence a line) or - for standard input")
    add("--limit", type=positive, metavar="N", help="only the first N sentences")
    add("--model", help="bert (the embedded model, default), a directory or a hub id")
    add_device_options(parser)
    add("--strict", action="store_true", help="exit with 1 if a sentence cannot be probed")
    add("--quiet", action="store_true", help="no progress bar and no summary")


def add_device_options(
    parser: argparse.ArgumentParser, *, dtype: str = "auto", batch_tokens: bool = True
) -> None:
    """Options of where and how a model computes: ``--device``, ``--dtype`` and ``--batch-tokens``.

    Args:
        parser: of the command.
        dtype: the default.
        batch_tokens: whether the command has that option.
    """
    add = parser.add_argument
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps")
    add("--dtype", default=dtype, help="auto, float32, bfloat16, float16, float64 (default: %(default)s)")
    if batch_tokens:
        add("--batch-tokens", type=positive, default=4_096, metavar="N", help="pieces in one forward pass")


def positive(value: str) -> int:
    """A whole number above 0, as the type of an option."""
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"a whole number above 0 is expected, found {value!r}")
    return int(value)


def whole_number(value: str) -> int:
    """A whole number from 0, such as a seed, as the type of an option."""
    if not value.isdecimal() or int(value) >= 2**63:
        raise argparse.ArgumentTypeError(f"a whole number from 0 to 2**63 - 1 is expected, found {value!r}")
    return int(value)


def layer_name(value: str) -> str | int:
    """A layer as the type of an option that takes several: an index, "all" or "best"."""
    if value in ("all", "best"):
        return value
    try:
        return int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"an index, all or best is expected, found {value!r}") from None


def load_model(args: argparse.Namespace) -> Probe:
    """The model of the common options."""
    from probe.loading import EMBEDDED, load

    return load(EMBEDDED if args.model is None else args.model, device=args.device, dtype=args.dtype)


def read_input(texts: Sequence[str], source: str | None, limit: int | None) -> tuple[list[Sentence], str]:
    """The sentences of a run, and what their source is called in a signature.

    Args:
        texts: tokenised sentences.
        source: the value of ``--input``. Without it and texts, the bundled sample treebank is read.
        limit: only so many sentences are returned.

    Raises:
        UsageError: there are both texts and a source.
        data.DataError: as the readers of ``data``.
    """
    import data

    if texts and source is not None:
        raise UsageError("sentences are given both as text and with --input: choose one")
    if texts:
        lines = [line for text in texts for line in text.split("\n")]
        found, name = data.parse_text(lines, name="text"), "text"
    elif source == "-":
        lines = list(data.decode_lines(sys.stdin.buffer, name="standard input"))
        parse = data.parse_conllu if _looks_like_conllu(lines) else data.parse_text
        found, name = parse(lines, name="standard input"), "stdin"
    elif source is not None:
        path = Path(source)
        found, name = data.read_sentences(path), path.stem
    else:
        found, name = iter(data.load_sample()), "sample"
    # All of it is read before anything runs: a fault in the last line should not cost a night.
    sentences = list(found)
    return sentences[:limit], name


def _looks_like_conllu(lines: Sequence[str]) -> bool:
    first = next((line for line in lines if line.strip()), "")
    return re.match(r"\ufeff?(#|[0-9]+([-.][0-9]+)?\t)", first) is not None


def exit_code(prog: str, command: Callable[[], int]) -> int:
    """Run a command; an error becomes one line on stderr and an exit code."""
    from data import DataError, InputError

    try:
        return command()
    except (UsageError, InputError, OptionError, ModelError, StoreError) as error:
        return _fail(prog, error, WRONG_USE)
    except (DataError, ProbeError) as error:
        return _fail(prog, error, SOME_FAILED)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); keep the interpreter from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        known = error.filename is not None and error.strerror is not None
        return _fail(prog, f"{error.filename}: {error.strerror}" if known else error, WRONG_USE)
    except KeyboardInterrupt as error:
        return _fail(prog, f"interrupted: {error}" if error.args else "interrupted", INTERRUPTED)


def _fail(prog: str, error: object, code: int) -> int:
    print(f"{prog}: error: {error}", file=sys.stderr)
    return code
