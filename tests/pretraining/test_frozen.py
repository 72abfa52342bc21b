"""Layers of a pretrained encoder that a run leaves as they are."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pretraining import checkpoint
from pretraining.config import TrainConfig, read_config
from pretraining.train import train
from tests import tiny
from tests.tiny_run import DATA

pytestmark = pytest.mark.usefixtures("one_thread")


def run(config: str, corpora: Path, out: Path) -> dict[str, torch.Tensor]:
    """The weights after training."""
    train(read(config, out.parent), corpora, out, device=torch.device("cpu"))
    newest = checkpoint.newest(out)
    assert newest is not None
    return load_file(newest / "model.safetensors")


def read(text: str, folder: Path) -> TrainConfig:
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def test_frozen_layers_stay_as_they_are(corpora: Path, tmp_path: Path) -> None:
    model = tiny.bert_without_head(tmp_path / "headless")
    before = load_file(model / "model.safetensors")
    text = (
        f'heldout_sequences = 70\n[model]\ninit = "{model}"\n{DATA}[optim]\nsteps = 3\n'
        "warmup_steps = 1\nencoder_learning_rate = 1e-2\nfrozen_layers = {count}\n"
    )
    made = run(text.format(count=1), corpora, tmp_path / "run")
    changed = {name for name, old in before.items() if not torch.equal(made.get(f"bert.{name}", old), old)}
    assert any(name.startswith("encoder.layer.1.") for name in changed)
    assert any(name.startswith("embeddings.") for name in changed)
    assert not any(name.startswith("encoder.layer.0.") for name in changed)
    with pytest.raises(ValueError, match=r"optim\.frozen_layers is 9, but model\.init has \d layers"):
        run(text.format(count=9), corpora, tmp_path / "other")


def test_frozen_layers_need_a_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"optim\.frozen_layers needs model\.init"):
        read(f"{DATA}[optim]\nsteps = 300\nfrozen_layers = 1\n", tmp_path)
