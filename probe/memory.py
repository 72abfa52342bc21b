"""Memory: how much goes into one pass, what running out of it looks like, and giving it back."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

import torch


@dataclass
class Budget:
    """How many pieces go into one forward pass; halved whenever memory runs out."""

    tokens: int

    def rows(self, length: int) -> int:
        """Number of sequences of this length in one pass, at least one."""
        return max(1, self.tokens // length)


def return_freed_memory() -> None:
    """Give the system back what was freed, where the C library can (glibc).

    oneDNN keeps a small object for every new shape of a batch. On glibc's heap these come to lie where large
    tensors of the passes were freed, and the holes are too small for the next tensors: without this, memory
    grows with the number of shapes, by up to a tensor of the feed-forward block each.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


class FreedMemory:
    """What passes on a processor free: kept for the next ones of a length, and then given back to the system.

    The C library (glibc) returns and fetches nearly every large tensor, pages that the system must clear each
    time, until a block of 32 MiB is freed; from then on it keeps 64 MiB. Such a block is freed here.
    """

    def __init__(self, device: torch.device) -> None:
        self._is_kept = device.type == "cpu"
        self._pieces = 0
        if self._is_kept:
            torch.empty(_LARGEST, dtype=torch.uint8)

    def add(self, pieces: int, budget: Budget) -> None:
        """Count pieces of sequences of one length that were run."""
        self._pieces += pieces
        if self._is_kept and self._pieces >= _LEAST * budget.tokens:
            return_freed_memory()
            self._pieces = 0


_LARGEST = 2**25 - 2**13
"""Bytes of a tensor that takes just less than the largest block that counts (DEFAULT_MMAP_THRESHOLD_MAX)."""
_LEAST = 0.25
"""Part of a full pass: what fewer pieces free is kept for those of another length, too."""


class OutOfMemoryError(Exception):
    """One sequence of a group does not fit."""


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the error is that of a pass that did not fit."""
    words = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)
