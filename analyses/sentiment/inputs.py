"""What a sentiment experiment takes from the language model: trees and word vectors, kept for the next run.

The kept inputs are found by what can be told of a model without loading it, so that a second run trains at
once; the impact matrices beneath them are found by the model's weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from analyses.sentiment.embeddings import (
    SPREAD,
    Embeddings,
    kept_embeddings,
    model_embeddings,
    read_embeddings,
    vocabulary,
)
from analyses.sentiment.trees import Words, decoded_heads, fill_store
from analyses.tables.signature import Settings
from analyses.trees.adjust import NONE
from analyses.trees.variants import openness_choice
from probe import __version__
from probe.errors import SentenceError
from probe.json_text import is_count, parse_json
from probe.loading import load
from probe.manifest import write_whole
from probe.options import ImpactChoice
from probe.patterns import FULL
from probe.source import EMBEDDED
from probe.spaces import count_unknown

if TYPE_CHECKING:
    from analyses.trees.decoders import Heads
    from probe import ImpactMatrix, Probe

_KEY = "analyses.sentiment"


@dataclass(frozen=True, kw_only=True)
class ModelChoice(ImpactChoice):
    """A language model and how it is asked; the options of ``probe.load``, ``Probe.impact`` and ``--adjust``."""

    name: str = EMBEDDED
    adjust: str = NONE
    openness_from: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int = 4_096

    def load(self) -> Probe:
        """The model; raises probe.ModelError and probe.OptionError as ``probe.load``."""
        return load(self.name, device=self.device, dtype=self.dtype)

    def state(self) -> list[tuple[str, int, int]] | None:
        """Names, sizes and dates of the model's files; None for a hub id, whose files are not known here."""
        folder = Path(str(files("probe") / "embedded")) if self.name == EMBEDDED else Path(self.name)
        if not folder.is_dir():
            return None
        found = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
        return [(name, state.st_size, state.st_mtime_ns) for name, state in found]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Trees and vectors of sentences.

    Attributes:
        heads: by decoder, the tree of every sentence that could be probed.
        failed: why the others could not be.
        settings: of the matrices the trees were decoded from.
        embeddings: vectors of all words.
        unknown_words: how many words of the sentences the vocabulary does not know, of how many; None where no
            model read them.
    """

    heads: Mapping[str, Mapping[Words, Heads]]
    failed: Mapping[Words, str]
    settings: Settings
    embeddings: Embeddings
    unknown_words: tuple[int, int] | None = None


def read_inputs(
    sentences: Sequence[Words],
    decoders: Sequence[str],
    choice: ModelChoice,
    *,
    folder: Path,
    vectors: Path | None = None,
    quiet: bool = True,
) -> Inputs:
    """Trees and vectors, from ``folder`` where they are there, else from the model.

    Args:
        sentences: each once.
        decoders: how matrices are decoded; without any, no matrices are made.
        choice: the model. It is not loaded where trees are not asked for and ``vectors`` is given.
        folder: of the matrices and of all that is kept.
        vectors: text file of word2vec or GloVe, in place of vectors made from the model.
        quiet: no progress bar.

    Raises:
        data.DataError: as ``data.vectors.read_vectors``.
        probe.ProbeError: as ``probe.load``, ``probe.Store.fill`` and ``static_vectors``.
    """
    words = vocabulary(sentences)
    # Read first: a fault in the file should not be found after hours of matrices.
    embeddings = None if vectors is None else read_embeddings(vectors, words, cache=folder)
    if embeddings is not None and not decoders:
        return Inputs(heads={}, failed={}, settings=Settings(), embeddings=embeddings)
    path = _path(folder, sentences, decoders, choice, with_vectors=vectors is None)
    kept = None if path is None else _load(path, sentences, decoders, words)
    if kept is None:
        kept = _make(sentences, decoders, choice, folder=folder, with_vectors=vectors is None, quiet=quiet)
        if path is not None:
            _save(path, sentences, kept)
    return kept if embeddings is None else replace(kept, embeddings=embeddings)


def _make(
    sentences: Sequence[Words],
    decoders: Sequence[str],
    choice: ModelChoice,
    *,
    folder: Path,
    with_vectors: bool,
    quiet: bool,
) -> Inputs:
    model = choice.load()
    found: list[ImpactMatrix | SentenceError] = []
    settings = Settings()
    if decoders:
        store = fill_store(
            folder / "matrices",
            model,
            sentences,
            choice,
            openness=openness_choice(model, [choice.adjust], choice.openness_from),
            batch_tokens=choice.batch_tokens,
            quiet=quiet,
        )
        resolved = model.resolve(**choice.impact)
        matrices = store.matrices(**choice.impact, errors="return")
        found = cast("list[ImpactMatrix | SentenceError]", list(matrices))
        settings = Settings(
            model=model.name,
            metric=choice.metric,
            layer=resolved.layers[0],
            pool=resolved.pools[0],
            perturb=choice.perturb,
            attention=resolved.attention if resolved.attention != FULL else None,
            adjust=choice.adjust if choice.adjust != NONE else None,
            dtype=store.dtype,
        )
    words = vocabulary(sentences)
    none = Embeddings("none", words, np.zeros((len(words) + 1, 0), dtype=np.float32), 0)
    return Inputs(
        heads={
            decoder: decoded_heads(found, sentences, decoder, adjustment=choice.adjust)
            for decoder in decoders
        },
        failed={
            words: str(error)
            for words, error in zip(sentences, found, strict=bool(decoders))
            if isinstance(error, SentenceError)
        },
        settings=settings,
        unknown_words=count_unknown(model.pieces, sentences),
        embeddings=model_embeddings(model, sentences, words, cache=folder) if with_vectors else none,
    )


def _path(
    folder: Path,
    sentences: Sequence[Words],
    decoders: Sequence[str],
    choice: ModelChoice,
    *,
    with_vectors: bool,
) -> Path | None:
    """Where these inputs are kept; None where it cannot be told without the model."""
    state = choice.state()
    if state is None:
        return None
    versions = [__version__, *(f"{name} {version(name)}" for name in ("torch", "transformers", "tokenizers"))]
    chosen = {key: value for key, value in asdict(choice).items() if (key, value) != ("attention", FULL)}
    about = [chosen, state, versions, list(decoders), with_vectors, SPREAD, list(sentences)]
    key = hashlib.sha256(json.dumps(about).encode()).hexdigest()
    return folder / f"inputs-{key[:16]}.safetensors"


def _save(path: Path, sentences: Sequence[Words], inputs: Inputs) -> None:
    """One file: the trees of all sentences end to end, -1 where there is none, and the vectors."""
    from safetensors.numpy import save

    tensors = {"vectors": inputs.embeddings.values}
    for decoder, trees in inputs.heads.items():
        rows = [trees.get(words, np.full(len(words), -1, dtype=np.int64)) for words in sentences]
        tensors[decoder] = np.concatenate(rows)
    about = {
        "failed": [
            [at, inputs.failed[words]] for at, words in enumerate(sentences) if words in inputs.failed
        ],
        "settings": asdict(inputs.settings),
        "name": inputs.embeddings.name,
        "covered": inputs.embeddings.covered,
        "unknown_words": inputs.unknown_words,
    }
    write_whole(path, save(tensors, metadata={_KEY: json.dumps(about)}))


def _load(
    path: Path, sentences: Sequence[Words], decoders: Sequence[str], words: tuple[str, ...]
) -> Inputs | None:
    """Read what ``_save`` wrote; None where there is nothing, or nothing that can be these inputs."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = parse_json((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        vectors = tensors.pop("vectors")
        failed = {sentences[at]: str(reason) for at, reason in about["failed"]}
        embeddings = kept_embeddings(about, words, vectors)
        settings = Settings.from_dict(
            {key: value for key, value in about["settings"].items() if value is not None}
        )
        if tensors.keys() != set(decoders):
            return None
        heads = {decoder: _trees(sentences, failed, rows) for decoder, rows in tensors.items()}
        unknown = _unknown(about["unknown_words"], sentences)
    except (FileNotFoundError, SafetensorError, AttributeError, LookupError, TypeError, ValueError):
        return None
    return Inputs(heads=heads, failed=failed, settings=settings, embeddings=embeddings, unknown_words=unknown)


def _unknown(found: Any, sentences: Sequence[Words]) -> tuple[int, int]:
    """The counts of unknown words out of a file.

    Raises:
        ValueError: they are not those of the sentences.
    """
    total = sum(map(len, sentences))
    if (
        not isinstance(found, list)
        or len(found) != 2
        or found[1] != total
        or not is_count(found[0], most=total)
    ):
        raise ValueError("unknown words, and the words of the sentences, are expected")
    return found[0], total


def _trees(
    sentences: Sequence[Words], failed: Mapping[Words, str], rows: NDArray[np.int64]
) -> dict[Words, Heads]:
    """The trees of sentences out of a file, where they lie end to end.

    Raises:
        ValueError: heads outside their sentence, or another number of them.
    """
    ends = np.cumsum([len(sentence) for sentence in sentences])
    if rows.dtype != np.int64 or rows.shape != (ends[-1],):
        raise ValueError("a head a word is expected")
    found = {
        sentence: row
        for sentence, row in zip(sentences, np.split(rows, ends[:-1]), strict=True)
        if sentence not in failed
    }
    if any(((row < 0) | (row > len(row))).any() for row in found.values()):
        raise ValueError("heads within their sentence are expected")
    return found
