"""Log-probabilities of the pieces of texts under a masked language model, each with pieces of its text masked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from probe.errors import SentenceError
from probe.masked_states import HEAD_READS, MaskedStates
from probe.spaces import TextPieces, text_pieces

if TYPE_CHECKING:
    from probe.model import Probe

Floats: TypeAlias = NDArray[np.float64]
Masks: TypeAlias = "Callable[[int], NDArray[np.bool_]]"
"""Number of a text -> bool [pieces, pieces]: whether piece j is masked while piece i (row) is predicted."""

_TOKENIZED = 1_000
"""Texts that the tokenizer is given at a time."""
_CHUNK_BATCHES = 32
"""Batches' worth of masked copies that are made, and searched for equal ones, at a time."""


def readable_pieces(
    model: Probe, texts: Sequence[str], *, window: int | None = None
) -> Iterator[TextPieces | SentenceError]:
    """The pieces of each running text, or why nothing of it can be predicted.

    Args:
        model: whose tokenizer makes them.
        texts: running texts.
        window: the most pieces of a text, special tokens included; that of the model without.
    """
    most = model.window if window is None else window
    for start in range(0, len(texts), _TOKENIZED):
        for found in text_pieces(model.pieces, texts[start : start + _TOKENIZED]):
            if not len(found.words):
                yield SentenceError("the sentence has no pieces in this model's vocabulary")
            elif len(found.ids) > most:
                yield SentenceError(f"{len(found.ids)} pieces are more than the model's window of {most}")
            elif not model.pieces.reserved.isdisjoint(found.ids[found.positions].tolist()):
                yield SentenceError("a piece of it cannot be told from a special token of this model")
            elif found.unknown == (n := found.words[-1] + 1):
                yield SentenceError(f"unknown words {n} of {n}: the model's vocabulary has none of them")
            else:
                yield found


def piece_log_probabilities(
    model: Probe,
    texts: Sequence[TextPieces],
    masks: Masks,
    *,
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Log-probability of every piece of every text, in nats, in the copy in which it is masked.

    Copies that are equal, as those of two texts that differ in the masked piece alone, are one forward pass. The
    passes hold texts of one length, so nothing is padded.

    Args:
        model: with a masked-LM head and a mask token.
        texts: none of them longer than the window, none with a special token among its pieces.
        masks: what else is masked; the predicted piece always is.
        batch_tokens: pieces in one forward pass.
        on_passes: called with the number of sequences after each forward pass.

    Shapes:
        returns float64 [pieces] for each text
    """
    predict = _Predictor(model, batch_tokens=batch_tokens, on_passes=on_passes)
    by_length: dict[int, list[int]] = {}
    for number, text in enumerate(texts):
        by_length.setdefault(len(text.ids), []).append(number)
    found: dict[int, Floats] = {}
    for length, group in sorted(by_length.items()):
        size = max(1, _CHUNK_BATCHES * batch_tokens // length**2)
        for start in range(0, len(group), size):
            chunk = group[start : start + size]
            flat = predict(_make_variants([(texts[at], masks(at)) for at in chunk], predict.mask_id))
            ends = np.cumsum([len(texts[at].positions) for at in chunk])
            found |= zip(chunk, np.split(flat, ends[:-1]), strict=True)
    return [found[number] for number in range(len(texts))]


@dataclass(frozen=True, eq=False)
class _Variants:
    """The masked copies of texts of one length, equal ones once, and the pieces to be read off them.

    Shapes:
        ids: int64 [variants, length]
        positions: int64 [variants], of the masked piece that is predicted
        row: int64 [pieces], the variant in which a piece is predicted, ascending
        piece: int64 [pieces], its true id
        order: int64 [pieces], which piece of all texts, one after the other, it is
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    row: NDArray[np.int64]
    piece: NDArray[np.int64]
    order: NDArray[np.int64]


def _make_variants(texts: Sequence[tuple[TextPieces, NDArray[np.bool_]]], mask_id: int) -> _Variants:
    copies = np.concatenate([_mask_each(text, masked, mask_id) for text, masked in texts])
    distinct, row = np.unique(copies, axis=0, return_inverse=True)
    row = row.reshape(-1)
    order = np.argsort(row, kind="stable")
    return _Variants(
        ids=np.ascontiguousarray(distinct[:, :-1]),
        positions=distinct[:, -1],
        row=row[order],
        piece=np.concatenate([text.ids[text.positions] for text, _ in texts])[order],
        order=order,
    )


def _mask_each(text: TextPieces, masked: NDArray[np.bool_], mask_id: int) -> NDArray[np.int64]:
    """One copy for each piece, in which it is masked, and behind it where: int64 [pieces, length + 1]."""
    n = len(text.positions)
    copies = np.tile(np.append(text.ids, 0), (n, 1))
    copies[:, text.positions] = np.where(masked | np.eye(n, dtype=bool), mask_id, copies[:, text.positions])
    copies[:, -1] = text.positions
    return copies


class _Predictor:
    """Runs variants and reads what they say of the true pieces; last layer and head run only where read."""

    def __init__(self, model: Probe, *, batch_tokens: int, on_passes: Callable[[int], None] | None) -> None:
        from probe.head import Head

        mask_id = model.tokenizer.mask_token_id
        assert isinstance(mask_id, int)
        self.mask_id = mask_id
        self._head, self._states = Head(model.model), MaskedStates(model)
        self._batch_tokens = batch_tokens
        self._on_passes = on_passes or (lambda passes: None)

    def __call__(self, variants: _Variants) -> Floats:
        """Log-probability of each piece, the texts one after the other: [pieces]."""
        import torch

        rows = max(1, self._batch_tokens // variants.ids.shape[1])
        values = np.empty(len(variants.order))
        with torch.inference_mode():
            for start in range(0, len(variants.ids), rows):
                stop = min(start + rows, len(variants.ids))
                states = self._states(variants.ids[start:stop], variants.positions[start:stop])
                for first in range(start, stop, HEAD_READS):
                    last = min(first + HEAD_READS, stop)
                    read = slice(*np.searchsorted(variants.row, [first, last]))
                    log_probabilities = self._head.log_probabilities(states[first - start : last - start])
                    index = (
                        self._states.to_device(variants.row[read] - first),
                        self._states.to_device(variants.piece[read]),
                    )
                    values[variants.order[read]] = log_probabilities[index].double().cpu().numpy()
                self._on_passes(stop - start)
        return values
