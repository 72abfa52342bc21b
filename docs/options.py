"""Write docs/options.md, the table of the options that commands share: ``python docs/options.py``."""

from __future__ import annotations

from argparse import Action, ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path

from probe.command_line import Parser
from probe.commands import COMMANDS
from probe.siblings import use_own

PAGE = Path(__file__).with_name("options.md")
HEAD = """\
# Commands and options

`probe COMMAND` and `python -m probe COMMAND` are the same. `probe --help` lists the commands, and
`probe COMMAND --help` says what one takes, with its exit codes. Commands work in any folder, also beside a
`data.py` or an `analyses/` of your own; a program of yours that imports `analyses` there is told which file
clashes. Ctrl-C ends a command within two seconds, with exit code 130.

`eval "$(probe --print-completion bash)"` completes commands, options and their values in the shell (`zsh`
and `tcsh`, too). This page is made by `python docs/options.py`, and a test holds it up to date.

## Commands

| command | what it does |
|---|---|
"""


def page() -> str:
    """The page."""
    parsers = {name: command.build_parser() for name, command in COMMANDS.items()}
    lines = [f"| `{name}` | {command.help} |" for name, command in COMMANDS.items()]
    lines += ["", "## Options of several commands", "", "| option | meaning | of |", "|---|---|---|"]
    seen: dict[str, dict[str, str]] = {}
    for name, parser in parsers.items():
        for action in parser._actions:
            for option in action.option_strings:
                if option.startswith("--") and not option.startswith(("--help", "--no-")):
                    seen.setdefault(option, {})[name] = meaning(action)
    for option, meanings in sorted(seen.items()):
        if len(meanings) > 1:
            lines += rows(option, meanings)
    lines += ["", "## Old spellings", "", "Understood for one release more, with a note on stderr.", ""]
    lines += ["| old | new | of |", "|---|---|---|", *old_spellings(parsers)]
    return HEAD + "\n".join(lines) + "\n"


def meaning(action: Action) -> str:
    """What an option takes and means."""
    default = str(action.default)
    text = (action.help or "").replace("%(default)s", default).replace("|", "\\|")
    metavar = f"`{action.metavar}{' ...' if action.nargs == '+' else ''}`: " if action.metavar else ""
    return f"{metavar}{text}"


def rows(option: str, meanings: dict[str, str]) -> Iterator[str]:
    """A row for each meaning of an option, with the commands that it has it in."""
    for said in dict.fromkeys(meanings.values()):
        names = [name for name, its in meanings.items() if its == said]
        shown = "all" if len(names) == len(COMMANDS) else ", ".join(names)
        yield f"| `{option}` | {said} | {shown} |"


def old_spellings(parsers: Mapping[str, ArgumentParser]) -> Iterator[str]:
    """A row for each option that was renamed."""
    renamed: dict[tuple[str, str], list[str]] = {}
    for name, parser in parsers.items():
        if isinstance(parser, Parser):
            for pair in parser.renamed.items():
                renamed.setdefault(pair, []).append(name)
    for (old, new), names in sorted(renamed.items()):
        yield f"| `{old}` | `{new}` | {', '.join(names)} |"


if __name__ == "__main__":
    use_own()
    PAGE.write_text(page(), encoding="utf-8")
