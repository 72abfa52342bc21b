"""Registries that are as they were once a test has ended."""

import pytest

from analyses.experiments import EXPERIMENTS
from analyses.trees.adjust import ADJUSTMENTS
from analyses.trees.decoders import CONSTITUENT_DECODERS, DECODERS
from analyses.trees.methods import METHODS
from probe.metrics import METRICS
from probe.perturbations import PERTURBATIONS
from probe.registry import Registry

REGISTRIES: dict[str, Registry] = {  # type: ignore[type-arg]
    "analyses.experiments.EXPERIMENTS": EXPERIMENTS,
    "analyses.trees.adjust.ADJUSTMENTS": ADJUSTMENTS,
    "analyses.trees.decoders.CONSTITUENT_DECODERS": CONSTITUENT_DECODERS,
    "analyses.trees.decoders.DECODERS": DECODERS,
    "analyses.trees.methods.METHODS": METHODS,
    "probe.metrics.METRICS": METRICS,
    "probe.perturbations.PERTURBATIONS": PERTURBATIONS,
}
"""All to which a user adds entries."""


def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered from now on is forgotten at the end of the test."""
    for registry in REGISTRIES.values():
        # Entry points are loaded before the copy.
        monkeypatch.setattr(registry, "_entries", {name: registry[name] for name in registry})
