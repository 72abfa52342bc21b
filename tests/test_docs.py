"""Every example in the README and the docs is run, and prints what stands there."""

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe import parse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "probe" / "embedded" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[tuple[str, str, str]]:
    """Page, command and expected output of each console block that begins with ``$ python -m probe.parse``."""
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            command, _, output = block.partition("\n")
            if command.startswith("$ python -m probe.parse "):
                yield page.name, command.removeprefix("$ python -m probe.parse "), output


def test_there_are_examples() -> None:
    assert len(list(examples())) >= 3


@pytest.mark.parametrize(("page", "command", "expected"), list(examples()))
def test_console_example(
    page: str,
    command: str,
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert parse.main(["--dtype", "float32", *shlex.split(command)]) == 0
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in printed.strip().splitlines()] == expected.strip().splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
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
