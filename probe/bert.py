"""BERT-like encoders run for many variants of few sentences: the same states by less work.

The variants of a sentence differ at few positions. A piece's embedding, and with it the first layer's query, key
and value, depends on nothing but the piece and its position: each is computed once, not once a variant. The
modules and the weights are the model's own; dropout, which does nothing here, is left out, and sums are taken
in place.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

BERT_LAYERS = frozenset(
    {"BertLayer", "CamembertLayer", "ElectraLayer", "ErnieLayer", "RobertaLayer", "XLMRobertaLayer"}
)
"""Layers known to be post-norm, with the submodules of BERT and full self-attention."""

_SHARED = 0.5
"""The first layer's inputs are computed once a piece and position if there are at most this part as many."""

_PART = 1_024
"""Pieces that go through a feed-forward block together on a processor: what is in it is four times as wide."""


class BertEncoder:
    """Forward passes of one encoder; see ``BertEncoder.of``."""

    def __init__(self, base: Any) -> None:
        self._layers = base.encoder.layer
        bare = with_modules(base.encoder, layer=torch.nn.ModuleList())
        self._embed = with_modules(base, encoder=bare, pooler=None)
        self._padding = base.config.pad_token_id

    @classmethod
    def of(cls, base: Any) -> BertEncoder | None:
        """For this base model, or None where it is of no kind that is known here."""
        layers = getattr(getattr(base, "encoder", None), "layer", None)
        if not layers or not all(_is_known(layer) for layer in layers):
            return None
        return None if base.config.is_decoder else cls(base)

    def states(self, ids: Tensor, layers: Collection[int], sees: Tensor | None = None) -> dict[int, Tensor]:
        """States of some layers, of which 0 is the embeddings; the layers above the highest do not run.

        Shapes: ids int64 [sequences, length]; sees bool [sequences, query, key], which positions each one
        attends to, None: all -> by layer, [sequences, length, hidden]
        """
        found: dict[int, Tensor] = {}
        states, projected = self._inputs(ids, max(layers) > 0)
        for at in range(max(layers) + 1):
            if at > 0:
                layer = self._layers[at - 1]
                query, key, value = projected or project(layer, states, states)
                mixed = attend(layer, query, key, value, sees)
                del query, key, value
                projected = ()
                states = above_attention(layer, mixed, states)
            if at in layers:
                found[at] = states
        return found

    def _inputs(self, ids: Tensor, with_layer: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Embeddings, and the first layer's queries, keys and values where it saves work to share them.

        In a sequence with padding in it, a position does not tell where a piece stands (RoBERTa).
        """
        padded = self._padding is not None and bool((ids == self._padding).any())
        if with_layer and len(ids) > 1 and not padded:
            kinds, which = _kinds(ids)
            if len(kinds) <= _SHARED * len(ids):
                embedded = self._embed(input_ids=kinds).last_hidden_state
                shared = (embedded, *project(self._layers[0], embedded, embedded))
                states, *projected = (of_one.flatten(0, 1)[which] for of_one in shared)
                return states, tuple(projected)
        return self._embed(input_ids=ids).last_hidden_state, ()


def _is_known(layer: torch.nn.Module) -> bool:
    """Not so the layers of the same name that come with a model's own code."""
    return type(layer).__name__ in BERT_LAYERS and type(layer).__module__.startswith("transformers.")


def _kinds(ids: Tensor) -> tuple[Tensor, Tensor]:
    """As few sequences as hold each piece at each position where it stands in ``ids``.

    Shapes: ids int64 [sequences, length] -> [kinds, length]; int64 [sequences, length], where in it, flat, each
    piece of ``ids`` stands
    """
    ordered, order = ids.sort(dim=0)
    rank = torch.zeros_like(ids)
    rank[1:] = (ordered[1:] != ordered[:-1]).cumsum(dim=0)
    row = torch.empty_like(ids).scatter_(0, order, rank)
    kinds = ids[:1].repeat(int(rank[-1].max()) + 1, 1).scatter_(0, row, ids)
    return kinds, row * ids.shape[1] + torch.arange(ids.shape[1], device=ids.device)


def project(layer: Any, reading: Tensor, below: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of the states that are read, keys and values of all, the heads side by side.

    Shapes: reading [sequences, read, hidden], below [sequences, length, hidden] -> as these
    """
    own = layer.attention.self
    return own.query(reading), own.key(below), own.value(below)


def attend(layer: Any, query: Tensor, key: Tensor, value: Tensor, sees: Tensor | None = None) -> Tensor:
    """Values mixed by attention, the heads side by side.

    Shapes: query [sequences, read, hidden], key and value [sequences, length, hidden], sees bool [sequences,
    read, length] -> [sequences, read, hidden]
    """
    own = layer.attention.self
    query, key, value = (heads(each, own.attention_head_size) for each in (query, key, value))
    mask = None if sees is None else sees[:, None]
    mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=own.scaling)
    return mixed.transpose(1, 2).flatten(2)


def above_attention(layer: Any, mixed: Tensor, below: Tensor) -> Tensor:
    """The rest of a layer: attention output and feed-forward block, each normalised after its residual.

    Shapes: mixed, below [sequences, positions, hidden] -> the same
    """
    inner = layer.attention.output
    attended: Tensor = inner.LayerNorm(inner.dense(mixed).add_(below))
    if attended.device.type != "cpu" or attended.shape[:2].numel() <= _PART:
        return _fed_forward(layer, attended)
    states = torch.empty_like(attended)
    for part, own in zip(_parts(attended), _parts(states), strict=True):
        own.copy_(_fed_forward(layer, part))
    return states


def _fed_forward(layer: Any, attended: Tensor) -> Tensor:
    """The feed-forward block and its norm."""
    outer = layer.output
    states: Tensor = outer.LayerNorm(outer.dense(layer.intermediate(attended)).add_(attended))
    return states


def _parts(states: Tensor) -> tuple[Tensor, ...]:
    """Sequences that have about ``_PART`` pieces together."""
    return torch.split(states, max(1, _PART // states.shape[1]))


def heads(projected: Tensor, size: int) -> Tensor:
    """Shapes: [sequences, positions, heads * size] -> [sequences, heads, positions, size]."""
    return projected.reshape(*projected.shape[:2], -1, size).transpose(1, 2)


def with_modules(module: torch.nn.Module, **submodules: torch.nn.Module | None) -> Any:
    """A shallow copy with other submodules: the weights are shared and the module is left as it was."""
    changed = copy.copy(module)
    changed._modules = {**module._modules, **submodules}
    return changed
