"""States of the words of a corpus in every layer of a masked or causal language model, batch by batch.

Sentences of one length in pieces share a batch, so nothing is padded, and a model without a padding token
gives the same states as any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from probe.alignment import align, check_words, least_pieces
from probe.errors import ModelError, OptionError, SentenceError
from probe.registry import check_name
from probe.spaces import Place, WordPieces, places_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from probe import Probe

Pieces: TypeAlias = Literal["mean", "first"]
PIECES: tuple[Pieces, ...] = get_args(Pieces)
"""How the pieces of a word become one state: their mean, or the first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoder:
    """A language model that is asked for states only, so it needs no mask token.

    Attributes:
        name: what it was loaded as.
        model: masked, causal, or without a head.
        tokenizer: a fast tokenizer.
        window: the longest sequence it takes, in pieces, special tokens included.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    window: int

    @cached_property
    def pieces(self) -> WordPieces:
        """The pieces of words, by where they stand in a text."""
        return WordPieces(self.tokenizer)

    @property
    def n_layers(self) -> int:
        """Number of layers above the embeddings."""
        return int(self.model.config.num_hidden_layers)

    @property
    def size(self) -> int:
        """Number of dimensions of a state."""
        return int(self.model.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> str:
        """The type the model computes in, such as ``float32``."""
        return str(next(self.model.parameters()).dtype).removeprefix("torch.")


def encoder_of(model: Probe | Encoder) -> Encoder:
    """The model itself, or what a loaded masked language model has of an encoder."""
    if isinstance(model, Encoder):
        return model
    return Encoder(name=model.name, model=model.model, tokenizer=model.tokenizer, window=model.window)


def load_encoder(name: str, *, device: str = "auto", dtype: str = "auto") -> Encoder:
    """Load a model as ``probe.load`` does, to be asked for states only.

    Raises:
        ModelError, OptionError: as ``probe.load`` does.
    """
    from probe.loading import load

    return encoder_of(load(name, device=device, dtype=dtype))


@dataclass(frozen=True, kw_only=True, eq=False)
class WordStates:
    """States of all words of some sentences, sentence after sentence.

    Shapes:
        sentences: int64 [sentences], their places in the input
        sentence_of: int64 [words], the row in ``sentences`` of each word, ascending
        states: one a layer asked for, each float32 [words, size]
    """

    sentences: NDArray[np.int64]
    sentence_of: NDArray[np.int64]
    states: tuple[Tensor, ...]


def word_states(
    encoder: Encoder,
    sentences: Sequence[Sequence[str]],
    *,
    layers: Sequence[int],
    pieces: Pieces = "mean",
    batch_tokens: int = 4_096,
) -> Iterator[WordStates | tuple[int, SentenceError]]:
    """States of the words of sentences, in batches of one length in pieces; not in input order.

    The last layer's states are those that the head reads, after a norm at the end where there is one.

    Args:
        encoder: the model.
        sentences: each a sequence of words; all of them are tokenised before the first forward pass.
        layers: 0 = embeddings, to ``encoder.n_layers``.
        pieces: "mean" or "first" of the pieces of a word.
        batch_tokens: pieces in one forward pass.

    Yields:
        Batches, and the place and reason of each sentence without states.

    Raises:
        OptionError: an unknown ``pieces`` or a layer that the model has not.
        ModelError: the model does not give one state a layer and piece.
    """
    check_name("pieces", pieces, PIECES)
    for layer in layers:
        if not 0 <= layer <= encoder.n_layers:
            raise OptionError(f"layer {layer}: the model has layers 0 (embeddings) to {encoder.n_layers}")
    found = PieceTable(encoder, [words if _is_text(words) else () for words in sentences])
    for place in np.flatnonzero(~found.usable).tolist():
        yield place, _reason(encoder, sentences[place])
    usable = np.flatnonzero(found.usable)
    for length in np.unique(found.lengths[usable]).tolist():
        group = usable[found.lengths[usable] == length]
        rows = max(1, batch_tokens // length)
        for begin in range(0, len(group), rows):
            yield _run(encoder, found.batch(group[begin : begin + rows]), layers, pieces)


class PieceTable:
    """The pieces of the words of some sentences, each distinct word tokenised once.

    The pieces of a sentence are those of its words one after the other, each as it stands after a space, without
    one or at the start, between the special tokens that the tokenizer puts around any sentence.
    """

    def __init__(self, encoder: Encoder, sentences: Sequence[Sequence[str]]) -> None:
        self._encoder = encoder
        number: dict[tuple[str, Place], int] = {}
        words = [
            number.setdefault(placed, len(number))
            for sentence in sentences
            for placed in zip(sentence, places_of(sentence), strict=True)
        ]
        self._words = np.array(words, dtype=np.int64)
        self._sizes = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._tokenize(list(number))
        self.usable = self._usable()

    def _tokenize(self, words: list[tuple[str, Place]]) -> None:
        """Fill in the pieces of the distinct words, word after word, and the special tokens around them."""
        pieces = self._encoder.pieces
        found: list[list[int]] = []
        for begin in range(0, len(words), _TOKENIZED):
            part = words[begin : begin + _TOKENIZED]
            found += pieces.encode([word for word, _ in part], [place for _, place in part])
        self._before, self._after = (np.array(ids, dtype=np.int64) for ids in (pieces.before, pieces.after))
        self._pieces = np.array([piece for ids in found for piece in ids], dtype=np.int64)
        self._lengths = np.array([len(ids) for ids in found], dtype=np.int64)
        self._reserved = np.array([not pieces.reserved.isdisjoint(ids) for ids in found], dtype=bool)
        self._unknown = np.array([pieces.is_unknown(ids) for ids in found], dtype=bool)

    def _usable(self) -> NDArray[np.bool_]:
        """Whether each sentence fits the window, has known words, and pieces for all that are not special tokens.

        Shapes: bool [sentences]
        """
        n = len(self._sizes)
        sentence_of = np.repeat(np.arange(n), self._sizes)
        lengths = self._lengths[self._words]
        wrong = (lengths == 0) | self._reserved[self._words]
        around = len(self._before) + len(self._after)
        self.lengths = np.bincount(sentence_of, weights=lengths, minlength=n).astype(np.int64) + around
        n_wrong = np.bincount(sentence_of[wrong], minlength=n)
        self.unknown = np.bincount(sentence_of[self._unknown[self._words]], minlength=n)
        fits = (self.lengths <= self._encoder.window) & (self.lengths >= least_pieces(self._encoder.model))
        return np.asarray((n_wrong == 0) & fits & (self.unknown < self._sizes))

    def batch(self, places: NDArray[np.int64]) -> PieceBatch:
        """Sentences of one length."""
        words = self._words[_ranges(self._starts[places], self._sizes[places])]
        lengths = self._lengths[words]
        begins = np.cumsum(self._lengths) - self._lengths
        pieces = self._pieces[_ranges(begins[words], lengths)].reshape(len(places), -1)
        before, after = (np.tile(ids, (len(places), 1)) for ids in (self._before, self._after))
        ids = np.concatenate([before, pieces, after], axis=1)
        row, column = np.divmod(np.arange(pieces.size), pieces.shape[1])
        return PieceBatch(
            places=places,
            sizes=self._sizes[places],
            ids=ids,
            at=row * ids.shape[1] + before.shape[1] + column,
            word_of=np.repeat(np.arange(len(words)), lengths),
        )


_TOKENIZED = 1_000
"""Words that the tokenizer is given at a time."""


def _ranges(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """So many whole numbers from each start on, one range after the other."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(starts - (ends - sizes), sizes))


