"""Layer maps: correlations and alignments against other ways of computing them, the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from analyses.compression import map_command
from analyses.compression.figures import maps_of_layers
from analyses.compression.layer_maps import (
    cka_errors,
    cka_interval,
    gram,
    linear_cka,
    nearest,
    rank_correlations,
    uniform_layer,
)
from analyses.tables.forms import read_table
from probe.shards import compute_shard
from tests.command import GOLD, PLAIN, ran
from tests.conftest import ModelFolder
from tests.figure_tables import texts

DRAWN = np.random.default_rng(0)


def test_rank_correlations_are_those_of_scipy() -> None:
    first, second = DRAWN.integers(0, 5, (2, 6, 6)).astype(float), DRAWN.normal(size=(3, 6, 6))
    off = ~np.eye(6, dtype=bool)
    expected = [[spearmanr(a[off], b[off]).statistic for b in second] for a in first]
    np.testing.assert_allclose(rank_correlations(first, second), expected)
    assert np.isnan(rank_correlations(np.ones((1, 3, 3)), second[:, :3, :3])).all()
    with pytest.raises(ValueError, match="twice"):
        rank_correlations(first, second[:, :3, :3])


def hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al. (2012), the definition by sums over four distinct words."""
    n, total = len(k), 0.0
    for i in range(n):
        for j in set(range(n)) - {i}:
            total += k[i, j] * m[i, j] / (n * (n - 1))
            for q in set(range(n)) - {i, j}:
                total -= 2 * k[i, j] * m[i, q] / (n * (n - 1) * (n - 2))
                for r in set(range(n)) - {i, j, q}:
                    total += k[i, j] * m[q, r] / (n * (n - 1) * (n - 2) * (n - 3))
    return total


def test_the_alignment_equals_its_definition() -> None:
    first, second = gram(DRAWN.normal(size=(2, 7, 3))), gram(DRAWN.normal(size=(2, 7, 4)))
    expected = [[hsic(a, b) / np.sqrt(hsic(a, a) * hsic(b, b)) for b in second] for a in first]
    np.testing.assert_allclose(linear_cka(first, second), expected)
    np.testing.assert_allclose(np.diag(linear_cka(first, first)), 1)


def test_the_alignment_knows_no_basis_and_no_scale_and_is_without_bias() -> None:
    states = DRAWN.normal(size=(1, 60, 5))
    turned = 3 * states @ np.linalg.qr(DRAWN.normal(size=(5, 5)))[0] + 2
    assert linear_cka(gram(states), gram(turned)) == pytest.approx(1)
    # States with nothing in common, of more dimensions than words: 0 on average.
    several = [
        linear_cka(gram(DRAWN.normal(size=(1, 30, 80))), gram(DRAWN.normal(size=(1, 30, 80))))[0, 0]
        for _ in range(200)
    ]
    assert abs(np.mean(several)) < 0.02
    assert np.isnan(linear_cka(gram(np.ones((1, 5, 2))), gram(states[:, :5]))).all()
    with pytest.raises(ValueError, match="n > 3"):
        linear_cka(gram(states[:, :3]), gram(states[:, :3]))


def test_the_jackknife_of_single_words_is_that_of_a_plain_loop() -> None:
    first, second = gram(DRAWN.normal(size=(1, 9, 3))), gram(DRAWN.normal(size=(1, 9, 3)))
    found, errors = cka_errors(first, second, np.arange(9))
    left = []
    for word in range(9):
        kept = [at for at in range(9) if at != word]
        left.append(linear_cka(first[:, kept][:, :, kept], second[:, kept][:, :, kept])[0, 0])
    expected = np.sqrt(8 / 9 * np.square(left - np.mean(left)).sum())
    assert errors[0, 0] == pytest.approx(expected)
    assert found[0, 0] == linear_cka(first, second)[0, 0]
    assert np.isnan(cka_errors(first, second, np.zeros(9))[1]).all()
    interval = cka_interval(0.9, 0.1)
    assert interval is not None and interval.high == 1 and interval.low == pytest.approx(0.704, abs=1e-3)
    assert cka_interval(0.9, np.nan) is None


def test_the_nearest_and_the_uniform_layer() -> None:
    similarity = np.array([[0.9, 0.1], [np.nan, np.nan], [0.2, 0.3]])
    assert nearest(similarity).tolist() == [0, -1, 1]
    assert nearest(np.array([[1, 0.5], [0.2, 1]]), but_itself=True).tolist() == [1, 0]
    assert [uniform_layer(layer, 3, 12) for layer in range(4)] == [0, 4, 8, 12]


