"""A run that begins with a pretrained encoder: its head, its new rows, its regulariser."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    BertForMaskedLM,
    BertModel,
    MPNetForMaskedLM,
    MPNetModel,
)

from pretraining.batches import Batch
from pretraining.config import ModelConfig
from pretraining.tokenizer import find_init

Pretrained = BertForMaskedLM | MPNetForMaskedLM
"""What a run can begin with."""

_TYPES = ("bert", "mpnet")


def load_pretrained(config: ModelConfig, *, seed: int) -> tuple[Pretrained, bool]:
    """The BERT or MPNet of ``config.init`` in float32 without dropout, and whether its head is new.

    Raises:
        OSError: there is no such model.
        ValueError: it is of another type, or lacks weights of the encoder.
    """
    source = find_init(config.init)
    torch.manual_seed(seed)
    shape = AutoConfig.from_pretrained(source)
    if shape.model_type not in _TYPES:
        raise ValueError(
            f"model.init: {config.init} is of type {shape.model_type}, expected {' or '.join(_TYPES)}"
        )
    shape.hidden_dropout_prob = shape.attention_probs_dropout_prob = 0.0
    loaded: Any = AutoModelForMaskedLM.from_pretrained(
        source, config=shape, dtype=torch.float32, output_loading_info=True
    )
    model: Pretrained = loaded[0]
    missing = set(loaded[1]["missing_keys"])
    if encoder := sorted(key for key in missing if key.startswith(f"{model.base_model_prefix}.")):
        raise ValueError(f"model.init: {config.init} lacks {encoder[0]} and {len(encoder) - 1} other weights")
    return model, bool(missing)


def begin_head(model: Pretrained, ids: NDArray[np.uint16], *, norm: float) -> None:
    """Let a new head begin as near to the encoder as it can: identity, small norm, frequencies of pieces.

    The states of a pretrained encoder lie near the embeddings of their words already, so the head's matrix begins
    at the identity; ``norm``, the weight of its layer norm, keeps the first logits small beside the output bias.
    """
    dense, layer_norm, bias = _head(model)
    counts = np.bincount(ids, minlength=model.config.vocab_size) + 1.0
    with torch.no_grad():
        torch.nn.init.eye_(dense.weight)
        dense.bias.zero_()
        layer_norm.weight.fill_(norm)
        layer_norm.bias.zero_()
        bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))


def _head(model: Pretrained) -> tuple[torch.nn.Linear, torch.nn.LayerNorm, torch.nn.Parameter]:
    """Matrix, norm and output bias of the head; its output matrix is the embeddings'."""
    if isinstance(model, MPNetForMaskedLM):
        return model.lm_head.dense, model.lm_head.layer_norm, model.lm_head.bias
    predictions = model.cls.predictions
    return predictions.transform.dense, predictions.transform.LayerNorm, predictions.bias


def renew_rows(
    model: Pretrained, tokenizer: Tokenizer, names: Sequence[str], ids: NDArray[np.uint16]
) -> None:
    """Set the embeddings of pieces to the mean over all pieces of the text.

    An encoder that was trained without masks has a [MASK] of no meaning.

    Raises:
        ValueError: the tokenizer has no such piece.
    """
    embeddings: torch.Tensor = _encoder(model).embeddings.word_embeddings.weight
    used = torch.from_numpy(np.unique(ids).astype(np.int64))
    with torch.no_grad():
        mean = embeddings[used].mean(0)
        for name in names:
            if (index := tokenizer.token_to_id(name)) is None:
                raise ValueError(f"model.renew: the tokenizer has no piece {name!r}")
            embeddings[index] = mean


def freeze_layers(model: Pretrained, count: int) -> None:
    """Keep the lowest ``count`` layers as they are; embeddings, upper layers and head still learn.

    Raises:
        ValueError: the model has fewer layers.
    """
    layers = _encoder(model).encoder.layer
    if count > len(layers):
        raise ValueError(f"optim.frozen_layers is {count}, but model.init has {len(layers)} layers")
    for layer in layers[:count]:
        layer.requires_grad_(False)


def freeze_encoder(model: Pretrained) -> None:
    """Keep layers and embeddings as they are: the head learns, but for its output matrix, the embeddings.

    No gradient is then computed below the head: the encoder costs a forward pass.
    """
    _encoder(model).requires_grad_(False)


def _encoder(model: Pretrained) -> BertModel | MPNetModel:
    return model.bert if isinstance(model, BertForMaskedLM) else model.mpnet


class Original:
    """The encoder as it was before the run, which a regulariser compares with.

    Its states are those of the text without masks: words that are not masked shall keep the states that they have
    in the whole sentence.
    """

    def __init__(self, model: Pretrained) -> None:
        self._encoder = copy.deepcopy(_encoder(model)).requires_grad_(False).train(False)

    @torch.no_grad()
    def states(self, batch: Batch, device: torch.device) -> tuple[torch.Tensor, ...]:
        """States of every layer above the embeddings, each [sequences, length, hidden]."""
        inputs: dict[str, Any] = {
            "input_ids": torch.from_numpy(batch.unmasked()).to(device),
            "attention_mask": torch.from_numpy(batch.attention).to(device),
        }
        hidden: tuple[torch.Tensor, ...] = self._encoder(**inputs, output_hidden_states=True).hidden_states
        return hidden[1:]


def distance(
    states: Sequence[torch.Tensor], original: Sequence[torch.Tensor], kept: torch.Tensor
) -> torch.Tensor:
    """How far states moved: squared distance over squared length of the original's, mean over layers.

    Shapes:
        states, original: each [sequences, length, hidden], a layer each
        kept: bool [sequences, length], the positions compared
        returns []
    """
    parts = []
    for now, before in zip(states, original, strict=True):
        reference = before[kept].float()
        parts.append((now[kept].float() - reference).square().sum() / reference.square().sum())
    return torch.stack(parts).mean()
