"""Workers that are processes of this machine, one for each device: ``--devices cuda:0,cuda:1``."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from probe.errors import OptionError
from probe.manifest import StoreError
from probe.workers import Computed, ShardWorker, Start, Task, WorkerDiedError, computed

if TYPE_CHECKING:
    from probe.model import Words
    from probe.structure import Structure

__all__ = ["Processes"]


class Processes:
    """A process for each device; a ``Crew``.

    A program that uses it has to guard what it does by ``if __name__ == "__main__":``, since every process imports
    its module.

    Args:
        devices: as ``probe.load`` takes them, of one type: ["cuda:0", "cuda:1"], ["cpu", "cpu"].

    Raises:
        OptionError: no device, an unknown one, one twice (but "cpu") or devices of different types.
    """

    def __init__(self, devices: Sequence[str]) -> None:
        from probe.loading import resolve_device

        found = [resolve_device(name) for name in devices]
        types = sorted({device.type for device in found})
        if len(types) != 1:
            raise OptionError(
                f"devices: one or more of one type are expected, found {', '.join(types) or 'none'}"
            )
        self.device = types[0]
        if self.device != "cpu" and len({str(device) for device in found}) < len(found):
            raise OptionError(f"devices: each once is expected, found {','.join(devices)}")
        self._devices = tuple(devices)

    def starts(self, task: Task) -> Sequence[tuple[str, Start]]:
        """What starts each of the workers, and its name."""
        return [
            (f"worker {number} on {device}", partial(Process, device, task))
            for number, device in enumerate(self._devices, start=1)
        ]


class Process:
    """A ``probe.workers.Worker`` in a process of its own."""

    def __init__(self, device: str, task: Task) -> None:
        context = multiprocessing.get_context("spawn")
        self._device = device
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, device, task), daemon=True)
        with _without_interrupts():
            self._process.start()
        there.close()

    def load(self) -> None:
        """Wait until the model is loaded."""
        refusal = self._receive()
        if refusal is not None:
            raise StoreError(f"the worker on {self._device} cannot do the same: {refusal}")

    def shard(self, places: range, sentences: Sequence[Words], structure: Structure | None) -> Computed:
        """Compute a shard."""
        try:
            self._here.send((places, sentences, structure))
        except OSError as error:
            raise self._died() from error
        return computed(self._receive())

    def stop(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join(timeout=10)

    def _receive(self) -> Any:
        try:
            return self._here.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error

    def _died(self) -> WorkerDiedError:
        self._process.join(timeout=10)
        code = self._process.exitcode
        killed = code is not None and code < 0
        return WorkerDiedError(f"killed by signal {-code}" if code and killed else f"exit code {code}")


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that start here never see Ctrl-C: whoever started them ends them."""
    if os.name != "posix":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(employer: Connection, device: str, task: Task) -> None:
    """The life of a process: load, then a shard for each that is asked for, until the employer is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = ShardWorker()
    with suppress(EOFError, OSError):  # the employer is gone
        employer.send(refusal := worker.start(device, task))
        while refusal is None:
            places, sentences, structure = employer.recv()
            employer.send(worker.shard(places, sentences, structure))


def _end_with_parent() -> None:
    """End this process when the one that started it ends, however it does."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
