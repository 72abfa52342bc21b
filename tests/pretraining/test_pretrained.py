"""Runs that begin with a pretrained BERT, tiny ones written here."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertForMaskedLM, BertModel

import probe
from pretraining import checkpoint, export, precision, train
from pretraining.batches import Batch
from pretraining.config import ModelConfig, OptimConfig, TrainConfig, read_config
from pretraining.optimizers import build_groups
from pretraining.precision import choose_dtype
from pretraining.prepare import join, prepare_shard, prepare_tokenizer, shard_path
from pretraining.pretrained import Original, begin_head, distance, load_pretrained, renew_rows
from pretraining.tokenizer import find_init, pretrained_tokenizer
from tests import tiny
from tests.tiny_run import DATA

CPU = torch.device("cpu")

SETTINGS = f"""\
seed = 5
precision = "float32"
checkpoint_every = 2
evaluate_every = 3
heldout_sequences = 70
[model]
init = "{{init}}"
renew = ["[MASK]"]
{DATA}[optim]
steps = 6
encoder_learning_rate = 1e-3
head_learning_rate = 1e-2
distillation = 0.5
warmup_steps = 2
"""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.bert_without_head(tmp_path_factory.mktemp("models") / "headless")


@pytest.fixture(scope="module")
def settings(headless: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "c.toml"
    path.write_text(SETTINGS.format(init=headless), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def start(settings: Path, corpora: Path) -> Callable[[Path], int]:
    """The command line with an output folder."""

    def call(out: Path) -> int:
        arguments = ["--config", str(settings), "--corpora", str(corpora), "--device", "cpu"]
        return train.main([*arguments, "--out", str(out)])

    return call


@pytest.fixture(scope="module")
def whole(start: Callable[[Path], int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of an uninterrupted run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "pretrained"
    assert start(out) == 0
    torch.set_num_threads(threads)
    return out


# Where the model is found


def test_init_is_a_directory_a_package_or_a_hub_id(
    headless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, folder in (("inner_weights", "model"), ("flat_weights", "."), ("no_weights", "else")):
        (tmp_path / name / folder).mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
        (tmp_path / name / folder / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_init(str(headless)) == str(headless)
    assert find_init("inner_weights") == str(tmp_path / "inner_weights" / "model")
    assert Path(find_init("flat_weights")) == tmp_path / "flat_weights"
    assert find_init("someone/model") == "someone/model"
    assert find_init("not-installed") == "not-installed"
    with pytest.raises(ValueError, match=r"package no_weights has no config\.json"):
        find_init("no_weights")


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    folder = tiny.roberta(tmp_path / "r")
    with pytest.raises(ValueError, match="is of type roberta, expected bert"):
        load_pretrained(ModelConfig(init=str(folder)), seed=0)
    with pytest.raises(ValueError, match=r"has no \[PAD\], \[UNK\], \[CLS\], \[SEP\], \[MASK\]"):
        pretrained_tokenizer(ModelConfig(init=str(folder)))


def test_tokenizer_is_taken_over_without_its_limits(headless: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(headless, tmp_path / "m")
    limited = Tokenizer.from_file(str(folder / "tokenizer.json"))
    limited.enable_truncation(4)
    limited.enable_padding(length=9)
    limited.save(str(folder / "tokenizer.json"))
    taken = pretrained_tokenizer(ModelConfig(init=str(folder)))
    text = "The gardener watered seventeen yellow tulips yesterday ."
    assert len(limited.encode(text).ids) == 9 and limited.encode(text).ids[4] == limited.token_to_id("[PAD]")
    original = Tokenizer.from_file(str(headless / "tokenizer.json"))
    assert taken.encode(text).ids == original.encode(text).ids and len(taken.encode(text).ids) > 9


# The beginning of the model


def test_head_begins_at_the_identity_and_the_frequencies(headless: Path) -> None:
    config = ModelConfig(init=str(headless))
    model, new_head = load_pretrained(config, seed=0)
    assert new_head
    ids = np.array([7, 7, 7, 9], np.uint16)
    begin_head(model, ids, norm=0.25)
    states = torch.randn(3, model.config.hidden_size, generator=torch.Generator().manual_seed(0))
    activated = torch.nn.functional.gelu(states)
    normed = 0.25 * (activated - activated.mean(-1, keepdim=True)) / activated.std(-1, correction=0)[:, None]
    counts = np.bincount(ids, minlength=model.config.vocab_size) + 1
    expected = normed @ model.bert.embeddings.word_embeddings.weight.T + torch.tensor(
        np.log(counts / counts.sum()), dtype=torch.float32
    )
    torch.testing.assert_close(model.cls(states), expected, atol=1e-5, rtol=1e-5)


def test_encoder_and_head_are_those_of_the_folder(headless: Path, tmp_path: Path) -> None:
    model, _ = load_pretrained(ModelConfig(init=str(headless)), seed=0)
    encoder = BertModel.from_pretrained(headless, add_pooling_layer=False)
    for name, value in encoder.named_parameters():
        assert torch.equal(dict(model.bert.named_parameters())[name], value), name
    assert model.config.hidden_dropout_prob == model.config.attention_probs_dropout_prob == 0
    whole, new_head = load_pretrained(ModelConfig(init=str(tiny.bert(tmp_path / "b"))), seed=0)
    saved = BertForMaskedLM.from_pretrained(tmp_path / "b")
    assert not new_head
    assert torch.equal(
        whole.cls.predictions.transform.dense.weight, saved.cls.predictions.transform.dense.weight
    )


def test_rows_are_renewed(headless: Path) -> None:
    model, _ = load_pretrained(ModelConfig(init=str(headless)), seed=0)
    tokenizer = pretrained_tokenizer(ModelConfig(init=str(headless)))
    before = model.bert.embeddings.word_embeddings.weight.detach().clone()
    renew_rows(model, tokenizer, ("[MASK]",), np.array([8, 6, 8, 8], np.uint16))
    after = model.bert.embeddings.word_embeddings.weight
    mask = tokenizer.token_to_id("[MASK]")
    torch.testing.assert_close(after[mask], (before[8] + before[6]) / 2)
    others = torch.arange(len(before)) != mask
    assert torch.equal(after[others], before[others])
    with pytest.raises(ValueError, match=r"no piece '\[GAP\]'"):
        renew_rows(model, tokenizer, ("[GAP]",), np.array([8], np.uint16))


def test_groups_of_learning_rates(headless: Path) -> None:
    model, _ = load_pretrained(ModelConfig(init=str(headless)), seed=0)
    config = OptimConfig(
        steps=9, encoder_learning_rate=1e-4, embedding_learning_rate=2e-4, head_learning_rate=3e-4
    )
    (adam,) = build_groups(model, config)
    group_of = {id(p): group for group in adam.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in adam.param_groups) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        group = group_of[id(parameter)]
        rate = 3e-4 if name.startswith("cls.") else 2e-4 if "embeddings" in name else 1e-4
        assert group["initial_lr"] == group["lr"] == rate, name
        decays = name.startswith("bert.encoder.") and parameter.ndim == 2
        assert group["weight_decay"] == (0.01 if decays else 0), name


# The regulariser


def test_distance_is_relative_and_of_kept_positions_only() -> None:
    before = torch.tensor([[[3.0, 4.0], [1.0, 0.0], [9.0, 9.0]]])
    now = torch.tensor([[[3.0, 4.0], [1.0, 5.0], [0.0, 0.0]]])
    kept = torch.tensor([[True, True, False]])
    assert float(distance([now], [before], kept)) == pytest.approx(25 / 26)
    assert float(distance([now, before], [before, before], kept)) == pytest.approx(25 / 52)


def some_batch(mask: int) -> Batch:
    """Two sequences, one padded, with a masked piece each."""
    return Batch(
        ids=np.array([[2, mask, 9, 3], [2, 8, mask, 3]]),
        attention=np.array([[1, 1, 1, 1], [1, 1, 1, 1]]),
        predicted=np.array([[False, True, False, False], [False, False, True, False]]),
        targets=np.array([7, 6]),
        sides=np.zeros(2, np.int8),
    )


def test_original_sees_the_text_without_masks_and_stays(headless: Path) -> None:
    model, _ = load_pretrained(ModelConfig(init=str(headless)), seed=0)
    original = Original(model)
    ids = torch.tensor([[2, 7, 9, 3], [2, 8, 6, 3]])
    with torch.no_grad():
        expected = model.bert(ids, output_hidden_states=True).hidden_states[1:]
        for parameter in model.parameters():
            parameter.mul_(2)
    found = original.states(some_batch(4), CPU)
    assert len(found) == model.config.num_hidden_layers
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_distillation_keeps_the_states(headless: Path, settings: Path, corpora: Path, tmp_path: Path) -> None:
    moved = {}
    for weight in (0.0, 20.0):
        text = SETTINGS.format(init=headless).replace("distillation = 0.5", f"distillation = {weight}")
        (tmp_path / "c.toml").write_text(text, encoding="utf-8")
        config = read_config(tmp_path / "c.toml")
        out = tmp_path / str(weight)
        train.train(config, corpora, out, device=CPU)
        model, _ = load_pretrained(config.model, seed=0)
        original = Original(model)
        newest = checkpoint.newest(out)
        assert newest is not None
        checkpoint.load(newest, model)
        batch = some_batch(pretrained_tokenizer(config.model).token_to_id("[MASK]"))
        with torch.no_grad():
            states = model.bert(torch.from_numpy(batch.ids), output_hidden_states=True).hidden_states[1:]
        kept = torch.from_numpy(~batch.predicted)
        moved[weight] = float(distance(states, original.states(batch, CPU), kept))
    assert moved[20.0] < 0.9 * moved[0.0]


# Whole runs


def test_run_learns_and_its_record_says_from_what(whole: Path, headless: Path, settings: Path) -> None:
    curve = [json.loads(line) for line in (whole / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["step"] for record in curve] == [3, 6]
    assert curve[1]["heldout"]["c"]["loss"] < curve[0]["heldout"]["c"]["loss"]
    about = json.loads((whole / "config.json").read_text(encoding="utf-8"))
    assert about["model"]["init"] == str(headless) and about["computes_in"] == "float32"
    own = Tokenizer.from_file(str(headless / "tokenizer.json"))
    assert Tokenizer.from_file(str(whole / "tokenizer.json")).get_vocab() == own.get_vocab()


@pytest.mark.parametrize(("call", "resumed_from"), [(1, 0), (3, 2), (5, 4)])
def test_killed_and_resumed_run_ends_bit_equal(
    start: Callable[[Path], int],
    whole: Path,
    tmp_path: Path,
    call: int,
    resumed_from: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    step, calls = train._step, iter(range(100))

    def interrupted(*args: object) -> object:
        if next(calls) == call:
            raise KeyboardInterrupt
        return step(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_step", interrupted)
        assert start(tmp_path / "out") == 130
    capsys.readouterr()
    assert start(tmp_path / "out") == 0
    assert f"float32, from step {resumed_from} to 6 on cpu" in capsys.readouterr().err
    for file in ("model.safetensors", "optimizer.safetensors"):
        ended = (tmp_path / "out" / "step-0000006" / file).read_bytes()
        assert ended == (whole / "step-0000006" / file).read_bytes()


def test_exported_model_is_a_bert_that_probe_loads(
    whole: Path, settings: Path, headless: Path, corpora: Path, tmp_path: Path
) -> None:
    arguments = ["--config", str(settings), "--corpora", str(corpora), "--run", str(whole)]
    assert export.main([*arguments, "--to", str(tmp_path)]) == 0
    about = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert about["architectures"] == ["BertForMaskedLM"] and about["model_type"] == "bert"
    p = probe.load(tmp_path, device="cpu", dtype="float32")
    assert p.has_head and p.window == tiny.WINDOW
    assert p.impact(["old", "ship"]).values[0, 1] > 0
    model, _ = load_pretrained(ModelConfig(init=str(headless)), seed=0)
    newest = checkpoint.newest(whole)
    assert newest is not None
    checkpoint.load(newest, model)
    loaded = dict(p.model.named_parameters())
    for name, value in model.named_parameters():
        assert torch.equal(loaded[name], value.detach().half().float()), name


def test_a_folder_with_another_tokenizer_is_refused(
    settings: Path, finished: Path, corpora: Path, tmp_path: Path
) -> None:
    shutil.copy(finished / "tokenizer.json", tmp_path)
    with pytest.raises(ValueError, match=r"tokenizer\.json: not the tokenizer of"):
        prepare_tokenizer(read_config(settings), corpora, tmp_path)


# Precision


@pytest.mark.parametrize(
    ("asked", "supported", "gain", "expected"),
    [
        ("auto", True, 0.5, torch.float32),  # has the instruction, and is half as fast with it
        ("auto", True, 1.1, torch.float32),
        ("auto", True, 2.0, torch.bfloat16),
        ("auto", False, 2.0, torch.float32),
        ("bfloat16", False, 0.5, torch.bfloat16),
        ("float32", True, 2.0, torch.float32),
    ],
)
def test_precision_is_what_is_faster(
    monkeypatch: pytest.MonkeyPatch, asked: str, supported: bool, gain: float, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported)
    rates = {torch.float32: 1.0, torch.bfloat16: gain}
    monkeypatch.setattr(precision, "_products_per_second", lambda dtype, device: rates[dtype])
    assert choose_dtype(asked, CPU) == expected


def test_a_resumed_run_keeps_its_precision(
    start: Callable[[Path], int], whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(whole, tmp_path / "run")
    about = json.loads((out / "config.json").read_text(encoding="utf-8"))
    (out / "config.json").write_text(json.dumps(about | {"computes_in": "bfloat16"}), encoding="utf-8")
    assert start(out) == 0
    assert "bfloat16, from step 6 to 6" in capsys.readouterr().err


# Configuration


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("renew =", "hidden_size = 32\nrenew =", "model.hidden_size has no effect with model.init"),
        ('init = "{init}"', "", "model.renew needs model.init"),
        ("distillation = 0.5", "distillation = -1", "optim.distillation must be at least 0"),
        ("length = 16", "length = 16\none_sided_steps = 2", "optim.distillation needs model.init, and"),
        ("warmup_steps = 2", "warmup_steps = 2\nneighbour_steps = 1", "optim.neighbour_steps has no effect"),
        ('"float32"', '"float16"', "precision must be one of auto, float32, bfloat16, not 'float16'"),
        ("long_length = 32", "long_length = 64", "data.long_length is 64, but model.init has a window of 32"),
        ('["[MASK]"]', '["[GAP]"]', "model.renew: the tokenizer has no piece '[GAP]'"),
    ],
)
def test_bad_configuration(
    headless: Path,
    corpora: Path,
    tmp_path: Path,
    old: str,
    new: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert old in SETTINGS
    config = tmp_path / "c.toml"
    config.write_text(SETTINGS.replace(old, new).format(init=headless), encoding="utf-8")
    arguments = ["--config", str(config), "--corpora", str(corpora), "--device", "cpu"]
    assert train.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.splitlines()[-1].startswith("error: ")


def test_the_first_loss_is_near_that_of_the_frequencies(
    settings: Path, corpora: Path, tmp_path: Path
) -> None:
    config: TrainConfig = read_config(settings)
    tokenizer = prepare_tokenizer(config, corpora, tmp_path)
    pieces = join([prepare_shard(shard_path(corpora, n), tokenizer, tmp_path) for n in config.data.shards])
    learner = train.build_learner(config, tokenizer, pieces, device=CPU, dtype=torch.float32)
    batches = train.heldout_batches(config, corpora, tmp_path, tokenizer)["c"]
    loss, _ = train.evaluate(learner.model, batches, CPU, torch.float32)
    counts = np.bincount(pieces.ids, minlength=learner.model.config.vocab_size) + 1.0
    targets = np.concatenate([batch.targets for batch in batches])
    assert loss < 1.3 * -np.log(counts / counts.sum())[targets].mean()
