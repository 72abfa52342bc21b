"""One pass over a corpus for the geometry of all layers of a model; memory does not grow with the sentences.

Kept are sums: of the unit vectors of each word, of each sentence's mean unit vector by blocks of sentences, and
the second moments of each layer. States themselves are kept only of the drawn occurrences of words that are not
complete yet, and of one random word of each of a thousand sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from analyses.geometry.measures import Floats, explained, mean_pairwise_cosine
from analyses.states.occurrences import Occurrences, Store
from probe.errors import ProbeError, SentenceError
from probe.memory import return_freed_memory
from probe.word_states import Encoder, Pieces, WordStates, word_states

BLOCKS = 200
"""Blocks of sentences that the bootstrap of the anisotropy draws from."""

MOMENTS = 50_000
"""Occurrences, drawn at random where there are more, that mean and covariance are taken of."""

SAMPLE = 1_000
"""Sentences of which one random word is kept, as many as in the published code."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Blocks:
    """The sentences' mean unit vectors, summed by blocks of sentences drawn at random.

    Shapes:
        sums: float64 [blocks, layers, size]
        squares: float64 [blocks, layers], sums of the vectors' squared norms
        sizes: int64 [blocks], sentences
    """

    sums: Floats
    squares: Floats
    sizes: NDArray[np.int64]

    def anisotropy(self) -> Floats:
        """Mean cosine of two words of two sentences, [layers]; see ``Geometry.anisotropy``."""
        return np.asarray(self._mean_cosine(np.ones((1, len(self.sizes))))[0])

    def resampled(self, *, resamples: int = 1_000, seed: int = 0) -> Floats:
        """The same over resamples of the blocks, [resamples, layers]; a sentence is no pair with itself."""
        rng = np.random.default_rng(seed)
        n = len(self.sizes)
        times = np.stack([np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(resamples)])
        return self._mean_cosine(times.astype(np.float64))

    def _mean_cosine(self, times: Floats) -> Floats:
        """``times``: how often each block is drawn, [resamples, blocks]."""
        found = np.empty((len(times), self.sums.shape[1]))
        pairs = (times @ self.sizes) ** 2 - times**2 @ self.sizes
        pairs[pairs == 0] = np.nan
        for layer in range(found.shape[1]):
            total = times @ self.sums[:, layer]
            found[:, layer] = ((total**2).sum(axis=1) - times**2 @ self.squares[:, layer]) / pairs
        return found

    def contributions(self, squares: Floats) -> Floats:
        """What each dimension adds to the anisotropy, [layers, size]; they sum to it.

        Shapes:
            squares: [layers, size], sums of the squared mean unit vectors of all sentences
        """
        n = int(self.sizes.sum())
        return np.asarray((self.sums.sum(axis=0) ** 2 - squares) / (n * (n - 1)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Geometry:
    """The geometry of a model's word states on a corpus, layers from 0 = embeddings.

    Attributes:
        model: its name.
        dtype: the type it computed in.
        words: the words with enough occurrences, the most frequent first.
        counts: int64 [words], occurrences of each.
        self_similarity: [words, layers], mean cosine of all pairs of occurrences of a word.
        mev: [words, layers], maximum explainable variance of the drawn occurrences.
        mev_released: [words, layers], as the released figures have it; see ``Explained``.
        drawn: int64 [words], how many occurrences that is.
        intra_sentence: [sentences, layers], mean cosine of a sentence's words and the mean of their states.
        lengths: int64 [sentences], words of each.
        blocks: what the anisotropy is computed of.
        contributions: [layers, size], what each dimension adds to the anisotropy.
        mean: [layers, size], and covariance: [layers, size, size], of the states of at most ``MOMENTS`` words.
        sample: float32 [sampled, layers, size], one random word each of random sentences.
        skipped: places of the sentences that could not be run, and why.
    """

    model: str
    dtype: str
    words: tuple[str, ...]
    counts: NDArray[np.int64]
    self_similarity: Floats
    mev: Floats
    mev_released: Floats
    drawn: NDArray[np.int64]
    intra_sentence: Floats
    lengths: NDArray[np.int64]
    blocks: Blocks
    contributions: Floats
    mean: Floats
    covariance: Floats
    sample: NDArray[np.float32]
    skipped: tuple[tuple[int, SentenceError], ...]

    @property
    def n_layers(self) -> int:
        """Layers, the embeddings included."""
        return int(self.self_similarity.shape[1])

    def anisotropy(self) -> Floats:
        """Mean cosine of two random words, [layers]: the baseline of Ethayarajh (2019), section 3.4.

        A random word is a random word of a random sentence, as in the released code, so that long sentences
        weigh no more; the two are of different sentences. Exact: the mean over all such pairs.
        """
        return self.blocks.anisotropy()


def measure(
    encoder: Encoder,
    sentences: Sequence[Sequence[str]],
    occurrences: Occurrences,
    *,
    min_count: int = 5,
    pieces: Pieces = "mean",
    batch_tokens: int = 4_096,
    seed: int = 0,
    on_sentences: Callable[[int], object] = lambda count: None,
) -> Geometry:
    """The geometry of all layers from one pass over the sentences.

    Args:
        encoder: the model.
        sentences: each a sequence of words.
        occurrences: which words are looked at; see ``find_occurrences``.
        min_count: words that have fewer occurrences in sentences that could be run are left out.
        pieces: how the pieces of a word become one state.
        batch_tokens: pieces in one forward pass.
        seed: of blocks and sample.
        on_sentences: called with the number of sentences after each batch.

    Raises:
        ProbeError: no word has enough occurrences, or fewer than two sentences could be run.
        ModelError, OptionError: as ``word_states``.
    """
    sums = _Sums(encoder, occurrences, seed)
    skipped = []
    for window, (begin, end) in enumerate(occurrences.windows()):
        found = word_states(
            encoder,
            sentences[begin:end],
            layers=range(encoder.n_layers + 1),
            pieces=pieces,
            batch_tokens=batch_tokens,
        )
        for batch in found:
            if isinstance(batch, WordStates):
                sums.add(batch, begin)
                on_sentences(len(batch.sentences))
            else:
                skipped.append((begin + batch[0], batch[1]))
                on_sentences(1)
        sums.complete(window)
        if encoder.device.type == "cpu":
            return_freed_memory()
    return sums.result(encoder, tuple(sorted(skipped, key=lambda skip: skip[0])), min_count)


class _Sums:
    """Everything that is added up during a pass."""

    def __init__(self, encoder: Encoder, occurrences: Occurrences, seed: int) -> None:
        n_layers, size, device = encoder.n_layers + 1, encoder.size, encoder.device
        n_words, n_sentences = len(occurrences.words), len(occurrences.starts) - 1
        rng = np.random.default_rng(seed)
        self._occurrences = occurrences
        self._store = Store(occurrences, n_layers=n_layers, size=size, device=device)
        self._counts = np.zeros(n_words, dtype=np.int64)
        # The last row takes the words that are not looked at.
        self._word_sums = torch.zeros(n_layers, n_words + 1, size, device=device)
        self._mev, self._released = np.full((2, n_words, n_layers), np.nan)
        self._drawn = np.zeros(n_words, dtype=np.int64)
        self._intra = np.full((n_sentences, n_layers), np.nan)
        self._block_of = rng.permutation(n_sentences) % BLOCKS
        self._block_sums = torch.zeros(n_layers, min(BLOCKS, n_sentences), size, dtype=torch.float64)
        self._block_squares = np.zeros((min(BLOCKS, n_sentences), n_layers))
        self._squares = np.zeros((n_layers, size))
        self._shift: Tensor | None = None
        self._first = np.zeros((n_layers, size))
        self._second = torch.zeros(n_layers, size, size, device=device)
        self._n_moments = 0
        self._in_moments = np.zeros(len(occurrences.word_of), dtype=bool)
        self._in_moments[rng.permutation(len(occurrences.word_of))[:MOMENTS]] = True
        self._sample_row = _sample_rows(occurrences, rng)
        self._sample = np.full((int(self._sample_row.max()) + 1, n_layers, size), np.nan, dtype=np.float32)

    @torch.inference_mode()
    def add(self, batch: WordStates, offset: int) -> None:
        """Add the states of a batch whose sentences are counted from ``offset``."""
        sentences = batch.sentences + offset
        places = self._occurrences.of_sentences(sentences)
        words = self._occurrences.word_of[places]
        np.add.at(self._counts, words[words >= 0], 1)
        sampled = np.flatnonzero(self._sample_row[places] >= 0)
        device = batch.states[0].device
        index = {
            "word": torch.from_numpy(np.where(words < 0, len(self._counts), words)).to(device),
            "sentence": torch.from_numpy(batch.sentence_of).to(device),
            "moments": torch.from_numpy(np.flatnonzero(self._in_moments[places])).to(device),
            "sampled": torch.from_numpy(sampled).to(device),
        }
        lengths = torch.from_numpy(np.bincount(batch.sentence_of)[:, None]).to(device)
        if self._shift is None:
            self._shift = torch.stack([states.mean(0) for states in batch.states])
        self._store.put(places, batch.states)
        for layer, states in enumerate(batch.states):
            units = normalize(states, dim=-1)
            self._word_sums[layer].index_add_(0, index["word"], units)
            self._add_sentences(sentences, layer, states, units, index["sentence"], lengths)
            moved = states[index["moments"]] - self._shift[layer]
            self._first[layer] += _numpy(moved.sum(0))
            self._second[layer].addmm_(moved.T, moved)
            self._sample[self._sample_row[places[sampled]], layer] = _numpy(states[index["sampled"]])
        self._n_moments += len(index["moments"])

    def _add_sentences(
        self,
        sentences: NDArray[np.int64],
        layer: int,
        states: Tensor,
        units: Tensor,
        sentence_of: Tensor,
        lengths: Tensor,
    ) -> None:
        zeros = torch.zeros(len(sentences), states.shape[-1], device=states.device)
        mean_units = zeros.index_add(0, sentence_of, units) / lengths
        # The sum of a sentence's states has the direction of their mean.
        directions = normalize(zeros.index_add_(0, sentence_of, states), dim=-1)
        # The mean of the cosines of the words and a direction is the product of the mean unit vector with it.
        self._intra[sentences, layer] = _numpy((mean_units * directions).sum(-1))
        vectors = mean_units.cpu().double()
        blocks = self._block_of[sentences]
        self._block_sums[layer].index_add_(0, torch.from_numpy(blocks), vectors)
        squares = vectors.square_()
        np.add.at(self._block_squares[:, layer], blocks, squares.sum(-1).numpy())
        self._squares[layer] += squares.sum(0).numpy()

    @torch.inference_mode()
    def complete(self, window: int) -> None:
        """Take the words out of the store of which nothing more will come."""
        for words, states in self._store.complete(window):
            found = explained(states.transpose(1, 2))
            self._mev[words], self._released[words] = found.mev, found.released
            self._drawn[words] = states.shape[1]

    def result(
        self, encoder: Encoder, skipped: tuple[tuple[int, SentenceError], ...], min_count: int
    ) -> Geometry:
        """All measures."""
        ran = np.isfinite(self._intra[:, 0])
        kept = np.flatnonzero(self._counts >= max(2, min_count))
        if ran.sum() < 2 or not len(kept):
            raise ProbeError(
                f"geometry needs two sentences and a word with {max(2, min_count)} occurrences, found "
                f"{ran.sum()} sentences that {encoder.name} can be run on and {len(kept)} such words"
            )
        assert self._shift is not None
        sizes = np.bincount(self._block_of[ran], minlength=len(self._block_squares))
        sums = _numpy(self._block_sums.transpose(0, 1))
        blocks = Blocks(sums=sums, squares=self._block_squares, sizes=sizes)
        moved = self._first / self._n_moments
        second = _numpy(self._second).astype(np.float64) / self._n_moments
        counts = self._counts[kept]
        similarity = [mean_pairwise_cosine(_numpy(sums)[kept], counts) for sums in self._word_sums]
        return Geometry(
            model=encoder.name,
            dtype=encoder.dtype,
            words=tuple(self._occurrences.words[word] for word in kept),
            counts=counts,
            self_similarity=np.stack(similarity, axis=1),
            mev=self._mev[kept],
            mev_released=self._released[kept],
            drawn=self._drawn[kept],
            intra_sentence=self._intra[ran],
            lengths=np.diff(self._occurrences.starts)[ran],
            blocks=blocks,
            contributions=blocks.contributions(self._squares),
            mean=moved + _numpy(self._shift),
            covariance=second - moved[:, :, None] * moved[:, None, :],
            sample=self._sample[np.isfinite(self._sample[:, 0, 0])],
            skipped=skipped,
        )


def _sample_rows(occurrences: Occurrences, rng: np.random.Generator) -> NDArray[np.int64]:
    """The row in the sample of each occurrence, -1 outside it: a random word of each of random sentences."""
    rows = np.full(len(occurrences.word_of), -1, dtype=np.int64)
    lengths = np.diff(occurrences.starts)
    sentences = rng.permutation(np.flatnonzero(lengths))[:SAMPLE]
    rows[occurrences.starts[sentences] + rng.integers(lengths[sentences])] = np.arange(len(sentences))
    return rows


def _numpy(tensor: Tensor) -> NDArray[Any]:
    return np.asarray(tensor.cpu().numpy())
