"""Run directories: impact matrices are computed once, kept in shards, and read by every experiment.

A run directory holds ``manifest.json`` and shards ``shard-000000.safetensors``, ... The manifest says what
the matrices depend on and which shard has which checksum. It is replaced after every shard (of thousands, where
that takes its time, every few seconds), so that a run killed at any moment goes on with the shard it was at, and
ends with the bytes of an undisturbed one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from probe.errors import OptionError, SentenceError
from probe.locks import begun
from probe.manifest import (
    MANIFEST,
    Configuration,
    Growing,
    Manifest,
    StoreError,
    configure,
    openness_from,
    write_whole,
)
from probe.matrix import ImpactMatrix, ImpactSet
from probe.options import Layers, PoolChoice, Settings, resolve
from probe.patterns import FULL
from probe.shards import (
    SHARD_SENTENCES,
    Arrays,
    StoredSentence,
    as_stored,
    compute_shard,
    damaged,
    first_difference,
    is_whole,
    read_arrays,
    read_sentences,
)
from probe.spaces import TextName, spaces_of
from probe.structure import Structure
from probe.workers import Crew, Job, shards_made

if TYPE_CHECKING:
    from probe.model import Errors, OpennessChoice, Probe, Words

__all__ = ["Store", "StoreError"]


class Store:
    """The impact matrices of a complete run directory; ``impact_many`` is that of the model that made them.

    Made by ``Store.fill`` and ``Store.open``. One shard at a time is read, and its checksum is tested first.

    Attributes:
        folder: the run directory.
        configuration: what its matrices depend on.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.configuration = folder, manifest.configuration
        self._checksums = manifest.shards

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r}, model={self.name!r}, sentences={len(self)})"

    def __len__(self) -> int:
        return self.configuration.sentences

    @property
    def name(self) -> str:
        """What the model was loaded as."""
        return self.configuration.model

    @property
    def n_layers(self) -> int:
        """Number of layers of the model above the embeddings."""
        return self.configuration.n_layers

    @property
    def text(self) -> TextName:
        """What the model read: running text, or words with a space between."""
        return self.configuration.text

    @property
    def dtype(self) -> str:
        """The type the model computed in, as ``probe.load`` takes it."""
        return self.configuration.dtype

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Store:
        """A complete run directory, to be read.

        Raises:
            StoreError: it is no run directory, or shards are missing.
        """
        folder = Path(folder)
        manifest = Manifest.load(folder)
        there, expected = len(manifest.shards), manifest.configuration.n_shards
        if there < expected:  # the manifest has no other names than those of its shards
            raise StoreError(
                f"{folder}: {there} of {expected} shards are there: start the run that makes them again, which "
                "goes on from there"
            )
        return cls(folder, manifest)

    @classmethod
    def fill(
        cls,
        folder: str | os.PathLike[str],
        probe: Probe,
        sentences: Sequence[Words],
        *,
        metric: str | Sequence[str] = "dist",
        layer: Layers = "best",
        pool: PoolChoice | Sequence[PoolChoice] = "best",
        perturb: str | Sequence[str] = "pair",
        attention: str | Structure = FULL,
        openness: OpennessChoice = False,
        batch_tokens: int = 4_096,
        shard_sentences: int = SHARD_SENTENCES,
        on_passes: Callable[[int], None] | None = None,
        on_shard: Callable[[range, bool], None] | None = None,
        workers: Crew | None = None,
    ) -> Store:
        """Compute what a run directory lacks, shard by shard, and open it; it is made where there is none.

        Shards that are there and match their checksums are kept; also the full ones of a run on the beginning
        of the input. Sentences that cannot be probed are kept as failures. On the same machine the same call
        makes the same bytes, however often it was interrupted, unless memory runs out and batches are halved
        (see ``Probe.impact_many``).

        Args:
            folder: the run directory.
            probe: the model.
            sentences: each a sequence of words.
            metric, layer, pool, perturb, openness, batch_tokens, on_passes: as for ``Probe.impact_many``.
            attention: the name of a pattern, or the trees of all sentences.
            shard_sentences: how many sentences make a shard.
            on_shard: called for each shard, once it is whole, with the places of its sentences in the input
                and whether it was computed now; in input order, but with workers as they are done.
            workers: who computes the shards: ``probe.processes.Processes`` for several devices, or a
                ``probe.cluster.Cluster``; without, the model itself. Each worker loads the model by its name; this
                one then only says what is to be computed, and may be on a CPU. The bytes are the same.

        Raises:
            StoreError: the directory holds a run of another configuration (the message names what differs) or
                something else, another process fills it, it cannot be written to, as when the disk is
                full, or workers end again and again; what was written before stays and is whole.
            OptionError, ModelError: as ``Probe.impact_many``.
        """
        folder = Path(folder)
        settings = probe.resolve(metric=metric, layer=layer, pool=pool, perturb=perturb, attention=attention)
        for name, number in (("shard_sentences", shard_sentences), ("batch_tokens", batch_tokens)):
            if number < 1:
                raise OptionError(f"{name}: a whole number above 0 is expected, found {number}")
        structure = attention if isinstance(attention, Structure) else None
        _check_structure(structure, len(sentences))
        configuration = configure(
            probe,
            sentences,
            settings,
            batch_tokens=batch_tokens,
            shard_sentences=shard_sentences,
            openness=openness,
        )
        if workers is not None:
            configuration = replace(configuration, device=workers.device)
        # What the model cannot give is refused before anything is written.
        compute_shard(probe, range(0), [], configuration, openness, on_passes, _part(structure, range(0)))
        with begun(folder):
            manifest = Growing(folder, _begin(folder, configuration, sentences))
            jobs = [
                Job(name, places, sentences[places.start : places.stop], _part(structure, places))
                for name, places in configuration.shards()
            ]
            there = dict(manifest.shards)

            def kept(job: Job) -> bool:
                return is_whole(folder / job.name, there.get(job.name, ""))

            found = shards_made(probe, jobs, kept, configuration, openness, on_passes, workers)
            with closing(found) as made, manifest:
                for job, data in made:
                    if data is not None:
                        write_whole(folder / job.name, data)
                        manifest.add(job.name, hashlib.sha256(data).hexdigest())
                    if on_shard is not None:
                        on_shard(job.places, data is not None)
        return cls.open(folder)

    def resolve(
        self,
        *,
        metric: str | Sequence[str] = "dist",
        layer: Layers = "best",
        pool: PoolChoice | Sequence[PoolChoice] = "best",
        perturb: str | Sequence[str] = "pair",
        attention: str = FULL,
    ) -> Settings:
        """What these options mean for the directory's model; raises OptionError as ``Probe.resolve`` does."""
        return resolve(
            metric=metric,
            layer=layer,
            pool=pool,
            perturb=perturb,
            attention=attention,
            n_layers=self.n_layers,
            best=self.configuration.best,
        )

    def sentences(self) -> Iterator[StoredSentence]:
        """Words of every sentence in input order, and why it could not be probed, if so."""
        for name, _ in self.configuration.shards():
            yield from read_sentences(self.folder / name)

    def failures(self) -> list[tuple[int, str]]:
        """Place in the input, from 0, of every sentence that could not be probed, and why."""
        return [(at, one.failure) for at, one in enumerate(self.sentences()) if one.failure is not None]

    def check_words(self, sentences: Sequence[Words]) -> None:
        """Check that these are the sentences of the directory, or the first of them.

        Raises:
            StoreError: they are not; names the first difference.
        """
        if len(sentences) > len(self):
            found = f"has {len(self)} sentences, the input has {len(sentences)}"
            raise StoreError(f"{self.folder}: {found} (--limit {len(self)} takes the first of them)")
        for number, (stored, words) in enumerate(zip(self.sentences(), sentences, strict=False), start=1):
            if stored.words != as_stored(words):
                difference = first_difference(stored.words, words)
                raise StoreError(f"{self.folder}: sentence {number} differs from the input's: {difference}")
            if stored.spaces != spaces_of(words):
                found = "other spaces between its words: see --text of probe run"
                raise StoreError(f"{self.folder}: sentence {number} differs from the input's: {found}")

    def matrices(
        self,
        *,
        metric: str | Sequence[str] = "dist",
        layer: Layers = "best",
        pool: PoolChoice | Sequence[PoolChoice] = "best",
        perturb: str | Sequence[str] = "pair",
        attention: str = FULL,
        errors: Errors = "raise",
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]:
        """The matrices of all sentences in input order, as ``Probe.impact_many`` yields them.

        Raises:
            OptionError: the directory has no matrices with these settings; names those it has.
            StoreError: a shard is missing, cut short or altered (while iterating).
            SentenceError: a sentence could not be probed, unless ``errors`` is "return" (while iterating).
        """
        settings = self.resolve(metric=metric, layer=layer, pool=pool, perturb=perturb, attention=attention)
        self._check_stored(settings)
        return self._stream(settings, errors)

    def impact_many(
        self,
        sentences: Iterable[Words],
        *,
        metric: str | Sequence[str] = "dist",
        layer: Layers = "best",
        pool: PoolChoice | Sequence[PoolChoice] = "best",
        perturb: str | Sequence[str] = "pair",
        attention: str = FULL,
        openness: OpennessChoice = False,
        batch_tokens: int = 4_096,
        on_passes: Callable[[int], None] | None = None,
        errors: Errors = "raise",
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]:
        """Stand in for ``Probe.impact_many`` on the sentences of the directory, or the first of them.

        ``batch_tokens`` and ``on_passes`` are there for the likeness only: no model runs. The openness that the
        directory keeps is always there.

        Raises:
            OptionError: openness is asked for, and the directory keeps none or another model's.
            StoreError: these are not the directory's sentences; and as ``matrices``.
        """
        self._check_openness(openness)
        asked = list(sentences)
        self.check_words(asked)
        found = self.matrices(
            metric=metric, layer=layer, pool=pool, perturb=perturb, attention=attention, errors=errors
        )
        return islice(found, len(asked))

    def _check_openness(self, openness: OpennessChoice) -> None:
        wanted, kept = openness_from(openness), self.configuration.openness
        if wanted == self.configuration.weights_sha256:
            wanted = "itself"
        if wanted is not None and wanted != kept:
            found = (
                "none" if kept is None else "that of another model" if kept != "itself" else "the model's own"
            )
            raise OptionError(f"{self.folder}: not the openness asked for; the directory keeps {found}")

    def _check_stored(self, settings: Settings) -> None:
        there, named = self.configuration, ("metric", "layer", "pool", "perturb")
        if settings.attention != there.attention:
            raise OptionError(
                f"{self.folder}: no matrices with attention {settings.attention}; there are {there.attention}"
            )
        wanted = (settings.metrics, settings.layers, settings.pools, settings.perturbs)
        for option, values in zip(named, wanted, strict=True):
            stored: tuple[object, ...] = getattr(there, option)
            if missing := [value for value in values if value not in stored]:
                raise OptionError(
                    f"{self.folder}: no matrices with {option} {missing[0]}; "
                    f"there are {', '.join(map(str, stored))}"
                )

    def _stream(
        self, settings: Settings, errors: Errors
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]:
        stored = self.configuration.settings
        order = {combination: at for at, combination in enumerate(stored.combinations())}
        picked = [order[combination] for combination in settings.combinations()]
        for name, places in self.configuration.shards():
            path = self.folder / name
            if not is_whole(path, self._checksums[name]):
                raise damaged(path)
            sentences = read_sentences(path)
            if len(sentences) != len(places):
                raise damaged(path)
            found = read_arrays(path, places, sentences, self.configuration, picked)
            for sentence, arrays in zip(sentences, found, strict=True):
                if arrays is not None:
                    yield self._matrices(sentence, arrays, settings)
                elif errors == "return":
                    yield SentenceError(sentence.failure)
                else:
                    raise SentenceError(sentence.failure)

    def _matrices(
        self, sentence: StoredSentence, found: list[Arrays], settings: Settings
    ) -> ImpactMatrix | ImpactSet:
        matrices = tuple(
            ImpactMatrix(
                **arrays._asdict(),
                units=sentence.words,
                unknown=sentence.unknown,
                model=self.name,
                metric=metric,
                layer=layer,
                pool=pool,
                perturb=perturb,
                attention=settings.attention,
            )
            for arrays, (metric, layer, pool, perturb) in zip(found, settings.combinations(), strict=True)
        )
        return ImpactSet(matrices) if settings.several else matrices[0]


def _check_structure(structure: Structure | None, sentences: int) -> None:
    """Refuse trees of other sentences."""
    if structure is not None and len(structure) != sentences:
        raise OptionError(
            f"attention: a tree for each of {sentences} sentences is expected, found {len(structure)}"
        )


def _part(structure: Structure | None, places: range) -> Structure | None:
    """The trees of a shard's sentences."""
    return None if structure is None else structure.part(places)


def _begin(folder: Path, configuration: Configuration, sentences: Sequence[Words]) -> Manifest:
    """The manifest of a directory that is to be filled, or to grow; refuses that of another configuration."""
    if not (folder / MANIFEST).exists():
        manifest = Manifest(configuration, {})
        manifest.save(folder)
        return manifest
    manifest = Manifest.load(folder)
    if grown := manifest.grown(configuration, sentences):
        grown.save(folder)
        return grown
    if difference := manifest.configuration.difference(configuration):
        raise StoreError(
            f"{folder}: holds a run of another configuration: {difference}: name another directory"
        )
    return manifest
