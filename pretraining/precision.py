"""The number format a run computes in, measured where it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

_GAIN = 1.2
"""bfloat16 has to be this much faster to be worth its rounding."""


def choose_dtype(asked: str, device: torch.device) -> torch.dtype:
    """float32, unless ``asked`` says otherwise or, at "auto", the processor multiplies bfloat16 faster.

    Having the instruction says nothing: some processors that have it are half as fast with it.
    """
    if asked != "auto":
        return torch.bfloat16 if asked == "bfloat16" else torch.float32
    if device.type == "cpu" and not torch.cpu._is_avx512_bf16_supported():
        return torch.float32
    rates = {dtype: _products_per_second(dtype, device) for dtype in (torch.float32, torch.bfloat16)}
    return torch.bfloat16 if rates[torch.bfloat16] > _GAIN * rates[torch.float32] else torch.float32


def _products_per_second(dtype: torch.dtype, device: torch.device) -> float:
    """Of one layer's product, [3072, 384] by [384, 1536]: the best of some tries, since others use the machine."""
    left = torch.ones(3072, 384, dtype=dtype, device=device)
    right = torch.ones(384, 1536, dtype=dtype, device=device)
    return 1 / min(_seconds(lambda: left @ right, device) for _ in range(8))


def _seconds(call: Callable[[], torch.Tensor], device: torch.device) -> float:
    began = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Products in ``dtype``; nothing to do for float32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)
