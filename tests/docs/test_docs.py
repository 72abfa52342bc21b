"""Every example in the README and the docs is run, and prints what stands there."""

import argparse
import doctest
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from runpy import run_path

import pytest

from probe.command_line import Parser
from probe.commands import COMMANDS
from tests.registries import restored

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "probe" / "embedded" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[tuple[str, str, str, str]]:
    """Page, command, arguments and expected output of each console block ``$ probe COMMAND ...``."""
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            command, _, output = block.partition("\n")
            if found := re.fullmatch(r"\$ probe (\S+)(.*)", command):
                yield page.name, found[1], found[2], output


def long_commands() -> Iterator[tuple[str, str, str]]:
    """Page, command and arguments of each indented ``probe COMMAND ...``: those that take data and time."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for name, arguments in re.findall(r"^    probe (\S+)(.*)$", text, re.MULTILINE):
            yield page.name, name, arguments


def test_there_are_examples() -> None:
    assert len(list(examples())) >= 3


@pytest.mark.parametrize(("page", "name", "arguments", "expected"), list(examples()))
def test_console_example(
    page: str,
    name: str,
    arguments: str,
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    # The model's figures must not depend on whether the processor has bf16.
    first = ["--dtype", "float32"] if name == "parse" else []
    assert COMMANDS[name].main([*first, *shlex.split(arguments)]) == 0
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in printed.strip().splitlines()] == expected.strip().splitlines()


@pytest.mark.parametrize(("page", "name", "arguments"), list(long_commands()))
def test_options_of_a_long_command(
    page: str, name: str, arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = COMMANDS[name].build_parser().parse_args(shlex.split(arguments))
    assert isinstance(given, argparse.Namespace)
    assert capsys.readouterr().err == ""  # no old spelling of an option


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_sentences_take_their_options(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, arguments in re.findall(r"(?<!`)`probe (\S+)\s([^`]+)`", page.read_text(encoding="utf-8")):
        if name in COMMANDS:
            with suppress(
                SystemExit
            ):  # an option may stand there without its value, or without those it needs
                COMMANDS[name].build_parser().parse_args(shlex.split(arguments))
            error = capsys.readouterr().err
            assert "unrecognized arguments" not in error and "is now called" not in error, arguments


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem in COMMANDS], ids=lambda page: page.name
)
def test_the_page_of_a_command_has_no_old_spelling(page: Path) -> None:
    parser = COMMANDS[page.stem].build_parser()
    old = parser.renamed if isinstance(parser, Parser) else {}
    assert not set(re.findall(r"`(--[\w-]+)", page.read_text(encoding="utf-8"))) & old.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fenced_block_is_run(page: Path) -> None:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for language, block in fenced:
        assert language in ("console", "python"), language
        assert block.startswith("$ probe " if language == "console" else ">>> "), block


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    restored(monkeypatch)
    failed, _ = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_ci_runs_the_second_command_of_the_readme() -> None:
    commands = [
        line.strip()
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("    python3 -m venv")
    ]
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_page_of_options_is_up_to_date() -> None:
    assert run_path(str(ROOT / "docs" / "options.py"))["page"]() == (ROOT / "docs" / "options.md").read_text(
        "utf-8"
    )
