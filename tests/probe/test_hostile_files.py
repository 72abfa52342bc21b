"""Whatever stands in a manifest, a shard, a matrix or a model's folder: what was written, or one of our errors."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import probe
from probe import ImpactMatrix, ModelError, Probe
from probe.errors import ProbeError
from probe.fingerprint import words_sha256
from probe.manifest import MANIFEST
from probe.matrix import _digest
from probe.store import Store, StoreError
from tests.conftest import ModelFolder
from tests.fuzz import HOSTILE, bounded, inputs
from tests.store_runs import SHARD, WORDS, contents

pytestmark = [pytest.mark.fuzz, pytest.mark.usefixtures("one_thread")]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63), 10**30, 2**31])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["dist", "pair", "best", "../x", "x" * 2_000, "\x1b[1m", "0", "None", "substitute:K"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def forged(drawn: st.DataObject, document: Any) -> Any:
    """The document with some of its values replaced, wherever they stand."""
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            places.append((node, key))
            visit(node[key])

    document = json.loads(json.dumps(document))
    visit(document)
    for place in drawn.draw(st.lists(st.sampled_from(range(len(places))), min_size=1, max_size=2)):
        node, key = places[place]
        if isinstance(node, dict) and drawn.draw(st.integers(0, 9)) == 0:
            node.pop(key, None)
        else:
            node[key] = drawn.draw(VALUES)
    return document


def altered(drawn: st.DataObject, data: bytes) -> bytes:
    """The bytes with some of them replaced, cut out or put in."""
    for _ in range(drawn.draw(st.integers(1, 3))):
        start = drawn.draw(st.integers(0, len(data)))
        length = drawn.draw(st.sampled_from([0, 1, 8, 100]))
        put = drawn.draw(st.sampled_from(HOSTILE) | st.binary(max_size=8))
        data = data[:start] + put + data[start + length :]
    return data


def refused(read: Callable[[], object], *kinds: type[Exception]) -> None:
    """Assert that reading ends well or in an error of these kinds: one printable line."""
    with bounded():
        try:
            read()
        except kinds as error:
            assert "\n" not in str(error) and len(str(error)) < 700
            str(error).encode()


@pytest.fixture(scope="module")
def whole(model: Probe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of seven sentences, one of them a failure."""
    return Store.fill(
        tmp_path_factory.mktemp("hostile") / "run", model, WORDS, shard_sentences=2, openness=True
    ).folder


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def read_all(folder: Path) -> None:
    """All that a reader may ask of a run directory."""
    store = Store.open(folder)
    repr(store)
    store.failures()
    list(store.matrices(errors="return"))
    list(store.impact_many(WORDS, errors="return"))


def sign(document: dict[str, Any]) -> bytes:
    """A manifest whose checksum is right, whatever it says."""
    document.pop("sha256", None)
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    return json.dumps(document | {"sha256": digest}).encode()


@inputs(40)
@given(drawn=st.data())
def test_manifests(drawn: st.DataObject, whole: Path, copied: Path, model: Probe) -> None:
    data = (whole / MANIFEST).read_bytes()
    if drawn.draw(st.booleans()):
        (copied / MANIFEST).write_bytes(altered(drawn, data))
    else:
        document = forged(drawn, {k: v for k, v in json.loads(data).items() if k != "sha256"})
        (copied / MANIFEST).write_bytes(sign(document))
    refused(lambda: read_all(copied), ProbeError)
    # Where it is read as another run, that one is left alone; where as this one, what is damaged is made again.
    before = contents(copied)

    def fill() -> None:
        Store.fill(copied, model, WORDS, shard_sentences=2, openness=True)

    refused(fill, ProbeError)
    assert {n: kept for n, kept in contents(copied).items() if n.startswith("shard")} == {
        n: kept for n, kept in before.items() if n.startswith("shard")
    }
    (copied / MANIFEST).write_bytes(data)


def with_first(number: float) -> Callable[[Any], Any]:
    """What puts a number in the first place of an array."""
    return lambda array: np.where(np.arange(array.size).reshape(array.shape) == 0, number, array).astype(
        array.dtype
    )


FIRST = "shard-000000.safetensors"
FORGED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "an infinite influence on [CLS]": ("on_cls", with_first(np.inf)),
    "one that is no number": ("on_cls", with_first(np.nan)),
    "whole numbers": ("on_cls", lambda a: a.astype(np.int32)),
    "a diagonal": ("values", lambda a: a + np.eye(a.shape[-1], dtype=a.dtype)),
    "half precision": ("values", lambda a: a.astype(np.float16)),
    "openness in float32": ("openness", lambda a: a.astype(np.float32)),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_shard_with_tensors_of_another_kind(name: str, copied: Path) -> None:
    tensor, change = FORGED[name]
    path, document = copied / FIRST, json.loads((copied / MANIFEST).read_bytes())
    head = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    tensors = load_file(path)
    place = next(one for one in tensors if one.endswith(f".{tensor}"))
    save_file(tensors | {place: change(tensors[place])}, path, metadata=head["__metadata__"])
    document["shards"][FIRST] = hashlib.sha256(path.read_bytes()).hexdigest()
    (copied / MANIFEST).write_bytes(sign(document))
    with pytest.raises(StoreError, match="altered since it was written"):
        read_all(copied)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"text": 5}, "text: running or spaced is expected"),
        ({"best_layers": [1]}, "best_layers: layers by perturbation is expected"),
        ({"best_layers": {"pair": 9}}, "pair: a layer of the model is expected"),
    ],
)
def test_a_manifest_with_values_of_another_kind(about: dict[str, Any], message: str, copied: Path) -> None:
    document = json.loads((copied / MANIFEST).read_bytes())
    document["configuration"] |= about
    (copied / MANIFEST).write_bytes(sign(document))
    with pytest.raises(StoreError, match=message):
        Store.open(copied)


