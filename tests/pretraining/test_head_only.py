"""A masked-LM head for an encoder that stays as it is: MPNet's, and BERT's."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer

import probe
from pretraining import checkpoint, export, train
from pretraining.batches import Specials
from pretraining.card_heldout import ratio_rows, read_shard
from pretraining.config import ModelConfig, TrainConfig, read_config
from pretraining.model import window
from pretraining.pretrained import begin_head, load_pretrained
from tests import tiny
from tests.tiny_run import DATA

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS = f"""\
seed = 5
precision = "float32"
checkpoint_every = 2
evaluate_every = 10
heldout_sequences = 70
[model]
init = "{{init}}"
{DATA}[optim]
steps = 20
head_only = true
head_learning_rate = 2e-2
warmup_steps = 2
"""


def mpnet_without_head(folder: Path) -> Path:
    """A tiny MPNet encoder as sentence-transformers saves one."""
    tiny.mpnet(folder)
    encoder = transformers.MPNetModel.from_pretrained(folder, add_pooling_layer=False)
    (folder / "model.safetensors").unlink()
    encoder.save_pretrained(folder)
    return folder


MODELS: dict[str, Callable[[Path], Path]] = {"mpnet": mpnet_without_head, "bert": tiny.bert_without_head}


@pytest.fixture(scope="module", params=MODELS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def headless(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MODELS[kind](tmp_path_factory.mktemp("models") / kind)


@pytest.fixture(scope="module")
def settings(headless: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "c.toml"
    path.write_text(SETTINGS.format(init=headless), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(settings: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "head"
    arguments = ["--config", str(settings), "--corpora", str(corpora), "--out", str(out), "--device", "cpu"]
    assert train.main(arguments) == 0
    return out


def test_the_head_learns_and_nothing_else(kind: str, headless: Path, run: Path) -> None:
    newest = checkpoint.newest(run)
    assert newest is not None
    found = load_file(newest / "model.safetensors")
    before = load_file(headless / "model.safetensors")
    kept = [name for name in before if f"{kind}.{name}" in found]
    assert len(kept) == sum(name.startswith(f"{kind}.") for name in found)
    for name in kept:
        assert torch.equal(found[f"{kind}.{name}"], before[name]), name
    head = sorted(name for name in found if not name.startswith(f"{kind}."))
    own = {
        "bert": ("bias", "transform.LayerNorm.bias", "transform.LayerNorm.weight", "transform.dense.bias"),
        "mpnet": ("bias", "dense.bias", "dense.weight", "layer_norm.bias", "layer_norm.weight"),
    }
    prefix = {"bert": "cls.predictions.", "mpnet": "lm_head."}[kind]
    assert {prefix + name for name in own[kind]} <= set(head)
    model, new_head = load_pretrained(ModelConfig(init=str(headless)), seed=0)
    assert new_head
    begin_head(model, np.zeros(1, np.uint16), norm=0.3)
    begun = dict(model.named_parameters())
    assert not any(torch.equal(begun[name], found[name]) for name in head)
    curve = [
        json.loads(line)["heldout"]["c"]["loss"] for line in (run / "curve.jsonl").open(encoding="utf-8")
    ]
    assert curve[1] < curve[0]


def test_no_gradient_is_computed_below_the_head(settings: Path, corpora: Path, run: Path) -> None:
    config: TrainConfig = read_config(settings)
    tokenizer = train.prepare_tokenizer(config, corpora, run)
    pieces = train.prepare_shard(train.shard_path(corpora, "a"), tokenizer, run)
    cpu = torch.device("cpu")
    learner = train.build_learner(config, tokenizer, pieces, device=cpu, dtype=torch.float32)
    batch = train.heldout_batches(config, corpora, run, tokenizer)["c"][0]
    train._step(learner, batch, 1.0)
    assert all(parameter.grad is None for parameter in learner.model.base_model.parameters())
    with torch.enable_grad():
        ids = torch.from_numpy(batch.ids)
        assert not learner.model.base_model(input_ids=ids).last_hidden_state.requires_grad


@pytest.mark.parametrize(
    ("dtype", "one_sided_steps", "attention"),
    [(torch.bfloat16, 0, "eager"), (torch.bfloat16, 5, "sdpa"), (torch.float32, 0, "sdpa")],
)
def test_attention_is_not_fused_where_that_is_slow(
    dtype: torch.dtype,
    one_sided_steps: int,
    attention: str,
    kind: str,
    settings: Path,
    corpora: Path,
    run: Path,
) -> None:
    config: TrainConfig = read_config(settings)
    config = replace(config, data=replace(config.data, one_sided_steps=one_sided_steps))
    tokenizer = train.prepare_tokenizer(config, corpora, run)
    pieces = train.prepare_shard(train.shard_path(corpora, "a"), tokenizer, run)
    learner = train.build_learner(config, tokenizer, pieces, device=torch.device("cpu"), dtype=dtype)
    expected = "eager" if kind == "mpnet" else attention  # MPNet has no fused one
    assert learner.model.config._attn_implementation == expected


def test_exported_model_has_an_openness_of_its_own(
    kind: str, settings: Path, run: Path, corpora: Path, tmp_path: Path
) -> None:
    arguments = ["--config", str(settings), "--corpora", str(corpora), "--run", str(run)]
    assert export.main([*arguments, "--to", str(tmp_path)]) == 0
    p = probe.load(tmp_path, device="cpu", dtype="float32")
    assert p.name == str(tmp_path) and p.has_head and p.window == tiny.WINDOW
    trained = Tokenizer.from_file(str(run / "tokenizer.json"))
    for text in ("The old ship rises slowly.", "HARBOUR, unseen wörd!", "net-sailor's (grey)"):
        assert p.tokenizer(text)["input_ids"] == trained.encode(text).ids
    matrix = p.impact(["old", "ship"], perturb="knockout", openness=True)
    assert matrix.openness is not None and (matrix.openness > 0).all()
    shard = read_shard(corpora / "c.txt.xz", p, documents=None)
    row = ratio_rows(p, shard, ratios=[0.15], pieces=500, seed=0)[0]
    assert 0 <= row["accuracy"] <= 100 and row["masked_pieces"] > 0
    assert {"mpnet": "MPNetForMaskedLM", "bert": "BertForMaskedLM"}[kind] == type(p.model).__name__


def test_special_tokens_are_those_that_the_model_reads(kind: str, headless: Path) -> None:
    tokenizer = Tokenizer.from_file(str(headless / "tokenizer.json"))
    if kind == "mpnet":  # as the published vocabulary, which has BERT's among its unused pieces
        tokenizer.add_tokens(["[PAD]", "[CLS]", "[SEP]", "[MASK]"])
    loaded = transformers.AutoTokenizer.from_pretrained(headless)
    specials = Specials.of(tokenizer)
    assert (specials.pad, specials.cls, specials.sep, specials.mask) == (
        loaded.pad_token_id,
        loaded.cls_token_id,
        loaded.sep_token_id,
        loaded.mask_token_id,
    )
    model, _ = load_pretrained(ModelConfig(init=str(headless)), seed=0)
    assert window(model) == tiny.WINDOW


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('init = "{init}"', "", r"optim\.head_only needs model\.init"),
        ("head_only = true", "head_only = true\nfrozen_layers = 1", "have no effect with optim.head_only"),
        ("head_only = true", "head_only = true\ndistillation = 0.5", "have no effect with optim.head_only"),
        ("head_only = true", "head_only = 1", r"optim\.head_only must be true or false, not 1"),
    ],
)
def test_bad_configuration(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(SETTINGS.replace(old, new).format(init="x"), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_config(path)
