"""How the change of a state is measured.

``dist``: L2 norm of the change (Wu et al. 2020, section 2.2). ``cos``: 1 - cosine similarity. ``prob``: loss of
the probability of the true piece (ibid., the "Prob" variant). ``kl``: Kullback-Leibler divergence, in nats, of
the distribution over pieces after the change from that before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from torch import Tensor


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


def kl(before: Tensor, after: Tensor) -> Tensor:
    """KL(before || after) in nats. Shapes: log-probabilities [reads, vocabulary] twice -> [reads]."""
    import torch

    divergence = torch.nn.functional.kl_div(after, before, reduction="none", log_target=True).sum(-1)
    return divergence.clamp(min=0)  # as in cos


Metric: TypeAlias = Literal["dist", "cos", "prob", "kl"]
"""How the change of a state is measured; see ``probe.metrics``."""


METRICS: tuple[Metric, ...] = get_args(Metric)


HEAD_METRICS: frozenset[Metric] = frozenset({"prob", "kl"})
"""The metrics that read the masked-LM head."""
