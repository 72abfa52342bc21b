"""Run directories that are damaged, killed or out of disk: a disturbed run ends as an undisturbed one."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from probe import Probe
from probe.manifest import MANIFEST, Growing, Manifest
from probe.store import Store, StoreError
from tests.conftest import ModelFolder
from tests.forks import forked, posix, printed
from tests.store_runs import EVERYTHING, SHARD, SHARDS, WORDS, Fill, contents

# --- damage


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "last byte": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "head": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "longer": lambda data: data + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_shard_is_found_and_made_again(fill: Fill, damage: Callable[[bytes], bytes]) -> None:
    store = fill()
    before = contents(store.folder)
    (store.folder / SHARD).write_bytes(damage(before[SHARD]))
    with pytest.raises(StoreError, match=rf"{SHARD}: missing, cut short or altered"):
        list(store.matrices(errors="return"))
    made: list[bool] = []
    fill(on_shard=lambda places, now: made.append(now))
    assert made == [False, True, False, False]
    assert contents(store.folder) == before


def test_a_missing_shard_is_found_and_made_again(fill: Fill) -> None:
    store = fill()
    before = contents(store.folder)
    (store.folder / SHARD).unlink()
    with pytest.raises(StoreError, match=rf"{SHARD}: missing"):
        store.failures()
    assert contents(fill().folder) == before


def test_shards_are_not_exchanged_unnoticed(fill: Fill) -> None:
    store = fill()
    (store.folder / SHARD).write_bytes((store.folder / "shard-000002.safetensors").read_bytes())
    with pytest.raises(StoreError, match=SHARD):
        list(store.matrices(errors="return"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "not the manifest of a run directory"),
        (lambda text: text[:-20], "not the manifest of a run directory"),
        (lambda text: "[]", "not the manifest of a run directory"),
        (lambda text: text.replace('"float32"', '"float16"'), "does not match its own checksum"),
        (lambda text: text.replace("probe.Store/1", "probe.Store/9"), "probe.Store/1 is expected, found"),
    ],
)
def test_a_damaged_manifest_is_an_error(fill: Fill, change: Callable[[str], str], message: str) -> None:
    folder = fill().folder
    path = folder / MANIFEST
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = contents(folder)
    attempts: list[Callable[[], Store]] = [lambda: Store.open(folder), fill]
    for attempt in attempts:
        with pytest.raises(StoreError, match=f"{MANIFEST}: .*{message}") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert contents(folder) == before


def test_what_is_no_run_directory_is_not_opened(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(StoreError, match=r"No such file or directory.*: is .* a run directory"):
            Store.open(folder)


# --- interrupted runs


class Stopped(BaseException):
    """What stops a run in the tests: nothing catches it but clean-up."""


def test_an_incomplete_directory_is_not_opened(fill: Fill, tmp_path: Path) -> None:
    def stop(places: range, made: bool) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        fill(on_shard=stop)
    with pytest.raises(StoreError, match="run: 1 of 4 shards are there"):
        Store.open(tmp_path / "run")


@pytest.mark.parametrize("after", [False, True], ids=["before it is named", "after it is named"])
@pytest.mark.parametrize("step", range(2 * SHARDS + 1))
def test_a_run_that_dies_at_any_file_goes_on(
    fill: Fill, step: int, after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = contents(fill("whole").folder)
    whole, calls = Path.replace, iter(range(1_000))

    def dying(self: Path, target: Path) -> Path:
        died = next(calls) == step
        if after or not died:
            whole(self, target)
        if died:
            raise Stopped
        return target

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        patched.setattr(Path, "unlink", lambda self, missing_ok: None)  # a dead process cleans nothing up
        with pytest.raises(Stopped):
            fill()
    made: list[bool] = []
    assert contents(fill(on_shard=lambda places, now: made.append(now)).folder) == expected
    shards_before = (step - 1 + after) // 2 if step else 0
    assert made == [False] * shards_before + [True] * (SHARDS - shards_before)


def test_a_long_manifest_is_replaced_now_and_then(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a second here, and a shard five: after one second twenty without it."""
    folder, clock, saved = fill().folder, [0.0], []
    save = Manifest.save

    def slow(self: Manifest, folder: Path) -> None:
        save(self, folder)
        clock[0] += 1
        saved.append(len(self.shards))

    monkeypatch.setattr(Manifest, "save", slow)
    monkeypatch.setattr("probe.manifest.time.monotonic", lambda: clock[0])
    growing = Growing(folder, replace(Manifest.load(folder), shards={}), every=2)
    names = [f"shard-{number:06}.safetensors" for number in range(12)]
    with pytest.raises(Stopped), growing:
        for name in names:
            clock[0] += 5
            growing.add(name, "0" * 64)
        raise Stopped
    assert saved == [1, 2, 6, 10, 12]
    assert json.loads((folder / MANIFEST).read_bytes())["shards"] == dict.fromkeys(names, "0" * 64)
    with growing:  # nothing is new
        pass
    assert len(saved) == 5


@posix
def test_a_run_killed_at_random_times_ends_with_the_same_bytes(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    from tests.killed_runs import SHARDS, main

    def kills() -> None:
        print(json.dumps(main(model_folder("bert"), tmp_path, 20)))

    with forked(kills, tmp_path) as process:
        pass
    out, err = printed(tmp_path)
    assert process.exitcode == 0, err
    report = json.loads(out)
    expected = contents(tmp_path / "whole")
    assert len(report) == 20 and len(expected) == SHARDS + 2
    for number, counts in enumerate(report):
        assert contents(tmp_path / str(number)) == expected
        assert counts["begun"] <= SHARDS + 1, "at most one shard is repeated"
    assert len({counts["finished"] for counts in report}) > 4, "the kills fall at different moments"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("name", [SHARD, MANIFEST])
def test_a_full_disk_leaves_what_was_written_whole(fill: Fill, name: str, tmp_path: Path) -> None:
    expected = contents(fill("whole").folder)
    folder, made = tmp_path / "run", []

    def on_shard(places: range, now: bool) -> None:
        made.append(now)
        if len(made) == 1:
            (folder / f".{name}.partial").symlink_to("/dev/full")  # whatever is written there is too much

    with pytest.raises(StoreError, match=rf"{name}: cannot be written \(No space left on device\); what was"):
        fill(on_shard=on_shard)
    assert made == [True]
    manifest = Manifest.load(folder)
    assert list(manifest.shards) == ["shard-000000.safetensors"]
    assert not list(folder.glob(".*.partial"))
    again: list[bool] = []
    assert contents(fill(on_shard=lambda places, now: again.append(now)).folder) == expected
    assert again == [False, True, True, True]


def test_a_disk_that_is_really_full(model: Probe, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        everything = {**EVERYTHING, "shard_sentences": 2}
        with pytest.raises(StoreError, match=r"\(No space left on device\)"):
            Store.fill(disk / "run", model, WORDS, **everything)
        kept = Manifest.load(disk / "run").shards
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        made: list[bool] = []
        Store.fill(disk / "run", model, WORDS, **everything, on_shard=lambda places, now: made.append(now))
        assert made == [False] * len(kept) + [True] * (SHARDS - len(kept))
        expected = Store.fill(tmp_path / "whole", model, WORDS, **everything).folder
        assert contents(disk / "run") == contents(expected)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
