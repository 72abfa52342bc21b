"""Learning rates, optimizers and the beginnings of the trained model."""

import pytest
import torch

from pretraining.config import ModelConfig, OptimConfig
from pretraining.model import build_model, release_neighbours
from pretraining.optimizers import Muon, build_optimizers, orthogonal, schedule, set_rate
from tests.tiny_run import CONFIG

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
