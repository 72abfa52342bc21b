"""Constituency trees of gold sentences, induced in every way by a model and by random weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.constituency.scores import Gold, Hits, count_hits
from analyses.trees.decoders import CONSTITUENT_DECODERS
from analyses.trees.systems import Skipped, System, Way, systems, word_impacts
from parsers import Bracketing

if TYPE_CHECKING:
    from probe import ImpactMatrix
    from probe.source import ImpactSource


@dataclass(frozen=True)
class Found:
    """What is kept of a tree.

    Attributes:
        hits: int64 [1 + labels], a row of ``Hits``.
        tree: itself, where it is asked for.
    """

    hits: NDArray[np.int64]
    tree: Bracketing | None = None


def induce(
    model: ImpactSource,
    ways: Sequence[Way],
    gold: Gold,
    args: argparse.Namespace,
    skipped: Skipped,
    *,
    label: str,
    keep: bool = False,
    see: Callable[[int, Sequence[ImpactMatrix]], None] | None = None,
) -> list[System[Found]]:
    """Trees of the gold sentences by random weights and by the model itself.

    Args:
        model, args, label, skipped, see: as in ``analyses.trees.systems.systems``.
        ways: under the protocol of ``gold``.
        gold: the sentences.
        keep: whether the trees are kept, and not their hits alone.
    """

    def found(way: Way, places: Sequence[int], matrices: Sequence[ImpactMatrix]) -> list[Found]:
        values = [matrix.values.astype(np.float64) for matrix in matrices]
        trees = CONSTITUENT_DECODERS[way.decoder].decode(values)
        sentences = [gold.sentences[place] for place in places]
        hits = count_hits(sentences, [tree.spans for tree in trees], gold.protocol)
        return [Found(row, tree if keep else None) for row, tree in zip(hits, trees, strict=True)]

    impacts = word_impacts([sentence.words for sentence in gold.sentences], args)
    return systems(
        model, ways, impacts=impacts, decode=found, args=args, label=label, skipped=skipped, see=see
    )


def runs_of(system: System[Found], way: Way, places: Sequence[int]) -> list[Hits]:
    """The hits of every run on the sentences at these places."""
    return [np.array([found.hits for found in run]) for run in system.trees(way, places)]
