"""Ways to the same results, timed in turn, so that a noisy machine disturbs all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
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


def in_turn(
    device: torch.device, *, ours: Callable[[], object], bare: Callable[[], object], repeats: int
) -> dict[str, Any]:
    """Medians of the seconds of both, and their ratios.

    The processors' seconds say more than the clock where other work shares the machine; where it is quiet the
    clock says more, since it sees threads that wait for each other.
    """
    runs = {"ours": ours, "bare": bare}
    found: dict[str, list[Seconds]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            found[name].append(timed(device, run))
    report: dict[str, Any] = {}
    for place, kind in enumerate(("", "processor ")):
        medians = {name: statistics.median(each[place] for each in times) for name, times in found.items()}
        report[f"{kind}seconds"] = {name: round(value, 2) for name, value in medians.items()}
        report[f"ours / bare, {kind}seconds" if kind else "ours / bare"] = round(
            medians["ours"] / medians["bare"], 3
        )
    return report
