"""Run directories of a tiny model: what the tests of ``probe.Store`` share."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import probe
from probe import ImpactSet, Probe, SentenceError
from probe.manifest import MANIFEST
from probe.store import Store
from tests.conftest import ModelFolder

TOO_LONG = ["a"] * 60
WORDS = [
    "Nobody slept .".split(),
    "The storm had broken most windows .".split(),
    TOO_LONG,
    ["Rivers"],
    "Rivers carry sand .".split(),
    "An owl called twice .".split(),
    "A careless waiter spilled tea .".split(),
]
SHARDS = 4
SHARD = "shard-000001.safetensors"
EVERYTHING: dict[str, Any] = {
    "metric": ["dist", "cos", "prob", "kl"],
    "layer": "all",
    "pool": ["first", "mean", "max", "state"],
    "perturb": ["pair", "single"],
}


@pytest.fixture(scope="module")
def model(model_folder: ModelFolder) -> Iterator[Probe]:
    """A tiny BERT, whose window is 32 pieces, computing on one thread: always in the same order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield probe.load(model_folder("bert"), device="cpu", dtype="float32")
    torch.set_num_threads(threads)


Fill = Callable[..., Store]


@pytest.fixture
def fill(model: Probe, tmp_path: Path) -> Fill:
    """Fill a run directory with shards of two sentences."""

    def call(folder: str = "run", probe: Any = model, words: Any = WORDS, **options: Any) -> Store:
        return Store.fill(tmp_path / folder, probe, words, **{"shard_sentences": 2, **options})

    return call


def contents(folder: Path) -> dict[str, bytes]:
    """Name and bytes of all that a folder holds, hidden files included."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def assert_equal(found: Any, expected: Any) -> None:
    """The same matrices, to the bit, or the same failures."""
    assert type(found) is type(expected)
    if isinstance(expected, SentenceError):
        assert str(found) == str(expected)
        return
    if isinstance(expected, ImpactSet):
        assert len(found) == len(expected)
    pairs = zip(found, expected, strict=True) if isinstance(expected, ImpactSet) else [(found, expected)]
    for mine, its in pairs:
        about = ("units", "model", "metric", "layer", "pool", "perturb")
        assert [getattr(mine, key) for key in about] == [getattr(its, key) for key in about]
        assert mine.values.dtype == its.values.dtype
        np.testing.assert_array_equal(mine.values, its.values)
        np.testing.assert_array_equal(mine.on_cls, its.on_cls)


def forget_cues(folder: Path) -> None:
    """Write the manifest of a run directory as it was before it said which cues are kept."""
    path = folder / MANIFEST
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["sha256"], document["configuration"]["cues"]
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(document | {"sha256": digest}), encoding="utf-8")
