"""What the commands ``probe.parse`` and ``probe.run`` share: options, input, exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

from probe.errors import OptionError
from probe.options import LayerChoice

T = TypeVar("T")

DONE, SOME_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """Wrong use of a command, found after the options were read."""

    exit_code = WRONG_USE


class Parser(argparse.ArgumentParser):
    """A parser of options whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with the message."""
        self.exit(WRONG_USE, f"{self.prog}: error: {message} (see --help)\n")


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


def option_type(check: Callable[[str], T]) -> Callable[[str], T]:
    """What refuses a value with an ``OptionError``, such as ``Registry.resolve``, as the type of an option."""

    def checked(value: str) -> T:
        try:
            return check(value)
        except OptionError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked


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


def exit_code(prog: str, command: Callable[[], int]) -> int:
    """Run a command; an error becomes one line on stderr and an exit code."""
    try:
        return command()
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); keep the interpreter from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        known = error.filename is not None and error.strerror is not None
        return _fail(prog, f"{error.filename}: {error.strerror}" if known else error, WRONG_USE)
    except KeyboardInterrupt as error:
        return _fail(prog, f"interrupted: {error}" if error.args else "interrupted", INTERRUPTED)
    except Exception as error:
        # The project's own errors, those of the readers among them, say what they are worth.
        if not isinstance(code := getattr(error, "exit_code", None), int):
            raise
        return _fail(prog, error, code)


def _fail(prog: str, error: object, code: int) -> int:
    print(f"{prog}: error: {error}", file=sys.stderr)
    return code


def _utf8(value: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise argparse.ArgumentTypeError("text in UTF-8 is expected, found other bytes")
    return value


def _layer(value: str) -> LayerChoice:
    if value == "best":
        return "best"
    try:
        return int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"an index or best is expected, found {value!r}") from None
