"""Held-out masked-word prediction for the model card: by shard, masking ratio and position in the window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pretraining.batches import Batch, Specials, assemble, mask_words, pack
from pretraining.corpus import read_sentences
from pretraining.prepare import Pieces, tokenize
from probe import Probe
from probe.head import Head

SHORT = 64
"""Most sequences of the training are this long."""
WINDOW = 512
"""The longest sequences that the card reports."""
BINS = ((1, 64), (65, 128), (129, 256), (257, 512))
"""Positions in the window, from 1 ([CLS]), both ends included."""

_BATCH_PIECES = 4_096
_HEAD_READS = 256


@dataclass(frozen=True)
class Shard:
    """A held-out shard in the pieces of a model."""

    name: str
    pieces: Pieces
    specials: Specials


@dataclass(frozen=True)
class Predictions:
    """What a model says of masked pieces.

    Shapes:
        loss: float64 [masked], cross-entropy in nats
        correct: bool [masked], whether the true piece has the highest probability
        position: int64 [masked], in the sequence, from 1
        first: bool [masked], whether the piece is the first of its word; the others of the word follow
    """

    loss: NDArray[np.float64]
    correct: NDArray[np.bool_]
    position: NDArray[np.int64]
    first: NDArray[np.bool_]

    def as_dict(self) -> dict[str, Any]:
        """Accuracy over pieces and over words (all pieces right) in percent, perplexity of pieces, counts."""
        starts = np.flatnonzero(self.first)
        words = np.logical_and.reduceat(self.correct, starts)
        return {
            "accuracy": round(100 * float(self.correct.mean()), 2),
            "word_accuracy": round(100 * float(words.mean()), 2),
            "perplexity": round(float(np.exp(self.loss.mean())), 2),
            "masked_pieces": len(self.loss),
            "masked_words": len(starts),
        }

    def between(self, low: int, high: int) -> Predictions:
        """Those of the words that begin at the positions ``low`` to ``high``."""
        word = np.cumsum(self.first) - 1
        begins = self.position[self.first][word]
        kept = (low <= begins) & (begins <= high)
        return Predictions(self.loss[kept], self.correct[kept], self.position[kept], self.first[kept])


def read_shard(path: Path, p: Probe, *, documents: int | None) -> Shard:
    """The first documents of a shard in the model's pieces, all of them without a number.

    Raises:
        ValueError: there is no text in it, or it is not xz-compressed text.
    """
    tokenizer = p.tokenizer.backend_tokenizer
    pieces = tokenize(islice(read_sentences(path), documents), tokenizer)
    if not len(pieces.ids):
        raise ValueError(f"{path}: no text in this shard")
    return Shard(path.name.removesuffix(".txt.xz"), pieces, Specials.of(tokenizer))


def ratio_rows(
    p: Probe, shard: Shard, *, ratios: Sequence[float], pieces: int, seed: int
) -> list[dict[str, Any]]:
    """Prediction in sequences of whole sentences, at the length of most of the training and at the window's.

    Args:
        p: the model.
        shard: held-out text.
        ratios: shares of the words that are masked.
        pieces: about so many are run at each length and ratio, in randomly drawn sequences.
        seed: of sequences and masks.
    """
    rows = []
    for length in sorted({min(SHORT, p.window), min(WINDOW, p.window)}):
        spans = pack(shard.pieces, length)
        for ratio in ratios:
            batches = masked_batches(shard, spans, length, ratio=ratio, pieces=pieces, seed=seed)
            found = predict(p, batches, shard.specials)
            rows.append({"shard": shard.name, "length": length, "masked": ratio, **found.as_dict()})
    return rows


def position_rows(p: Probe, shard: Shard, *, ratio: float, pieces: int, seed: int) -> list[dict[str, Any]]:
    """Prediction by the position in the window of the word's first piece; every sequence fills the window.

    Args:
        p: the model.
        shard: held-out text; without a document that fills the window there are no rows.
        ratio: share of the words that is masked.
        pieces: about so many are run, in randomly drawn sequences.
        seed: of sequences and masks.
    """
    length = min(WINDOW, p.window)
    spans = full_spans(shard.pieces, length)
    if not len(spans):
        return []
    batches = masked_batches(shard, spans, length, ratio=ratio, pieces=pieces, seed=seed)
    found = predict(p, batches, shard.specials)
    rows = []
    for low, high in BINS:
        part = found.between(low, min(high, length))
        if len(part.loss):
            where = {"shard": shard.name, "from": low, "to": min(high, length), "masked": ratio}
            rows.append({**where, **part.as_dict()})
    return rows


def full_spans(pieces: Pieces, length: int) -> NDArray[np.int64]:
    """Spans that fill sequences of ``length`` with [CLS] and [SEP], each from the start of a sentence.

    The last sentence of a sequence may be cut; the next sequence begins with the sentence after it.

    Shapes:
        returns int64 [sequences, 2], (start, end) with end exclusive
    """
    room = length - 2
    spans = []
    for first, last in zip(pieces.documents[:-1], pieces.documents[1:], strict=True):
        end = 0
        for start in pieces.sentences[first:last].tolist():
            if start >= end and start + room <= pieces.sentences[last]:
                end = start + room
                spans.append((start, end))
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


def masked_batches(
    shard: Shard, spans: NDArray[np.int64], length: int, *, ratio: float, pieces: int, seed: int
) -> Iterator[Batch]:
    """Batches of randomly drawn sequences, about ``pieces`` pieces in all, the shortest first."""
    rng = np.random.default_rng(seed)
    drawn = spans[rng.permutation(len(spans))[: max(1, pieces // length)]]
    drawn = drawn[np.argsort(drawn[:, 1] - drawn[:, 0], kind="stable")]
    rows = max(1, _BATCH_PIECES // length)
    for start in range(0, len(drawn), rows):
        ids = assemble(shard.pieces, drawn[start : start + rows], shard.specials)
        yield mask_words(ids, shard.specials, low=ratio, high=ratio, rng=rng)


@torch.inference_mode()
def predict(p: Probe, batches: Iterable[Batch], specials: Specials) -> Predictions:
    """Predict the masked pieces of batches; the head runs at masked positions only."""
    head = Head(p.model)
    parts = []
    for batch in batches:
        inputs = {"input_ids": torch.from_numpy(batch.ids).to(p.device)}
        if not batch.attention.all():
            inputs["attention_mask"] = torch.from_numpy(batch.attention).to(p.device)
        states = p.model.base_model(**inputs).last_hidden_state[
            torch.from_numpy(batch.predicted).to(p.device)
        ]
        loss, correct = _read(head, states, torch.from_numpy(batch.targets).to(p.device))
        # Whole words are masked, so a piece continues the masked piece before it or is its word's first.
        before = np.pad(batch.predicted, ((0, 0), (1, 0)))[:, :-1][batch.predicted]
        first = ~(specials.continues[batch.targets] & before)
        parts.append((loss, correct, np.nonzero(batch.predicted)[1] + 1, first))
    return Predictions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _read(
    head: Head, states: torch.Tensor, targets: torch.Tensor
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cross-entropy and whether the prediction is right, for states [masked, hidden] and targets [masked]."""
    losses, corrects = [], []
    for start in range(0, len(states), _HEAD_READS):
        log_probabilities = head.log_probabilities(states[start : start + _HEAD_READS])
        true = targets[start : start + _HEAD_READS]
        losses.append(-log_probabilities.gather(1, true[:, None])[:, 0].double().cpu().numpy())
        corrects.append((log_probabilities.argmax(1) == true).cpu().numpy())
    return np.concatenate(losses), np.concatenate(corrects)
