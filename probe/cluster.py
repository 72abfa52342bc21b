"""Workers that are actors of a Ray cluster: ``probe run --ray ADDRESS`` (extra ``cluster``)."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from probe.errors import OptionError
from probe.manifest import StoreError
from probe.workers import Computed, ShardWorker, Start, Task, WorkerDiedError, computed

if TYPE_CHECKING:
    from probe.model import Words
    from probe.structure import Structure

__all__ = ["Cluster", "connected"]

T = TypeVar("T")


class Cluster:
    """Actors of a Ray cluster, each with a model on a GPU, or on as many cores as this process has threads.

    Made by ``connected``; a ``Crew``. Every node needs this package, of the same version, and the model: by its
    hub id, or as a directory of the same path.

    Args:
        workers: how many; None for as many as the cluster has room for.
        device: "auto" (GPUs where the cluster has some), "cpu" or "cuda".

    Raises:
        OptionError: no such device in the cluster, or no room for a single worker.
    """

    def __init__(self, *, workers: int | None = None, device: str = "auto") -> None:
        import ray
        import torch

        if device not in ("auto", "cpu", "cuda"):
            raise OptionError(f"device {device!r} with Ray: auto, cpu or cuda is expected")
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        gpus, cores = int(there.get("GPU", 0)), int(there.get("CPU", 0))
        self.device = device if device != "auto" else "cuda" if gpus else "cpu"
        threads = torch.get_num_threads()
        self._resources = (
            {"num_gpus": 1, "num_cpus": 0} if self.device == "cuda" else {"num_cpus": threads, "num_gpus": 0}
        )
        room = gpus if self.device == "cuda" else cores // threads
        if not room:
            needs = "a GPU" if self.device == "cuda" else f"{threads} cores (OMP_NUM_THREADS)"
            raise OptionError(
                f"a worker needs {needs}; the Ray cluster has {cores} cores and {gpus} GPUs in all"
            )
        self._workers = workers or room

    def starts(self, task: Task) -> Sequence[tuple[str, Start]]:
        """What starts each of the workers, and its name."""
        return [
            (f"Ray worker {number}", partial(Actor, self.device, task, self._resources))
            for number in range(1, self._workers + 1)
        ]


class Actor:
    """A ``probe.workers.Worker`` that is an actor.

    Attributes:
        pid: the id of its process, on its node; 0 before it is loaded.
    """

    def __init__(self, device: str, task: Task, resources: dict[str, int]) -> None:
        import ray

        hire: Any = ray.remote(ShardWorker)
        self._actor = hire.options(**resources).remote()
        self._device, self._task, self.pid = device, task, 0

    def load(self) -> None:
        """Wait until the cluster has room and the model is loaded."""
        self.pid = self._get(self._actor.pid.remote)
        refusal = self._get(self._actor.start.remote, self._device, self._task)
        if refusal is not None:
            raise StoreError(f"a Ray worker cannot do the same: {refusal}")

    def shard(self, places: range, sentences: Sequence[Words], structure: Structure | None) -> Computed:
        """Compute a shard."""
        return computed(self._get(self._actor.shard.remote, places, sentences, structure))

    def stop(self) -> None:
        """End the actor at once."""
        import ray

        if ray.is_initialized():
            ray.kill(self._actor)

    def _get(self, ask: Callable[..., Any], *args: Any) -> Any:
        import ray
        from ray.exceptions import RayError

        try:
            return ray.get(ask(*args))
        except RayError as error:
            raise WorkerDiedError(" ".join(str(error).split())) from error


@contextmanager
def connected(
    address: str | None = None, *, workers: int | None = None, device: str = "auto"
) -> Iterator[Cluster]:
    """Connect to a cluster, or start a local one, and leave it at the end of the block.

    Args:
        address: "auto", "HOST:PORT", "ray://HOST:PORT", or "local" for a new one here; None as ``ray.init`` has
            it: that of RAY_ADDRESS, else one that runs here, else a new one.
        workers, device: as of ``Cluster``.

    Raises:
        OptionError: Ray is not installed, or there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise OptionError("Ray is not installed: pip install perturbed-probe[cluster]") from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    ours = not ray.is_initialized()
    if ours:
        with _same_handler():
            try:
                ray.init(
                    address=address, log_to_driver=False, logging_level=logging.ERROR, **_only_local(address)
                )
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                raise OptionError(
                    f"no Ray cluster at {address or 'the address in RAY_ADDRESS'}: {error}"
                ) from error
    try:
        yield Cluster(workers=workers, device=device)
    finally:
        if ours:
            ray.shutdown()


def _only_local(address: str | None) -> dict[str, Any]:
    return {"include_dashboard": False} if address in (None, "local") else {}


@contextmanager
def _same_handler() -> Iterator[None]:
    """Keep what SIGTERM does here, which Ray changes."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
