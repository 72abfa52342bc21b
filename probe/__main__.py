"""The command ``probe``: ``probe COMMAND``, ``python -m probe COMMAND``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from probe.commands import ALIASES, COMMANDS, own_commands, start
from probe.interrupt import run_interruptible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.command_line import Parser

SHELLS = ("bash", "zsh", "tcsh")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``probe COMMAND``; returns the exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    name = ALIASES.get(given[0], given[0]) if given else None
    if name in COMMANDS or (name is not None and not name.startswith("-") and name in own_commands()):
        return start(name, given[1:])
    return run_interruptible("probe", lambda: _without_command(given))


def old_script() -> int:
    """``probe-parse`` and its like, the scripts of version 0.1."""
    from pathlib import Path

    script = Path(sys.argv[0]).stem
    name = script.removeprefix("probe-")
    print(f"{script}: from the next release on it is called: probe {name}", file=sys.stderr)
    return start(name)


def build_parser(*, whole: bool = False) -> Parser:
    """The options of ``probe`` itself; with ``whole`` those of every command, too, each of which is imported."""
    import argparse

    from probe.command_line import Parser

    parser = Parser(
        prog="probe",
        description="Perturbed masking (Wu et al. 2020): what masked language models know, without a trained "
        "probe.",
        epilog="probe COMMAND --help tells the options of a command. Tables are those of the paper.",
        failures="some input failed",
    )
    parser.add_argument(
        "--print-completion", choices=SHELLS, metavar="SHELL", help="script for bash, zsh or tcsh"
    )
    commands = parser.add_subparsers(
        metavar="COMMAND", title="commands", parser_class=argparse.ArgumentParser
    )
    for name, command in {**COMMANDS, **own_commands()}.items():
        parents = [command.build_parser()] if whole else []
        commands.add_parser(name, help=command.help, parents=parents, add_help=False)
    return parser


def _without_command(given: Sequence[str]) -> int:
    """Help, version, completion, or what is wrong."""
    from probe.command_line import exit_code

    return exit_code("probe", lambda: _answered(given))


def _answered(given: Sequence[str]) -> int:
    from probe.errors import OptionError
    from probe.registry import check_name

    parser = build_parser()
    if given and not given[0].startswith("-"):
        try:
            check_name("command", given[0], [*COMMANDS, *own_commands()])
        except OptionError as error:
            parser.error(str(error))
    options = parser.parse_args(given)
    if options.print_completion is None:
        parser.error("a command is expected")
    print(_completion(options.print_completion))
    return 0


def _completion(shell: str) -> str:
    import shtab

    from probe.siblings import use_own

    use_own()
    return str(shtab.complete(build_parser(whole=True), shell=shell))


if __name__ == "__main__":
    sys.exit(main())
