"""``probe.run`` fills run directories, and ``probe.parse --matrices`` reads them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data import load_sample
from probe import run as command
from probe.commands import start
from probe.store import Store
from tests.command import GOLD, Done, names, parse, ran
from tests.conftest import ModelFolder
from tests.forks import forked, posix, printed
from tests.store_runs import forget_cues

ROOT = Path(__file__).parents[2]
TOO_LONG = "a " * 60
TEXT = f"The gardener watered tulips .\n{TOO_LONG}\nNobody slept .\nRivers carry sand .\n"

Command = Callable[..., Done]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def fill(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``probe.run`` in this process, with a tiny BERT whose window is 32 pieces."""

    def call(*args: object) -> Done:
        model_folder("bert")
        capsys.readouterr()  # what making the model wrote
        common = ["--model", str(model_folder("bert")), "--device", "cpu", "--dtype", "float32"]
        return ran(capsys, command.main, *common, *args)

    return call


@pytest.fixture
def read(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``probe.parse`` in this process."""
    return lambda *args: parse(capsys, *args)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Four sentences, the second of them longer than the window."""
    path = tmp_path / "in.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Name and bytes of all that a folder holds, hidden files included."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def refused(done: Done, message: str, prog: str = "probe run") -> None:
    """Assert that a command refused to do what it was asked, in one line."""
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"{prog}: error: ") and done.err.count("\n") == 1
    assert message in done.err


# --- filling


