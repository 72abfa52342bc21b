"""Run directories whose making is killed at random times, for ``tests.probe.test_store_interrupted``."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import probe
from probe.manifest import MANIFEST, Manifest
from probe.store import Store
from tests.tiny import SENTENCES

WORDS = [sentence.split() for sentence in SENTENCES[:10]]
SHARD_SENTENCES = 1
SHARDS = len(WORDS)


class Counting:
    """A probe that writes a byte to a file whenever it begins sentences."""

    def __init__(self, model: probe.Probe, log: Path) -> None:
        self._model, self._log = model, log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def impact_many(self, sentences: Any, **options: Any) -> Any:
        """As that of the probe."""
        if sentences:
            with self._log.open("ab") as file:
                file.write(b"x")
        return self._model.impact_many(sentences, **options)


def fork(work: Callable[[], object]) -> int:
    """Start a process that does the work; returns its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def wait(child: int) -> None:
    """Wait for a process that must end well."""
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main(model_folder: Path, folder: Path, kills: int) -> list[dict[str, int]]:
    """Make ``whole`` undisturbed, then ``0``, ``1`` and so on, each killed once and started again.

    Every run is a fork of this process, which is to be one of its own.

    Returns:
        Of each, how many shards were begun in the two runs and how many the killed run had finished.
    """
    torch.set_num_threads(1)  # a fork has no other threads
    model = probe.load(model_folder, device="cpu", dtype="float32")

    def run(out: Path, log: Path) -> int:
        counting: Any = Counting(model, log)
        return fork(lambda: Store.fill(out, counting, WORDS, shard_sentences=SHARD_SENTENCES))

    Store.fill(folder / "whole", model, WORDS, shard_sentences=SHARD_SENTENCES)
    started = time.monotonic()
    wait(run(folder / "timed", folder / "timed.log"))
    seconds = time.monotonic() - started
    rng = random.Random(0)
    report = []
    for number in range(kills):
        out, log = folder / str(number), folder / f"{number}.log"
        log.touch()
        child = run(out, log)
        time.sleep(rng.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        finished = len(Manifest.load(out).shards) if (out / MANIFEST).exists() else 0
        wait(run(out, log))
        report.append({"begun": log.stat().st_size, "finished": finished})
    return report
