"""Schedule, checkpoints and whole runs of the pretraining recipe, on a corpus written here."""

import json
import lzma
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pretraining import checkpoint, train
from pretraining.checkpoint import Progress
from pretraining.config import DataConfig, ModelConfig, OptimConfig, TrainConfig, read_config
from pretraining.model import build_model, release_neighbours
from pretraining.optimizers import Muon, build_optimizers, orthogonal, schedule, set_rate
from pretraining.prepare import prepare_tokenizer
from tests.tiny_run import STEPS, TOML, Run

CONFIG = TrainConfig(
    model=ModelConfig(vocab_size=80, hidden_size=16, num_hidden_layers=2, num_attention_heads=2),
    data=DataConfig(shards=("a", "b"), heldout=("c",)),
    optim=OptimConfig(steps=STEPS, warmup_steps=2),
)

FILES = ("model.safetensors", "optimizer.safetensors")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order, so that two runs can be bit-equal."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def curve_of(out: Path) -> list[dict[str, Any]]:
    """The records of ``curve.jsonl``."""
    return [json.loads(line) for line in (out / "curve.jsonl").read_text(encoding="utf-8").splitlines()]


# Schedule


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        # 10 steps of warm-up, then 45 constant and 45 of decay: .5 of the 90 that follow the warm-up.
        (0.5, {0: 0.1, 4: 0.5, 9: 1, 10: 1, 54: 1, 55: 1, 56: 44 / 45, 70: 30 / 45, 99: 1 / 45, 100: 0}),
        (1.0, {0: 0.1, 9: 1, 10: 1, 11: 89 / 90, 55: 0.5, 99: 1 / 90, 100: 0}),
        (0.0, {0: 0.1, 9: 1, 50: 1, 99: 1, 100: 0}),
    ],
)
def test_learning_rate(decay: float, expected: dict[int, float]) -> None:
    config = OptimConfig(steps=100, warmup_steps=10, decay=decay)
    for step, share in expected.items():
        assert schedule(step, config) == pytest.approx(share, abs=1e-15), step


def test_learning_rate_without_warmup() -> None:
    config = OptimConfig(steps=4, warmup_steps=0, decay=1.0)
    assert [schedule(step, config) for step in range(5)] == [1, 0.75, 0.5, 0.25, 0]


def test_muon_takes_the_matrices_of_the_layers() -> None:
    model = build_model(CONFIG.model, seed=0)
    muon, adam = build_optimizers(model, CONFIG.optim)
    taken = {id(p) for p in muon.param_groups[0]["params"]}
    names = {name for name, p in model.named_parameters() if id(p) in taken}
    inside = {"attn.Wqkv", "attn.Wo", "mlp.Wi", "mlp.Wo"}
    assert names == {f"model.layers.{k}.{part}.weight" for k in range(2) for part in inside} | {
        "head.dense.weight"
    }
    assert muon.param_groups[0]["weight_decay"] == 0.01 and adam.param_groups[0]["weight_decay"] == 0
    count = sum(p.numel() for optimizer in (muon, adam) for p in optimizer.param_groups[0]["params"])
    assert count == sum(p.numel() for p in model.parameters())


def test_rates_follow_the_schedule() -> None:
    optimizers = build_optimizers(build_model(CONFIG.model, seed=0), CONFIG.optim)
    for share in (0.5, 0.25, 1.0):
        set_rate(optimizers, share)
        rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
        assert rates == [share * CONFIG.optim.matrix_learning_rate, share * CONFIG.optim.learning_rate]


@pytest.mark.parametrize("shape", [(3, 5, 8), (2, 8, 5), (1, 6, 6)])
def test_orthogonal(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    found = orthogonal(matrices, 10)
    # The same singular vectors; the values come near 1 but swing around it.
    values = torch.linalg.svdvals(found)
    assert bool(((values > 0.6) & (values < 1.3)).all())
    across = u.mT @ found @ v.mT
    assert torch.allclose(across, torch.diag_embed(torch.diagonal(across, dim1=1, dim2=2)), atol=1e-8)


def test_muon_step_by_hand() -> None:
    weight = torch.nn.Parameter(torch.full((4, 2), 2.0))
    optimizer = Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.5, iterations=3)
    gradients = [torch.arange(8.0).reshape(4, 2), torch.ones(4, 2)]
    expected, mean = weight.detach().clone(), torch.zeros(4, 2)
    for gradient in gradients:
        mean = 0.9 * mean + 0.1 * gradient
        direction = 0.1 * gradient + 0.9 * mean
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * 2**0.5 * orthogonal(direction[None], 3)[0]
        weight.grad = gradient
        optimizer.step()
    assert torch.allclose(weight, expected, atol=1e-6)


@pytest.mark.parametrize("theta", [100.0, 1_000.0])
def test_attention_begins_at_the_neighbours(theta: float) -> None:
    shape = ModelConfig(vocab_size=80, hidden_size=256, num_hidden_layers=1, rope_theta=theta)
    model = build_model(shape, seed=0)
    model.set_attn_implementation("eager")
    ids = torch.arange(40)[None] + 5
    weights = model.model(input_ids=ids, output_attentions=True).attentions[0][0]
    for head, offset in enumerate([-1, 1, -2, 2]):
        assert torch.diagonal(weights[head], offset).mean() > 0.75, offset
    for head in range(4, 8):
        assert weights[head].max() < 0.2


def test_only_the_first_layer_keeps_its_neighbours() -> None:
    model = build_model(ModelConfig(vocab_size=80, hidden_size=32, num_hidden_layers=3), seed=0)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.attn.Wqkv.bias += 1.0
    before = [layer.attn.Wqkv.bias.detach().clone() for layer in model.model.layers]
    release_neighbours(model)
    after = [layer.attn.Wqkv.bias for layer in model.model.layers]
    assert torch.equal(after[0], before[0])
    for old, new in zip(before[1:], after[1:], strict=True):
        assert not new[:64].any()
        assert torch.equal(new[64:], old[64:])


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


@pytest.mark.parametrize("damage", [*FILES, "bit", "manifest", "no manifest", "no model"])
def test_damaged_checkpoint_is_passed_over(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = make(1)
    first = checkpoint.save(tmp_path, *pair, Progress(5))
    last = checkpoint.save(tmp_path, *pair, Progress(10))
    if damage.startswith("no "):
        (last / {"no manifest": "manifest.json", "no model": FILES[0]}[damage]).unlink()
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
        assert run(out) == 1
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
        with torch.inference_mode(), train.autocast(torch.device("cpu")):
            logits = model(
                input_ids=torch.from_numpy(batch.ids), attention_mask=torch.from_numpy(batch.attention)
            ).logits.float()
        chosen, targets = logits[torch.from_numpy(batch.masked)], torch.from_numpy(batch.targets)
        losses.append(torch.nn.functional.cross_entropy(chosen, targets, reduction="none"))
        correct.append(chosen.argmax(-1) == targets)
    loss, accuracy = train.evaluate(model, batches, torch.device("cpu"))
    assert loss == pytest.approx(float(torch.cat(losses).mean()), rel=1e-3)
    assert accuracy == pytest.approx(float(torch.cat(correct).float().mean()), abs=0.02)


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
        ("decay = 0.5", "decay = 5", "c.toml: optim.decay must lie in [0, 1]"),
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
