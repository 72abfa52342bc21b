"""Shards computed by several workers at once, each with a model of its own.

A worker is a process here (``probe.processes``) or an actor of a cluster (``probe.cluster``). It is told shards
one by one and answers with their bytes; the run directory is written by one process alone. A worker that dies is
replaced, and its shard computed again: the bytes of a shard do not depend on who computes it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, Protocol

from probe.errors import ProbeError, warn
from probe.manifest import Configuration, StoreError, configure
from probe.shards import compute_shard

if TYPE_CHECKING:
    from probe.model import OpennessChoice, Probe, Words
    from probe.structure import Structure

_MOST_DEATHS = 3
"""Deaths of workers over one shard, or of one worker while it loads its model, that end the run."""


class WorkerDiedError(ProbeError):
    """A worker ended before it answered; the message says how."""


class Computed(NamedTuple):
    """A shard as it is written, and the number of forward passes that it took."""

    data: bytes
    passes: int


class Job(NamedTuple):
    """A shard that is to be computed: its file name, the places of its sentences, and themselves.

    ``structure`` has their trees, where words see along trees.
    """

    name: str
    places: range
    sentences: Sequence[Words]
    structure: Structure | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker has to know.

    Attributes:
        model, dtype: as ``probe.load`` takes them.
        openness: whether openness is kept, or the name of the model that it comes from.
        configuration: of the run; a worker that would compute under another one is refused.
        threads: of a worker on a CPU: the last digits can depend on their number.
    """

    model: str
    dtype: str
    openness: bool | str
    configuration: Configuration
    threads: int


class Worker(Protocol):
    """A worker as its employer sees it; it does nothing before ``load``."""

    def load(self) -> None:
        """Wait until its model is loaded; raises WorkerDiedError, or StoreError where it cannot do the task."""

    def shard(self, places: range, sentences: Sequence[Words], structure: Structure | None) -> Computed:
        """Compute a shard; raises WorkerDiedError, or StoreError where it cannot be computed."""

    def stop(self) -> None:
        """End the worker, whatever it is doing; may be called twice."""


Start = Callable[[], Worker]
"""Makes a worker, without waiting for it."""


class Crew(Protocol):
    """Where workers come from.

    Attributes:
        device: the type of their devices: "cpu", "cuda" or "mps".
    """

    device: str

    def starts(self, task: Task) -> Sequence[tuple[str, Start]]:
        """What starts each of the workers, and what it is called in messages."""


class ShardWorker:
    """What a worker does, in its own process."""

    def start(self, device: str, task: Task) -> str | None:
        """Load the model; returns why it cannot do the task, if so."""
        import warnings

        import torch

        from probe.errors import ProbeWarning
        from probe.loading import load

        torch.set_num_threads(task.threads)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ProbeWarning)  # the employer has said it
                self._probe = load(task.model, device=device, dtype=task.dtype)
                self._openness: OpennessChoice = task.openness is True
                if isinstance(task.openness, str):
                    self._openness = load(task.openness, device=device, dtype=task.dtype)
        except ProbeError as error:
            return str(error)
        self._configuration = wanted = task.configuration
        mine = configure(
            self._probe,
            [],
            wanted.settings,
            batch_tokens=wanted.batch_tokens,
            shard_sentences=wanted.shard_sentences,
            openness=self._openness,
        )
        mine = replace(mine, sentences=wanted.sentences, words_sha256=wanted.words_sha256, text=wanted.text)
        return mine.difference(wanted) or None

    def pid(self) -> int:
        """The id of the worker's process."""
        return os.getpid()

    def shard(self, places: range, sentences: Sequence[Words], structure: Structure | None) -> Computed | str:
        """Compute a shard, or say why it cannot be computed, by this worker or by any other."""
        passes: list[int] = []
        try:
            data = compute_shard(
                self._probe, places, sentences, self._configuration, self._openness, passes.append, structure
            )
        except ProbeError as error:
            return str(error)
        return Computed(data, sum(passes))


def computed(answer: Computed | str) -> Computed:
    """What a worker answered; raises StoreError where it is a reason."""
    if isinstance(answer, str):
        raise StoreError(answer)
    return answer


