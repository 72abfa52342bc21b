"""Models of published sizes, with random weights and the embedded model's tokenizer: for timing only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers

import probe
from probe.model import placed

SEED = 0
_WINDOW = 512


def _bert(ids: dict[str, Any]) -> Any:
    return transformers.BertForMaskedLM(transformers.BertConfig(**ids))


def _modernbert(ids: dict[str, Any]) -> Any:
    return transformers.ModernBertForMaskedLM(transformers.ModernBertConfig(**ids))


def _gpt2(ids: dict[str, Any]) -> Any:
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**ids))


SHAPES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "bert-base": _bert,
    "modernbert-base": _modernbert,
    "gpt2": _gpt2,
}
"""By name, what makes a model of that shape from the ids of special pieces and the size of the vocabulary."""


def load(name: str, *, device: str = "auto", dtype: str = "float32") -> probe.Probe:
    """One of ``SHAPES``, or whatever ``probe.load`` takes."""
    if name not in SHAPES:
        return probe.load(name, device=device, dtype=dtype)
    own = probe.load("bert", device=device, dtype=dtype)
    tokenizer = own.tokenizer
    ids = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "cls_token_id": tokenizer.cls_token_id,
        "sep_token_id": tokenizer.sep_token_id,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = SHAPES[name](ids)
    return probe.Probe(
        name=f"{name} (random weights, seed {SEED})",
        model=placed(model, own.device, own.dtype),
        tokenizer=tokenizer,
        window=_WINDOW,
        has_head=True,
        best=own.best,
    )
