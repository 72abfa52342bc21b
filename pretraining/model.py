"""The model that is trained: a small ModernBERT whose attention begins at the neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertForMaskedLM, ModernBertConfig, ModernBertForMaskedLM, MPNetForMaskedLM

from pretraining.batches import Batch
from pretraining.config import ModelConfig
from pretraining.tokenizer import SPECIAL_TOKENS

MaskedLM = ModernBertForMaskedLM | BertForMaskedLM | MPNetForMaskedLM
"""A model from scratch, or a pretrained one."""

_SLOWEST = 0.1
"""Rotary frequencies below this, in radians a position, do not tell near positions apart."""
_GAIN = 3.0
"""Size of the first attention logits: nine tenths of a head's weight fall on its neighbour."""


def build_model(config: ModelConfig, *, seed: int) -> ModernBertForMaskedLM:
    """A freshly initialised ModernBERT (Warner et al. 2024) of the configured shape, without dropout.

    Every layer sees the whole sequence. Rotary positions serve all of the window alike, although few sequences of
    the training are that long.
    """
    torch.manual_seed(seed)
    pad, _, cls, sep, _ = range(len(SPECIAL_TOKENS))
    rope = {"rope_type": "default", "rope_theta": config.rope_theta}
    shape = ModernBertConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        max_position_embeddings=config.max_position_embeddings,
        initializer_range=config.initializer_range,
        attention_bias=True,
        layer_types=["full_attention"] * config.num_hidden_layers,
        rope_parameters={"full_attention": rope, "sliding_attention": dict(rope)},
        pad_token_id=pad,
        bos_token_id=cls,
        cls_token_id=cls,
        eos_token_id=sep,
        sep_token_id=sep,
    )
    model = ModernBertForMaskedLM(shape)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.attn.Wqkv.bias.copy_(neighbour_bias(config))
    return model


def neighbour_bias(config: ModelConfig) -> torch.Tensor:
    """Query and key biases with which half of the heads begin at the words beside: float32 [3 * hidden].

    Under rotary positions (Su et al. 2021) constant queries and keys give a weight that depends on the offset
    alone. The heads take the offsets -1, 1, -2, 2, ... in turn. Small masked LMs otherwise stay at piece
    frequencies for thousands of steps, until they find out that neighbours matter.
    """
    size = config.hidden_size // config.num_attention_heads
    half = size // 2
    frequency = config.rope_theta ** -(torch.arange(half) / half)
    amplitude = (_GAIN * size**0.5) ** 0.5 * (frequency >= _SLOWEST)
    bias = torch.zeros(3, config.num_attention_heads, size)
    for head in range(config.num_attention_heads // 2):
        offset = (head // 2 + 1) * (1 if head % 2 else -1)
        bias[0, head, :half] = amplitude * torch.cos(offset * frequency)
        bias[0, head, half:] = amplitude * torch.sin(offset * frequency)
        bias[1, head, :half] = amplitude
    return bias.flatten()


def release_neighbours(model: ModernBertForMaskedLM) -> None:
    """Set the query and key biases of every layer but the first to zero.

    They are a scaffold: they end the plateau early, but later they only keep the upper layers at the neighbours.
    """
    with torch.no_grad():
        for layer in model.model.layers[1:]:
            bias = layer.attn.Wqkv.bias
            bias[: 2 * len(bias) // 3] = 0.0


def set_unigram_bias(model: ModernBertForMaskedLM, ids: NDArray[np.uint16]) -> None:
    """Let the output begin at the frequencies of pieces.

    Otherwise the first thousands of steps write them into the embeddings, which are tied to the output.
    """
    counts = np.bincount(ids, minlength=model.config.vocab_size) + 1.0
    with torch.no_grad():
        model.decoder.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))


def window(model: MaskedLM) -> int:
    """The longest sequence, in pieces: MPNet counts positions from the one after the padding's number."""
    config: Any = model.config
    before = config.pad_token_id + 1 if isinstance(model, MPNetForMaskedLM) else 0
    return int(config.max_position_embeddings) - before


def predicted_logits(model: MaskedLM, batch: Batch, device: torch.device) -> torch.Tensor:
    """Logits of the positions that predict, float32 [predicted positions, vocabulary]."""
    return forward(model, batch, device)[0]


def forward(
    model: MaskedLM, batch: Batch, device: torch.device, *, every_layer: bool = False
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Logits of the positions that predict, and, if asked for, the states of all layers above the embeddings.

    Shapes:
        logits: float32 [predicted positions, vocabulary]
        states: each [sequences, length, hidden]
    """
    inputs: dict[str, Any] = {"input_ids": torch.from_numpy(batch.ids).to(device)}
    if batch.sides.any():
        inputs["attention_mask"] = torch.from_numpy(batch.visible()).to(device)
    elif not batch.attention.all():
        inputs["attention_mask"] = torch.from_numpy(batch.attention).to(device)
    encoded = model.base_model(**inputs, output_hidden_states=every_layer)
    predicting = encoded.last_hidden_state[torch.from_numpy(batch.predicted).to(device)]
    logits = _head(model, predicting)
    return logits.float(), tuple(encoded.hidden_states[1:]) if every_layer else ()


def _head(model: MaskedLM, states: torch.Tensor) -> torch.Tensor:
    """Logits [..., vocabulary] of the last layer's states [..., hidden]."""
    logits: torch.Tensor
    match model:
        case BertForMaskedLM():
            logits = model.cls(states)
        case MPNetForMaskedLM():
            logits = model.lm_head(states)
        case _:
            logits = model.decoder(model.head(states))
    return logits
