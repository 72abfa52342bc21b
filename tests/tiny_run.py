"""A tiny corpus and a whole training run on it, shared by the tests of the recipe."""

import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pretraining.config import DataConfig, ModelConfig, OptimConfig, TrainConfig
from tests.threads import single_thread

STEPS = 12

DATA = """\
[data]
shards = ["a", "b"]
heldout = ["c"]
length = 16
batch_size = 4
long_length = 32
long_batch_size = 2
long_every = 3
"""
TOML = f"""\
seed = 5
precision = "float32"
checkpoint_every = 4
evaluate_every = 3
heldout_sequences = 70
[model]
vocab_size = 80
hidden_size = 16
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 32
max_position_embeddings = 32
{DATA}[optim]
steps = {STEPS}
learning_rate = 1e-2
warmup_steps = 2
neighbour_steps = 3
decay = 0.5
"""


CONFIG = TrainConfig(
    model=ModelConfig(vocab_size=80, hidden_size=16, num_hidden_layers=2, num_attention_heads=2),
    data=DataConfig(shards=("a", "b"), heldout=("c",)),
    optim=OptimConfig(steps=STEPS, warmup_steps=2),
)


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of made-up sentences."""
    folder = tmp_path_factory.mktemp("corpora")
    rng = np.random.default_rng(0)
    words = "old grey ship harbour sailor net wind rises falls mends the a by under slowly".split()
    for name in "abc":
        lines = []
        for document in range(30):
            for _ in range(int(rng.integers(1, 5))):
                lines.append(" ".join(rng.choice(words, rng.integers(3, 12))).capitalize() + ".")
            lines += [""] * (document < 29)
        (folder / f"{name}.txt.xz").write_bytes(lzma.compress("\n".join(lines).encode()))
    (folder / "c.toml").write_text(TOML, encoding="utf-8")
    return folder


Run = Callable[[Path], int]


@pytest.fixture(scope="session")
def run(corpora: Path) -> Run:
    """The command line on the corpus, with an output folder."""
    from pretraining import train

    def call(out: Path) -> int:
        config = str(corpora / "c.toml")
        return train.main(
            ["--config", config, "--corpora", str(corpora), "--out", str(out), "--device", "cpu"]
        )

    return call


@pytest.fixture(scope="session")
def finished(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of an uninterrupted run."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    with single_thread():
        assert run(out) == 0
    return out
