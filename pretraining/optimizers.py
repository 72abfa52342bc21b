"""Muon for the matrices inside the layers, AdamW for the rest, and the schedule of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from pretraining.config import OptimConfig
from pretraining.pretrained import Pretrained

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, as in ``torch.optim.Muon``: steep at 0, between .7 and 1.2 above."""


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal (Jordan et al. 2024, "Muon").

    Unlike ``torch.optim.Muon`` it computes in the parameters' own type, since bfloat16 products are slow on most
    CPUs, takes matrices of one shape together, and lets the number of iterations be chosen.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        iterations: int = 5,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "iterations": iterations,
        }
        super().__init__(list(parameters), defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient; ``closure`` is not supported and must be None."""
        assert closure is None
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in by_shape.items():
                directions = torch.stack([self._direction(p, group["momentum"]) for p in parameters])
                rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for p, update in zip(parameters, orthogonal(directions, group["iterations"]), strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)

    def _direction(self, parameter: Tensor, momentum: float) -> Tensor:
        """Nesterov momentum."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if "mean" not in state:
            state["mean"] = torch.zeros_like(parameter)
        mean: Tensor = state["mean"].lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(mean, momentum)


def orthogonal(matrices: Tensor, iterations: int) -> Tensor:
    """Nearly the nearest orthogonal matrices, by Newton-Schulz iteration.

    Shapes:
        matrices and result: [matrices, rows, columns]
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def build_optimizers(model: torch.nn.Module, config: OptimConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers and the head; AdamW, without decay, for embeddings and vectors.

    Every parameter group has an "initial_lr", which ``set_rate`` scales.
    """
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and "embeddings" not in name else rest).append(parameter)
    optimizers: list[torch.optim.Optimizer] = [
        Muon(
            matrices,
            lr=config.matrix_learning_rate,
            weight_decay=config.weight_decay,
            iterations=config.muon_iterations,
        ),
        torch.optim.AdamW(rest, lr=config.learning_rate, betas=config.betas, weight_decay=0.0, fused=True),
    ]
    for group in _groups(optimizers):
        group["initial_lr"] = group["lr"]
    return optimizers


def build_groups(model: Pretrained, config: OptimConfig) -> list[torch.optim.Optimizer]:
    """AdamW with a learning rate for the encoder's layers, the embeddings and the head; its matrices decay.

    The output matrix is the embeddings'. Frozen parameters (without ``requires_grad``) are left out. Every group
    has an "initial_lr", which ``set_rate`` scales.
    """
    matrices: list[Tensor] = []
    vectors: list[Tensor] = []
    embeddings: list[Tensor] = []
    head: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if not name.startswith(f"{model.base_model_prefix}."):
            head.append(parameter)
        elif ".embeddings." in name:
            embeddings.append(parameter)
        else:
            (matrices if parameter.ndim == 2 else vectors).append(parameter)
    encoder = config.encoder_learning_rate
    groups = [
        {"params": matrices, "lr": encoder, "weight_decay": config.weight_decay},
        {"params": vectors, "lr": encoder},
        {"params": embeddings, "lr": config.embedding_learning_rate},
        {"params": head, "lr": config.head_learning_rate},
    ]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, betas=config.betas, weight_decay=0.0, fused=True)
    ]
    for group in _groups(optimizers):
        group["initial_lr"] = group["lr"]
    return optimizers


def set_rate(optimizers: list[torch.optim.Optimizer], share: float) -> None:
    """Set every learning rate to a share of its initial value."""
    for group in _groups(optimizers):
        group["lr"] = share * group["initial_lr"]


def _groups(optimizers: list[torch.optim.Optimizer]) -> Iterable[dict[str, Any]]:
    return (group for optimizer in optimizers for group in optimizer.param_groups)


def schedule(step: int, config: OptimConfig) -> float:
    """Share of the learning rates at a step: linear warm-up, 1, linear decay."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    decay_steps = max(1, round(config.decay * (config.steps - config.warmup_steps)))
    return min(warm, max(0.0, (config.steps - step) / decay_steps), 1.0)
