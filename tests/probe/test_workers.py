"""Several workers: nothing is lost or doubled, whoever dies, and the bytes are those of one process."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import pytest

from probe import OptionError, Probe, processes
from probe import run as command
from probe.errors import ProbeWarning
from probe.manifest import Configuration
from probe.processes import Processes
from probe.store import Store, StoreError
from probe.structure import Structure
from probe.workers import Computed, ShardWorker, Start, Task, WorkerDiedError, computed
from tests.command import Done, ran
from tests.conftest import ModelFolder
from tests.store_runs import WORDS, Fill, contents
from tests.tiny import SENTENCES

pytestmark = pytest.mark.usefixtures("one_thread")
posix = pytest.mark.skipif(os.name != "posix", reason="processes are killed as POSIX has it")


class Threads:
    """A crew whose workers are threads of this process, which die as they are told."""

    device = "cpu"

    def __init__(self, workers: int, dies: Callable[[], bool], dies_at_start: Callable[[], bool]) -> None:
        self.workers, self.dies, self.dies_at_start = workers, dies, dies_at_start
        self.begun: list[range] = []
        self.stopped = 0

    def starts(self, task: Task) -> Sequence[tuple[str, Start]]:
        return [(f"worker {number}", lambda: _Thread(self, task)) for number in range(self.workers)]


class _Thread:
    def __init__(self, crew: Threads, task: Task) -> None:
        self.crew, self.worker, self.task = crew, ShardWorker(), task

    def load(self) -> None:
        if self.crew.dies_at_start():
            raise WorkerDiedError("no start")
        if (refusal := self.worker.start("cpu", self.task)) is not None:
            raise StoreError(refusal)

    def shard(self, places: range, sentences: Any, structure: Structure | None) -> Computed:
        self.crew.begun.append(places)
        if self.crew.dies():
            raise WorkerDiedError("killed by signal 9")
        return self.worker.shard(places, sentences, structure)

    def stop(self) -> None:
        self.crew.stopped += 1


def never() -> bool:
    return False


@pytest.fixture
def loaded(model: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers in threads share the model: transformers loads one at a time."""
    monkeypatch.setattr("probe.loading.load", lambda name, **options: model)


@pytest.mark.usefixtures("loaded")
def test_the_bytes_are_those_of_one_process(fill: Fill) -> None:
    options: dict[str, Any] = {"layer": "all", "metric": ["dist", "prob"], "perturb": ["pair", "knockout"]}
    whole = contents(fill("whole", **options, openness=True).folder)
    passes: list[int] = []
    crew = Threads(3, never, never)
    done: list[range] = []
    store = fill(
        workers=crew,
        openness=True,
        on_passes=passes.append,
        on_shard=lambda places, made: done.append(places) if made else None,
        **options,
    )
    assert contents(store.folder) == whole
    shards = [range(0, 2), range(2, 4), range(4, 6), range(6, 7)]
    assert sorted(crew.begun, key=min) == sorted(done, key=min) == shards
    fill(workers=crew, openness=True, **options)  # all is there: nobody is hired
    assert len(crew.begun) == 4
    assert sum(passes) > sum(len(words) for words in WORDS if len(words) < 30)


@pytest.mark.usefixtures("loaded")
def test_each_shard_has_the_trees_of_its_sentences(fill: Fill) -> None:
    trees = [
        [(at * (number + 2)) % (at + 1) for at in range(len(words))] for number, words in enumerate(WORDS)
    ]
    structure = Structure("parent+children", trees)
    options: dict[str, Any] = {"perturb": "knockout", "openness": True, "attention": structure}
    whole = contents(fill("whole", **options).folder)
    assert contents(fill(workers=Threads(3, never, never), **options).folder) == whole
    other = Structure("parent+children", [[0] * len(words) for words in WORDS])
    assert contents(fill("other", **{**options, "attention": other}).folder) != whole


@pytest.mark.usefixtures("loaded")
@pytest.mark.filterwarnings("ignore::probe.errors.ProbeWarning")
@pytest.mark.parametrize("seed", range(8))
def test_workers_that_die_now_and_then(seed: int, fill: Fill) -> None:
    draw, deaths = random.Random(seed), [0]

    def dies() -> bool:
        deaths[0] += draw.random() < 0.3 and deaths[0] < 2
        return draw.random() < 0.3 and deaths[0] < 2

    crew = Threads(draw.randint(1, 4), dies, lambda: draw.random() < 0.2)
    whole = contents(fill("whole", shard_sentences=1).folder)
    try:
        store = fill(workers=crew, shard_sentences=1)
    except StoreError as error:  # three bad starts in a row
        assert "ended 3 times while it loaded" in str(error)
        store = fill(workers=Threads(2, never, never), shard_sentences=1)
    assert contents(store.folder) == whole


@pytest.mark.usefixtures("loaded")
@pytest.mark.filterwarnings("ignore::probe.errors.ProbeWarning")
def test_a_shard_that_kills_its_workers(fill: Fill, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"shard-0\d+\.safetensors: 3 workers ended while they computed it"):
        fill(workers=Threads(1, lambda: True, never))
    with pytest.raises(StoreError, match=r"worker 0: ended 3 times while it loaded: no start"):
        fill(workers=Threads(1, never, lambda: True))
    assert Store.open(fill().folder)