def test_a_manifest_of_before_layers_were_kept_by_perturbation(copied: Path) -> None:
    document = json.loads((copied / MANIFEST).read_bytes())
    del document["configuration"]["best_layers"]
    (copied / MANIFEST).write_bytes(sign(document))
    read_all(copied)


@inputs(60)
@given(drawn=st.data())
def test_shards(drawn: st.DataObject, whole: Path, copied: Path) -> None:
    data = (whole / SHARD).read_bytes()
    size = 8 + int.from_bytes(data[:8], "little")
    kind = drawn.draw(st.sampled_from(["bytes", "head", "sentences", "tensors"]))
    path = copied / SHARD
    if kind == "bytes":
        path.write_bytes(altered(drawn, data))
    elif kind == "head":
        made = json.dumps(forged(drawn, json.loads(data[8:size]))).encode()
        path.write_bytes(len(made).to_bytes(8, "little") + made + data[size:])
    else:
        tensors, head = load_file(whole / SHARD), json.loads(data[8:size])["__metadata__"]
        if kind == "sentences":
            head = {"probe.Store": json.dumps(forged(drawn, json.loads(head["probe.Store"])))}
        else:
            name = drawn.draw(st.sampled_from(sorted(tensors)))
            tensors[name] = drawn.draw(
                st.sampled_from(
                    [
                        tensors[name][..., :1].copy(),
                        tensors[name] * np.nan,
                        (tensors[name] > 0).astype(np.int8),
                        tensors[name][None],
                        np.zeros(0, np.float32),
                    ]
                )
            )
        save_file(tensors, path, metadata=head)
    document = json.loads((whole / MANIFEST).read_bytes())
    document["shards"][SHARD] = hashlib.sha256(path.read_bytes()).hexdigest()
    (copied / MANIFEST).write_bytes(sign(document))
    refused(lambda: read_all(copied), ProbeError)


@inputs(100)
@given(drawn=st.data())
def test_matrices(drawn: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    ImpactMatrix(
        values=np.ones((2, 2), np.float32) - np.eye(2, dtype=np.float32),
        on_cls=np.ones(2, np.float32),
        units=("a", "b"),
        model="bert",
        metric="dist",
        layer=3,
        pool="mean",
        perturb="pair",
    ).save(path)
    if drawn.draw(st.booleans()):
        path.write_bytes(altered(drawn, path.read_bytes()))
    else:
        data = path.read_bytes()
        size = 8 + int.from_bytes(data[:8], "little")
        ((key, text),) = json.loads(data[8:size])["__metadata__"].items()
        arrays = load_file(path)
        about = forged(drawn, json.loads(text)["about"])
        found = json.dumps({"about": about, "sha256": _digest(about, arrays)})
        save_file(arrays, path, metadata={key: found})
    refused(lambda: ImpactMatrix.load(path), ValueError)


@inputs(25)
@given(drawn=st.data())
def test_what_a_model_recommends(drawn: st.DataObject, tmp_path: Path) -> None:
    from probe.loading import _best

    text = json.dumps({"layer": 2, "pool": "mean", "layers": {"knockout": 1}, "fills_masks": True})
    data = altered(drawn, text.encode())
    if drawn.draw(st.booleans()):
        data = json.dumps(forged(drawn, json.loads(text))).encode()
    (tmp_path / "probe.json").write_bytes(data)
    refused(lambda: _best(tmp_path, "m", 3), ModelError)


@inputs(4)
@given(drawn=st.data())
def test_files_of_a_model(drawn: st.DataObject, model_folder: ModelFolder, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model_folder("bert"), folder)
    file = drawn.draw(
        st.sampled_from(["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
    )
    path = folder / file
    path.write_bytes(altered(drawn, path.read_bytes()))
    refused(lambda: probe.load(folder, device="cpu").impact(["a", "b"]), ProbeError)


@pytest.mark.parametrize("words", [[["a", "\x00"]], [["\ud800", "b"]], [[]], [["x" * 100_000]], [[1, None]]])
def test_sentences_of_anything(words: Any, model: Probe, tmp_path: Path) -> None:
    with bounded():
        store = Store.fill(tmp_path / "run", model, words)
        found = list(store.matrices(errors="return"))
    assert len(found) == 1 and len(words_sha256(words)) == 64