@dataclass(frozen=True, kw_only=True, eq=False)
class PieceBatch:
    """Sentences of one length in pieces.

    Shapes:
        places, sizes: int64 [sentences], where they are in the input, and their words
        ids: int64 [sentences, length]
        at: int64 [pieces of words], where in ``ids``, laid out flat, the pieces of words stand
        word_of: int64 [pieces of words], the word that each is of, counted through the batch
    """

    places: NDArray[np.int64]
    sizes: NDArray[np.int64]
    ids: NDArray[np.int64]
    at: NDArray[np.int64]
    word_of: NDArray[np.int64]


def _is_text(words: Sequence[str]) -> bool:
    try:
        check_words(words)
    except SentenceError:
        return False
    return True


def _reason(encoder: Encoder, words: Sequence[str]) -> SentenceError:
    """Why a sentence has no states."""
    try:
        found = align(encoder.pieces, words, window=encoder.window)
        found.check_length(encoder.model)
        found.check_known()
    except SentenceError as error:
        return error
    raise AssertionError(f"{list(words)} can be aligned")


def _run(encoder: Encoder, batch: PieceBatch, layers: Sequence[int], pieces: Pieces) -> WordStates:
    """One forward pass."""
    import torch

    from probe.forward import inputs_of

    with torch.inference_mode():
        inputs = torch.from_numpy(batch.ids).to(encoder.device)
        base: Any = encoder.model.base_model
        output = base(**inputs_of(base, inputs), output_hidden_states=True)
        hidden = [*output.hidden_states[:-1], output.last_hidden_state]
        if len(hidden) != encoder.n_layers + 1 or any(h.shape[:2] != inputs.shape for h in hidden):
            raise ModelError(f"{encoder.name} does not give one state a layer and piece")
        pool = _Pool(batch.at, batch.word_of, pieces, encoder.device)
        states = tuple(pool(hidden[layer].flatten(0, 1)) for layer in layers)
    return WordStates(
        sentences=batch.places,
        sentence_of=np.repeat(np.arange(len(batch.places)), batch.sizes),
        states=states,
    )


class _Pool:
    """States of pieces to states of words; most words have one piece, so only the others are added up."""

    def __init__(
        self, at: NDArray[np.int64], word_of: NDArray[np.int64], pieces: Pieces, device: torch.device
    ) -> None:
        import torch

        begins = np.append(True, word_of[1:] != word_of[:-1])
        self._first = torch.from_numpy(at[begins]).to(device)
        more = ~begins & (pieces == "mean")
        self._more, self._of = (torch.from_numpy(values[more]).to(device) for values in (at, word_of))
        sizes = np.bincount(word_of)
        several = np.flatnonzero(sizes > 1)
        self._several = torch.from_numpy(several).to(device)
        self._sizes = torch.from_numpy(sizes[several, None]).to(device)
        self._mean = pieces == "mean"

    def __call__(self, states: Tensor) -> Tensor:
        """[all pieces, size] -> float32 [words, size]."""
        words = states[self._first].float()
        if self._mean and len(self._more):
            words.index_add_(0, self._of, states[self._more].float())
            words[self._several] /= self._sizes
        return words
