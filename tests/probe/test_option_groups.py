"""Options that commands share: one name and one meaning, old spellings with a note."""

import argparse
import re

import pytest

from analyses.trees.methods import METHODS
from probe.command_line import Parser, UsageError
from probe.commands import COMMANDS
from probe.option_groups import ImpactOptions, InputOptions, ModelOptions, OutputOptions, RandomOptions

OLD = {
    "parse": {"--input x": "data", "--output x": "out"},
    "run": {"--input x": "data"},
    "dependency": {"--layers 1": "layers", "--metrics cos": "metrics", "--pools max": "pools"},
    "discourse": {"--decoders cle": "decoders"},
    "bias": {"--matrices 3": "random_matrices"},
    "figures": {"--layers 1": "layers", "--matrices=3": "random_matrices"},
    "geometry": {"--corpus x": "data", "--pieces first": "pool"},
    "vectors": {"--corpus x": "data", "--pieces first": "pool", "--evaluate x": "word_sets"},
    "report": {"--sections trees": "parts"},
    "knowledge": {"--pieces 3": "max_pieces"},
    "minimal-pairs": {"--output x": "file"},
    "sentiment": {"--seeds 2": "networks"},
}  # fmt: skip
NEEDED = {
    "run": ["--out", "x"],
    "figures": ["all", "--out", "x"],
    "minimal-pairs": ["--data", "x"],
    "discourse": ["--data", "x"],
    "report": ["--out", "x"],
}


@pytest.mark.parametrize(("name", "given"), [(name, given) for name, old in OLD.items() for given in old])
def test_an_old_spelling_is_understood_and_noted(
    name: str, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = COMMANDS[name].build_parser()
    args = parser.parse_args([*NEEDED.get(name, []), *given.split()])
    default = parser.parse_args(NEEDED.get(name, []))
    dest = OLD[name][given]
    assert getattr(args, dest) != getattr(default, dest)
    old = given.replace("=", " ").split()[0]
    note = capsys.readouterr().err
    assert note.startswith(f"probe {name}: {old} is now called --") and note.count("\n") == 1


def test_what_follows_two_dashes_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    args = COMMANDS["parse"].build_parser().parse_args(["--", "--input"])
    assert (args.text, capsys.readouterr().err) == (["--input"], "")


def options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {name: action for action in parser._actions for name in action.option_strings}


def test_a_name_has_one_type_and_one_default_in_all_commands() -> None:
    """But where a command says otherwise: ``--format`` and ``--pool`` have choices of their own."""
    seen: dict[str, dict[str, object]] = {}
    for name, command in COMMANDS.items():
        for option, action in options(command.build_parser()).items():
            seen.setdefault(option, {})[name] = action.metavar
    for option in (
        "--model",
        "--metric",
        "--layer",
        "--perturb",
        "--decoder",
        "--limit",
        "--seed",
        "--seeds",
    ):
        assert len(set(seen[option].values())) == 1, option
    for old in (
        "--layers",
        "--metrics",
        "--pools",
        "--decoders",
        "--input",
        "--corpus",
        "--output",
        "--pieces",
    ):
        assert old not in seen
    assert set(seen["--sections"]) == {"constituency"} and set(seen["--evaluate"]) == {"parse"}
    assert set(seen["--matrices"].values()) == {"DIR"}
    assert set(seen["--data"]) >= {"parse", "run", "geometry", "dependency", "report", "reproduce"}


@pytest.mark.parametrize("name", ["parse", "early-exit"])
def test_help_states_no_default_that_a_method_changes(name: str) -> None:
    parser = COMMANDS[name].build_parser()
    stated = {
        action.dest: found[1]
        for action in parser._actions
        if (found := re.search(r"\(default: ([^)]*)\)", action.help or ""))
    }
    for method, preset in METHODS.items():
        args = parser.parse_args(["--method", method])
        for setting in preset.settings():
            assert stated[setting] in ("as the method", str(getattr(args, setting)))


def test_the_help_of_parse_says_that_matrices_have_no_method() -> None:
    parser = COMMANDS["parse"].build_parser()
    assert parser.parse_args(["--matrices", "RUN"]).method is None
    assert "none with --matrices)" in " ".join(parser.format_help().split())


def test_groups_read_themselves() -> None:
    parser = Parser(prog="probe x")
    InputOptions.add(parser, help="a file", metavar="FILE")
    ModelOptions.add(parser, several=True)
    ImpactOptions.add(parser, several=("metric", "layer"), metrics=("dist", "prob"), matrices=True)
    OutputOptions.add(parser, formats=("table", "json"), strict="a sentence")
    RandomOptions.add(parser, seeds=3)
    args = parser.parse_args(["--model", "a", "b", "--model", "c", "--layer", "1", "-1", "--limit", "5"])
    assert ModelOptions.of(args).models == ("a", "b", "c")
    impacts = ImpactOptions.of(args)
    assert (impacts.chosen_metrics, impacts.chosen_layers, impacts.pool) == (
        ["dist", "prob"],
        [1, -1],
        "best",
    )
    assert (InputOptions.of(args).limit, InputOptions.of(args).data) == (5, None)
    assert OutputOptions.of(args) == OutputOptions(format="table")
    assert RandomOptions.of(args) == RandomOptions(seeds=3)
    assert ModelOptions.of(argparse.Namespace()).models == ("bert",)


@pytest.mark.parametrize(("given", "expected"), [(["best"], "best"), (["all"], "all"), (["0", "2"], [0, 2])])
def test_layers(given: list[str], expected: object) -> None:
    parser = Parser(prog="probe x")
    ImpactOptions.add(parser, several=("layer",))
    assert ImpactOptions.of(parser.parse_args(["--layer", *given])).chosen_layers == expected


def test_all_and_best_stand_alone() -> None:
    with pytest.raises(UsageError, match="--layer: all and best stand alone"):
        _ = ImpactOptions(layers=["best", 3]).chosen_layers


def test_a_misspelt_choice_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    for given in (["--metric", "dits"], ["--format", "jsn"], ["--decoder", "eisnr"], ["--protocol", "far"]):
        with pytest.raises(SystemExit, match=r"^2$"):
            COMMANDS["dependency"].build_parser().parse_args(given)
        assert "did you mean" in capsys.readouterr().err
