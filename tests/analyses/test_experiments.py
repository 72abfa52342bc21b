"""The registry of experiments: what the rooms bring, and that names and places do not clash."""

import subprocess
import sys

import pytest

from analyses.experiments import EXPERIMENTS, report_sections, steps
from analyses.figures.command import figures
from probe.commands import COMMANDS
from probe.errors import OptionError


def test_names_are_there_once_and_what_they_name_exists() -> None:
    names = [step.name for step in steps()]
    assert len(set(names)) == len(names)
    assert all(step.command in COMMANDS and set(step.after) <= set(names) for step in steps())
    assert all(set(section.steps) <= set(names) for section in report_sections())
    drawn = [drawing.name for experiment in EXPERIMENTS.values() for drawing in experiment.figures]
    assert set(drawn) < set(figures()) and len(set(drawn)) == len(drawn)
    assert all(COMMANDS[each.command].module == each.module for each in EXPERIMENTS.values())


def test_an_unknown_experiment_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError, match="did you mean 'discourse'"):
        EXPERIMENTS["discours"]


def test_a_room_imports_nothing() -> None:
    """What comes before a command, which is when Ctrl-C is not yet caught, is over at once."""
    rooms = [each.module.rpartition(".")[0] for each in EXPERIMENTS.values()]
    code = (
        f"import sys, {', '.join(rooms)}; print(*(name for name in sys.modules if name in ('data', 'numpy')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "\n"
