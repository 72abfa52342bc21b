"""Ratios of the perplexities of two models, or of two orders, over the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from analyses.order.perplexity import RESAMPLES, Losses, perplexity_ratio
from analyses.order.perplexity_tables import About, System, signature_of
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, Table

COLUMNS = ("per piece", "per word")
_NOTES = (
    "A / B: how many times the perplexity of A is that of B; an interval without 1 is a difference.",
    f"Paired bootstrap over texts, {RESAMPLES:,} resamples; all sequences of a text are drawn together.",
)
_PIECES = "Two models: over the texts that both can read; per piece only where they have the same pieces."


def ratio_tables(systems: Sequence[System], about: About) -> list[tuple[str, Table]]:
    """The table of ratios with the stem of its file name; none where a single model reads in a single order."""
    models = [system for system in systems if system.kind == "model"]
    rows = [
        _row(f"{model.name}: {second} / {first}", (model, second), (model, first), about)
        for model in models
        for first, second in combinations(about.ways, 2)
    ]
    pairs = [
        pair
        for pair in combinations(models, 2)
        if set(pair[0].sequences.texts) & set(pair[1].sequences.texts)
    ]
    rows += [
        _row(f"{second.name} / {first.name}: {way}", (second, way), (first, way), about)
        for first, second in pairs
        for way in about.ways
    ]
    if not rows:
        return []
    table = Table(
        title=f"Perplexity of {about.data}: ratios of orders and models [95% interval]",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(*_NOTES, _PIECES) if pairs else _NOTES,
    )
    return [("perplexity-ratios", table)]


def _row(name: str, mine: tuple[System, str], its: tuple[System, str], about: About) -> Row:
    """The ratio of the perplexity of a system in an order to that of another."""
    systems = mine[0], its[0]
    texts = sorted(set(systems[0].sequences.texts) & set(systems[1].sequences.texts))
    alike = systems[0] is systems[1] or systems[0].sequences.sha256() == systems[1].sequences.sha256()

    def cell(*, words: bool) -> Cell:
        losses = [_losses(system, way, texts, words=words) for system, way in (mine, its)]
        found = perplexity_ratio(*losses, seed=about.seed)
        return Cell.measured(found.value, found.interval, decimals=3)

    signature = replace(signature_of(systems[1], about), n=len(texts))
    if systems[0] is not systems[1]:
        both = Settings(dtype=systems[1].settings.dtype)
        signature = replace(signature, settings=both, skipped=None)
    cells = (cell(words=False) if alike else None, cell(words=True))
    return Row(name=name, kind="model", cells=cells, signature=signature)


def _losses(system: System, way: str, texts: Sequence[int], *, words: bool) -> Losses:
    """What the perplexity of these texts, ascending by their places, is made of."""
    of = np.array(system.sequences.texts)
    here = np.isin(of, texts)
    at = np.searchsorted(texts, of[here])
    counts = np.array(system.sequences.words if words else system.pieces)

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(at, weights=values[here]).astype(np.float64)

    return Losses(logs=summed(system.log_probabilities(way)), counts=summed(counts.astype(np.float64)))
