"""The manifest of a run directory: what its matrices depend on, and the checksums of its shards."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe import __version__
from probe.errors import ProbeError, quoted
from probe.fingerprint import tokenizer_sha256, weights_sha256, words_sha256
from probe.json_text import is_count, parse_json
from probe.matrix import CUES
from probe.metrics import METRICS
from probe.options import POOLS, Best, Pool, Settings
from probe.patterns import FULL, attention_name
from probe.perturbations import PERTURBATIONS
from probe.spaces import TEXTS, TextName, text_of

if TYPE_CHECKING:
    from probe.model import OpennessChoice, Probe

MANIFEST = "manifest.json"
_FORMAT = "probe.Store/1"
_LEFT_ALONE = 20
"""Times as long as a manifest takes to be written, a long one is left alone."""
_SHARD = re.compile(r"shard-(\d{6,9})\.safetensors")


class StoreError(ProbeError):
    """A run directory that cannot be used: another configuration, incomplete, damaged, in use, full disk."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """All that the matrices of a run depend on; a run is continued only under an equal one.

    Attributes:
        model: what the model was loaded as. Not compared: ``weights_sha256`` tells which model it is.
        best_layer, best_pool, best_layers: what "best" stands for when the directory is read, see
            ``probe.options.Best``; older runs lack the layers by perturbation. Not compared, either.
        n_layers: number of layers above the embeddings.
        window: longest sequence in pieces.
        device: "cpu", "cuda" or "mps".
        metric, layer, pool, perturb: what is computed, in the order of ``probe.options`` and ascending.
        batch_tokens, shard_sentences: how sentences are batched, on which the last digits depend.
        sentences, words_sha256: the input.
        openness: what the openness of the units comes from: "itself", or the SHA-256 of another model's weights;
            None: it is not kept.
        cues: what is kept of each unit beside its openness: ``probe.matrix.CUES`` or, in older runs, nothing.
        text: what the model read, ``running`` text or words with a space between.
        attention: who sees whom, the name of a pattern (``probe.patterns``).
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
    cues: tuple[str, ...] = ()
    text: TextName = "spaced"
    attention: str = FULL
    best_layers: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def best(self) -> Best:
        """What "best" stands for, as it does for the model."""
        return Best(self.best_layer, self.best_pool, self.best_layers)

    @property
    def settings(self) -> Settings:
        """The settings of all matrices; the order of their combinations is that within a shard."""
        return Settings(
            metrics=self.metric,
            layers=self.layer,
            pools=self.pool,
            perturbs=self.perturb,
            several=True,
            attention=self.attention,
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form; without ``attention`` where nothing is hidden."""
        found = asdict(self)
        if self.attention == FULL:
            del found["attention"]
        return found

    @property
    def n_shards(self) -> int:
        """How many files the matrices are in."""
        return -(-self.sentences // self.shard_sentences)

    def shards(self) -> Iterator[tuple[str, range]]:
        """The file name of every shard, and which sentences it holds."""
        size, n = self.shard_sentences, self.sentences
        for number, first in enumerate(range(0, n, size)):
            yield f"shard-{number:06}.safetensors", range(first, min(first + size, n))

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
        best_layer=probe.best.layer_of(settings.perturbs),
        best_layers=dict(probe.best.layers),
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
        cues=CUES if openness else (),
        text=text_of(sentences),
        attention=attention_name(settings.attention),
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
            "configuration": self.configuration.as_dict(),
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
            document: dict[str, Any] = parse_json(path.read_bytes())
            if document["format"] != _FORMAT:
                raise ValueError(f"{_FORMAT} is expected, found {quoted(document['format'])}")
            if document.pop("sha256") != _digest(document):
                raise ValueError("it does not match its own checksum")
            listed: dict[str, Any] = document["configuration"]
            values: Any = {key: tuple(v) if isinstance(v, list) else v for key, v in listed.items()}
            return cls(Configuration(**values), document["shards"])._checked()
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be read ({error.strerror}): is {folder} a run directory?"
            ) from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{path}: not the manifest of a run directory ({error})") from error

    def grown(self, wanted: Configuration, sentences: Sequence[Sequence[str]]) -> Manifest | None:
        """The manifest with more sentences, and the full shards that it has; None if more is to differ.

        Args:
            wanted: the configuration of the longer run.
            sentences: its input, which begins with the sentences of this one.
        """
        there = self.configuration
        longer = replace(there, sentences=wanted.sentences, words_sha256=wanted.words_sha256)
        if longer != wanted or wanted.sentences <= there.sentences:
            return None
        if words_sha256(sentences[: there.sentences]) != there.words_sha256:
            return None
        full = {name for name, places in there.shards() if len(places) == there.shard_sentences}
        return Manifest(longer, {name: sha256 for name, sha256 in self.shards.items() if name in full})

    def _checked(self) -> Manifest:
        """The manifest itself, if it can be one: its checksum shows damage, not a forgery.

        Raises:
            ValueError: a value is of another type or range than ``Configuration`` says, or a shard is none.
        """
        about = self.configuration
        for name in (
            "model",
            "weights_sha256",
            "tokenizer_sha256",
            "device",
            "dtype",
            "words_sha256",
            "versions",
        ):
            _check(name, getattr(about, name), isinstance(getattr(about, name), str), "text")
        for name in ("n_layers", "window", "batch_tokens", "shard_sentences"):
            _check(
                name, getattr(about, name), is_count(getattr(about, name), least=1), "a whole number above 0"
            )
        _check("sentences", about.sentences, is_count(about.sentences), "a whole number from 0")
        _check("openness", about.openness, about.openness is None or isinstance(about.openness, str), "text")
        _check("cues", about.cues, about.cues in ((), CUES), f"nothing or {_shown(CUES)}")
        for name in ("metric", "pool", "perturb"):
            found: Any = getattr(about, name)
            listed = isinstance(found, tuple) and found and all(isinstance(one, str) for one in found)
            _check(name, found, bool(listed) and len(set(found)) == len(found), "names, each once,")
        layers: Any = about.layer
        known = (
            isinstance(layers, tuple) and layers and all(is_count(one, most=about.n_layers) for one in layers)
        )
        _check("layer", layers, bool(known) and sorted(set(layers)) == list(layers), "layers of the model")
        _check("pool", about.pool, set(about.pool) <= set(POOLS), "pools")
        _check("metric", about.metric, set(about.metric) <= set(METRICS), "metrics")
        _check("text", about.text, about.text in TEXTS, "running or spaced")
        _check("attention", about.attention, isinstance(about.attention, str), "text")
        attention_name(about.attention)
        by_perturb: Any = about.best_layers
        _check("best_layers", by_perturb, isinstance(by_perturb, dict), "layers by perturbation")
        for name, layer in {"best_layer": about.best_layer, **by_perturb}.items():
            best = is_count(layer, least=-about.n_layers - 1, most=about.n_layers)
            _check(name, layer, best, "a layer of the model")
        _check("best_pool", about.best_pool, about.best_pool in POOLS, "a pool")
        _check("shards", self.shards, isinstance(self.shards, dict), "an object")
        for name, sha256 in self.shards.items():
            number = _SHARD.fullmatch(name)
            _check(
                "shards", name, number is not None and int(number[1]) < about.n_shards, "the name of a shard"
            )
            _check(name, sha256, isinstance(sha256, str), "a checksum")
        return self


class Growing:
    """The manifest of a run that is being made, on the disk as well; a context, at whose end all is written.

    Replaced after every shard. A manifest of very many takes time: it is then replaced less often, so that this
    takes at most a twentieth of the run's time. What a run that was killed in between lacks there is made again.

    Args:
        folder: the run directory.
        manifest: what it holds.
        every: up to so many shards it is replaced after each.
    """

    def __init__(self, folder: Path, manifest: Manifest, *, every: int = 1_000) -> None:
        self._folder, self._configuration, self._every = folder, manifest.configuration, every
        self.shards = dict(manifest.shards)
        self._is_written, self._next = True, 0.0

    def __enter__(self) -> None:
        pass

    def __exit__(self, *failure: object) -> None:
        if not self._is_written:
            self._save()

    def add(self, name: str, sha256: str) -> None:
        """A shard that was written whole.

        Raises:
            StoreError: as ``Manifest.save``.
        """
        self.shards[name] = sha256
        self._is_written = False
        if len(self.shards) <= self._every or time.monotonic() >= self._next:
            self._save()

    def _save(self) -> None:
        self._is_written = True  # also where it fails: not once more at the end
        began = time.monotonic()
        Manifest(self._configuration, self.shards).save(self._folder)
        self._next = time.monotonic() + _LEFT_ALONE * (time.monotonic() - began)


def _check(name: str, found: object, holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name}: {expected} is expected, found {quoted(found)}")


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
        return " ".join(map(str, value)) or "none"
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
