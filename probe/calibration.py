"""Which type of numbers a model computes fastest in on this machine: measured, not looked up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from probe.errors import warn

if TYPE_CHECKING:
    import torch

    from probe.model import Probe

_SEQUENCES, _PIECES = 64, 32
"""The batch that is timed."""
_ROUNDS = 3
"""Passes of which the fastest counts; the types take turns, so that a busy moment hits all."""
_WORTH = 0.9
"""A type with fewer digits has to take less than this share of the time of float32."""


def take_fastest(model: Probe) -> None:
    """Put a float32 model into the type that is fastest here, where another clearly is, and say what was measured.

    Candidates are float32, bfloat16 and, on a GPU, float16. Results in the latter two differ in the third digit.
    """
    import torch

    from probe.model import placed

    trial = model.with_random_weights()  # what goes through 16 bits loses digits
    types = [torch.float32, torch.bfloat16]
    types += [torch.float16] if model.device.type != "cpu" else []
    seconds = dict.fromkeys(types, float("inf"))
    for _ in range(_ROUNDS):
        for dtype in types:
            placed(trial.model, model.device, dtype)
            seconds[dtype] = min(seconds[dtype], _seconds(trial))
    best = min(types, key=seconds.__getitem__)
    if seconds[best] > _WORTH * seconds[torch.float32]:
        best = torch.float32
    placed(model.model, model.device, best)
    listed = ", ".join(f"{_name(dtype)} {1000 * seconds[dtype]:.0f} ms" for dtype in types)
    warn(f"{model.name}: dtype fastest is {_name(best)} here ({listed} for {_SEQUENCES} x {_PIECES} pieces)")


def _seconds(model: Probe) -> float:
    import torch

    from probe.forward import inputs_of

    device = model.device
    base: Any = model.model.base_model
    length = min(_PIECES, model.window)
    piece = model.pieces.some(["a"])[0]
    ids = torch.full((_SEQUENCES, length), piece, device=device)
    with torch.inference_mode():
        begin = time.perf_counter()
        states = base(**inputs_of(base, ids)).last_hidden_state
        float(states[0, 0, 0])  # waits for a GPU
        return time.perf_counter() - begin


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
