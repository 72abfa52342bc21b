"""Discourse scores for the model card: Eisner trees of EDUs beside the chains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from analyses.discourse.protocols import (
    DiscourseCounts,
    baseline_documents,
    count_documents,
    decode_document,
    document_impacts,
)
from analyses.intervals import bootstrap
from analyses.trees.decoders import BASELINES
from analyses.trees.protocols import ProtocolName
from analyses.trees.variants import Variant
from data import Document
from probe import Probe

_PROTOCOL: ProtocolName = "fair"


def discourse_scores(
    p: Probe, documents: Sequence[Document], *, layer: int, name: str, seed: int
) -> dict[str, Any]:
    """UAS under ``fair`` of Eisner trees (``dist``, pool ``state``) and of the baselines, in percent.

    Args:
        p: the model.
        documents: with gold heads.
        layer: chosen elsewhere.
        name: of the data.
        seed: of random trees and the bootstrap.

    Raises:
        probe.SentenceError: a document is longer than the model's window.
    """
    rows = [
        {"name": row, **_uas(count_documents(documents, trees, protocol=_PROTOCOL), seed)}
        for row, trees in _trees(p, documents, layer=layer, seed=seed)
    ]
    return {"data": name, "documents": len(documents), "layer": layer, "pool": "state", _PROTOCOL: rows}


def _trees(
    p: Probe, documents: Sequence[Document], *, layer: int, seed: int
) -> Iterator[tuple[str, list[np.ndarray[Any, np.dtype[np.int64]]]]]:
    for baseline in BASELINES:
        yield baseline, baseline_documents(documents, protocol=_PROTOCOL, name=baseline, seed=seed)
    variant = Variant("dist", layer, "state", "pair")
    yield (
        p.name,
        [
            decode_document(found[variant], document, protocol=_PROTOCOL, decoder="eisner")
            for document, found in zip(documents, document_impacts(p, documents, [variant]), strict=True)
        ],
    )


def _uas(counts: DiscourseCounts, seed: int) -> dict[str, Any]:
    interval = bootstrap(counts.correct, counts.total, seed=seed)
    value = 100 * float(counts.correct.sum() / counts.total.sum())
    return {"UAS": value, "interval": [100 * interval.low, 100 * interval.high]}
