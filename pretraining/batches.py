"""Sequences of whole sentences, the order of batches, and whole-word masks.

All of it is a function of (seed, step), so that a run which resumes at a step sees what it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from pretraining.config import DataConfig
from pretraining.prepare import Pieces
from pretraining.tokenizer import special_tokens

_POOL_BATCHES = 64
"""Batches are cut from pools of this many, sorted by length, so that little is padded."""


@dataclass(frozen=True)
class Specials:
    """Ids of the special tokens, and which pieces continue a word (bool [vocabulary])."""

    pad: int
    cls: int
    sep: int
    mask: int
    continues: NDArray[np.bool_]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Specials:
        """The special ids of a WordPiece tokenizer, BERT's or MPNet's.

        Raises:
            ValueError: it has no such special tokens.
        """
        vocabulary = tokenizer.get_vocab()
        continues = np.zeros(len(vocabulary), dtype=bool)
        for piece, index in vocabulary.items():
            continues[index] = piece.startswith("##")
        pad, _, first, last, mask = special_tokens(tokenizer)
        return cls(
            pad=vocabulary[pad],
            cls=vocabulary[first],
            sep=vocabulary[last],
            mask=vocabulary[mask],
            continues=continues,
        )


@dataclass(frozen=True)
class Batch:
    """One step's input.

    Shapes:
        ids: int64 [sequences, length], masked
        attention: int64 [sequences, length], 0 on padding
        predicted: bool [sequences, length], positions whose state predicts a piece
        targets: int64 [predicted positions], in row-major order
        sides: int8 [sequences], what a position sees besides itself: -1 its left, 1 its right, 0 both
    """

    ids: NDArray[np.int64]
    attention: NDArray[np.int64]
    predicted: NDArray[np.bool_]
    targets: NDArray[np.int64]
    sides: NDArray[np.int8]

    def unmasked(self) -> NDArray[np.int64]:
        """The text of masked sequences: int64 [sequences, length]; one-sided ones have other targets."""
        ids = self.ids.copy()
        ids[self.predicted] = self.targets
        return ids

    def visible(self) -> NDArray[np.bool_]:
        """What each position (axis 2) sees (axis 3): bool [sequences, 1, length, length].

        Every position sees itself, also on padding: a softmax over nothing is not a number.
        """
        places = np.arange(self.ids.shape[1])
        offset = places - places[:, None]
        seen = self.sides[:, None, None] * offset >= 0
        return np.asarray((seen & (self.attention[:, None, :] > 0) | (offset == 0))[:, None])


def pack(pieces: Pieces, length: int, *, packed: bool = True) -> NDArray[np.int64]:
    """Spans of ``pieces.ids`` for sequences of at most ``length`` pieces with [CLS] and [SEP].

    Whole sentences of one document follow each other while they fit, or, if not ``packed``, each is a sequence
    of its own; one that is longer than a sequence is cut.

    Shapes:
        returns int64 [sequences, 2], (start, end) with end exclusive
    """
    room = length - 2
    spans: list[tuple[int, int]] = []
    bounds = pieces.sentences.tolist()
    for first, last in zip(pieces.documents[:-1].tolist(), pieces.documents[1:].tolist(), strict=True):
        if first == last:
            continue
        start = end = bounds[first]
        for next_end in bounds[first + 1 : last + 1]:
            if end > start and (not packed or next_end - start > room):
                spans.append((start, end))
                start = end
            while next_end - start > room:
                spans.append((start, start + room))
                start += room
            end = next_end
        if end > start:
            spans.append((start, end))
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


class Order:
    """Which sequences make the batch of a step; each epoch is a new permutation."""

    def __init__(self, spans: NDArray[np.int64], *, batch_size: int, seed: int) -> None:
        if len(spans) < batch_size:
            raise ValueError(f"{len(spans)} sequences are fewer than one batch of {batch_size}")
        self._lengths = spans[:, 1] - spans[:, 0]
        self._batch_size = batch_size
        self._seed = seed
        self._batches = len(spans) // batch_size
        self._made: tuple[int, NDArray[np.int64]] | None = None

    def __getitem__(self, step: int) -> NDArray[np.int64]:
        epoch, index = divmod(step, self._batches)
        if self._made is None or self._made[0] != epoch:
            self._made = epoch, self._make_epoch(epoch)
        return np.asarray(self._made[1][index])

    def _make_epoch(self, epoch: int) -> NDArray[np.int64]:
        rng = np.random.default_rng([self._seed, epoch])
        order = rng.permutation(len(self._lengths))[: self._batches * self._batch_size]
        pool = self._batch_size * _POOL_BATCHES
        for start in range(0, len(order), pool):
            part = order[start : start + pool]
            order[start : start + pool] = part[np.argsort(self._lengths[part], kind="stable")]
        return rng.permutation(order.reshape(self._batches, self._batch_size))


class Batches:
    """The batch of every step: short sequences, and a long batch every ``long_every``-th step."""

    def __init__(self, pieces: Pieces, specials: Specials, config: DataConfig, *, seed: int) -> None:
        self._pieces, self._specials, self._config, self._seed = pieces, specials, config, seed
        packed = config.packed
        self._short = _Stream(pack(pieces, config.length, packed=packed), config.batch_size, seed)
        self._long = _Stream(
            pack(pieces, config.long_length, packed=packed), config.long_batch_size, seed + 1
        )
        if config.first_steps:
            size = config.batch_size * config.length // config.first_length
            self._first = _Stream(pack(pieces, config.first_length, packed=packed), size, seed + 2)

    def __getitem__(self, step: int) -> Batch:
        ids = assemble(self._pieces, self._spans(step), self._specials)
        rng = np.random.default_rng([self._seed, 2, step])
        data = self._config
        batch = mask_words(ids, self._specials, low=data.mask_low, high=data.mask_high, rng=rng)
        if step < data.one_sided_steps:
            one_sided = rng.random(len(ids)) < data.one_sided
            batch = see_one_side(batch, ids, one_sided * rng.choice([-1, 1], len(ids)))
        return batch

    def _spans(self, step: int) -> NDArray[np.int64]:
        """Spans of the sequences of a step: [sequences, 2]."""
        if step < self._config.first_steps:
            return self._first[step]
        every = self._config.long_every
        turn, place = divmod(step - self._config.first_steps, every)
        return self._long[turn] if place == every - 1 else self._short[turn * (every - 1) + place]


class _Stream:
    """Batches of sequences of one length."""

    def __init__(self, spans: NDArray[np.int64], batch_size: int, seed: int) -> None:
        self._spans = spans
        self._order = Order(spans, batch_size=batch_size, seed=seed)

    def __getitem__(self, index: int) -> NDArray[np.int64]:
        return self._spans[self._order[index]]


def assemble(pieces: Pieces, spans: NDArray[np.int64], specials: Specials) -> NDArray[np.int64]:
    """Token ids of the sequences, [CLS] ... [SEP], padded to the longest.

    Shapes:
        spans: [sequences, 2]; returns int64 [sequences, longest]
    """
    lengths = spans[:, 1] - spans[:, 0]
    ids = np.full((len(spans), int(lengths.max()) + 2), specials.pad, dtype=np.int64)
    ids[:, 0] = specials.cls
    for row, (start, end) in enumerate(spans):
        ids[row, 1 : end - start + 1] = pieces.ids[start:end]
    ids[np.arange(len(spans)), lengths + 1] = specials.sep
    return ids


def mask_words(
    ids: NDArray[np.int64], specials: Specials, *, low: float, high: float, rng: np.random.Generator
) -> Batch:
    """Mask whole words, each with the probability drawn for its sequence, and at least one a sequence.

    Every masked piece becomes [MASK] (no random or kept pieces): the model is probed with [MASK] alone,
    and Wettig et al. (2023) find no loss in it. A ratio drawn per sequence is the probabilistic masking
    of u-PMLM (Liao et al. 2020).
    """
    plain = (ids != specials.pad) & (ids != specials.cls) & (ids != specials.sep)
    # A word is a piece that starts one and what continues it; a special token ends the word before it.
    word = np.cumsum(~(specials.continues[ids] & plain), axis=1)
    draw = rng.random((len(ids), int(word.max()) + 1))
    score = np.where(plain, np.take_along_axis(draw, word, axis=1), np.inf)
    ratio = rng.uniform(low, high, size=(len(ids), 1))
    masked = plain & (score <= np.maximum(ratio, score.min(axis=1, keepdims=True)))
    return Batch(
        ids=np.where(masked, specials.mask, ids),
        attention=(ids != specials.pad).astype(np.int64),
        predicted=masked,
        targets=ids[masked],
        sides=np.zeros(len(ids), np.int8),
    )


def see_one_side(batch: Batch, ids: NDArray[np.int64], sides: NDArray[np.int64]) -> Batch:
    """Turn sequences of a batch into ones whose every position predicts the next piece, or the one before.

    Nothing is masked in them, and a position sees only itself and what lies on one side. Gisserot-Boukhlef et al.
    (2025) find masked models better for the same computation when they begin as models of the left side; here both
    sides serve, since a masked model sees both.

    Shapes:
        ids: int64 [sequences, length], without masks
        sides: [sequences], as of ``Batch``; a sequence of side 0 stays as it is
    """
    two_sided, sees_left = sides[:, None] == 0, sides[:, None] < 0
    plain = batch.attention > 0
    before_a_piece = np.pad(plain[:, 1:], ((0, 0), (0, 1)))
    after_a_piece = plain.copy()
    after_a_piece[:, :2] = False  # before [CLS] is nothing, and before the first piece always [CLS]
    beside = np.where(sees_left, np.roll(ids, -1, axis=1), np.roll(ids, 1, axis=1))
    predicted = np.where(two_sided, batch.predicted, np.where(sees_left, before_a_piece, after_a_piece))
    return Batch(
        ids=np.where(two_sided, batch.ids, ids),
        attention=batch.attention,
        predicted=predicted,
        targets=np.where(two_sided, ids, beside)[predicted],
        sides=sides.astype(np.int8),
    )
