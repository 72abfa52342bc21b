"""The last layer of BERT-like and ModernBERT encoders, computed only where its states are read; and no layer
above the one that is read.

Of a sentence with one or two masked words, only the states at the masked pieces are compared. Keys and
values need every position; queries, the attention output and the feed-forward block do not. There is never
any padding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

from probe.bert import BERT_LAYERS, BertEncoder, above_attention, attend, heads, project, with_modules

_CUT_LAYERS = BERT_LAYERS | {"MPNetLayer", "NezhaLayer"}
"""Layers whose stack can end at any of them: what the last one gives is the state of that layer."""

_Run = Callable[[Tensor], Tensor]
"""Pieces int64 [sequences, length] -> all states below the layer [sequences, length, hidden]."""
_Read = Callable[[Tensor, Tensor], Tensor]
"""All states below the layer [sequences, length, hidden] and positions int64 [sequences, read] -> the layer's
states at the positions [sequences, read, hidden]."""


class LastLayer:
    """Runs an encoder with its last layer reduced to chosen positions; see ``LastLayer.of``."""

    def __init__(self, lower: _Run, read: _Read) -> None:
        self._lower, self._read = lower, read

    @classmethod
    def of(cls, base: torch.nn.Module) -> LastLayer | None:
        """For this base model, or None where its last layer is of no kind that is known here."""
        return cls._of_bert(base) or cls._of_modernbert(base)

    @classmethod
    def _of_bert(cls, base: Any) -> LastLayer | None:
        encoder = BertEncoder.of(base)
        if encoder is None:
            return None
        layers = base.encoder.layer
        below = len(layers) - 1
        return cls(lambda ids: encoder.states(ids, [below])[below], partial(_read_bert, layers[-1]))

    @classmethod
    def _of_modernbert(cls, base: Any) -> LastLayer | None:
        layers = getattr(base, "layers", None)
        if not layers or type(layers[-1]).__name__ != "ModernBertEncoderLayer":
            return None
        if layers[-1].attention_type != "full_attention":
            return None
        # The norm at the end is that of the last layer's states.
        lower = with_modules(base, layers=torch.nn.ModuleList(layers[:-1]), final_norm=torch.nn.Identity())
        return cls(lambda ids: lower(input_ids=ids).last_hidden_state, partial(_read_modernbert, base))

    def __call__(self, inputs: Tensor, wanted: NDArray[np.bool_]) -> Tensor:
        """Last-layer states where wanted, 0 elsewhere.

        Shapes: inputs int64 [sequences, length], wanted [sequences, length] -> [sequences, length, hidden]
        """
        below = self._lower(inputs)
        most = int(wanted.sum(axis=1).max())
        positions = torch.from_numpy(np.argsort(~wanted, axis=1, kind="stable")[:, :most].copy()).to(
            below.device
        )
        states = below.new_zeros(below.shape)
        states[_sequences(positions), positions] = self._read(below, positions)
        return states


def lower_layers(base: Any, count: int) -> Any:
    """The encoder without the layers above the first ``count``; None where that is not known to be exact.

    The weights are shared, and the encoder is left as it was. 0 layers give the embeddings.
    """
    encoder: Any = getattr(base, "encoder", None)
    layers = getattr(encoder, "layer", None)
    if (
        not layers
        or type(layers[-1]).__name__ not in _CUT_LAYERS
        or getattr(base.config, "is_decoder", False)
    ):
        return None
    lower = with_modules(encoder, layer=torch.nn.ModuleList(layers[:count]))
    return with_modules(base, encoder=lower, pooler=None)


def _sequences(positions: Tensor) -> Tensor:
    """Index of the sequences that goes with positions in them: int64 [sequences, 1]."""
    return torch.arange(len(positions), device=positions.device)[:, None]


def _read_bert(layer: Any, below: Tensor, positions: Tensor) -> Tensor:
    reading = below[_sequences(positions), positions]
    return above_attention(layer, attend(layer, *project(layer, reading, below)), reading)


def _read_modernbert(base: Any, below: Tensor, positions: Tensor) -> Tensor:
    """ModernBERT's layer: attention and gated feed-forward block, each normalised before; final norm."""
    layer = base.layers[-1]
    own, sequences = layer.attn, _sequences(positions)
    normed = layer.attn_norm(below)
    # The rows of Wqkv are those of the queries, then those of the keys and the values.
    weight, bias, size = own.Wqkv.weight, own.Wqkv.bias, below.shape[-1]
    of_queries, of_others = (None, None) if bias is None else (bias[:size], bias[size:])
    query = linear(normed[sequences, positions], weight[:size], of_queries)
    key, value = linear(normed, weight[size:], of_others).chunk(2, dim=-1)
    query, key, value = (heads(projected, own.head_dim) for projected in (query, key, value))
    everywhere = torch.arange(below.shape[1], device=below.device)[None]
    cos, sin = base.rotary_emb(below, everywhere, layer.attention_type)
    mixed = scaled_dot_product_attention(
        _rotated(query, cos[0, positions], sin[0, positions]),
        _rotated(key, cos, sin),
        value,
        scale=own.head_dim**-0.5,
    )
    attended = below[sequences, positions] + own.Wo(mixed.transpose(1, 2).flatten(2))
    states: Tensor = base.final_norm(attended + layer.mlp(layer.mlp_norm(attended)))
    return states


def _rotated(projected: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021), in float32 as the model's own code.

    Shapes: [sequences, heads, positions, size], cos and sin [sequences or 1, positions, size] -> the first
    """
    exact = projected.float()
    low, high = exact.chunk(2, dim=-1)
    turned = exact * cos[:, None] + torch.cat((-high, low), dim=-1) * sin[:, None]
    return turned.to(projected.dtype)
