"""What all commands share: their parser, types of options, exit codes."""

from __future__ import annotations

import argparse
import copy
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

from probe import __version__
from probe.errors import OptionError, ProbeWarning, one_line
from probe.files import no_empty_folder
from probe.interrupt import INTERRUPTED

if TYPE_CHECKING:
    from probe.options import LayerChoice

__all__ = [
    "DONE",
    "INTERRUPTED",
    "SOME_FAILED",
    "WRONG_USE",
    "Parser",
    "UsageError",
    "command_main",
    "exit_code",
    "layer_name",
    "one_layer",
    "option_type",
    "positive",
    "utf8",
    "whole_number",
]

T = TypeVar("T")

DONE, SOME_FAILED, WRONG_USE = 0, 1, 2


_Defaults: TypeAlias = Callable[[str], Mapping[str, object]]
_Choice: TypeAlias = Callable[[argparse.Namespace], "str | None"]


class UsageError(Exception):
    """Wrong use of a command, found after the options were read."""

    exit_code = WRONG_USE


class Parser(argparse.ArgumentParser):
    """A parser of options whose errors are one line; it has ``--version``, and its help tells the exit codes.

    Args:
        prog: what the command is called.
        description: what it does.
        epilog: said after the options.
        failures: what exit code 1 means.

    Attributes:
        renamed: the new names of options, by their old spellings.
    """

    def __init__(
        self, *, prog: str, description: str = "", epilog: str = "", failures: str = "some input failed"
    ) -> None:
        codes = f"Exit codes: 0 done, 1 {failures}, 2 wrong use, 130 interrupted."
        super().__init__(prog=prog, description=description, epilog=f"{epilog} {codes}".strip())
        self.renamed: dict[str, str] = {}
        self._presets: dict[str, tuple[_Defaults, _Choice]] = {}
        self._titled: dict[str, argparse._ArgumentGroup] = {}
        self.add_argument(
            "--version",
            action="version",
            version=f"perturbed-probe {__version__}",
            help="show the version and exit",
        )

    def error(self, message: str) -> NoReturn:
        """Exit with the message."""
        self.exit(WRONG_USE, f"{self.prog}: error: {one_line(message)} (see --help)\n")

    def group(self, title: str) -> argparse._ArgumentGroup:
        """The group of options with this title; made when it is first asked for."""
        if title not in self._titled:
            self._titled[title] = self.add_argument_group(title)
        return self._titled[title]

    def rename(self, **names: str) -> None:
        """Accept old spellings of options, with a note on stderr: ``rename(layers="--layer")``."""
        self.renamed |= {f"--{old.replace('_', '-')}": new for old, new in names.items()}

    def preset(
        self,
        dest: str,
        defaults: Callable[[str], Mapping[str, object]],
        choose: Callable[[argparse.Namespace], str | None] | None = None,
    ) -> None:
        """Let an option choose the defaults of others, which win where they are given, too.

        ``DEST_given`` tells whether the option itself was given. Of an option that takes several values the first
        one counts, and ``DEST_each`` holds what was parsed with each: a namespace by value.

        Args:
            dest: of the option.
            defaults: value of the option -> defaults by the ``dest`` of their options.
            choose: the value where the option is not given, from the other options.
        """
        self._presets[dest] = (defaults, choose or (lambda found: None))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As that of ``argparse``, with the old spellings of options, and with presets."""
        given = self._renewed(sys.argv[1:] if args is None else list(args))
        found, rest = super().parse_known_args(given, copy.copy(namespace))
        asked = {dest: getattr(found, dest) or choose(found) for dest, (_, choose) in self._presets.items()}
        values = {
            dest: list(dict.fromkeys(value)) if isinstance(value, list) else value
            for dest, value in asked.items()
            if value is not None
        }
        if not values:
            return found, rest
        chosen = {dest: value[0] if isinstance(value, list) else value for dest, value in values.items()}

        def parsed(chosen: Mapping[str, str]) -> Any:
            # What a namespace holds already, argparse leaves alone unless the option is given.
            begun = argparse.Namespace() if namespace is None else copy.copy(namespace)
            for dest, value in chosen.items():
                setattr(begun, dest, value)
                setattr(begun, f"{dest}_given", getattr(found, dest) is not None)
                for name, default in self._presets[dest][0](value).items():
                    setattr(begun, name, default)
            return super(Parser, self).parse_known_args(given, begun)

        result, rest = parsed(chosen)
        for dest, several in values.items():
            if isinstance(several, list):
                setattr(result, f"{dest}_each", {one: parsed(chosen | {dest: one})[0] for one in several})
        return result, rest

    def _renewed(self, given: Sequence[str]) -> list[str]:
        renewed: list[str] = []
        for place, value in enumerate(given):
            if value == "--":
                return [*renewed, *given[place:]]
            old, *rest = value.split("=", 1)
            if new := self.renamed.get(old):
                print(
                    f"{self.prog}: {old} is now called {new}; the next release forgets {old}", file=sys.stderr
                )
            renewed.append("=".join([new or old, *rest]))
        return renewed


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
    """Run a command; an error becomes one line on stderr and an exit code, a warning of ours a line."""
    try:
        with _plain_warnings(prog):
            try:
                code = command()
            except SystemExit:  # --help
                sys.stdout.flush()
                raise
            sys.stdout.flush()  # here, where a full disk can still be said
            return code
    except BrokenPipeError:  # the reader of our output has gone (`| head`)
        _drop_output()
        return DONE
    except OSError as error:
        _drop_output()
        said = error.strerror or error  # not its text, which begins with a number such as [Errno 17]
        return _fail(prog, f"{error.filename}: {said}" if error.filename is not None else said, WRONG_USE)
    except KeyboardInterrupt as error:
        return _fail(prog, f"interrupted: {error}" if error.args else "interrupted", INTERRUPTED)
    except Exception as error:
        # The project's own errors, those of the readers among them, say what they are worth.
        if not isinstance(own := getattr(error, "exit_code", None), int):
            raise
        return _fail(prog, error, own)


def _drop_output() -> None:
    """Keep the interpreter from flushing into the void when it ends, where output cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):  # no file, as under a test
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command_main(
    build_parser: Callable[[], argparse.ArgumentParser], run: Callable[[argparse.Namespace], int]
) -> Callable[[Sequence[str] | None], int]:
    """The ``main`` of a command: options in, exit code out; a failure leaves no empty ``--out``.

    Args:
        build_parser: makes the command's parser.
        run: does what the options ask for; returns the exit code.
    """

    def main(argv: Sequence[str] | None = None) -> int:
        """Run the command; returns the exit code."""
        parser = build_parser()
        args = parser.parse_args(argv)

        def command() -> int:
            with no_empty_folder(getattr(args, "out", None)):
                return run(args)

        return exit_code(parser.prog, command)

    return main


@contextmanager
def _plain_warnings(prog: str) -> Iterator[None]:
    """Say the toolkit's own warnings without the line of code that they come from."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, ProbeWarning):
                print(f"{prog}: warning: {one_line(str(message))}", file=sys.stderr)
            else:
                shown(message, category, *where, **more)

        warnings.showwarning = show
        yield


def _fail(prog: str, error: object, code: int) -> int:
    print(f"{prog}: error: {one_line(str(error))}", file=sys.stderr)
    return code


def utf8(value: str) -> str:
    """Text as the type of an option."""
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise argparse.ArgumentTypeError("text in UTF-8 is expected, found other bytes")
    return value


def one_layer(value: str) -> LayerChoice:
    """A layer as the type of an option that takes one: an index or "best"."""
    if value == "best":
        return "best"
    try:
        return int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"an index or best is expected, found {value!r}") from None
