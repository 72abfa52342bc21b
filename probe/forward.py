"""What goes into a forward pass of any encoder."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor


def inputs_of(base: torch.nn.Module, ids: Tensor) -> dict[str, Tensor]:
    """Pieces, and an attention mask of ones where the model takes one.

    Without the mask some models (FlauBERT, XLM) hide the pieces whose id is that of their padding.

    Shapes: ids int64 [sequences, length], and the mask the same
    """
    if "attention_mask" not in inspect.signature(base.forward).parameters:
        return {"input_ids": ids}
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
