"""Checkpoints and whole runs of the pretraining recipe, on a corpus written here."""

import json
import lzma
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from pretraining import checkpoint, train
from pretraining.checkpoint import Progress
from pretraining.config import read_config
from pretraining.model import build_model
from pretraining.optimizers import build_optimizers
from pretraining.prepare import prepare_tokenizer
from tests.tiny_run import CONFIG, STEPS, TOML, Run

FILES = ("model.safetensors", "optimizer.safetensors")


pytestmark = pytest.mark.usefixtures("one_thread")


def curve_of(out: Path) -> list[dict[str, Any]]:
    """The records of ``curve.jsonl``."""
    return [json.loads(line) for line in (out / "curve.jsonl").read_text(encoding="utf-8").splitlines()]


# Checkpoints


def take_step(model: torch.nn.Module, optimizers: list[torch.optim.Optimizer], seed: int) -> None:
    """One update with random gradients."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    for optimizer in optimizers:
        optimizer.step()


def make(steps: int) -> tuple[torch.nn.Module, list[torch.optim.Optimizer]]:
    """A small BERT and its optimizer after some updates."""
    model = build_model(CONFIG.model, seed=CONFIG.seed)
    optimizers = build_optimizers(model, CONFIG.optim)
    for step in range(steps):
        take_step(model, optimizers, step)
    return model, optimizers


def assert_same(
    one: tuple[torch.nn.Module, list[torch.optim.Optimizer]],
    other: tuple[torch.nn.Module, list[torch.optim.Optimizer]],
) -> None:
    """All weights, buffers and optimizer states are bit-equal."""
    states, others = one[0].state_dict(), other[0].state_dict()
    assert states.keys() == others.keys()
    assert all(torch.equal(states[name], others[name]) for name in states)
    for optimizer, other_optimizer, keys in zip(
        one[1], other[1], ({"mean"}, {"step", "exp_avg", "exp_avg_sq"}), strict=True
    ):
        moments, other_moments = optimizer.state_dict()["state"], other_optimizer.state_dict()["state"]
        assert moments.keys() == other_moments.keys() and len(moments) > 0
        for index, entry in moments.items():
            assert entry.keys() == other_moments[index].keys() == keys
            assert all(torch.equal(entry[key], other_moments[index][key]) for key in entry)


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    saved = make(3)
    path = checkpoint.save(tmp_path, *saved, Progress(3, 1234, 5.5))
    fresh = make(0)
    assert checkpoint.load(path, *fresh) == Progress(3, 1234, 5.5)
    assert_same(saved, fresh)
    for pair in (saved, fresh):
        take_step(*pair, 3)
    assert_same(saved, fresh)


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "none") is None
    pair = make(1)
    for step in (5, 10, 15, 20):
        checkpoint.save(tmp_path, *pair, Progress(step))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-0000015", "step-0000020"]
    assert checkpoint.newest(tmp_path) == tmp_path / "step-0000020"


@pytest.mark.parametrize("damage", [*FILES, "bit", "manifest", "no manifest", "no model", "a list", "texts"])
def test_damaged_checkpoint_is_passed_over(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = make(1)
    first = checkpoint.save(tmp_path, *pair, Progress(5))
    last = checkpoint.save(tmp_path, *pair, Progress(10))
    if damage.startswith("no "):
        (last / {"no manifest": "manifest.json", "no model": FILES[0]}[damage]).unlink()
    elif damage in ("a list", "texts"):
        written = {"a list": [], "texts": {"sha256": "abc"}}[damage]
        (last / "manifest.json").write_text(json.dumps(written), encoding="utf-8")
    elif damage == "bit":
        content = bytearray((last / FILES[0]).read_bytes())
        content[-1] ^= 1
        (last / FILES[0]).write_bytes(content)
    else:
        path = last / ("manifest.json" if damage == "manifest" else damage)
        path.write_bytes(path.read_bytes()[:-1])
    assert checkpoint.newest(tmp_path) == first
    assert capsys.readouterr().err == "step-0000010: incomplete, trying the one before\n"


def test_broken_leftovers_do_not_push_out_a_new_checkpoint(tmp_path: Path) -> None:
    pair = make(1)
    for step in (10, 15):
        (checkpoint.save(tmp_path, *pair, Progress(step)) / "manifest.json").unlink()
    assert checkpoint.newest(tmp_path) is None
    written = checkpoint.save(tmp_path, *pair, Progress(5))
    assert checkpoint.newest(tmp_path) == written
    for step in (10, 15):
        checkpoint.save(tmp_path, *pair, Progress(step))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-0000010", "step-0000015"]


def test_checkpoint_of_another_model(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, *make(1), Progress(1))
    other = torch.nn.Linear(2, 2)
    with pytest.raises(
        ValueError, match="step-0000001: its parameters are not those of the configured model"
    ):
        checkpoint.load(path, other)


# Runs


def test_run(finished: Path, corpora: Path) -> None:
    assert {p.name for p in finished.iterdir()} == {
        "config.json",
        "curve.jsonl",
        "tokenizer.json",
        *(f"{shard}.pieces.safetensors" for shard in "abc"),
        "step-0000008",
        "step-0000012",
    }
    curve = curve_of(finished)
    assert [record["step"] for record in curve] == [3, 6, 9, 12]
    scores = [record["heldout"]["c"] for record in curve]
    assert all(math.isfinite(score["loss"]) and 0 <= score["accuracy"] <= 1 for score in scores)
    # The made-up text has nothing to learn beyond frequencies, with which the output begins.
    assert all(score["loss"] < 0.8 * math.log(80) for score in scores)
    assert [r["pieces"] for r in curve] == sorted({r["pieces"] for r in curve})
    config = json.loads((finished / "config.json").read_text(encoding="utf-8"))
    assert config["seed"] == 5 and config["data"]["shards"] == ["a", "b"]
    progress = json.loads((finished / "step-0000012" / "manifest.json").read_text(encoding="utf-8"))
    assert progress["step"] == STEPS and progress["pieces"] == curve[-1]["pieces"]


def test_a_curve_that_was_cut_off_is_taken_up(run: Run, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    shutil.rmtree(out / "step-0000012")
    curve = out / "curve.jsonl"
    curve.write_bytes(curve.read_bytes()[:-20])
    assert run(out) == 0
    steps, expected = ([one["step"] for one in curve_of(folder)] for folder in (out, finished))
    assert steps == expected


def test_a_configuration_that_was_cut_off_is_named(
    run: Run, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "config.json").write_bytes((out / "config.json").read_bytes()[:-20])
    assert run(out) == 2
    assert f"{out / 'config.json'}: not the configuration of a run" in capsys.readouterr().err


def interrupt_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: int) -> None:
    """Make the given call of a function a Ctrl-C."""
    wrapped, calls = getattr(owner, name), iter(range(10_000))

    def counted(*args: object, **keywords: object) -> object:
        if next(calls) == call:
            raise KeyboardInterrupt
        return wrapped(*args, **keywords)

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize(
    ("owner", "name", "call", "resumed_from"),
    [
        (train, "_step", 2, 0),  # before the first checkpoint
        (train, "_step", 10, 8),  # after the records of steps 3 to 9
        (checkpoint, "save_file", 3, 4),  # the second checkpoint has its model but no optimizer
        (checkpoint, "_flatten", 2, 8),  # the last checkpoint, after the last record
    ],
)
def test_killed_and_resumed_run_ends_bit_equal(
    run: Run,
    finished: Path,
    tmp_path: Path,
    owner: object,
    name: str,
    call: int,
    resumed_from: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    # The trainer of `tokenizers` breaks ties at random: bit-equal runs need one tokenizer.
    shutil.copy(finished / "tokenizer.json", out)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, owner, name, call)
        assert run(out) == 130
    assert "stopped; the same command goes on from the last checkpoint" in capsys.readouterr().err
    assert run(out) == 0
    assert f"from step {resumed_from} to 12 on cpu" in capsys.readouterr().err
    for file in FILES:
        assert (out / "step-0000012" / file).read_bytes() == (finished / "step-0000012" / file).read_bytes()
    for one, other in zip(curve_of(out), curve_of(finished), strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}


def test_a_run_is_not_resumed_with_other_data(
    corpora: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    config = tmp_path / "other.toml"
    config.write_text(
        TOML.replace("seed = 5", "seed = 6").replace("length = 16", "length = 12"), encoding="utf-8"
    )
    arguments = ["--config", str(config), "--corpora", str(corpora), "--out", str(out), "--device", "cpu"]
    assert train.main(arguments) == 2
    error = capsys.readouterr().err
    assert "another configuration" in error and "data.length" in error and "seed" in error


def test_the_end_of_a_run_can_be_moved(corpora: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    config = tmp_path / "longer.toml"
    config.write_text(TOML.replace(f"steps = {STEPS}", f"steps = {STEPS + 2}"), encoding="utf-8")
    arguments = ["--config", str(config), "--corpora", str(corpora), "--out", str(out), "--device", "cpu"]
    assert train.main(arguments) == 0
    assert curve_of(out)[-1]["step"] == STEPS + 2


def test_a_finished_run_is_left_as_it_is(run: Run, finished: Path) -> None:
    before = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
    assert run(finished) == 0
    assert {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()} == before


def test_evaluation_against_the_full_logits(corpora: Path, finished: Path) -> None:
    config = read_config(corpora / "c.toml")
    tokenizer = prepare_tokenizer(config, corpora, finished)
    batches = train.heldout_batches(config, corpora, finished, tokenizer)["c"]
    again = train.heldout_batches(config, corpora, finished, tokenizer)["c"]
    assert [b.ids.tolist() for b in batches] == [b.ids.tolist() for b in again]
    model = build_model(config.model, seed=config.seed)
    losses: list[torch.Tensor] = []
    correct: list[torch.Tensor] = []
    for batch in batches:
        with torch.inference_mode():
            logits = model(
                input_ids=torch.from_numpy(batch.ids), attention_mask=torch.from_numpy(batch.attention)
            ).logits.float()
        chosen, targets = logits[torch.from_numpy(batch.predicted)], torch.from_numpy(batch.targets)
        losses.append(torch.nn.functional.cross_entropy(chosen, targets, reduction="none"))
        correct.append(chosen.argmax(-1) == targets)
    loss, accuracy = train.evaluate(model, batches, torch.device("cpu"), torch.float32)
    assert loss == pytest.approx(float(torch.cat(losses).mean()), rel=1e-5)
    assert accuracy == pytest.approx(float(torch.cat(correct).float().mean()), abs=1e-6)


# Exit codes


def failing(corpora: Path, out: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an unsuccessful run."""
    arguments = ["--config", str(config), "--corpora", str(corpora), "--out", str(out), "--device", "cpu"]
    assert train.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('heldout = ["c"]', 'heldout = ["x"]', "x.txt.xz: expected xz-compressed text"),
        ('shards = ["a", "b"]', 'shards = ["a", "y"]', "y.txt.xz: expected xz-compressed text"),
        ("decay = 0.5", "decoy = 0.5", "c.toml: unknown key optim.decoy"),
    ],
)
def test_bad_configuration(
    corpora: Path, tmp_path: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(TOML.replace(old, new), encoding="utf-8")
    assert message in failing(corpora, tmp_path / "out", config, capsys)
    assert not (tmp_path / "out").exists()


def test_missing_configuration(corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "none.toml" in failing(corpora, tmp_path / "out", tmp_path / "none.toml", capsys)


@pytest.mark.parametrize(
    ("shard", "text", "message"),
    [
        ("a", None, "a.txt.xz: expected xz-compressed UTF-8 text"),
        ("c", "( )", "no text in the held-out shard c"),
    ],
)
def test_bad_shard(
    corpora: Path,
    finished: Path,
    tmp_path: Path,
    shard: str,
    text: str | None,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(finished / "tokenizer.json", out)
    for name in "abc":
        shutil.copy(corpora / f"{name}.txt.xz", tmp_path)
    content = b"plain" if text is None else lzma.compress(text.encode())
    (tmp_path / f"{shard}.txt.xz").write_bytes(content)
    arguments = ["--config", str(corpora / "c.toml"), "--corpora", str(tmp_path), "--out", str(out)]
    assert train.main([*arguments, "--device", "cpu"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and message in error
