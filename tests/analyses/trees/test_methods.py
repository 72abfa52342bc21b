"""Named methods: bundles of settings that options override, and trees of method openness against plain loops."""

import math
from pathlib import Path

import numpy as np
import pytest

import parsers
from analyses.constituency.command import build_parser as constituency_parser
from analyses.dependency.command import build_parser
from analyses.parse import main as parse
from analyses.sentiment.command import build_parser as sentiment_parser
from analyses.trees.adjust import AdjustedMatrix, adjust, standardised
from analyses.trees.methods import METHODS, MethodPreset
from analyses.trees.protocols import decode
from probe.errors import OptionError
from probe.matrix import ImpactMatrix
from tests.conftest import ModelFolder

OPENNESS = METHODS["openness"].adjust
FIRST = "log+offset+symmetric+openness+root"


def matrix(n: int, *, seed: int, openness: bool = True) -> ImpactMatrix:
    rng = np.random.default_rng(seed)
    values = rng.gamma(2.0, size=(n, n))
    np.fill_diagonal(values, 0)
    return ImpactMatrix(
        values=values,
        on_cls=rng.random(n),
        units=tuple("abcdefghij"[:n]),
        model="toy",
        metric="dist",
        layer=1,
        pool="mean",
        perturb="knockout",
        openness=rng.gamma(3.0, size=n) if openness else None,
        cues=rng.gamma(3.0, size=(4, n)) if openness else None,
    )


def standard(values: list[float]) -> list[float]:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    return [(value - mean) / deviation for value in values]


def scores_by_hand(given: ImpactMatrix, *, first: bool) -> np.ndarray:
    """Score of every arc, written out word by word; in mean impacts.

    ``first``: with openness and what the root gives; otherwise as the method has it.
    """
    n = len(given)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    mean = sum(given.values[pair] for pair in pairs) / len(pairs)
    logs = {pair: math.log(1 + given.values[pair] / mean) for pair in pairs}
    scale = sum(logs.values()) / len(pairs)
    band = {d: [logs[i, j] for i, j in pairs if j - i == d] for d in range(-n + 1, n) if d}
    less = {(i, j): (logs[i, j] - sum(band[j - i]) / len(band[j - i]) / 2) / scale for i, j in pairs}
    assert given.openness is not None and given.cues is not None
    open_ = standard(given.openness.tolist())
    frequent, seen, norm, summary = (standard(cue) for cue in given.cues.tolist())
    gives = standard([sum(logs[i, j] for i in range(n) if i != j) for j in range(n)])
    scores = np.zeros((n + 1, n + 1))
    for i, j in pairs:
        content = 0.2 * norm[j] - 0.2 * frequent[j] + 0.1 * seen[j]
        head = (open_[j] - open_[i]) / 2 if first else content
        scores[j + 1, i + 1] = (less[i, j] + less[j, i]) / 2 + head
    places = standard([float(i) for i in range(n)])
    for j in range(n):
        scores[0, j + 1] = gives[j] / 2
        if not first:
            scores[0, j + 1] -= 0.2 * summary[j] + 0.25 * places[j]
    return scores


@pytest.mark.parametrize("name", [FIRST, OPENNESS])
@pytest.mark.parametrize("seed", range(20))
def test_openness_against_plain_loops(seed: int, name: str) -> None:
    given = matrix(2 + seed % 8, seed=seed)
    adjusted = adjust(given, name)
    assert isinstance(adjusted, AdjustedMatrix) and adjusted.root is not None
    expected = scores_by_hand(given, first=name == FIRST)
    np.testing.assert_allclose(adjusted.values / adjusted.scale, expected[1:, 1:].T, atol=1e-10)
    np.testing.assert_allclose(adjusted.root / adjusted.scale, expected[0, 1:], atol=1e-10)
    found = decode([adjusted], protocol="fair", decoder="eisner")[0]
    assert found.tolist() == parsers.eisner(expected).tolist()


def test_one_word_and_equal_impacts_have_a_tree() -> None:
    assert decode([adjust(matrix(1, seed=0), OPENNESS)], protocol="fair", decoder="eisner")[0].tolist() == [0]
    flat = matrix(3, seed=0)
    flat.values[:] = 0
    assert np.isfinite(adjust(flat, OPENNESS).values).all()


def test_rounding_is_no_difference() -> None:
    assert standardised([5.0, 5.000001, 4.999999]).tolist() == [0, 0, 0]
    np.testing.assert_allclose(standardised([5.0, 5.1, 4.9]), standard([5.0, 5.1, 4.9]))


def test_what_adjustments_refuse() -> None:
    with pytest.raises(OptionError, match="openness of each word, which these matrices lack"):
        adjust(matrix(3, seed=0, openness=False), "openness")
    for name in ("content", "summary"):
        with pytest.raises(OptionError, match="cues of each word, which these matrices lack"):
            adjust(matrix(3, seed=0, openness=False), name)
    with pytest.raises(OptionError, match="log comes first"):
        adjust(matrix(3, seed=0), "offset+log")
    negative = matrix(3, seed=0)
    negative.values[0, 1] = -1
    with pytest.raises(ValueError, match="expected impacts >= 0"):
        adjust(negative, "log")


class TestOptions:
    def test_a_method_sets_what_is_not_given(self) -> None:
        args = build_parser().parse_args(["--method", "openness", "--layer", "2", "--decoder", "cle"])
        assert (args.perturb, args.adjust, args.metrics) == (["knockout"], [OPENNESS], ["dist"])
        assert (args.layers, args.decoders) == ([2], ["cle"])

    def test_without_a_method_nothing_changes(self) -> None:
        args = build_parser().parse_args([])
        assert (args.perturb, args.adjust) == (["pair"], ["none"])

    def test_constituents_have_settings_of_their_own(self) -> None:
        args = constituency_parser().parse_args(["--method", "openness"])
        assert (args.decoders, args.adjust) == (["chart-row"], ["log+symmetric"])
        assert (args.perturb, args.layers) == (["knockout"], ["best"])
        args = constituency_parser().parse_args(["--method", "paper", "--decoder", "mart-paper"])
        assert (args.decoders, args.adjust, args.layers) == (["mart-paper"], ["none"], [-1])

    def test_sentiment_reads_one_setting_each(self) -> None:
        args = sentiment_parser().parse_args(["--method", "openness", "--layer", "2"])
        assert (args.perturb, args.adjust, args.layer) == ("knockout", OPENNESS, 2)

    def test_a_registered_method_is_known(self) -> None:
        own = METHODS.register(MethodPreset(name="own", about="of a test", perturb="single", layer=1))
        try:
            args = build_parser().parse_args(["--method", "own"])
        finally:
            del METHODS._entries["own"]
        assert (args.perturb, args.layers) == ([own.perturb], [1])

    def test_a_misspelt_one_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args(["--method", "opennes"])
        assert ended.value.code == 2
        assert "did you mean 'openness'" in capsys.readouterr().err


def test_parse_signs_every_setting(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--model", str(model_folder("bert")), "--method", "openness", "--layer", "1", "--quiet"]
    assert parse([*args, "--evaluate", "--no-random-model", "--limit", "12"]) == 0
    signature = " ".join(capsys.readouterr().out.split())  # folded to the width of a terminal
    assert f"layer:1 | pool:mean | perturb:knockout | adjust:{OPENNESS}" in signature
