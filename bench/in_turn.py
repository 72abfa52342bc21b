"""Ways to the same results, timed in turn, so that a noisy machine disturbs all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch


class Seconds(NamedTuple):
    """How long a run took: by the clock, and of the processors, all threads of this process together."""

    clock: float
    processor: float


def timed(device: torch.device, run: Callable[[], object]) -> Seconds:
    """Seconds of one run, the device's queue included."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return Seconds(time.perf_counter() - clock, time.process_time() - processor)


def medians(
    device: torch.device, runs: Mapping[str, Callable[[], object]], *, repeats: int
) -> dict[str, Seconds]:
    """Medians of the seconds of each of the ways.

    The processors' seconds say more than the clock where other work shares the machine; where it is quiet the
    clock says more, since it sees threads that wait for each other.
    """
    found: dict[str, list[Seconds]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            found[name].append(timed(device, run))
    return {
        name: Seconds(*(statistics.median(each) for each in zip(*times, strict=True)))
        for name, times in found.items()
    }


def in_turn(
    device: torch.device, *, ours: Callable[[], object], bare: Callable[[], object], repeats: int
) -> dict[str, Any]:
    """Medians of the seconds of both, and their ratios."""
    found = medians(device, {"ours": ours, "bare": bare}, repeats=repeats)
    report: dict[str, Any] = {}
    for place, kind in enumerate(("", "processor ")):
        report[f"{kind}seconds"] = {name: round(times[place], 2) for name, times in found.items()}
        report[f"ours / bare, {kind}seconds" if kind else "ours / bare"] = round(
            found["ours"][place] / found["bare"][place], 3
        )
    return report
