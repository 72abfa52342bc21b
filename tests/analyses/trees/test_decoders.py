"""The registries of decoders: entries of the user's own work in every command."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

import parsers
from analyses import decode
from analyses.constituency import bias_command
from analyses.constituency import command as constituency
from analyses.constituency.bias import measure_bias
from analyses.constituency.scores import is_biased
from analyses.dependency import command as dependency
from analyses.discourse import command as discourse
from analyses.explorer.view import choices
from analyses.figures import command as figures
from analyses.report import command as report
from analyses.sentiment import command as sentiment
from analyses.sentiment.trees import tree_sources
from analyses.trees.arc_scores import Floats
from analyses.trees.decoders import (
    CONSTITUENT_DECODERS,
    DECODERS,
    ConstituentDecoder,
    Decoder,
    Heads,
    tree_maker,
)
from analyses.trees.protocols import is_defined
from parsers import Bracketing, branching
from probe import OptionError
from tests.command import GOLD, parse, refused
from tests.conftest import ModelFolder
from tests.registries import restored
from tests.trees import is_projective


def chains(
    matrices: Sequence[ArrayLike], roots: Sequence[int | None] | None = None, *, single_root: bool = True
) -> list[Heads]:
    return [parsers.baselines.right_chain(len(np.asarray(scores)) - 1) for scores in matrices]


def right(impacts: Sequence[Floats]) -> list[Bracketing]:
    return [branching.right_branching(len(impact)) for impact in impacts]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A decoder of each kind, registered for one test."""
    restored(monkeypatch)
    DECODERS.register(Decoder(name="chains", projective=True, decode=chains))
    CONSTITUENT_DECODERS.register(ConstituentDecoder(name="chains", decode=right))
    yield "chains"


@pytest.mark.parametrize("name", DECODERS)
def test_projective_decoders_cross_no_arcs(name: str) -> None:
    rng = np.random.default_rng(3)
    trees = DECODERS[name].decode([rng.random((8, 8)) for _ in range(40)])
    assert all(map(is_projective, trees)) == DECODERS[name].projective


def test_own_decoder_in_commands(
    own: str, model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = str(model_folder("bert")), tmp_path / "gold.conllu"
    data.write_text(GOLD, encoding="utf-8")
    options = ["--model", model, "--quiet", "--format", "json", "--device", "cpu"]
    capsys.readouterr()
    assert dependency.main(["--data", str(data), "--decoder", own, "--seeds", "0", *options]) == 0
    wu2020, fair = json.loads(capsys.readouterr().out)
    rows = {row["name"].partition("+")[0].rpartition(" ")[2]: row["cells"] for row in fair["rows"]}
    assert rows[own] == rows["right-chain"]
    # The paper has no scores for it.
    assert [row["kind"] for row in wu2020["rows"] if row["kind"] == "model"] == []
    done = parse(capsys, "--decoder", own, "--data", data, *options)
    assert json.loads(done.out)["sentences"][0]["heads"][-1] == 0
    refused(parse(capsys, "--decoder", own, "--protocol", "wu2020", "--data", data, *options), 2, "use fair")


def test_own_decoders_are_choices_of_the_other_commands(own: str) -> None:
    assert own in choices()["decoder"] and own in choices()["brackets"]
    assert own in tree_sources()
    for command, option in (
        (discourse, ["--data", "d", "--decoders"]),
        (constituency, ["--decoders"]),
        (bias_command, ["--decoder"]),
        (sentiment, ["--trees"]),
        (figures, ["heatmap", "--out", "o", "--decoder"]),
        (figures, ["heatmap", "--out", "o", "--tree-decoder"]),
        (report, ["--out", "r.html", "--decoder"]),
    ):
        parser = command.build_parser()
        assert own in str(vars(parser.parse_args([*option, own])).values())
        assert own in parser.format_help()


def test_own_constituent_decoder_in_a_table(
    own: str, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--decoders", own, "--limit", "3", "--seeds", "0", "--protocol", "fair", "--format", "json"]
    capsys.readouterr()
    assert (
        constituency.main(["--model", str(model_folder("bert")), "--quiet", "--device", "cpu", *given]) == 1
    )  # one sentence is too long
    (table,) = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row["cells"] for row in table["rows"]}
    (name,) = (name for name in rows if own in name)
    assert name.endswith("(biased)") and rows[name] == rows["right-branching"]


def test_own_constituent_decoder_is_measured(own: str) -> None:
    assert measure_bias(own, 5, matrices=3)[0].right.value == 1.0
    assert is_biased(own)


def test_unknown_names_are_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match="did you mean 'eisner'"):
        decode([], protocol="fair", decoder="eisnr")
    with pytest.raises(OptionError, match="did you mean 'chart-row'"):
        measure_bias("chart-rwo", 5)
    with pytest.raises(OptionError, match="did you mean 'left-chain'"):
        tree_maker("left-chan")
    with pytest.raises(SystemExit):
        dependency.main(["--decoder", "eisnr"])
    assert "did you mean 'eisner'" in capsys.readouterr().err


def test_which_impacts_a_protocol_defines(own: str) -> None:
    assert is_defined("wu2020", "eisner", negative=True)
    assert is_defined("wu2020", "cle", negative=False)
    assert not is_defined("wu2020", "cle", negative=True)
    assert is_defined("fair", own, negative=True)
    assert not is_defined("wu2020", own, negative=False)
