"""What a run would cost is what it costs: passes, pieces, bytes; operations by the shapes of the model."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from probe import Probe, estimate
from probe.costs import Speed, calibrate, costs, expected_seconds, pass_flops
from probe.store import Store
from tests.command import Done, ran
from tests.conftest import ModelFolder
from tests.store_runs import WORDS, Fill

pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS: list[dict[str, Any]] = [
    {"perturb": ["pair"]},
    {
        "perturb": ["pair", "single", "knockout"],
        "layer": "all",
        "metric": ["dist", "cos"],
        "pool": ["mean", "max"],
    },
    {"perturb": ["knockout"], "openness": True},
]


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_passes_and_bytes_are_those_of_the_run(options: dict[str, Any], model: Probe, fill: Fill) -> None:
    passes: list[int] = []
    store = fill(on_passes=passes.append, **options)
    openness = options.pop("openness", False)
    found, kept = costs(model, WORDS, store.configuration.settings, openness=openness)
    assert found.passes == sum(passes)
    assert found.skipped == len(store.failures()) == 1
    assert kept == [words for words in WORDS if len(words) < 30]
    assert found.words == sum(map(len, kept))
    assert found.pieces == sum(
        cost.passes * len(model.align(words).ids) for cost, words in zip(found.each, kept, strict=True)
    )
    tensors = sum(_tensor_bytes(path) for path in store.folder.glob("shard-*"))
    assert found.bytes(4) == tensors


def _tensor_bytes(path: Path) -> int:
    data = path.read_bytes()
    return len(data) - 8 - int.from_bytes(data[:8], "little")


def test_operations_are_those_of_the_shapes(model: Probe) -> None:
    about: Any = model.model.config
    d, f, n = about.hidden_size, about.intermediate_size, about.num_hidden_layers
    constant, linear, square = pass_flops(model)
    assert linear == pytest.approx(2 * n * (4 * d * d + 2 * d * f))
    assert square == pytest.approx(4 * n * d)
    assert constant in (pytest.approx(0, abs=1), pytest.approx(2 * d * d, abs=1))  # a pooler reads one piece


def test_the_calibration_grows_until_it_takes_long_enough(model: Probe) -> None:
    found, kept = costs(model, WORDS, model.resolve())
    ticks: Iterator[float] = (2.0 * tick for tick in count())
    speed = calibrate(model, found, kept, batch_tokens=100, seconds=1.0, clock=lambda: next(ticks))
    assert (speed.sentences, speed.seconds) == (1, 2.0)
    still = calibrate(model, found, kept, batch_tokens=100, seconds=1.0, clock=lambda: 0.0)
    assert 4 <= still.sentences <= len(kept) and still.flops <= found.flops_each.sum()


def test_workers_share_whole_shards() -> None:
    speed = Speed(sentences=1, flops=10.0, seconds=5.0)
    assert expected_seconds(100.0, speed, shards=10) == 50.0
    assert expected_seconds(100.0, speed, shards=10, workers=4) == 15.0
    assert expected_seconds(100.0, speed, shards=10, workers=99) == 5.0
    assert expected_seconds(0.0, speed, shards=0) == 0.0


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.97, "1 min"),
        (61, "1 min 1 s"),
        (7_680, "2 h 8 min"),
        (86_400, "1 day"),
        (90_000.2, "1 day 1 h"),
        (1e9, "11,574 days 2 h"),
    ],
)
def test_times_for_people(seconds: float, shown: str) -> None:
    assert estimate.duration(seconds) == shown


Command = Callable[..., Done]


@pytest.fixture
def ask(
    model_folder: ModelFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """``probe estimate`` of a tiny BERT, with a calibration of an instant."""
    monkeypatch.setattr(estimate, "_SECONDS", 0.0)
    common = ["--model", model_folder("bert"), "--device", "cpu", "--dtype", "float32", "--layer", "1"]
    return lambda *args: ran(capsys, estimate.main, *common, *args)


def test_the_command_says_what_a_run_will_say(ask: Command, tmp_path: Path, fill: Fill) -> None:
    source = tmp_path / "in.txt"
    source.write_text("\n".join(" ".join(words) for words in WORDS), encoding="utf-8")
    done = ask("--data", source, "--format", "json", "--workers", 3, "--shard-sentences", 2)
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    store: Store = fill()
    assert (report["sentences"], report["skipped"], report["shards"]) == (6, 1, 3)
    assert report["passes"] == sum(
        n * (n + 1) // 2 + 1 for n in (len(s.words) for s in store.sentences() if s.failure is None)
    )
    assert set(report["expected_seconds"]) == {"1", "3"}
    larger = json.loads(ask("--data", source, "--format", "json", "--words", 10_000 * report["words"]).out)
    assert larger["passes"] == 10_000 * report["passes"] and larger["bytes"] == 10_000 * report["bytes"]
    shown = ask("--data", source, "--workers", 3, "--words", 1_000_000)
    assert shown.code == 0
    names = re.findall(r"^(\w[\w ]*?)  ", shown.out, re.MULTILINE)
    about = ["model", "input", "forward passes", "pieces in them", "operations", "matrices", "calibration"]
    assert names == [*about, "expected", "expected"]
    assert "1,000,000 words, scaled from a sample of" in shown.out and "on 3 such devices" in shown.out


def test_what_cannot_be_estimated(ask: Command, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a " * 60, encoding="utf-8")
    done = ask("--data", source)
    assert (done.code, done.err) == (1, "probe estimate: error: none of the 1 sentences can be probed\n")
    for options in (["--workers", 0], ["--words", "many"], ["--layer", 9]):
        assert ask("--data", source, *options).code == 2
