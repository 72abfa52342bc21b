"""What gives impact matrices: a model, or a run directory that a model filled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from probe.errors import SentenceError
    from probe.matrix import ImpactMatrix, ImpactSet
    from probe.model import Errors, OpennessChoice, Words
    from probe.options import Layers, PoolChoice, Settings

EMBEDDED = "bert"
"""The name of the BERT that comes with this package."""


class ImpactSource(Protocol):
    """What ``probe.Probe`` and ``probe.Store`` have in common; the methods are described there."""

    @property
    def name(self) -> str:
        """What the model was loaded as."""

    @property
    def n_layers(self) -> int:
        """Number of layers above the embeddings."""

    @property
    def dtype(self) -> object:
        """The type the model computes in; its text is that of a torch dtype, with or without "torch."."""

    def resolve(
        self,
        *,
        metric: str | Sequence[str] = ...,
        layer: Layers = ...,
        pool: PoolChoice | Sequence[PoolChoice] = ...,
        perturb: str | Sequence[str] = ...,
        attention: str = ...,
    ) -> Settings:
        """What these options mean for the model."""

    def impact_many(
        self,
        sentences: Iterable[Words],
        *,
        metric: str | Sequence[str] = ...,
        layer: Layers = ...,
        pool: PoolChoice | Sequence[PoolChoice] = ...,
        perturb: str | Sequence[str] = ...,
        attention: str = ...,
        openness: OpennessChoice = ...,
        batch_tokens: int = ...,
        on_passes: Callable[[int], None] | None = ...,
        errors: Errors,
    ) -> Iterator[ImpactMatrix | ImpactSet | SentenceError]:
        """Impact matrices in input order."""
