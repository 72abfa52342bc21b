"""Pseudo-log-likelihoods of sentences under a masked language model (Salazar et al., ACL 2020)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from probe.masked_states import HEAD_READS, MaskedStates

if TYPE_CHECKING:
    from probe import Probe, SentenceError

ScoreName: TypeAlias = Literal["original", "within-word"]
"""Which pieces are hidden while a piece is predicted; see :func:`pseudo_log_likelihoods`."""
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)

_TOKENIZED = 1_000
"""Sentences that the tokenizer is given at a time."""
_CHUNK_BATCHES = 32
"""Batches' worth of masked copies that are made, and searched for equal ones, at a time."""


def pseudo_log_likelihoods(
    model: Probe,
    sentences: Sequence[str],
    *,
    score: ScoreName = "original",
    batch_tokens: int = 4_096,
    on_passes: Callable[[int], None] | None = None,
) -> list[float | SentenceError]:
    """Sum of the log-probabilities of a sentence's pieces, each predicted from the others, in nats.

    With ``original`` only the predicted piece is masked (Salazar et al. 2020, Masked Language Model Scoring,
    equation 1). With ``within-word`` the pieces that follow it in its word are masked as well (PLL-word-l2r
    of Kauf and Ivanova 2023, A Better Way to Do Masked Language Model Scoring): otherwise a rare word of many
    pieces scores high, because each piece gives the others away. Words are what stands between
    white space, each mark of punctuation by itself (``probe.spaces.text_words``). Special tokens that the
    tokenizer adds are neither masked nor summed.

    Equal sentences are scored once, and masked copies that are equal, as the two sentences of a minimal pair
    have where they differ in one piece, are one forward pass. The passes hold sentences of one length, so
    nothing is padded.

    Args:
        model: with a masked-LM head.
        sentences: plain text, not split into words.
        score: ``original`` or ``within-word``.
        batch_tokens: pieces in one forward pass.
        on_passes: called with the number of sequences after each forward pass.

    Returns:
        The value of each sentence, or a SentenceError in its place if it has no pieces, holds a special token
        of the model, or is longer than the window.

    Raises:
        ValueError: an unknown score.
        probe.ModelError: the model has no masked-LM head.
    """
    from probe.needs import check_fills_masks

    if score not in SCORES:
        raise ValueError(f"expected a score among {', '.join(SCORES)}, found {score!r}")
    check_fills_masks(model, "a pseudo-log-likelihood")
    encoded = list(_encode(model, sentences))
    distinct = {sentence.key: sentence for sentence in encoded if isinstance(sentence, _Encoded)}
    by_length: dict[int, list[_Encoded]] = {}
    for sentence in distinct.values():
        by_length.setdefault(len(sentence.ids), []).append(sentence)
    predict = _Predictor(model, batch_tokens=batch_tokens, on_passes=on_passes)
    values: dict[bytes, float] = {}
    for length, group in sorted(by_length.items()):
        size = max(1, _CHUNK_BATCHES * batch_tokens // length**2)
        for start in range(0, len(group), size):
            chunk = group[start : start + size]
            summed = predict(_make_variants(chunk, predict.mask_id, score))
            values |= zip((sentence.key for sentence in chunk), summed.tolist(), strict=True)
    return [values[found.key] if isinstance(found, _Encoded) else found for found in encoded]


@dataclass(frozen=True, eq=False)
class _Encoded:
    """A sentence in pieces.

    Shapes:
        ids: int64 [length], special tokens included
        positions: int64 [pieces], where in ``ids`` the sentence's own pieces stand
        words: int64 [pieces], the word of each of them
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    words: NDArray[np.int64]

    @property
    def key(self) -> bytes:
        return self.ids.tobytes()


def _encode(model: Probe, sentences: Sequence[str]) -> Iterator[_Encoded | SentenceError]:
    """The pieces of each running text, and the words they belong to, whatever the tokenizer takes for words."""
    from probe import SentenceError
    from probe.spaces import text_pieces

    for start in range(0, len(sentences), _TOKENIZED):
        for found in text_pieces(model.pieces, sentences[start : start + _TOKENIZED]):
            if not len(found.words):
                yield SentenceError("the sentence has no pieces in this model's vocabulary")
            elif len(found.ids) > model.window:
                yield SentenceError(
                    f"{len(found.ids)} pieces are more than the model's window of {model.window}"
                )
            elif not model.pieces.reserved.isdisjoint(found.ids[found.positions].tolist()):
                yield SentenceError("a piece of it cannot be told from a special token of this model")
            elif found.unknown == (n := found.words[-1] + 1):
                yield SentenceError(f"unknown words {n} of {n}: the model's vocabulary has none of them")
            else:
                yield _Encoded(found.ids, found.positions, found.words)


@dataclass(frozen=True, eq=False)
class _Variants:
    """The masked copies of sentences of one length, equal ones once, and the pieces to be read off them.

    Shapes:
        ids: int64 [variants, length]
        positions: int64 [variants], of the masked piece that is predicted
        row: int64 [pieces], the variant in which a piece is predicted, ascending
        piece: int64 [pieces], its true id
        sentence: int64 [pieces], the sentence it belongs to
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    row: NDArray[np.int64]
    piece: NDArray[np.int64]
    sentence: NDArray[np.int64]
    sentences: int


def _make_variants(sentences: Sequence[_Encoded], mask_id: int, score: ScoreName) -> _Variants:
    copies = np.concatenate([_mask_each(sentence, mask_id, score) for sentence in sentences])
    ids, row = np.unique(copies, axis=0, return_inverse=True)
    row = row.reshape(-1)
    order = np.argsort(row, kind="stable")
    return _Variants(
        ids=ids,
        # No sentence holds the mask token itself, and what is masked beside the predicted piece follows it.
        positions=np.argmax(ids == mask_id, axis=1),
        row=row[order],
        piece=np.concatenate([sentence.ids[sentence.positions] for sentence in sentences])[order],
        sentence=np.repeat(np.arange(len(sentences)), [len(s.positions) for s in sentences])[order],
        sentences=len(sentences),
    )


def _mask_each(sentence: _Encoded, mask_id: int, score: ScoreName) -> NDArray[np.int64]:
    """One copy for each piece, in which it is masked: int64 [pieces, length]."""
    n = len(sentence.positions)
    masked = np.eye(n, dtype=bool)
    if score == "within-word":
        masked = np.triu(sentence.words[:, None] == sentence.words)
    copies = np.tile(sentence.ids, (n, 1))
    copies[:, sentence.positions] = np.where(masked, mask_id, copies[:, sentence.positions])
    return copies


class _Predictor:
    """Runs variants and sums what they say of the true pieces; last layer and head run only where read."""

    def __init__(self, model: Probe, *, batch_tokens: int, on_passes: Callable[[int], None] | None) -> None:
        from probe.head import Head

        mask_id = model.tokenizer.mask_token_id
        assert isinstance(mask_id, int)
        self.mask_id = mask_id
        self._head, self._states = Head(model.model), MaskedStates(model)
        self._batch_tokens = batch_tokens
        self._on_passes = on_passes or (lambda passes: None)

    def __call__(self, variants: _Variants) -> NDArray[np.float64]:
        """Sum of the log-probabilities of each sentence's pieces: [sentences]."""
        import torch

        rows = max(1, self._batch_tokens // variants.ids.shape[1])
        sums = np.zeros(variants.sentences)
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
                    np.add.at(sums, variants.sentence[read], log_probabilities[index].double().cpu().numpy())
                self._on_passes(stop - start)
        return sums
