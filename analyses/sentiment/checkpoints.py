"""Checkpoints of the sentiment experiment: one file a seed, so that a killed run goes on with the next one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from analyses.sentiment.network import CLASSES, build
from analyses.sentiment.training import Encoded, Recipe, Trained, train
from probe import __version__
from probe.json_text import is_count, parse_json
from probe.manifest import write_whole

_KEY = "analyses.sentiment"
_WEIGHTS = "weights."

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


def experiment_sha256(training: Encoded, test: Encoded, embeddings: torch.Tensor, recipe: Recipe) -> str:
    """SHA-256 of all that the results of a seed depend on: data, weights of words, vectors, settings, versions.

    Two sources of trees that give the same distances have the same one, and are trained once. The LSTM looks at
    no distances, so they do not enter for it.
    """
    about = [asdict(recipe), __version__, torch.__version__, embeddings.device.type]
    sha = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for part in (training, test):
        tensors = [part.words, part.lengths, part.sentence, part.labels]
        for tensor in tensors if recipe.architecture == "lstm" else [*tensors, part.weights]:
            sha.update(json.dumps(list(tensor.shape)).encode() + tensor.cpu().numpy().tobytes())
    sha.update(json.dumps(list(embeddings.shape)).encode() + embeddings.cpu().numpy().tobytes())
    return sha.hexdigest()


def train_or_load(
    folder: Path,
    training: Encoded,
    test: Encoded,
    embeddings: torch.Tensor,
    *,
    recipe: Recipe,
    seed: int,
    keep_weights: bool = False,
    on_epoch: Callable[[int], None] | None = None,
) -> Trained:
    """One seed, from its checkpoint in ``folder`` if there is one, else trained and kept there.

    A checkpoint has the predictions, from which all scores are made; its weights only where they are asked for.

    Args:
        folder: made where there is none.
        keep_weights: whether the weights are wanted; a checkpoint without them does not serve then.
        training, test, embeddings, recipe, seed, on_epoch: as for ``analyses.sentiment.training.train``.

    Raises:
        probe.ProbeError: as ``train``.
        probe.StoreError: the checkpoint cannot be written.
    """
    key = experiment_sha256(training, test, embeddings, recipe)
    path = folder / f"{recipe.architecture}-{recipe.protocol}-{key[:16]}-seed-{seed}.safetensors"
    if path.is_file():
        shapes = _shapes(embeddings, recipe)
        found = load_checkpoint(path, seed=seed, items=len(test), shapes=shapes)
        if found is not None and (found.weights or not keep_weights):
            return found
    made = train(training, test, embeddings, recipe=recipe, seed=seed, on_epoch=on_epoch)
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, made if keep_weights else replace(made, weights={}))
    return made


def save_checkpoint(path: Path, trained: Trained) -> None:
    """Write one safetensors file, whole or not at all.

    Raises:
        probe.StoreError: it cannot be written.
    """
    from safetensors.numpy import save

    tensors = {f"{_WEIGHTS}{name}": value.cpu().numpy() for name, value in trained.weights.items()}
    predictions = {"by_accuracy": trained.by_accuracy, "by_f1": trained.by_f1}
    about = json.dumps({"seed": trained.seed, "epochs": trained.epochs})
    write_whole(path, save({**tensors, **predictions}, metadata={_KEY: about}))


def load_checkpoint(path: Path, *, seed: int, items: int, shapes: Shapes) -> Trained | None:
    """Read what ``save_checkpoint`` wrote; None where there is nothing, or nothing that can be one.

    Args:
        path: of the file.
        seed: its seed.
        items: how many the test set has.
        shapes: of the weights of its network, by their names; a file may be without weights.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = parse_json((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        classes = [tensors.pop("by_accuracy"), tensors.pop("by_f1")]
        weights = {name.removeprefix(_WEIGHTS): torch.from_numpy(np.array(v)) for name, v in tensors.items()}
        epochs = about["epochs"]
        if about["seed"] != seed or not is_count(epochs):
            return None
    except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    fits = not weights or {name: tuple(value.shape) for name, value in weights.items()} == shapes
    finite = all(bool(torch.isfinite(value).all()) for value in weights.values())
    if not (fits and finite and all(_are_classes(each, items) for each in classes)):
        return None
    return Trained(seed=seed, epochs=epochs, by_accuracy=classes[0], by_f1=classes[1], weights=weights)


def _shapes(embeddings: torch.Tensor, recipe: Recipe) -> Shapes:
    """Of the weights of a network."""
    with torch.random.fork_rng(devices=[]):
        network = build(recipe.architecture, embeddings, recipe.shape)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def _are_classes(found: NDArray[np.int64], items: int) -> bool:
    known = found.dtype == np.int64 and found.shape == (items,)
    return bool(known and ((found >= 0) & (found < CLASSES)).all())
