"""The last layer of BERT-like encoders, computed only where its states are read.

Of a sentence with one or two masked words, only the states at the masked pieces are compared. Keys and values need
every position; queries, the attention output and the feed-forward block do not.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LAYERS = frozenset(
    {"BertLayer", "CamembertLayer", "ElectraLayer", "ErnieLayer", "RobertaLayer", "XLMRobertaLayer"}
)
"""Layers known to be post-norm, with the submodules of BERT and full self-attention."""


class LastLayer:
    """Runs an encoder with its last layer reduced to chosen positions; see ``LastLayer.of``."""

    def __init__(self, lower: torch.nn.Module, layer: Any) -> None:
        self._lower, self._layer = lower, layer

    @classmethod
    def of(cls, base: torch.nn.Module) -> LastLayer | None:
        """For this base model, or None where its last layer is not known to be like BERT's."""
        encoder: Any = getattr(base, "encoder", None)
        layers = getattr(encoder, "layer", None)
        if not layers or type(layers[-1]).__name__ not in _LAYERS or base.config.is_decoder:  # type: ignore[union-attr]
            return None
        # Shallow copies: the weights are shared and the model is left as it was.
        lower_encoder = copy.copy(encoder)
        lower_encoder._modules = {**encoder._modules, "layer": torch.nn.ModuleList(layers[:-1])}
        lower = copy.copy(base)
        lower._modules = {**base._modules, "encoder": lower_encoder, "pooler": None}
        return cls(lower, layers[-1])

    def __call__(self, inputs: Tensor, wanted: NDArray[np.bool_]) -> Tensor:
        """Last-layer states where wanted, 0 elsewhere.

        Shapes: inputs int64 [sequences, length], wanted [sequences, length] -> [sequences, length, hidden]
        """
        below: Tensor = self._lower(input_ids=inputs).last_hidden_state
        most = int(wanted.sum(axis=1).max())
        positions = torch.from_numpy(np.argsort(~wanted, axis=1, kind="stable")[:, :most].copy()).to(
            below.device
        )
        rows = torch.arange(len(inputs), device=below.device)[:, None]
        states = below.new_zeros(below.shape)
        states[rows, positions] = self._read(below, below[rows, positions])
        return states

    def _read(self, below: Tensor, reading: Tensor) -> Tensor:
        """The layer at some positions.

        Shapes: below [sequences, length, hidden], reading [sequences, positions, hidden] -> that of reading
        """
        attention = self._layer.attention
        own = attention.self

        def heads(projected: Tensor) -> Tensor:
            return projected.reshape(*projected.shape[:2], own.num_attention_heads, -1).transpose(1, 2)

        mixed = torch.nn.functional.scaled_dot_product_attention(
            heads(own.query(reading)), heads(own.key(below)), heads(own.value(below)), scale=own.scaling
        )
        attended = attention.output(mixed.transpose(1, 2).flatten(2), reading)
        states: Tensor = self._layer.output(self._layer.intermediate(attended), attended)
        return states
