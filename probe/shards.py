"""Shards: the impact matrices of some consecutive sentences in one safetensors file.

The tensors of the sentence at place i of the input are ``i.values`` [combinations, n, n] and ``i.on_cls``
[combinations, n], and ``i.openness`` [n] and ``i.cues`` [4, n] where they were asked for; a sentence that could
not be probed has none.
Words and failures are in the metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.errors import SentenceError, quoted
from probe.json_text import parse_json
from probe.manifest import Configuration, StoreError
from probe.matrix import ImpactMatrix, ImpactSet, check_arrays
from probe.spaces import spaces_of

if TYPE_CHECKING:
    from probe.model import OpennessChoice, Probe, Words
    from probe.structure import Structure

# One key only: safetensors writes the keys of its metadata in an order that differs from run to run.
_KEY = "probe.Store"

SHARD_SENTENCES = 64
"""Sentences in a shard, unless told otherwise: what a killed run has to repeat at most."""


class Arrays(NamedTuple):
    """Of one matrix ``values`` [n, n] and ``on_cls`` [n]; ``openness`` [n] and ``cues`` [4, n], if kept."""

    values: NDArray[np.floating[Any]]
    on_cls: NDArray[np.floating[Any]]
    openness: NDArray[np.float64] | None
    cues: NDArray[np.float64] | None


@dataclass(frozen=True)
class StoredSentence:
    """The words of a sentence, and why it could not be probed (None: it could).

    ``spaces`` says whether white space follows each word, where that was known to the model; ``unknown`` are the
    places of the words that its vocabulary does not know.
    """

    words: tuple[str, ...]
    failure: str | None
    spaces: tuple[bool, ...] | None = None
    unknown: tuple[int, ...] = ()

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> StoredSentence:
        """The sentence of which :meth:`as_dict` gave this entry.

        Raises:
            KeyError, TypeError: it is that of something else.
        """
        words, failure, spaces = entry["words"], entry["failure"], entry.get("spaces")
        unknown = entry.get("unknown", [])
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise TypeError("words: a list of texts is expected")
        if not isinstance(failure, str | None):
            raise TypeError("failure: a text is expected")
        if spaces is not None and [type(space) for space in spaces] != [bool] * len(words):
            raise TypeError("spaces: a truth value a word is expected")
        if not all(type(place) is int and 0 <= place < len(words) for place in unknown):
            raise TypeError("unknown: places of words are expected")
        return cls(tuple(words), failure, None if spaces is None else tuple(spaces), tuple(unknown))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        about: dict[str, Any] = {"words": self.words, "failure": self.failure}
        more = {"spaces": self.spaces} if self.spaces is not None else {}
        return about | more | ({"unknown": self.unknown} if self.unknown else {})


def compute_shard(
    probe: Probe,
    places: range,
    sentences: Sequence[Words],
    configuration: Configuration,
    openness: OpennessChoice,
    on_passes: Callable[[int], None] | None,
    structure: Structure | None = None,
) -> bytes:
    """The file of the shard with these sentences, at these places of the input.

    ``structure`` has the trees of these sentences.

    Their batches hold no other shard's sentences, so that the bytes depend on them and the configuration alone.
    """
    found = probe.impact_many(
        sentences,
        metric=configuration.metric,
        layer=configuration.layer,
        pool=configuration.pool,
        perturb=configuration.perturb,
        attention=configuration.attention if structure is None else structure,
        openness=openness,
        batch_tokens=configuration.batch_tokens,
        on_passes=on_passes,
        errors="return",
    )
    return _file_of(places, sentences, found)


def _file_of(
    places: range,
    sentences: Sequence[Sequence[str]],
    found: Iterable[ImpactMatrix | ImpactSet | SentenceError],
) -> bytes:
    """The results for the sentences at these places of the input."""
    from safetensors.numpy import save

    tensors: dict[str, NDArray[np.floating[Any]]] = {}
    stored = []
    for place, words, result in zip(places, sentences, found, strict=True):
        failure = str(result) if isinstance(result, SentenceError) else None
        unknown = result.matrices[0].unknown if isinstance(result, ImpactSet) else ()
        stored.append(StoredSentence(as_stored(words), failure, spaces_of(words), unknown))
        if isinstance(result, ImpactSet):
            tensors[f"{place}.values"] = np.stack([matrix.values for matrix in result])
            tensors[f"{place}.on_cls"] = np.stack([matrix.on_cls for matrix in result])
            if (openness := result.matrices[0].openness) is not None:
                tensors[f"{place}.openness"] = openness
            if (cues := result.matrices[0].cues) is not None:
                tensors[f"{place}.cues"] = cues
    return save(tensors, metadata={_KEY: json.dumps([sentence.as_dict() for sentence in stored])})


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
            listed = parse_json((file.metadata() or {})[_KEY])
            return [StoredSentence.read(entry) for entry in listed]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise damaged(path) from error


def read_arrays(
    path: Path,
    places: range,
    sentences: Sequence[StoredSentence],
    configuration: Configuration,
    picked: Sequence[int],
) -> Iterator[list[Arrays] | None]:
    """The matrices of some combinations, sentence by sentence; None where a sentence could not be probed.

    Args:
        path: a whole shard; see ``is_whole``.
        places: of its sentences in the input.
        sentences: themselves, from ``read_sentences``.
        configuration: of the run: what is kept of each sentence.
        picked: places of the combinations that are asked for.

    Raises:
        StoreError: the tensors are not those of the sentences and the configuration, or a number is not finite.
    """
    from safetensors import SafetensorError, safe_open

    stored = len(configuration.settings.combinations())
    rows = {"openness": configuration.openness is not None, "cues": bool(configuration.cues)}
    beside = [name for name, kept in rows.items() if kept]
    with safe_open(path, framework="numpy") as file:
        for place, sentence in zip(places, sentences, strict=True):
            if sentence.failure is not None:
                yield None
                continue
            try:
                yield _arrays(file, place, (stored, len(sentence.words)), picked, beside)
            except (SafetensorError, ValueError) as error:
                raise damaged(path) from error


def _arrays(
    file: Any, place: int, shape: tuple[int, int], picked: Sequence[int], beside: Sequence[str]
) -> list[Arrays]:
    """The matrices of one sentence; ``shape`` is that of their ``on_cls``, ``beside`` what else is kept."""
    values, on_cls = file.get_slice(f"{place}.values"), file.get_slice(f"{place}.on_cls")
    known = {name: file.get_tensor(f"{place}.{name}") for name in beside}
    openness, cues = known.get("openness"), known.get("cues")
    n = shape[1]
    if values.get_shape() != [*shape, n] or on_cls.get_shape() != [*shape]:
        raise ValueError("a tensor of another shape")
    found = [Arrays(values[at], on_cls[at], openness, cues) for at in picked]
    for own in found:
        check_arrays(n, *own)
    return found


def damaged(path: Path) -> StoreError:
    """The error of a shard that is missing, cut short or altered."""
    return StoreError(
        f"{path}: missing, cut short or altered since it was written: start the run that made it again, "
        "which makes what is damaged anew"
    )


def first_difference(stored: Sequence[str], words: Sequence[str]) -> str:
    """Where the words of a stored sentence differ from those of the input."""
    if len(stored) != len(words):
        return f"it has {len(stored)} words, the input's has {len(words)}"
    at, mine, its = next((i, a, b) for i, (a, b) in enumerate(zip(stored, words, strict=True), 1) if a != b)
    return f"word {at} is {quoted(mine)}, the input's is {quoted(its)}"