def shards_made(
    probe: Probe,
    jobs: Sequence[Job],
    kept: Callable[[Job], bool],
    configuration: Configuration,
    openness: OpennessChoice,
    on_passes: Callable[[int], None] | None,
    workers: Crew | None,
) -> Generator[tuple[Job, bytes | None]]:
    """Every shard, with its bytes if it was made: here, in their order, or by workers, as they are done."""
    lacking = []
    for job in jobs:
        if kept(job):
            yield job, None
        elif workers is None:
            yield (
                job,
                compute_shard(
                    probe, job.places, job.sentences, configuration, openness, on_passes, job.structure
                ),
            )
        else:
            lacking.append(job)
    if workers is None or not lacking:
        return
    with closing(compute(workers, task_of(probe, configuration, openness), lacking)) as found:
        for job, computed in found:
            if on_passes is not None:
                on_passes(computed.passes)
            yield job, computed.data


def task_of(probe: Probe, configuration: Configuration, openness: OpennessChoice) -> Task:
    """The task of workers that do what this model would do here."""
    import torch

    return Task(
        model=_place(probe.name),
        dtype=configuration.dtype,
        openness=openness if isinstance(openness, bool) else _place(openness.name),
        configuration=configuration,
        threads=torch.get_num_threads(),
    )


def _place(name: str) -> str:
    """A model directory by its whole path, as workers may stand in other folders."""
    return os.path.abspath(name) if os.path.isdir(name) else name


def compute(crew: Crew, task: Task, jobs: Sequence[Job]) -> Generator[tuple[Job, Computed]]:
    """The shards, in the order in which they are done; the workers end with the iterator.

    Raises:
        StoreError: a worker would compute otherwise than the task says, or workers die again and again.
        ModelError, OptionError: as of ``crew.starts``.
    """
    office = _Office(waiting=SimpleQueue(), done=SimpleQueue())
    for job in jobs:
        office.waiting.put((job, 0))
    starts = crew.starts(task)[: len(jobs)]
    for name, start in starts:
        threading.Thread(target=office.employ, args=(name, start), daemon=True).start()
    try:
        for _ in jobs:
            found = office.done.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        office.close(len(starts))


@dataclass(frozen=True)
class _Office:
    """What is to be done, with the deaths that it cost, what is done, and who was hired."""

    waiting: SimpleQueue[tuple[Job, int] | None]
    done: SimpleQueue[tuple[Job, Computed] | BaseException]
    workers: list[Worker] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def employ(self, name: str, start: Start) -> None:
        """Have a worker do what is waiting, and replace it when it dies."""
        try:
            while self._work(name, start):
                pass
        except BaseException as error:  # it is the employer's, who raises it
            self.done.put(error)

    def close(self, workers: int) -> None:
        """End all workers, the idle and the busy ones."""
        self.closed.set()
        for _ in range(workers):
            self.waiting.put(None)
        for worker in list(self.workers):
            worker.stop()

    def _work(self, name: str, start: Start) -> bool:
        """Of one worker, from its start to its end; returns whether it died and is to be replaced."""
        worker = self._loaded(name, start)
        try:
            while worker is not None and (asked := self.waiting.get()) is not None:
                job, deaths = asked
                try:
                    self.done.put((job, worker.shard(job.places, job.sentences, job.structure)))
                except WorkerDiedError as error:
                    return self._died(name, job, deaths + 1, error)
        finally:
            if worker is not None:
                worker.stop()
        return False

    def _loaded(self, name: str, start: Start) -> Worker | None:
        """A worker with its model; None where none is needed any more."""
        for deaths in range(1, _MOST_DEATHS + 1):
            worker = start()
            self.workers.append(worker)
            if self.closed.is_set():  # else close() ends it
                worker.stop()
            try:
                worker.load()
            except WorkerDiedError as error:
                if self.closed.is_set():
                    return None
                if deaths == _MOST_DEATHS:
                    raise StoreError(f"{name}: ended {deaths} times while it loaded: {error}") from error
                continue
            return worker
        return None

    def _died(self, name: str, job: Job, deaths: int, error: WorkerDiedError) -> bool:
        if self.closed.is_set():
            return False
        if deaths == _MOST_DEATHS:
            raise StoreError(
                f"{job.name}: {deaths} workers ended while they computed it, the last {name}: {error}: is memory "
                "short? What was written before is whole and stays"
            ) from error
        warn(f"{name} ended: {error}; {job.name} is computed again")
        self.waiting.put((job, deaths))
        return True
