"""Shards: the impact matrices of some consecutive sentences in one safetensors file.

The tensors of the sentence at place i of the input are ``i.values`` [combinations, n, n] and ``i.on_cls``
[combinations, n], and ``i.openness`` [n] where it was asked for; a sentence that could not be probed has none.
Words and failures are in the metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.errors import SentenceError
from probe.manifest import StoreError, write_whole
from probe.matrix import ImpactMatrix, ImpactSet

# One key only: safetensors writes the keys of its metadata in an order that differs from run to run.
_KEY = "probe.Store"

Arrays = tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]], NDArray[np.float64] | None]
"""``values`` [n, n] and ``on_cls`` [n] of one matrix, and ``openness`` [n], if it is kept."""


@dataclass(frozen=True)
class StoredSentence:
    """The words of a sentence, and why it could not be probed (None: it could)."""

    words: tuple[str, ...]
    failure: str | None


def write_shard(
    path: Path,
    places: range,
    sentences: Sequence[Sequence[str]],
    found: Sequence[ImpactMatrix | ImpactSet | SentenceError],
) -> str:
    """Write the results for the sentences at these places of the input; returns the file's SHA-256.

    Raises:
        StoreError: it cannot be written; then nothing is left of it.
    """
    from safetensors.numpy import save

    tensors: dict[str, NDArray[np.floating[Any]]] = {}
    stored = []
    for place, words, result in zip(places, sentences, found, strict=True):
        stored.append(
            StoredSentence(as_stored(words), str(result) if isinstance(result, SentenceError) else None)
        )
        if isinstance(result, ImpactSet):
            tensors[f"{place}.values"] = np.stack([matrix.values for matrix in result])
            tensors[f"{place}.on_cls"] = np.stack([matrix.on_cls for matrix in result])
            if (openness := result.matrices[0].openness) is not None:
                tensors[f"{place}.openness"] = openness
    data = save(tensors, metadata={_KEY: json.dumps([asdict(sentence) for sentence in stored])})
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def as_stored(words: Sequence[object]) -> tuple[str, ...]:
    """The words of a sentence as a shard keeps them; what is no text, and so a failure, as Python writes it."""
    return tuple(word if isinstance(word, str) else repr(word) for word in words)


def is_whole(path: Path, sha256: str) -> bool:
    """Whether the file is there and has this checksum."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def read_sentences(path: Path) -> list[StoredSentence]:
    """The sentences of a shard, from the head of the file.

    Raises:
        StoreError: it is not a shard.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            listed = json.loads(file.metadata()[_KEY])
            return [StoredSentence(tuple(entry["words"]), entry["failure"]) for entry in listed]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise damaged(path) from error


def read_arrays(path: Path, places: range, combinations: Sequence[int]) -> Iterator[list[Arrays] | None]:
    """The matrices of some combinations, sentence by sentence; None where a sentence could not be probed.

    The file must be whole; see ``is_whole``.
    """
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        names = set(file.keys())
        for place in places:
            if f"{place}.values" not in names:
                yield None
                continue
            values, on_cls = file.get_slice(f"{place}.values"), file.get_slice(f"{place}.on_cls")
            kept = f"{place}.openness"
            openness = file.get_tensor(kept) if kept in names else None
            yield [(values[at], on_cls[at], openness) for at in combinations]


def damaged(path: Path) -> StoreError:
    """The error of a shard that is missing, cut short or altered."""
    return StoreError(
        f"{path}: missing, cut short or altered since it was written: start the run that made it again, "
        "which makes what is damaged anew"
    )
