"""PWCN (Zhang, Li and Song, SIGIR 2019) and its LSTM baseline, and the proximity weights, in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

Architecture: TypeAlias = Literal["lstm", "pwcn"]

CLASSES = 3
WIDTH = 3
"""Words under a filter of the convolution."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of a network: the published ones unless told otherwise.

    Attributes:
        hidden: units of the LSTM, in each direction.
        dropout: of the embeddings of PWCN.
    """

    hidden: int = 300
    dropout: float = 0.3


@dataclass(frozen=True)
class Batch:
    """Items of a forward pass, several of which may share a sentence.

    Attributes:
        words: int64 [sentences, width], rows of the embeddings; 0 after the end of a sentence.
        lengths: int64 [sentences].
        weights: float32 [items, width], proximity weights, 0 after the end of a sentence.
        sentence: int64 [items], the sentence of each item; None: item i has sentence i.
    """

    words: Tensor
    lengths: Tensor
    weights: Tensor
    sentence: Tensor | None = None

    def to_items(self, values: Tensor) -> Tensor:
        """Values of sentences, [sentences, ...], as values of items, [items, ...]."""
        return values if self.sentence is None else values[self.sentence]


def proximity_weights(distances: Tensor, aspects: Tensor, lengths: Tensor) -> Tensor:
    """Weight of every word: 1 - distance / (n - aspect length), 0 on the aspect and on padding.

    Zhang et al. 2019, section 2.3, eq. 3, with the distance in the tree for that in words. Where the aspect is
    the whole sentence there is no context, and every weight is 0.

    Args:
        distances: float [items, width], of each word to the nearest word of the aspect.
        aspects: int64 [items, 2], first word and end (exclusive) of the aspect.
        lengths: int64 [items], n.

    Returns:
        float [items, width].
    """
    position = torch.arange(distances.shape[1], device=distances.device)
    start, end = aspects[:, :1], aspects[:, 1:]
    context = (position < lengths[:, None]) & ((position < start) | (position >= end))
    words = (lengths[:, None] - (end - start)).clamp(min=1)
    return torch.where(context, 1 - distances / words, torch.zeros_like(distances))


class Lstm(nn.Module):
    """The baseline: a one-directional LSTM, whose last state is classified. It does not see the aspect.

    Args:
        embeddings: float32 [words, size], row 0 for padding; they are not trained.
        shape: sizes.
    """

    embeddings: Tensor

    def __init__(self, embeddings: Tensor, shape: Shape) -> None:
        super().__init__()
        self.register_buffer("embeddings", embeddings, persistent=False)
        self.lstm = nn.LSTM(embeddings.shape[1], shape.hidden, batch_first=True)
        self.classify = nn.Linear(shape.hidden, CLASSES)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, [items, 3]."""
        states, _ = self.lstm(nn.functional.embedding(batch.words, self.embeddings))
        last = states[torch.arange(len(states), device=states.device), batch.lengths - 1]
        logits: Tensor = self.classify(last)
        return batch.to_items(logits)


class Pwcn(nn.Module):
    """Proximity-weighted convolution network: BiLSTM, weights, convolution, max-pooling.

    Words after the end of a sentence have no part in the result, so it does not depend on the batch. (In the
    published code the maximum runs over padding, too.)

    Args:
        embeddings: float32 [words, size], row 0 for padding; they are not trained.
        shape: sizes; the convolution has 2 ``hidden`` filters.
    """

    embeddings: Tensor

    def __init__(self, embeddings: Tensor, shape: Shape) -> None:
        super().__init__()
        filters = 2 * shape.hidden
        self.register_buffer("embeddings", embeddings, persistent=False)
        self.dropout = nn.Dropout(shape.dropout)
        self.forwards = nn.LSTM(embeddings.shape[1], shape.hidden, batch_first=True)
        self.backwards = nn.LSTM(embeddings.shape[1], shape.hidden, batch_first=True)
        self.filters = nn.Parameter(torch.empty(filters, filters, WIDTH))
        self.bias = nn.Parameter(torch.empty(filters))
        self.classify = nn.Linear(filters, CLASSES)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, [items, 3]."""
        states = self._states(batch)
        # The weights scale whole words, so the filters can be applied before them: once a sentence, and not
        # once an item. Part k is what a word adds to the place that has it as the k-th of its three.
        by_part = self.filters.permute(2, 0, 1).reshape(-1, states.shape[-1])
        filtered = batch.to_items(states @ by_part.T) * batch.weights[..., None]
        parts = filtered.chunk(WIDTH, dim=-1)
        features = self.bias + sum(
            nn.functional.pad(part, (0, 0, 1 - k, k - 1)) for k, part in enumerate(parts)
        )
        lengths, width = batch.to_items(batch.lengths), states.shape[1]
        inside = torch.arange(width, device=states.device) < lengths[:, None]
        pooled = (features.relu() * inside[..., None]).amax(dim=1)
        logits: Tensor = self.classify(pooled)
        return logits

    def _states(self, batch: Batch) -> Tensor:
        """States of both directions, [sentences, width, 2 hidden]."""
        embedded = self.dropout(nn.functional.embedding(batch.words, self.embeddings))
        position = torch.arange(batch.words.shape[1], device=embedded.device)
        ends = batch.lengths[:, None]
        # Reading a sentence from its own end, and not from that of the batch.
        mirror = torch.where(position < ends, ends - 1 - position, position)[..., None]
        forwards, _ = self.forwards(embedded)
        backwards, _ = self.backwards(embedded.gather(1, mirror.expand_as(embedded)))
        return torch.cat((forwards, backwards.gather(1, mirror.expand_as(backwards))), dim=-1)


def build(architecture: Architecture, embeddings: Tensor, shape: Shape) -> Lstm | Pwcn:
    """A network with freshly drawn weights: Xavier-uniform matrices, vectors within 1 / sqrt(size).

    Draws from torch's global generator. Every parameter is trained: the embeddings are none.
    """
    network = (Lstm if architecture == "lstm" else Pwcn)(embeddings, shape)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.uniform_(parameter, -(len(parameter) ** -0.5), len(parameter) ** -0.5)
    return network
