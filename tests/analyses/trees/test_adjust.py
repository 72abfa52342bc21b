"""Adjustments of impact matrices against their definitions."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

import probe
from analyses import decode, evaluate
from analyses.dependency.command import main
from analyses.trees.adjust import (
    ADJUSTMENTS,
    AdjustedMatrix,
    Weights,
    adjust,
    adjustment_name,
    can_be_negative,
    symmetric,
    without_offset_means,
)
from data import read_conllu
from probe import ImpactMatrix
from tests.command import GOLD, parse, refused
from tests.conftest import ModelFolder


def naive_offsets(impact: np.ndarray, weight: float) -> np.ndarray:
    n = len(impact)
    result = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                same = [impact[a, b] for a in range(n) for b in range(n) if b - a == j - i]
                result[i, j] = impact[i, j] - weight * np.mean(same)
    return result


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_offset_means(n: int, weight: float) -> None:
    impact = np.random.default_rng(n).random((n, n))
    np.fill_diagonal(impact, 0)
    assert np.allclose(without_offset_means(impact, weight=weight), naive_offsets(impact, weight), atol=1e-12)


def test_impacts_by_offset_alone_vanish() -> None:
    offsets = np.subtract.outer(np.arange(6), np.arange(6))
    assert np.allclose(without_offset_means(np.exp(-np.abs(offsets)) * (offsets != 0), weight=1.0), 0)


def test_symmetric() -> None:
    assert symmetric([[0, 1], [3, 0]]).tolist() == [[0, 2], [2, 0]]


@pytest.mark.parametrize("function", [without_offset_means, symmetric])
def test_matrices_must_be_square(function: object) -> None:
    with pytest.raises(ValueError, match=r"found shape \(2, 3\)"):
        function(np.zeros((2, 3)))  # type: ignore[operator]


def matrix_of(values: np.ndarray) -> ImpactMatrix:
    n = len(values)
    return ImpactMatrix(
        values=values.astype(np.float32),
        on_cls=np.arange(n, dtype=np.float32),
        units=tuple("abcdefgh"[:n]),
        model="m",
        metric="dist",
        layer=1,
        pool="mean",
        perturb="pair",
        openness=np.arange(n, dtype=np.float64),
        cues=np.arange(4 * n, dtype=np.float64).reshape(4, n),
    )


@pytest.mark.parametrize("name", ADJUSTMENTS)
def test_adjusted_matrix_is_of_the_same_kind(name: str) -> None:
    matrix = matrix_of(np.random.default_rng(0).random((4, 4)))
    found = adjust(matrix, name)
    assert found.values.dtype == np.float32
    assert found.on_cls is matrix.on_cls
    assert (found is matrix) == (name == "none")


def test_adjustments_apply_in_turn() -> None:
    matrix = matrix_of(np.random.default_rng(1).random((5, 5)))
    found = adjust(matrix, "offset+symmetric")
    assert (found.values == adjust(adjust(matrix, "offset"), "symmetric").values).all()
    assert (adjustment_name("none+offset"), adjustment_name("none")) == ("offset", "none")
    assert can_be_negative("symmetric+offset") and not can_be_negative("symmetric")


def test_weights_are_arguments() -> None:
    matrix = matrix_of(np.random.default_rng(0).random((5, 5)) * ~np.eye(5, dtype=bool))
    nothing = Weights(**dict.fromkeys(asdict(Weights()), 0.0))
    for name in ("offset", "openness", "content"):
        assert np.array_equal(adjust(matrix, name, weights=nothing).values, matrix.values)
        assert not np.array_equal(adjust(matrix, name).values, matrix.values)
    for name in ("root", "summary", "early"):
        own, double = (
            AdjustedMatrix.of(adjust(matrix, name, weights=replace(nothing, **{name: weight}))).root
            for weight in (0.3, 0.6)
        )
        assert own is not None and double is not None and own.any()
        np.testing.assert_allclose(double, 2 * own)


def test_unknown_adjustment() -> None:
    with pytest.raises(ValueError, match="'offest': did you mean 'offset'"):
        adjust(matrix_of(np.zeros((2, 2))), "symmetric+offest")


def test_commands_decode_adjusted_impacts(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(model_folder("bert"))
    data = tmp_path / "gold.conllu"
    # Fewer sentences than ten are too few for a table of differences.
    copies = [re.sub(r"(?m)^(# sent_id = .*)$", rf"\1-{copy}", GOLD) for copy in range(4)]
    data.write_text("".join(copies), encoding="utf-8")
    options = ["--device", "cpu", "--dtype", "float32", "--metric", "dist", "--seeds", "0", "--quiet"]
    command = ["--model", model, "--data", str(data), "--adjust", *ADJUSTMENTS, "--format", "json", *options]
    capsys.readouterr()
    assert main(command) == 0
    wu2020, _, fair, differences = json.loads(capsys.readouterr().out)
    sentences = list(read_conllu(data))
    loaded = probe.load(model, device="cpu", dtype="float32")
    matrices = list(loaded.impact_many((s.words for s in sentences), openness=True))
    for name in ADJUSTMENTS:
        ending = "" if name == "none" else f", {name}"
        (row,) = [row for row in fair["rows"] if row["name"] == f"{model} cle+dist, layer 3, mean{ending}"]
        adjusted = [adjust(matrix, name) for matrix in matrices]
        trees = decode(adjusted, protocol="fair", decoder="cle")
        uas = evaluate(
            sentences, trees, name="", data="", version="", protocol="fair", root="predicted"
        ).scores[0]
        assert row["cells"]["UAS"]["value"] == pytest.approx(uas.value)
        done = parse(
            capsys,
            "--data",
            data,
            "--model",
            model,
            "--method",
            "paper",
            "--decoder",
            "cle",
            "--adjust",
            name,
            "--quiet",
            "--format",
            "conllu",
        )
        assert [
            [int(line.split("\t")[6]) for line in block.splitlines() if line[0].isdigit()]
            for block in done.out.split("\n\n")
            if block
        ] == [list(tree) for tree in trees]
    # Each adjusted row stands against the row without.
    name = f"{model} cle+dist, layer 3, mean"
    for adjustment in list(ADJUSTMENTS)[1:]:
        (difference,) = [
            row["cells"]["UAS"]["value"]
            for row in differences["rows"]
            if row["name"] == f"{name}, {adjustment}" and row["labels"]["to"] == "unadjusted"
        ]
        own, plain = (
            {r["name"]: r for r in fair["rows"]}[n]["cells"] for n in (f"{name}, {adjustment}", name)
        )
        assert difference == pytest.approx(own["UAS"]["value"] - plain["UAS"]["value"])
    # The published CLE multiplies impacts, which offset and openness can make negative.
    ways = [row["name"] for row in wu2020["rows"] if "cle+" in row["name"] and row["kind"] == "model"]
    assert [way.rpartition(", ")[2] for way in ways] == [
        "mean",
        "log",
        "symmetric",
        "root",
        "summary",
        "early",
    ]


def test_misspelt_adjustment(capsys: pytest.CaptureFixture[str]) -> None:
    refused(parse(capsys, "--adjust", "offest", "a b"), 2, "did you mean 'offset'?")