def test_a_directory_is_filled_and_then_kept(fill: Command, text: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    done = fill("--data", text, "--out", out, "--shard-sentences", 3)
    assert (done.code, done.out) == (0, "")
    skipped, summary = done.err.splitlines()
    assert skipped == f"{text}:2: sentence 2 skipped: 62 pieces are more than the model's window of 32"
    assert re.fullmatch(
        rf"4 sentences in {re.escape(str(out))}, 1 skipped; 2 shards made, 0 kept in \d+\.\d s", summary
    )
    before = contents(out)
    assert list(before) == [
        ".lock",
        "manifest.json",
        "shard-000000.safetensors",
        "shard-000001.safetensors",
    ]
    again = fill("--data", text, "--out", out, "--shard-sentences", 3)
    assert "; 0 shards made, 2 kept in " in again.err and skipped in again.err
    assert contents(out) == before


def test_strict_and_quiet(fill: Command, text: Path, tmp_path: Path) -> None:
    done = fill("--data", text, "--out", tmp_path / "run", "--quiet", "--strict")
    assert done.code == 1
    assert re.fullmatch(r".*in\.txt:2: sentence 2 skipped: .*\n", done.err)
    done = fill("--data", text, "--out", tmp_path / "first", "--limit", 1, "--quiet", "--strict")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_several_settings_and_the_sample(fill: Command, tmp_path: Path) -> None:
    several = ["--metric", "kl", "dist", "--layer", "-1", "0", "--pool", "max", "mean", "--perturb", "single"]
    assert fill("--out", tmp_path / "run", "--limit", 3, *several).code == 0
    configuration = Store.open(tmp_path / "run").configuration
    assert configuration.metric == ("dist", "kl") and configuration.layer == (0, 3)
    assert configuration.pool == ("mean", "max") and configuration.perturb == ("single",)
    words = [sentence.words for sentence in Store.open(tmp_path / "run").sentences()]
    assert words == [sentence.words for sentence in load_sample()[:3]]


def test_all_layers(fill: Command, text: Path, tmp_path: Path) -> None:
    fill("--data", text, "--out", tmp_path / "run", "--layer", "all")
    assert Store.open(tmp_path / "run").configuration.layer == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "dst"], "unknown metric 'dst': did you mean 'dist'?"),
        (["--pool", "men"], "unknown pool 'men': did you mean 'mean'?"),
        (["--perturb", "pear"], "unknown perturb 'pear': did you mean 'pair'?"),
        (["--layer", "top"], "argument --layer: an index, all or best is expected, found 'top'"),
        (["--layer", "all", "1"], "--layer: all and best stand alone"),
        (["--layer", "4"], "layer 4: the model has layers 0 (embeddings) to 3"),
        (["--metric", "kl", "--pool", "state"], "pool 'state' goes with metrics 'dist' and 'cos' only"),
        (["--shard-sentences", "0"], "argument --shard-sentences: a whole number above 0 is expected"),
        (["--data", "none.txt"], "none.txt: a file is expected, there is none of this name"),
        (["--model", "./none"], "./none: no such model directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use(
    options: list[str], message: str, fill: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(fill("--out", "run", *options), message)
    assert names(tmp_path) == []


def test_the_directory_must_be_named(fill: Command) -> None:
    refused(fill(), "the following arguments are required: --out")


def test_a_directory_of_another_run_is_refused(fill: Command, text: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    fill("--data", text, "--out", out)
    before = contents(out)
    done = fill("--data", text, "--out", out, "--metric", "cos", "--batch-tokens", 64)
    refused(
        done,
        "holds a run of another configuration: metric: dist there, cos here; batch_tokens: 4096 there, 64",
    )
    assert contents(out) == before


def test_a_directory_grows_with_its_input(fill: Command, text: Path, tmp_path: Path) -> None:
    fill("--data", text, "--out", tmp_path / "whole", "--shard-sentences", 2)
    out = tmp_path / "run"
    fill("--data", text, "--out", out, "--shard-sentences", 2, "--limit", 3)
    done = fill("--data", text, "--out", out, "--shard-sentences", 2)
    assert "; 1 shards made, 1 kept in " in done.err
    assert contents(out) == contents(tmp_path / "whole")
    other = tmp_path / "other.txt"
    other.write_text(TEXT.replace("slept", "woke") + "One more .\n", encoding="utf-8")
    refused(fill("--data", other, "--out", out, "--shard-sentences", 2), "sentences: 4 there, 5 here")
    refused(fill("--data", text, "--out", out, "--shard-sentences", 2, "--limit", 3), "sentences: 4 there")
    assert contents(out) == contents(tmp_path / "whole")


def test_method_openness_reads_what_the_run_keeps(
    fill: Command, read: Command, text: Path, tmp_path: Path, model_folder: ModelFolder
) -> None:
    out, source = tmp_path / "run", ["--data", text, "--method", "openness", "--layer", 2]
    impacts = ["--perturb", "knockout", "--layer", 2, "--pool", "mean"]
    fill("--data", text, "--out", out, "--openness", *impacts)
    model = ["--model", model_folder("bert"), "--device", "cpu", "--dtype", "float32"]
    stored, fresh = read("--matrices", out, *source), read(*model, *source)
    assert stored.code == fresh.code == 0 and stored.out == fresh.out
    other = tmp_path / "other"
    fill("--data", text, "--out", other, "--openness-from", model_folder("roberta"), *impacts)
    assert Store.open(other).configuration.openness not in (None, "itself")
    assert read("--matrices", other, *source).code == 0


def test_method_openness_of_a_run_that_keeps_too_little(
    fill: Command, read: Command, text: Path, tmp_path: Path
) -> None:
    impacts = ["--perturb", "knockout", "--layer", 2, "--pool", "mean"]
    source = ["--data", text, "--layer", 2, "--method", "openness", "--matrices"]
    fill("--data", text, "--out", tmp_path / "none", *impacts)
    fill("--data", text, "--out", tmp_path / "old", "--openness", *impacts)
    forget_cues(tmp_path / "old")
    for name in ("none", "old"):
        done = read(*source, tmp_path / name)
        refused(done, f"{name}: keeps no cues of words, which adjustment content reads: fill", "probe parse")
    openness = ["--adjust", "offset+openness"]
    done = read(*source, tmp_path / "none", *openness)
    refused(done, "keeps no openness of words, which adjustment openness reads: fill", "probe parse")
    assert read(*source, tmp_path / "old", *openness).code == 0


def test_a_full_disk(fill: Command, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused(fill("--data", text, "--out", tmp_path / "run"), "cannot be written (No space left on device)")
    assert not (tmp_path / "run").exists()


@posix
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=lambda kind: str(kind.name))
def test_an_interrupted_run_says_how_to_go_on(
    kind: signal.Signals, fill: Command, model_folder: ModelFolder, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "run"
    source.write_text("The gardener watered seventeen tulips .\n" * 2_000, encoding="utf-8")
    asked = ["--data", str(source), "--out", str(out), "--shard-sentences", "4"]
    common = ["--model", str(model_folder("bert")), "--device", "cpu", "--dtype", "float32"]
    with forked(lambda: start("run", [*common, *asked]), tmp_path) as process:
        deadline = time.monotonic() + 120
        while not list(out.glob("shard-000002*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.pid is not None
        os.kill(process.pid, kind)
    written, err = printed(tmp_path)
    assert (process.exitcode, written) == (130, "")
    message = re.fullmatch(
        r"probe run: error: interrupted: (\d+) of 500 shards are done; the same command goes on from there\n",
        err,
    )
    assert message and 2 <= int(message[1]) < 500
    found = contents(out)
    assert not [name for name in found if name.endswith(".partial")]
    shards = [name for name in found if name.startswith("shard-")]
    assert int(message[1]) <= len(shards) <= int(message[1]) + 1
    # The same sentences, undisturbed and in another process, make the same bytes.
    fill("--data", source, "--out", tmp_path / "whole", "--shard-sentences", 4, "--limit", 8)
    for name in shards[:2]:
        assert (tmp_path / "whole" / name).read_bytes() == found[name]


def test_the_handler_of_the_signal_is_put_back(fill: Command, text: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    fill("--data", text, "--out", tmp_path / "run", "--limit", 1)
    assert signal.getsignal(signal.SIGTERM) == before


# --- reading


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "conllu"],
        ["--format", "json", "--metric", "cos", "--layer", "0", "--pool", "max", "--perturb", "single"],
        ["--evaluate", "--format", "json", "--no-random-model"],
        ["--evaluate", "--protocol", "wu2020", "--layer", "2", "--no-random-model"],
        ["--limit", "2", "--format", "json"],
    ],
    ids=" ".join,
)
def test_trees_are_those_of_the_model(
    options: list[str], fill: Command, read: Command, model_folder: ModelFolder, tmp_path: Path
) -> None:
    gold, out = tmp_path / "gold.conllu", tmp_path / "run"
    gold.write_text(GOLD, encoding="utf-8")
    settings = ["--metric", "dist", "cos", "--layer", "all", "--pool", "mean", "max"]
    fill("--data", gold, "--out", out, *settings, "--perturb", "pair", "single")
    found = read("--data", gold, "--matrices", out, *options)
    expected = read("--data", gold, "--model", model_folder("bert"), "--method", "paper", *options)
    assert (found.code, found.out) == (0, expected.out)
    assert found.out


def test_scores_from_matrices_have_no_row_of_random_weights(
    fill: Command, read: Command, tmp_path: Path
) -> None:
    gold = tmp_path / "gold.conllu"
    gold.write_text(GOLD, encoding="utf-8")
    fill("--data", gold, "--out", tmp_path / "run")
    done = read("--data", gold, "--matrices", tmp_path / "run", "--evaluate", "--format", "json")
    rows = [row["name"] for row in json.loads(done.out)["evaluation"]]
    assert "random" in rows and "random weights" not in rows


def test_a_kept_failure_is_a_skipped_sentence(
    fill: Command, read: Command, text: Path, tmp_path: Path
) -> None:
    fill("--data", text, "--out", tmp_path / "run", "--shard-sentences", 2)
    done = read("--data", text, "--matrices", tmp_path / "run", "--format", "conllu", "--strict")
    assert done.code == 1 and done.out.count("# sent_id") == 3
    assert f"{text}:2: sentence 2 skipped: 62 pieces are more than the model's window of 32" in done.err


def test_matrices_without_data_name_the_sample(fill: Command, read: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    fill("--out", out, "--limit", 2)
    found = read("--matrices", out, "--limit", 1, "--format", "conllu")
    assert (found.code, found.out.count("# sent_id")) == (0, 1)
    note = f"--matrices {out} without --data: its sentences are to be the bundled sample's\n"
    assert found.err.startswith(note)
    assert read("--matrices", out, "--limit", 1, "--format", "conllu", "--quiet").err == ""


def test_matrices_that_do_not_fit_are_refused(
    fill: Command, read: Command, text: Path, tmp_path: Path, model_folder: ModelFolder
) -> None:
    out, other = tmp_path / "run", tmp_path / "other.txt"
    other.write_text(TEXT.replace("slept", "woke"), encoding="utf-8")
    fill("--data", text, "--out", out, "--shard-sentences", 2)

    def refuse(message: str, *options: object, matrices: Path = out) -> None:
        done = read("--matrices", matrices, "--out", tmp_path / "trees.conllu", *options)
        refused(done, message, prog="probe parse")
        assert not (tmp_path / "trees.conllu").exists()

    message = "sentence 3 differs from the input's: word 2 is 'slept', the input's is 'woke'"
    refuse(message, "--data", other)
    refuse("run: has 4 sentences, the input has 61 (--limit 4 takes the first of them)", "--quiet")
    refuse("no matrices with layer 1; there are 3", "--data", text, "--layer", "1")
    refuse("no matrices with metric kl; there are dist", "--data", text, "--metric", "kl")
    refuse("--decoder adjacent reads no matrices", "--data", text, "--decoder", "adjacent")
    refuse("--model does not go with --matrices", "--data", text, "--model", model_folder("bert"))
    refuse("the matrices of", "--data", text, "--dtype", "float64")
    refuse("is none a run directory?", "--data", text, matrices=Path("none"))
    (out / "shard-000001.safetensors").write_bytes(b"")
    refuse("shard-000001.safetensors: missing, cut short or altered", "--data", text)


def test_reading_options_loads_nothing_heavy() -> None:
    code = "import probe.run, sys; probe.run.build_parser().parse_args(['--out', 'x', '--layer', '1'])\n"
    report = "print(*sorted({'torch', 'transformers', 'safetensors'} & set(sys.modules)))"
    done: Any = subprocess.run(
        [sys.executable, "-c", code + report], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