def options(tmp_path: Path, *models: Path) -> list[object]:
    (tmp_path / "some.conllu").write_text(GOLD * 4, encoding="utf-8")
    return ["--data", tmp_path / "some.conllu", "--model", *models, *PLAIN, "--quiet"]


def test_the_command(model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = options(tmp_path, model_folder("bert"), model_folder("roberta"))
    done = ran(capsys, map_command.main, *given, "--out", tmp_path / "out", "--format", "json")
    assert done.code == 0, done.err
    near, impacts, cka = json.loads(done.out)
    assert [row["kind"] for row in near["rows"]] == [*["baseline"] * 3, *["model"] * 3]
    assert impacts["rows"][0]["name"] == "words stand near"
    assert (impacts["columns"][0], cka["columns"][0]) == ("layer 1", "layer 0")
    for row, all_pairs in zip(near["rows"][3:], impacts["rows"][1:], strict=True):
        values = [cell["value"] for cell in all_pairs["cells"].values()]
        assert row["cells"]["correlation"]["value"] == max(values)
        assert row["cells"]["nearest by impacts"]["value"] == 1 + values.index(max(values))
    tables = [read_table(tmp_path / "out" / f"layer-map-some-{kind}.json") for kind in ("impacts", "cka")]
    assert "layer of roberta" in texts(maps_of_layers(*tables))


@pytest.mark.usefixtures("one_thread")
def test_an_interrupted_run_goes_on_where_it_was(
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("analyses.pictures.style.DPI", 40)
    given = [*options(tmp_path, model_folder("bert"), model_folder("roberta")), "--seeds", 0]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert ran(capsys, map_command.main, *given, "--out", whole).code == 0
    left = [1]

    def compute(*args: Any, **named: Any) -> Any:
        left[0] -= bool(args[1])  # of no sentence nothing is computed
        if left[0] < 0:
            raise KeyboardInterrupt
        return compute_shard(*args, **named)

    monkeypatch.setattr("probe.workers.compute_shard", compute)
    assert ran(capsys, map_command.main, *given, "--out", stopped).code == 130
    assert not list(stopped.glob("layer-map-*"))
    left[0] = 1  # the shard of the second model
    done = ran(capsys, map_command.main, *given, "--out", stopped)
    assert (done.code, done.err, left[0]) == (0, "", 0)
    tables = {path.name: path.read_bytes() for path in whole.glob("layer-map-*.json")}
    assert len(tables) == 3
    assert tables == {path.name: path.read_bytes() for path in stopped.glob("layer-map-*.json")}


def test_one_model_is_compared_with_itself(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*options(tmp_path, model_folder("bert")), "--seeds", 0, "--format", "json"]
    near, impacts, cka = json.loads(ran(capsys, map_command.main, *given).out)
    for at, row in enumerate(impacts["rows"][1:]):
        assert list(row["cells"].values())[at]["value"] == pytest.approx(1)
    for at, row in enumerate(cka["rows"]):
        assert list(row["cells"].values())[at]["value"] == pytest.approx(1)
    for at, row in enumerate(near["rows"], start=1):
        assert row["cells"]["nearest by impacts"]["value"] != at != row["cells"]["nearest by CKA"]["value"]


def test_what_is_refused(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bert = model_folder("bert")
    done = ran(capsys, map_command.main, *options(tmp_path, bert, bert, bert))
    assert done.code == 2 and "one or two models are expected, found 3" in done.err
    done = ran(capsys, map_command.main, *options(tmp_path, bert), "--limit", 0)
    assert done.code == 2 and "--limit" in done.err
    (tmp_path / "two.txt").write_text("Two words\nOne more\n", encoding="utf-8")
    done = ran(capsys, map_command.main, "--data", tmp_path / "two.txt", "--model", bert, *PLAIN)
    assert done.code == 1 and "no sentence of 3 words" in done.err
    (tmp_path / "long.txt").write_text(f"{'a ' * 60}\nRivers carry sand .\n", encoding="utf-8")
    done = ran(capsys, map_command.main, "--data", tmp_path / "long.txt", "--model", bert, *PLAIN)
    assert done.code == 1 and "skipped" in done.err and "n:1 | skipped:1" in done.out
