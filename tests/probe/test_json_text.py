"""JSON that others may have written: only the errors of the project come out, in one short line."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from probe import ImpactMatrix, ModelError, Probe
from probe.errors import SentenceError, one_line, quoted
from probe.json_text import parse_json
from probe.loading import _best
from probe.manifest import Manifest, StoreError, _digest
from probe.store import Store
from tests.store_runs import Fill

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
DEEP = 100_000 * "["


def short(error: BaseException) -> bool:
    """Whether a message is one line of a readable length."""
    return "\n" not in str(error) and len(str(error)) < 500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "found Expecting property name"),
        (b"\xff", "JSON in UTF-8 is expected"),
        ("[NaN]", "found NaN"),
        ("-Infinity", "found -Infinity"),
        ("1e400", "found 1e400, which is beyond a float"),
        (DEEP, "found brackets nested too deeply"),
        ('{"a": 1, "a": 2}', "found key 'a' twice in an object"),
        ("1" * 5_000, "found a number of thousands of digits"),
    ],
)
def test_what_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_json(text)
    assert short(caught.value)


@few
@given(JSON)
def test_what_json_writes_is_read(value: Any) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        return
    assert parse_json(text) == value


def test_messages_are_one_line_and_lose_their_middle() -> None:
    assert one_line("two\nlines\u2028") == "two\\nlines\\u2028"
    cut = one_line("begin" + 100_000 * "x" + "end")
    assert (len(cut), cut[:5], cut[-3:]) == (303, "begin", "end")
    assert quoted("x" * 61) == f"{'x' * 60!r}\u2026"
    assert len(quoted(list(range(1000)))) == 61
    assert len(str(SentenceError("x" * 1_000_000))) == 303


# --- probe.json


@few
@given(
    JSON | st.fixed_dictionaries({"layer": JSON, "pool": JSON | st.just("max")}, optional={"layers": JSON})
)
@example({"layer": True, "pool": "max"})
def test_any_probe_json(tmp_path: Path, value: Any) -> None:
    (tmp_path / "probe.json").write_text(json.dumps(value), encoding="utf-8")
    try:
        best = _best(tmp_path, "m", 3)
    except ModelError as error:
        assert short(error)
    else:
        assert type(best.layer) is int
        assert -4 <= best.layer <= 3


# --- manifests


@pytest.fixture
def forge(fill: Fill, tmp_path: Path) -> Callable[..., Path]:
    """Write the manifest of a run with other values, and the checksum that goes with them."""
    whole = Manifest.load(fill().folder)
    folder = tmp_path / "forged"
    folder.mkdir()

    def call(shards: Any = None, **values: Any) -> Path:
        about = asdict(whole.configuration) | values
        document: Any = {"format": "probe.Store/1", "configuration": about}
        document["shards"] = whole.shards if shards is None else shards
        text = json.dumps(document | {"sha256": _digest(json.loads(json.dumps(document)))})
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        return folder

    return call


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sentences": "7"}, "sentences: a whole number from 0 is expected, found '7'"),
        ({"sentences": -1}, "sentences"),
        ({"sentences": 20_000_000}, "4 of 10000000 shards are there"),
        ({"shard_sentences": 0}, "shard_sentences: a whole number above 0 is expected, found 0"),
        ({"shard_sentences": True}, "shard_sentences"),
        ({"layer": [99]}, "layer: layers of the model is expected"),
        ({"layer": 3}, "layer"),
        ({"metric": ["l2"]}, "metric: metrics is expected"),
        ({"metric": "dist"}, "metric: names, each once, is expected"),
        ({"pool": []}, "pool"),
        ({"best_layer": 1.5}, "best_layer"),
        ({"best_pool": ["max"]}, "best_pool"),
        ({"model": None}, "model: text is expected, found None"),
        ({"more": 1}, "unexpected keyword argument 'more'"),
        ({"shards": []}, "shards: an object is expected"),
        ({"shards": {"../../x": "00"}}, "shards: the name of a shard is expected, found '../../x'"),
        ({"shards": {"shard-000009.safetensors": "00"}}, "shards: the name of a shard"),
        ({"shards": {"shard-000001.safetensors": 1}}, "shard-000001.safetensors: a checksum"),
    ],
)
def test_a_forged_manifest(forge: Callable[..., Path], values: dict[str, Any], message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        Store.open(forge(**values))
    assert short(caught.value)


def test_any_value_in_a_manifest(forge: Callable[..., Path], fill: Fill) -> None:
    names = sorted(asdict(fill().configuration))

    @few
    @given(st.sampled_from([*names, "shards"]), JSON)
    def try_one(name: str, value: Any) -> None:
        try:
            Store.open(forge(**{name: value}))
        except StoreError as error:
            assert short(error)

    try_one()


@pytest.mark.parametrize("text", [DEEP, "[]", "null", '"x"', "1", "{}", '{"format": [1]}', "\ufeff{}"])
def test_what_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="not the manifest of a run directory") as caught:
        Store.open(tmp_path)
    assert short(caught.value)


def test_a_forged_shard(fill: Fill, model: Probe) -> None:
    """A shard whose tensors are not those of its sentences, with the checksum that goes with it."""
    from dataclasses import replace

    from safetensors.numpy import load, save

    store = fill()
    name = "shard-000000.safetensors"
    path = store.folder / name
    whole = path.read_bytes()
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        about = file.metadata()
    tensors = load(whole)
    wrong = [
        {key: value[..., :-1] for key, value in tensors.items()},
        {key: np.full_like(value, np.nan) for key, value in tensors.items()},
        {key: value.astype(np.int32) for key, value in tensors.items()},
        {},
    ]
    metadata = [about] * len(wrong)
    for text in ("[]", "{}", DEEP, '[{"words": "ab", "failure": null}]', '[{"words": [1], "failure": 2}]'):
        wrong.append(tensors)
        metadata.append({"probe.Store": text})
    from hashlib import sha256

    for each, said in zip(wrong, metadata, strict=True):
        data = save({key: np.ascontiguousarray(value) for key, value in each.items()}, metadata=said)
        path.write_bytes(data)
        manifest = Manifest.load(store.folder)
        shards = {**manifest.shards, name: sha256(data).hexdigest()}
        replace(manifest, shards=shards).save(store.folder)
        with pytest.raises(StoreError, match="altered since it was written"):
            list(Store.open(store.folder).matrices(errors="return"))


# --- impact matrices


def test_any_metadata_of_a_matrix(model: Probe, tmp_path: Path) -> None:
    from safetensors.numpy import save

    matrix = model.impact(["a", "cat"])
    path = tmp_path / "m.safetensors"

    @few
    @given(JSON | st.fixed_dictionaries({"about": JSON, "sha256": JSON}), st.booleans())
    @example({"about": {"units": ["a", "b"]}, "sha256": "0"}, False)
    def try_one(value: Any, deep: bool) -> None:
        text = DEEP if deep else json.dumps(value)
        path.write_bytes(save({"values": matrix.values}, metadata={"probe.ImpactMatrix/2": text}))
        with pytest.raises(ValueError, match="not an impact matrix") as caught:
            ImpactMatrix.load(path)
        assert short(caught.value)

    try_one()


def test_any_bytes_of_a_matrix(model: Probe, tmp_path: Path) -> None:
    matrix = model.impact(["a", "cat"])
    path = tmp_path / "m.safetensors"
    matrix.save(path)
    whole = path.read_bytes()

    @few
    @given(st.integers(0, len(whole) - 1), st.binary(min_size=1, max_size=8), st.booleans())
    def try_one(at: int, part: bytes, cut: bool) -> None:
        spoilt = whole[:at] if cut else whole[:at] + part + whole[at + len(part) :]
        path.write_bytes(spoilt)
        try:
            found = ImpactMatrix.load(path)
        except ValueError as error:
            assert short(error)
        else:
            np.testing.assert_array_equal(found.values, matrix.values)
            assert found.units == matrix.units

    try_one()
