"""Impact matrices as values and as files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from safetensors.numpy import load_file, save_file

from probe import ImpactMatrix, ImpactSet, OptionError
from probe.labels import elided


def matrix(**changes: Any) -> ImpactMatrix:
    """A matrix of three units, seeded."""
    rng = np.random.default_rng(0)
    values = rng.random((3, 3), dtype=np.float32)
    np.fill_diagonal(values, 0)
    default: dict[str, Any] = {
        "values": values,
        "on_cls": rng.random(3, dtype=np.float32),
        "units": ("naïve", "10\u00a0000", "漢字 😀"),
        "model": "bert",
        "metric": "dist",
        "layer": 3,
        "pool": "mean",
        "perturb": "pair",
    }
    return ImpactMatrix(**{**default, **changes})


def about(found: ImpactMatrix) -> tuple[object, ...]:
    """Everything but the numbers."""
    return found.units, found.model, found.metric, found.layer, found.pool, found.perturb


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_was_saved_is_loaded(tmp_path: Path, dtype: Any) -> None:
    saved = matrix(values=matrix().values.astype(dtype), on_cls=matrix().on_cls.astype(dtype))
    saved.save(tmp_path / "m.safetensors")
    loaded = ImpactMatrix.load(str(tmp_path / "m.safetensors"))
    assert about(loaded) == about(saved)
    assert loaded.values.dtype == loaded.on_cls.dtype == dtype
    np.testing.assert_array_equal(loaded.values, saved.values)
    np.testing.assert_array_equal(loaded.on_cls, saved.on_cls)
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_view_in_another_order_is_saved_as_it_reads(tmp_path: Path) -> None:
    saved = matrix(values=matrix().values.T)
    saved.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(ImpactMatrix.load(tmp_path / "m.safetensors").values, matrix().values.T)


def test_a_model_without_a_sentence_token(tmp_path: Path) -> None:
    matrix(on_cls=np.full(3, np.nan, dtype=np.float32)).save(tmp_path / "m.safetensors")
    assert np.isnan(ImpactMatrix.load(tmp_path / "m.safetensors").on_cls).all()


def test_length_is_the_number_of_units() -> None:
    assert len(matrix()) == 3


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors"):
        ImpactMatrix.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.safetensors"
    matrix().save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"cut\.safetensors: not an impact matrix"):
        ImpactMatrix.load(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_another_safetensors_file_is_named(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"values": np.zeros((2, 2))}, path, metadata=metadata)
    with pytest.raises(ValueError, match=r"weights\.safetensors: not an impact matrix"):
        ImpactMatrix.load(path)


def test_any_altered_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    matrix().save(path)
    whole = path.read_bytes()
    for at in range(8, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ValueError, match=r"m\.safetensors: not an impact matrix"):
            ImpactMatrix.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": ("a", "b")}, r"values: float32 \[2, 2\] is expected for 2 units, found float32 \[3, 3\]"),
        ({"units": ("a", "b", 3)}, "texts are expected"),
        ({"on_cls": np.zeros(2, dtype=np.float32)}, "on_cls: float32"),
        ({"on_cls": np.zeros(3)}, r"on_cls: float32 \[3\] is expected for 3 units, found float64"),
        ({"on_cls": np.array([0, np.nan, 1], dtype=np.float32)}, "not a finite number"),
        ({"values": np.full((3, 3), np.nan, dtype=np.float32)}, "not a finite number"),
        ({"values": np.ones((3, 3), dtype=np.float32)}, "the diagonal is not 0"),
        ({"values": np.zeros((3, 3), dtype=np.float16)}, "float32 or float64 is expected, found float16"),
        ({"metric": "manhattan"}, "unknown metric 'manhattan'"),
        ({"metric": "l2"}, "metric: a name is expected, found 'l2'"),
        ({"pool": "min"}, "unknown pool 'min'"),
        ({"perturb": ["pair"]}, "perturb: a name is expected"),
        ({"layer": -1}, "layer: a whole number from 0 is expected, found -1"),
        ({"layer": True}, "layer: a whole number"),
    ],
)
def test_a_file_that_says_what_no_matrix_is(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    matrix(**changes).save(tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=message):
        ImpactMatrix.load(tmp_path / "m.safetensors")


def test_metadata_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    matrix().save(path)
    deep = json.dumps({"about": 0}).replace("0", "[" * 100_000 + "]" * 100_000)
    save_file(load_file(path), path, metadata={"probe.ImpactMatrix/2": deep})
    with pytest.raises(ValueError, match="nested too deeply"):
        ImpactMatrix.load(path)


def test_the_same_matrix_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        matrix().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_frame_has_the_words_as_labels() -> None:
    frame = matrix(units=("The", "cat", "The")).to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.index) == list(frame.columns) == ["The", "cat", "The"]
    assert (frame.index.name, frame.columns.name) == ("influence on", "influence of")
    np.testing.assert_array_equal(frame.to_numpy(), matrix().values)


def test_a_plot_shows_the_words_and_elides_long_ones() -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    assert matrix(units=("$a", "b" * 450, "c")).plot(ax=axes) is axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["$a", elided("b" * 450), "c"]
    shown: Any = axes.images[0].get_array()
    assert shown.mask.tolist() == np.eye(3, dtype=bool).tolist()
    np.testing.assert_array_equal(shown.data, matrix().values)


def test_select_by_what_varies() -> None:
    matrices = tuple(matrix(metric=m, layer=layer) for m in ("dist", "cos") for layer in (0, 3))
    found = ImpactSet(matrices)
    assert len(found) == 4 and tuple(found) == matrices
    assert found.units == matrices[0].units
    assert found.select(metric="cos", layer=0) is matrices[2]
    assert found.select(metric="dist", layer=3, pool="mean", perturb="pair") is matrices[1]
    assert ImpactSet(matrices[:1]).select() is matrices[0]


@pytest.mark.parametrize(
    ("named", "count"), [({}, 2), ({"metric": "dist"}, 2), ({"layer": -1}, 0), ({"pool": "max"}, 0)]
)
def test_select_must_leave_one(named: dict[str, Any], count: int) -> None:
    found = ImpactSet((matrix(), replace(matrix(), layer=0)))
    with pytest.raises(OptionError, match=f"{count} of 2 matrices"):
        found.select(**named)
