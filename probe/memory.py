"""Memory: how much goes into one pass, what running out of it looks like, and giving it back."""

from __future__ import annotations

import ctypes
import mmap
import sys
from dataclasses import dataclass
from pathlib import Path

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
    """What passes on a processor free: kept for the next ones, and given back to the system as it grows.

    The C library (glibc) returns and fetches nearly every large tensor, pages that the system must clear each
    time, until a block of 32 MiB is freed; from then on it keeps 64 MiB. Such a block is freed here.
    """

    def __init__(self, device: torch.device) -> None:
        self._is_kept = device.type == "cpu" and sys.platform == "linux"
        self._before = 0
        if self._is_kept:
            torch.empty(_LARGEST, dtype=torch.uint8)
            self._before = resident_bytes()

    def give_back(self) -> None:
        """After sentences of one length: give back what is kept, where it has grown."""
        if self._is_kept and resident_bytes() - self._before > _KEPT:
            return_freed_memory()
            self._before = resident_bytes()


def resident_bytes() -> int:
    """Memory of this process that is in use or held by the C library (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE


_LARGEST = 2**25 - 2**13
"""Bytes of a tensor that takes just less than the largest block that counts (DEFAULT_MMAP_THRESHOLD_MAX)."""
_KEPT = 2**26
"""By so many bytes memory may have grown since some was given back."""


class OutOfMemoryError(Exception):
    """One sequence of a group does not fit."""


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the error is that of a pass that did not fit."""
    words = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)