@pytest.mark.usefixtures("loaded")
def test_a_worker_that_would_compute_otherwise(
    fill: Fill, model: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match=r"weights_sha256: \w{12}… there, \w{12}… here"):
        fill("random", probe=model.with_random_weights(), workers=Threads(2, never, never))
    own = ShardWorker.start

    def older(self: ShardWorker, device: str, task: Task) -> str | None:
        changed: Configuration = replace(task.configuration, versions="probe 0.0")
        return own(self, device, replace(task, configuration=changed))

    monkeypatch.setattr(ShardWorker, "start", older)
    with pytest.raises(StoreError, match=r"versions: probe .* there, probe 0\.0 here"):
        fill(workers=Threads(2, never, never))


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ([], "one or more of one type are expected, found none"),
        (["cpu", "cpu:0"], "no device 'cpu:0' here"),
        (["gpu"], "no device 'gpu' here"),
    ],
)
def test_devices_that_are_not_here(devices: list[str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Processes(devices)


def test_devices_are_of_one_type_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("probe.loading.resolve_device", torch.device)
    assert Processes(["cuda:0", "cuda:1"]).device == "cuda"
    with pytest.raises(OptionError, match="of one type are expected, found cpu, cuda"):
        Processes(["cpu", "cuda:0"])
    with pytest.raises(OptionError, match="each once is expected, found cuda:0,cuda:0"):
        Processes(["cuda:0", "cuda:0"])


@pytest.fixture
def run(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Done]:
    """``probe run`` of 24 sentences by a tiny BERT, a sentence a shard."""
    source = tmp_path / "in.txt"
    source.write_text("\n".join(SENTENCES), encoding="utf-8")

    def call(*args: object) -> Done:
        common = ["--model", model_folder("bert"), "--dtype", "float32", "--data", source]
        return ran(capsys, command.main, *common, "--shard-sentences", 1, *args)

    return call


@posix
def test_devices_of_which_one_is_killed(run: Callable[..., Done], tmp_path: Path) -> None:
    assert run("--device", "cpu", "--out", tmp_path / "whole").code == 0
    out, killed = tmp_path / "run", []

    def kill() -> None:
        while not list(out.glob("shard-*")):
            time.sleep(0.001)
        for child in active_children()[:1]:
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            killed.append(child.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    done = run("--devices", "cpu,cpu", "--out", out)
    thread.join()
    assert done.code == 0 and "24 shards made, 0 kept" in done.err
    assert killed and contents(out) == contents(tmp_path / "whole")
    # One in the dead one's place, which was starting yet, ends at once. Not joined here: the thread that ends it
    # waits for it, and the second of two that wait for a process may be told nothing.
    until = time.monotonic() + 10
    while active_children() and time.monotonic() < until:
        time.sleep(0.01)
    assert not active_children()


@posix
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray (extra cluster) is not installed")
def test_a_cluster_of_which_one_worker_is_killed(
    run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from probe import cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")  # else a busy machine leaves them no time
    assert run("--device", "cpu", "--out", tmp_path / "whole").code == 0
    before = signal.getsignal(signal.SIGTERM)
    killed: list[int] = []
    computed = cluster.Actor.shard

    def shard(self: cluster.Actor, *args: Any) -> Computed:
        found = computed(self, *args)
        if not killed:
            killed.append(self.pid)
            os.kill(self.pid, signal.SIGKILL)  # its next shard is lost with it
        return found

    monkeypatch.setattr(cluster.Actor, "shard", shard)
    done = run("--ray", "local", "--workers", 2, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert killed and contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_shard_that_no_worker_can_compute_ends_the_run(monkeypatch: pytest.MonkeyPatch, fill: Fill) -> None:
    def refused(*args: Any) -> bytes:
        raise OptionError("2 alternatives are more than there are")

    configuration = fill().configuration
    monkeypatch.setattr("probe.workers.compute_shard", refused)
    worker = ShardWorker()
    task = Task(
        model=configuration.model, dtype="float32", openness=False, configuration=configuration, threads=1
    )
    assert worker.start("cpu", task) is None
    with pytest.raises(StoreError, match="2 alternatives are more than there are"):
        computed(worker.shard(range(1), WORDS[:1], None))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--devices", "cpu,,"], "names with commas between are expected, found 'cpu,,'"),
        (["--devices", "cpu", "--ray"], "--devices and --ray: choose one"),
        (["--devices", "cpu", "--workers", 2], "--workers is of --ray"),
        (["--devices", "cpu", "--device", "cpu"], "--device does not go with --devices"),
        (["--ray", "local", "--dtype", "fastest"], "--dtype fastest is measured on one device"),
        (["--devices", "gpu"], "no device 'gpu' here"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together(
    options: list[object], message: str, run: Callable[..., Done], tmp_path: Path
) -> None:
    done = run("--out", tmp_path / "run", *options)
    assert done.code == 2 and message in done.err and done.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_ray_that_is_not_installed(
    run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = run("--ray", "--out", tmp_path / "run")
    assert done.code == 2 and "Ray is not installed: pip install perturbed-probe[cluster]" in done.err


@posix
def test_a_process_ends_with_its_employer(tmp_path: Path) -> None:
    """Also where that one is killed, and so cannot see to it."""
    child = tmp_path / "child"
    if not (employer := os.fork()):
        try:
            process = get_context("spawn").Process(target=processes._end_with_parent)
            process.start()
            child.write_text(str(process.pid), encoding="utf-8")
            signal.pause()
        finally:
            os._exit(1)
    deadline = time.monotonic() + 60
    while not (child.exists() and child.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        time.sleep(0.01)
    pid = int(child.read_text(encoding="utf-8"))
    assert _runs(pid)
    os.kill(employer, signal.SIGKILL)
    os.waitpid(employer, 0)
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # a dead one may wait for its new parent to take note
    return not (state.exists() and ") Z " in state.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("loaded")
def test_the_death_of_a_worker_is_said(fill: Fill) -> None:
    deaths = iter([True])
    with pytest.warns(ProbeWarning, match=r"worker 0 ended: killed by signal 9; shard-0\d+\.safetensors is"):
        fill(workers=Threads(1, lambda: next(deaths, False), never))
