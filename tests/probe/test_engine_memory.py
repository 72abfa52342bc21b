"""When memory runs out, the budget is halved and the results stay the same; freed memory is given back."""

import platform
import resource
import sys
from typing import Any

import numpy as np
import pytest
import torch

import probe
from probe import engine, memory
from probe.alignment import Request
from probe.memory import FreedMemory, resident_bytes, return_freed_memory
from probe.patterns import FULL
from probe.stream import Stream
from tests.conftest import ModelFolder

SENTENCES = ["Quick foxes were sleeping".split(), "The storm had broken it".split(), ["Fresh", "bread"]]


@pytest.fixture
def tiny(model_folder: ModelFolder) -> probe.Probe:
    return probe.load(model_folder("bert"), device="cpu", dtype="float64")


def fail_above(monkeypatch: pytest.MonkeyPatch, rows: int, *, message: str = "out of memory") -> list[int]:
    """Let forward passes of more sequences than ``rows`` run out of memory; returns the sizes asked for."""
    asked: list[int] = []
    forward = engine.Engine._forward

    def limited(self: engine.Engine, group: Any, work: Any, row: int, stop: int) -> list[torch.Tensor]:
        asked.append(stop - row)
        if stop - row > rows:
            raise RuntimeError(message)
        return forward(self, group, work, row, stop)

    monkeypatch.setattr(engine.Engine, "_forward", limited)
    return asked


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_budget_is_halved_and_results_stay(
    tiny: probe.Probe, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    options: Any = {"metric": ["dist", "kl"], "layer": "all", "pool": ["mean", "state"]}
    before = list(tiny.impact_many(SENTENCES, **options))
    asked = fail_above(monkeypatch, rows)
    passes: list[int] = []
    after = list(tiny.impact_many(SENTENCES, on_passes=passes.append, **options))
    assert max(asked) > rows >= asked[-1]
    assert sum(passes) == sum(1 + n + n * (n - 1) // 2 for n in map(len, SENTENCES))
    for one, other in zip(before, after, strict=True):
        assert isinstance(one, probe.ImpactSet) and isinstance(other, probe.ImpactSet)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a.values, b.values, atol=1e-10)
            np.testing.assert_allclose(a.on_cls, b.on_cls, atol=1e-10)


def test_results_are_right_when_memory_runs_out_after_they_were_written(
    tiny: probe.Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tiny.impact(SENTENCES[0])
    take, calls = engine._Work.take, []

    def limited(self: Any, states: list[torch.Tensor], row: int, stop: int) -> None:
        take(self, states, row, stop)
        calls.append(stop - row)
        if stop - row > 3:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(engine._Work, "take", limited)
    np.testing.assert_allclose(tiny.impact(SENTENCES[0]).values, before.values, atol=1e-10)
    assert max(calls) > 3


def test_a_sentence_that_does_not_fit_alone_is_reported(
    tiny: probe.Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_above(monkeypatch, 0)
    found = list(tiny.impact_many(SENTENCES, errors="return"))
    assert all(isinstance(error, probe.SentenceError) for error in found)
    with pytest.raises(probe.SentenceError, match="does not fit into memory"):
        tiny.impact(SENTENCES[0])


def test_sentences_that_do_not_fit_together_are_run_one_by_one(
    tiny: probe.Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = [SENTENCES[0], SENTENCES[0][::-1]]
    before = list(tiny.impact_many(together))
    begin = engine._Work.__init__

    def limited(self: Any, group: Any, *rest: Any, **options: Any) -> None:
        if len(group.plans) > 1:
            raise torch.OutOfMemoryError
        begin(self, group, *rest, **options)

    monkeypatch.setattr(engine._Work, "__init__", limited)
    for a, b in zip(before, tiny.impact_many(together), strict=True):
        np.testing.assert_allclose(a.values, b.values, atol=1e-10)


def test_other_errors_pass(tiny: probe.Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_above(monkeypatch, 0, message="a fault of another kind")
    with pytest.raises(RuntimeError, match="another kind"):
        tiny.impact(SENTENCES[0])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_holes_in_the_heap_are_given_back() -> None:
    arrays = [np.ones(8_000) for _ in range(1_500)]  # 64 kB each: below the size that glibc maps apart
    held = resident_bytes()
    arrays = arrays[::50]
    return_freed_memory()
    assert held - resident_bytes() > 0.7 * 1_500 * 64_000
    assert all((array == 1).all() for array in arrays)


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read as on Linux")
@pytest.mark.parametrize(("kept", "times"), [(-(2**60), 2), (2**60, 0)])
def test_freed_memory_is_given_back_after_sentences_of_a_length(
    tiny: probe.Probe, monkeypatch: pytest.MonkeyPatch, kept: int, times: int
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(memory, "return_freed_memory", lambda: calls.append(1))
    monkeypatch.setattr(memory, "_KEPT", kept)
    sentences = [SENTENCES[0], SENTENCES[2], SENTENCES[0][::-1]]
    lengths = [len(tiny.align(words).ids) for words in sentences]
    assert lengths[0] == lengths[2] != lengths[1]
    made = Stream(tiny, tiny.resolve())
    requests = [Request(words, None, FULL) for words in sentences]
    assert len(made._run_window([made._plan(request) for request in requests])) == 3
    assert len(calls) == times


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_large_tensors_are_not_fetched_again() -> None:
    FreedMemory(torch.device("cpu"))

    def use() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(4):
            first, second = torch.ones(2_000_000), torch.ones(2_000_000)
            del first, second
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    use()
    assert use() < 2_000  # each tensor has 2,000 pages
