"""Registries that are as they were once a test has ended."""

import pytest

from analyses.trees.adjust import ADJUSTMENTS
from analyses.trees.decoders import CONSTITUENT_DECODERS, DECODERS


def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered from now on is forgotten at the end of the test."""
    for registry in (ADJUSTMENTS, CONSTITUENT_DECODERS, DECODERS):
        monkeypatch.setattr(registry, "_entries", dict(registry))
