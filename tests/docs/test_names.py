"""The tables of the docs name what the registries hold, no more and no less."""

import re
from collections.abc import Collection
from pathlib import Path

import pytest

from analyses.experiments import steps
from analyses.figures.command import figures
from analyses.report.sections import kinds
from analyses.trees.adjust import ADJUSTMENTS
from analyses.trees.decoders import BASELINES, CONSTITUENT_DECODERS, DECODERS
from data.sources import SOURCES
from probe.commands import COMMANDS
from probe.metrics import METRICS
from probe.perturbations import PERTURBATIONS

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str, header: str) -> list[list[str]]:
    """Cells of the table whose first column has this header."""
    text = (DOCS / page).read_text(encoding="utf-8")
    ((table),) = re.findall(rf"^\| {re.escape(header)} \|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [re.split(r"(?<!\\)\|", line.strip("|"))[:] for line in table.splitlines()]


def names(cells: Collection[str]) -> list[str]:
    """What stands in backticks in these cells, without arguments (``substitute:K``), each once."""
    found = [name for cell in cells for name in re.findall("`([^`]+)`", cell)]
    return list(dict.fromkeys(name.partition(":")[0] for name in found))


@pytest.mark.parametrize(
    ("page", "header", "known"),
    [
        ("matrices.md", "`metric`", METRICS),
        ("matrices.md", "perturbation", PERTURBATIONS),
        ("adjust.md", "`--adjust`", ADJUSTMENTS),
        ("bias.md", "decoder", CONSTITUENT_DECODERS),
        ("data.md", "name", SOURCES),
        ("figures.md", "name", figures()),
        ("reproduce.md", "step", [step.name for step in steps()]),
    ],
)
def test_first_column(page: str, header: str, known: Collection[str]) -> None:
    assert sorted(names([row[0] for row in rows(page, header)])) == sorted(known)


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("`--metric`", METRICS),
        ("`--perturb`", PERTURBATIONS),
        ("`--decoder`", [*DECODERS, *BASELINES]),
    ],
)
def test_values_of_options(option: str, known: Collection[str]) -> None:
    ((values, *_),) = [row[1:] for row in rows("parsing.md", "option") if row[0].strip() == option]
    assert names([values]) == list(known)


def test_commands_that_take_a_method() -> None:
    text = (DOCS / "method.md").read_text(encoding="utf-8")
    ((listed),) = re.findall(r"`--method` is an option of ([^.]+)\.", text)
    takes = {
        name
        for name, command in COMMANDS.items()
        if any(action.dest == "method" for action in command.build_parser()._actions)
    }
    assert sorted(names([listed])) == sorted(takes - {"vectors"})  # there it is something else


def test_sections_of_the_report() -> None:
    made = names([row[1] for row in rows("report.md", "in a file or folder of `--data`")])
    assert sorted(made) == sorted(kinds())
