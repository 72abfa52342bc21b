"""Word vectors of the sentiment experiment: from a file, or static vectors of the model; kept for the next run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from probe.json_text import is_count, parse_json

if TYPE_CHECKING:
    from data.vectors import WordVectors
    from probe import Probe

MODEL_LAYER = 1
"""Layer of the default vectors: the first one gives the best static vectors (Ethayarajh 2019, section 4.4)."""
SPREAD = 0.4
"""Standard deviation of the coordinates of the default vectors: states as they are saturate an LSTM."""
_KEY = "analyses.sentiment"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """The vectors of a vocabulary.

    A word without a vector has zeros, as in the published code of PWCN; so has row 0, for padding.

    Attributes:
        name: where they come from, for signatures.
        words: the vocabulary, in lower case; word i has row i + 1.
        values: float32 [1 + words, size].
        covered: number of words that have a vector.
    """

    name: str
    words: tuple[str, ...]
    values: NDArray[np.float32]
    covered: int

    @property
    def index(self) -> dict[str, int]:
        """The row of each word."""
        return {word: row for row, word in enumerate(self.words, start=1)}

    @property
    def coverage(self) -> str:
        """How many words have a vector, in words."""
        share = 100 * self.covered / len(self.words)
        return f"{self.name}: vectors for {self.covered:,} of {len(self.words):,} words ({share:.1f}%)"


def vocabulary(sentences: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The words of sentences in lower case, each once, sorted."""
    return tuple(sorted({word.lower() for words in sentences for word in words}))


def from_vectors(name: str, words: Sequence[str], vectors: WordVectors) -> Embeddings:
    """The vectors of a vocabulary out of those that are there."""
    index = vectors.index()
    rows = [index.get(word) for word in words]
    values = np.zeros((len(words) + 1, vectors.size), dtype=np.float32)
    for at, row in enumerate(rows, start=1):
        if row is not None:
            values[at] = vectors.values[row]
    return Embeddings(name, tuple(words), values, sum(row is not None for row in rows))


def read_embeddings(path: Path, words: Sequence[str], *, cache: Path) -> Embeddings:
    """Vectors of a vocabulary from a text file of word2vec or GloVe.

    What is found is kept in ``cache`` for as long as the file keeps its place, size and date.

    Raises:
        data.DataError: as ``data.vectors.read_vectors``: malformed, NaN, none of the words.
    """
    from data.text import check_input
    from data.vectors import read_vectors

    check_input(path)
    state = path.stat()
    source = [str(path.resolve()), state.st_size, state.st_mtime_ns]
    return _cached(
        cache, source, words, lambda: from_vectors(path.stem, words, read_vectors(path, words=words))
    )


def centred(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Vectors without their mean, with a standard deviation of ``SPREAD`` over all coordinates.

    Shapes:
        values: [words, size]; returns float32 [words, size], zeros where all vectors are the same
    """
    rest = values - values.mean(axis=0, keepdims=True, dtype=np.float64)
    spread = rest.std()
    return np.asarray(rest * (SPREAD / spread if spread > 0 else 0.0), dtype=np.float32)


def model_embeddings(
    model: Probe, sentences: Sequence[Sequence[str]], words: Sequence[str], *, cache: Path
) -> Embeddings:
    """Static vectors of a vocabulary from the model: first principal components of the states of its words.

    The sentences are those of the experiment, without their labels; case is not told apart. The mean of the
    vectors, which all of them have in common, is taken away (Mu and Viswanath, ICLR 2018), and one factor brings
    their coordinates to a standard deviation of ``SPREAD``.

    Raises:
        probe.ProbeError: as ``analyses.vectors.command.static_vectors``.
    """
    from analyses.states.static_vectors import static_vectors
    from probe.fingerprint import tokenizer_sha256, weights_sha256, words_sha256

    layer = min(MODEL_LAYER, model.n_layers)
    name = f"{model.name} layer {layer} static, centred"

    def make() -> Embeddings:
        found = static_vectors(model, sentences, layer=layer, words=words, method="pca")
        return from_vectors(name, words, replace(found, values=centred(found.values)))

    about = [weights_sha256(model.model), tokenizer_sha256(model.tokenizer), words_sha256(sentences)]
    source = [*about, model.window, layer, SPREAD]
    return replace(_cached(cache, source, words, make), name=name)


def _cached(
    folder: Path, source: Sequence[object], words: Sequence[str], make: Callable[[], Embeddings]
) -> Embeddings:
    """The vectors kept under what they were made from, or made now and kept."""
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import save

    from probe.manifest import write_whole

    key = hashlib.sha256(json.dumps([*source, list(words)]).encode()).hexdigest()
    path = folder / f"vectors-{key[:16]}.safetensors"
    try:
        with safe_open(path, framework="numpy") as file:
            about = parse_json((file.metadata() or {})[_KEY])
            return kept_embeddings(about, tuple(words), file.get_tensor("values"))
    except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
        made = make()
    about = json.dumps({"name": made.name, "covered": made.covered})
    write_whole(path, save({"values": made.values}, metadata={_KEY: about}))
    return made


def kept_embeddings(about: Any, words: tuple[str, ...], values: NDArray[Any]) -> Embeddings:
    """Vectors out of a file: ``about`` has ``name`` and ``covered``.

    Raises:
        KeyError, TypeError, ValueError: they are not those of the words.
    """
    name, covered = about["name"], about["covered"]
    if not isinstance(name, str) or not is_count(covered, most=len(words)):
        raise ValueError("a name and a number of words are expected")
    if values.dtype != np.float32 or values.ndim != 2 or len(values) != len(words) + 1:
        raise ValueError("a float32 vector a word is expected")
    if not np.isfinite(values).all() or values[:1].any():
        raise ValueError("finite vectors are expected, zeros for padding")
    return Embeddings(name, words, values, covered)
