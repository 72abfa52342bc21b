"""States of the words of a corpus in every layer of a masked or causal language model, batch by batch.

Sentences of one length in pieces share a batch, so nothing is padded, and a model without a padding token
gives the same states as any other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from probe.alignment import Alignment, align, is_byte_level, spaced
from probe.errors import ModelError, SentenceError
from probe.options import check_name

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
    """Load a masked language model as ``probe.load`` does, or a causal one (GPT-2 and its kind).

    Raises:
        ModelError: there is no such model, it cannot be reached, or it has no fast tokenizer.
        OptionError: an unknown device or dtype.
    """
    from probe.loading import load

    try:
        return encoder_of(load(name, device=device, dtype=dtype))
    except ModelError:
        if (causal := _load_causal(name, device=device, dtype=dtype)) is None:
            raise
        return causal


def _load_causal(name: str, *, device: str, dtype: str) -> Encoder | None:
    """The causal model of that name; None where it is of another kind, or there is none."""
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING,
        AutoConfig,
        AutoModel,
        AutoTokenizer,
    )

    from probe import loading
    from probe.model import placed

    chosen_device = loading.resolve_device(device)
    chosen_dtype = loading.resolve_dtype(dtype, chosen_device)
    source = loading.source_of(name)
    with loading.quiet_transformers():
        # Without the last option transformers would ask on the terminal whether to run a model's own code.
        options = {
            "local_files_only": os.path.isdir(source) or not loading.hub_answers(source),
            "trust_remote_code": False,
        }
        try:
            kind = type(AutoConfig.from_pretrained(source, **options))
        except Exception:  # the hub client and the file formats each raise their own; probe.load has said why
            return None
        if kind in MODEL_FOR_MASKED_LM_MAPPING or kind not in MODEL_FOR_CAUSAL_LM_MAPPING:
            return None
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
            model, info = AutoModel.from_pretrained(
                source, dtype=chosen_dtype, output_loading_info=True, **options
            )
        except Exception as error:  # as above
            raise loading.unavailable(source, name, error) from error
    if not tokenizer.is_fast:
        raise ModelError(f"{name}: its tokenizer has no fast version, which the alignment of words needs")
    if info["missing_keys"]:
        raise ModelError(f"{name}: its weights lack {min(info['missing_keys'])}: the file is incomplete")
    loading.check_vocabulary(model, tokenizer, name)
    return Encoder(
        name=name,
        model=placed(model, chosen_device, chosen_dtype),
        tokenizer=tokenizer,
        window=loading.window_of(model, tokenizer),
    )


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
    by_length: dict[int, list[tuple[int, Alignment]]] = {}
    for place, found in enumerate(_align_all(encoder, sentences)):
        if isinstance(found, SentenceError):
            yield place, found
        else:
            by_length.setdefault(len(found.ids), []).append((place, found))
    for length, group in sorted(by_length.items()):
        rows = max(1, batch_tokens // length)
        for begin in range(0, len(group), rows):
            yield _run(encoder, group[begin : begin + rows], layers, pieces)


def _align_all(encoder: Encoder, sentences: Sequence[Sequence[str]]) -> Iterator[Alignment | SentenceError]:
    """What ``probe.alignment.align`` gives for each sentence; one call of the tokenizer for all is faster."""
    tokenizer: Any = encoder.tokenizer
    byte_level = is_byte_level(tokenizer)
    texts = [spaced(list(words)) if byte_level else list(words) for words in sentences]
    if not texts:
        return
    found = tokenizer(
        texts, is_split_into_words=True, split_special_tokens=True, truncation=False, verbose=False
    ).encodings
    ids = [np.array(encoding.ids, dtype=np.int64) for encoding in found]
    word_ids = [
        np.array([-1 if word is None else word for word in encoding.word_ids], dtype=np.int64)
        for encoding in found
    ]
    usable = _usable(encoder, sentences, ids, word_ids)
    for words, pieces, word_of, is_usable in zip(sentences, ids, word_ids, usable, strict=True):
        if not is_usable:
            yield _aligned(encoder, words)
            continue
        positions = (word_of >= 0).nonzero()[0]
        cls = None if word_of[0] >= 0 else 0
        unit_of = word_of[positions]
        yield Alignment(ids=pieces, positions=positions, unit_of=unit_of, units=tuple(words), cls=cls)


def _usable(
    encoder: Encoder,
    sentences: Sequence[Sequence[str]],
    ids: Sequence[NDArray[np.int64]],
    word_ids: Sequence[NDArray[np.int64]],
) -> NDArray[np.bool_]:
    """Whether each sentence fits the window, every word has pieces and none is a special token: [sentences]."""
    tokenizer: Any = encoder.tokenizer
    lengths = np.array([len(pieces) for pieces in ids])
    sizes = np.array([len(words) for words in sentences])
    words, sentence_of = np.concatenate(word_ids), np.repeat(np.arange(len(ids)), lengths)
    special = np.zeros(len(tokenizer), dtype=bool)
    special[sorted(set(tokenizer.all_special_ids) - {tokenizer.unk_token_id})] = True
    of_word = words >= 0
    reserved = np.bincount(sentence_of[of_word & special[np.concatenate(ids)]], minlength=len(ids))
    # Every word has a piece where the words of the pieces go up by one at a time, from the first to the last.
    words, sentence_of = words[of_word], sentence_of[of_word]
    first = np.append(True, sentence_of[1:] != sentence_of[:-1])
    step = np.diff(words, prepend=0)
    begins = first | (step == 1)
    wrong = np.where(first, words != 0, (step < 0) | (step > 1))
    n_begun = np.bincount(sentence_of[begins], minlength=len(ids))
    n_wrong = np.bincount(sentence_of[wrong], minlength=len(ids))
    fits = (sizes > 0) & (lengths <= encoder.window)
    return np.asarray(fits & (reserved == 0) & (n_wrong == 0) & (n_begun == sizes))


def _aligned(encoder: Encoder, words: Sequence[str]) -> Alignment | SentenceError:
    try:
        return align(encoder.tokenizer, words, window=encoder.window)
    except SentenceError as error:
        return error


def _run(
    encoder: Encoder, group: Sequence[tuple[int, Alignment]], layers: Sequence[int], pieces: Pieces
) -> WordStates:
    """One forward pass."""
    import torch

    length = len(group[0][1].ids)
    with torch.inference_mode():
        inputs = torch.from_numpy(np.stack([found.ids for _, found in group])).to(encoder.device)
        output = encoder.model.base_model(input_ids=inputs, output_hidden_states=True)
        hidden = [*output.hidden_states[:-1], output.last_hidden_state]
        if len(hidden) != encoder.n_layers + 1 or any(h.shape[:2] != inputs.shape for h in hidden):
            raise ModelError(f"{encoder.name} does not give one state a layer and piece")
        at = np.concatenate([found.positions + row * length for row, (_, found) in enumerate(group)])
        sizes = [len(found.units) for _, found in group]
        offsets = np.cumsum([0, *sizes[:-1]])
        word_of = np.concatenate([f.unit_of + start for (_, f), start in zip(group, offsets, strict=True)])
        pool = _Pool(at, word_of, pieces, encoder.device)
        states = tuple(pool(hidden[layer].flatten(0, 1)) for layer in layers)
    return WordStates(
        sentences=np.array([place for place, _ in group], dtype=np.int64),
        sentence_of=np.repeat(np.arange(len(group)), sizes),
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
