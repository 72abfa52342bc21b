"""How the change of a state is measured: the registry of metrics.

``dist``: L2 norm of the change (Wu et al. 2020, section 2.2). ``cos``: 1 - cosine similarity. ``prob``: loss of
the probability of the true piece (ibid., the "Prob" variant). ``kl``: Kullback-Leibler divergence, in nats, of
the distribution over pieces after the change from that before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from probe.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One way to measure how far the model's view of a piece moves.

    Attributes:
        name: what it is chosen by.
        reads: "states" of a layer, or what the masked-LM "head" makes of them: log-probabilities over pieces.
        measure: ``measure(before, after)`` of states [reads, hidden], or ``measure(before, after, true)`` of
            log-probabilities [reads, vocabulary] and true pieces int64 [reads]; each returns [reads].
        can_be_negative: whether an impact may be below 0, so that it has no logarithm.
        unit: what its numbers are, for the colour scales of pictures.
    """

    name: str
    reads: Literal["states", "head"]
    measure: Callable[..., Tensor]
    can_be_negative: bool = False
    unit: str = ""

    @property
    def label(self) -> str:
        """What a colour scale says of it: "impact (kl), nats"."""
        return f"impact ({self.name}), {self.unit}" if self.unit else f"impact ({self.name})"


def dist(before: Tensor, after: Tensor) -> Tensor:
    """L2 norm of the difference. Shapes: [reads, hidden] twice -> [reads]."""
    import torch

    norm: Tensor = torch.linalg.vector_norm(before - after, dim=-1)
    return norm


def cos(before: Tensor, after: Tensor) -> Tensor:
    """1 - cosine similarity. Shapes: [reads, hidden] twice -> [reads]."""
    import torch

    # Rounding can carry the similarity of equal states past 1.
    return (1 - torch.nn.functional.cosine_similarity(before, after, dim=-1)).clamp(min=0)


def prob(before: Tensor, after: Tensor, true: Tensor) -> Tensor:
    """Loss of probability of the true piece.

    Shapes: log-probabilities [reads, vocabulary] twice, pieces int64 [reads] -> [reads].
    """
    index = true[:, None]
    return (before.gather(1, index).exp() - after.gather(1, index).exp())[:, 0]


def kl(before: Tensor, after: Tensor, true: Tensor) -> Tensor:
    """KL(before || after) in nats, whatever the true piece. Shapes: as for ``prob``."""
    import torch

    del true
    divergence = torch.nn.functional.kl_div(after, before, reduction="none", log_target=True).sum(-1)
    return divergence.clamp(min=0)  # as in cos


METRICS: Registry[Metric] = Registry(
    "metric",
    (
        Metric(name="dist", reads="states", measure=dist, unit="Euclidean distance"),
        Metric(name="cos", reads="states", measure=cos, unit="1 \u2212 cosine"),
        Metric(name="prob", reads="head", measure=prob, can_be_negative=True, unit="probability lost"),
        Metric(name="kl", reads="head", measure=kl, unit="nats"),
    ),
    aliases={
        "l2": "dist",
        "euclidean": "dist",
        "l2-norm": "dist",
        "distance": "dist",
        "cosine": "cos",
        "probability": "prob",
        "kl-divergence": "kl",
        "kld": "kl",
    },
    group="perturbed_probe.metrics",
)
"""All metrics by name; a package adds its own with ``METRICS.register`` or an entry point of the group."""
