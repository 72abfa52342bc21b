"""The manifest of a run directory: what its matrices depend on, and the checksums of its shards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe import __version__
from probe.errors import ProbeError
from probe.fingerprint import tokenizer_sha256, weights_sha256, words_sha256
from probe.metrics import METRICS
from probe.options import POOLS, Pool, Settings
from probe.perturbations import PERTURBATIONS

if TYPE_CHECKING:
    from probe.model import OpennessChoice, Probe

MANIFEST = "manifest.json"
_FORMAT = "probe.Store/1"


class StoreError(ProbeError):
    """A run directory that cannot be used: another configuration, incomplete, damaged, in use, full disk."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """All that the matrices of a run depend on; a run is continued only under an equal one.

    Attributes:
        model: what the model was loaded as. Not compared: ``weights_sha256`` tells which model it is.
        best_layer, best_pool: what "best" stands for when the directory is read. Not compared, either.
        n_layers: number of layers above the embeddings.
        window: longest sequence in pieces.
        device: "cpu", "cuda" or "mps".
        metric, layer, pool, perturb: what is computed, in the order of ``probe.options`` and ascending.
        batch_tokens, shard_sentences: how sentences are batched, on which the last digits depend.
        sentences, words_sha256: the input.
        openness: what the openness of the units comes from: "itself", or the SHA-256 of another model's weights;
            None: it is not kept.
        versions: of this project and of the libraries that compute.
    """

    model: str = field(compare=False)
    best_layer: int = field(compare=False)
    best_pool: Pool = field(compare=False)
    n_layers: int
    weights_sha256: str
    tokenizer_sha256: str
    window: int
    device: str
    dtype: str
    metric: tuple[str, ...]
    layer: tuple[int, ...]
    pool: tuple[Pool, ...]
    perturb: tuple[str, ...]
    batch_tokens: int
    shard_sentences: int
    sentences: int
    words_sha256: str
    versions: str
    openness: str | None = None

    @property
    def settings(self) -> Settings:
        """The settings of all matrices; the order of their combinations is that within a shard."""
        return Settings(
            metrics=self.metric, layers=self.layer, pools=self.pool, perturbs=self.perturb, several=True
        )

    def shards(self) -> list[tuple[str, range]]:
        """The file name of every shard, and which sentences it holds."""
        size, n = self.shard_sentences, self.sentences
        return [
            (f"shard-{number:06}.safetensors", range(first, min(first + size, n)))
            for number, first in enumerate(range(0, n, size))
        ]

    def difference(self, other: Configuration) -> str:
        """What differs, as ``name: mine there, the other's here``; empty if nothing does."""
        pairs = [(f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self) if f.compare]
        return "; ".join(
            f"{name}: {_shown(mine)} there, {_shown(its)} here" for name, mine, its in pairs if mine != its
        )


def configure(
    probe: Probe,
    sentences: Sequence[Sequence[str]],
    settings: Settings,
    *,
    batch_tokens: int,
    shard_sentences: int,
    openness: OpennessChoice = False,
) -> Configuration:
    """The configuration of a run; the order in which settings were named makes no difference."""
    libraries = ("tokenizers", "torch", "transformers")
    return Configuration(
        model=probe.name,
        best_layer=probe.best.layer,
        best_pool=probe.best.pool,
        n_layers=probe.n_layers,
        weights_sha256=_weights_sha256(probe),
        tokenizer_sha256=tokenizer_sha256(probe.tokenizer),
        window=probe.window,
        device=probe.device.type,
        dtype=str(probe.dtype).removeprefix("torch."),
        metric=tuple(name for name in METRICS if name in settings.metrics),
        layer=tuple(sorted(settings.layers)),
        pool=tuple(name for name in POOLS if name in settings.pools),
        perturb=tuple(PERTURBATIONS.sorted(settings.perturbs)),
        batch_tokens=batch_tokens,
        shard_sentences=shard_sentences,
        sentences=len(sentences),
        words_sha256=words_sha256(sentences),
        versions=", ".join([f"probe {__version__}", *(f"{name} {version(name)}" for name in libraries)]),
        openness=openness_from(openness),
    )


def openness_from(openness: OpennessChoice) -> str | None:
    """What a configuration says of the model that openness comes from."""
    if isinstance(openness, bool):
        return "itself" if openness else None
    return _weights_sha256(openness)


def _weights_sha256(probe: Probe) -> str:
    # The weights of a head that the file lacks are drawn at every load; nothing is read off them.
    read: Any = probe.model if probe.has_head else probe.model.base_model
    return weights_sha256(read)


@dataclass(frozen=True)
class Manifest:
    """A configuration and the SHA-256 of every shard that was written, by file name."""

    configuration: Configuration
    shards: Mapping[str, str]

    def save(self, folder: Path) -> None:
        """Write ``manifest.json``; it is replaced whole or not at all.

        Raises:
            StoreError: it cannot be written; the manifest before it stays.
        """
        document = {
            "format": _FORMAT,
            "configuration": asdict(self.configuration),
            "shards": dict(sorted(self.shards.items())),
        }
        text = json.dumps(document | {"sha256": _digest(document)}, indent=1)
        write_whole(folder / MANIFEST, f"{text}\n".encode())

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read ``manifest.json``.

        Raises:
            StoreError: there is none, or it is not what ``save`` wrote.
        """
        path = folder / MANIFEST
        try:
            document: dict[str, Any] = json.loads(path.read_bytes())
            if document["format"] != _FORMAT:
                raise ValueError(f"{_FORMAT} is expected, found {document['format']}")
            if document.pop("sha256") != _digest(document):
                raise ValueError("it does not match its own checksum")
            listed: dict[str, Any] = document["configuration"]
            values: Any = {key: tuple(v) if isinstance(v, list) else v for key, v in listed.items()}
            return cls(Configuration(**values), document["shards"])
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be read ({error.strerror}): is {folder} a run directory?"
            ) from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{path}: not the manifest of a run directory ({error})") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears, on the disk, whole or not at all.

    The partial file has a fixed name, so that the run after a killed one writes over it.

    Raises:
        StoreError: the disk is full or the folder cannot be written to; an older file of this name stays.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a disk may report only here that it is full
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise StoreError(
                f"{path}: cannot be written ({error.strerror}); what was written before is whole and stays: "
                "the same run, started again, goes on from there"
            ) from error
        raise


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _shown(value: object) -> str:
    """A value of a configuration as a user would write it; of a checksum its beginning."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
