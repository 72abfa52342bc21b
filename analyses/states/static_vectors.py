"""Static vectors: one a word, out of its states (Ethayarajh 2019, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from probe.errors import OptionError, ProbeError, SentenceError
from probe.registry import check_name

if TYPE_CHECKING:
    from torch import Tensor

    from analyses.states.occurrences import Occurrences
    from data.vectors import WordVectors
    from probe import Probe
    from probe.word_states import Encoder, Pieces


Method: TypeAlias = Literal["pca", "mean"]


METHODS: tuple[Method, ...] = get_args(Method)
"""First principal component of the occurrences of a word, or their mean."""


def static_vectors(
    model: Probe | Encoder,
    sentences: Iterable[Sequence[str]],
    *,
    layer: int,
    words: Collection[str] | None = None,
    method: Method = "pca",
    pieces: Pieces = "mean",
    min_count: int = 1,
    most: int = 256,
    cased: bool = False,
    seed: int = 0,
    batch_tokens: int = 4_096,
    on_sentences: Callable[[int], object] = lambda count: None,
    on_skipped: Callable[[int, SentenceError], object] = lambda place, error: None,
) -> WordVectors:
    """Static vectors of the words of a corpus, from one pass over it.

    "pca" is the direction along which the states of a word have the most energy: the first right singular vector
    of its occurrences, without their mean taken off, as in the definition of the maximum explainable variance.
    It points to the side of the mean, and is as long as the states are along it (root mean square), so that
    the vector of a word that occurs once is its state.

    Memory: the states of at most ``most`` occurrences of each word that is not complete yet.

    Args:
        model: of ``probe.load`` or ``probe.word_states.load_encoder``.
        sentences: each a sequence of words.
        layer: 0 = embeddings; negative from the end.
        words: only these, where given; otherwise all of the corpus.
        method: "pca" or "mean".
        pieces: "mean" or "first" of the pieces of a word.
        min_count: words with fewer occurrences get no vector.
        most: for "pca": so many occurrences of a more frequent word are drawn.
        cased: "The" and "the" are two words; otherwise one, in lower case.
        seed: of the draws.
        batch_tokens: pieces in one forward pass.
        on_sentences: called with the number of sentences after each batch.
        on_skipped: called with the place of each sentence that cannot be run, and the reason.

    Returns:
        The words, the most frequent first. A word without an occurrence has no vector.

    Raises:
        OptionError: an unknown method or a layer that the model has not.
        ProbeError: no word has enough occurrences.
    """
    [vectors] = static_vector_sets(
        model,
        sentences,
        kinds=[(layer, method)],
        words=words,
        pieces=pieces,
        min_count=min_count,
        most=most,
        cased=cased,
        seed=seed,
        batch_tokens=batch_tokens,
        on_sentences=on_sentences,
        on_skipped=on_skipped,
    )
    return vectors


def static_vector_sets(
    model: Probe | Encoder,
    sentences: Iterable[Sequence[str]],
    *,
    kinds: Sequence[tuple[int, Method]],
    words: Collection[str] | None = None,
    pieces: Pieces = "mean",
    min_count: int = 1,
    most: int = 256,
    cased: bool = False,
    seed: int = 0,
    batch_tokens: int = 4_096,
    on_sentences: Callable[[int], object] = lambda count: None,
    on_skipped: Callable[[int, SentenceError], object] = lambda place, error: None,
) -> list[WordVectors]:
    """``static_vectors`` of several layers and methods, ``kinds``, from one pass over the corpus."""
    from analyses.states.occurrences import find_occurrences
    from data.vectors import WordVectors
    from probe.word_states import WordStates, encoder_of, word_states

    encoder = encoder_of(model)
    for layer, method in kinds:
        check_name("method", method, METHODS)
        if not -encoder.n_layers - 1 <= layer <= encoder.n_layers:
            raise OptionError(f"layer {layer}: {encoder.name} has layers 0 to {encoder.n_layers}")
    texts = list(sentences)
    occurrences = find_occurrences(texts, min_count=min_count, most=most, seed=seed, cased=cased, words=words)
    layers = [layer % (encoder.n_layers + 1) for layer, _ in kinds]
    sets = [(_Components if method == "pca" else _Means)(occurrences, encoder) for _, method in kinds]
    for window, (begin, end) in enumerate(occurrences.windows()):
        part = texts[begin:end]
        for batch in word_states(encoder, part, layers=layers, pieces=pieces, batch_tokens=batch_tokens):
            if isinstance(batch, WordStates):
                for vectors, states in zip(sets, batch.states, strict=True):
                    vectors.add(batch.sentences + begin, states)
            else:
                on_skipped(begin + batch[0], batch[1])
            on_sentences(len(batch.sentences) if isinstance(batch, WordStates) else 1)
        for vectors in sets:
            vectors.complete(window)
    found = np.flatnonzero(sets[0].counts >= max(1, min_count))
    if not len(found):
        raise ProbeError(
            f"a word with {max(1, min_count)} occurrences is expected, found none in {len(texts)} sentences"
        )
    kept = tuple(occurrences.words[word] for word in found)
    return [WordVectors(kept, vectors.values()[found]) for vectors in sets]


class _Means:
    """Sums of the states of each word."""

    def __init__(self, occurrences: Occurrences, encoder: Encoder) -> None:
        import torch

        self._occurrences = occurrences
        self._sums = torch.zeros(len(occurrences.words), encoder.size, device=encoder.device)
        self.counts = np.zeros(len(occurrences.words), dtype=np.int64)

    def add(self, sentences: NDArray[np.int64], states: Tensor) -> None:
        """Add the states of all words of these sentences."""
        import torch

        places = self._occurrences.of_sentences(sentences)
        words = self._occurrences.word_of[places]
        kept = np.flatnonzero(words >= 0)
        np.add.at(self.counts, words[kept], 1)
        device = self._sums.device
        to, of = (torch.from_numpy(index).to(device) for index in (words[kept], kept))
        self._take(places, states, to, of)

    def _take(self, places: NDArray[np.int64], states: Tensor, to: Tensor, of: Tensor) -> None:
        self._sums.index_add_(0, to, states[of])

    def complete(self, window: int) -> None:
        """Nothing is kept beyond the sums."""

    def values(self) -> NDArray[np.float32]:
        """float32 [words, size]."""
        sums: NDArray[Any] = self._sums.cpu().numpy()
        return np.asarray(sums / np.maximum(self.counts, 1)[:, None], dtype=np.float32)


class _Components(_Means):
    """First principal components of the drawn occurrences of each word."""

    def __init__(self, occurrences: Occurrences, encoder: Encoder) -> None:
        from analyses.states.occurrences import Store

        super().__init__(occurrences, encoder)
        self._store = Store(occurrences, n_layers=1, size=encoder.size, device=encoder.device)

    def _take(self, places: NDArray[np.int64], states: Tensor, to: Tensor, of: Tensor) -> None:
        self._store.put(places, [states])

    def complete(self, window: int) -> None:
        """Reduce the words of which nothing more will come."""
        import torch

        for words, states in self._store.complete(window):
            self._sums[torch.from_numpy(words).to(self._sums.device)] = first_component(states[:, :, 0])

    def values(self) -> NDArray[np.float32]:
        """float32 [words, size]."""
        return np.asarray(self._sums.cpu().numpy())


def first_component(states: Tensor) -> Tensor:
    """The first right singular vectors of sets of states, as long as the states are along them.

    Shapes:
        states: float32 [words, m, size]; returns float32 [words, size]
    """
    import torch

    gram = (states @ states.mT).cpu().double()
    first = torch.linalg.eigh(gram).eigenvectors[..., -1].to(states)
    # With u the first left singular vector, states.T @ u is s v, and s / sqrt(m) the root mean square along v.
    components = (states * first[..., None]).sum(dim=1) / states.shape[1] ** 0.5
    towards = (components * states.mean(dim=1)).sum(dim=-1, keepdim=True)
    return torch.where(towards < 0, -components, components)
