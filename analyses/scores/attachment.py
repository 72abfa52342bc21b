"""Attachment scores of dependency trees: UAS, UUAS and NED, counted sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from pandas import DataFrame

NO_HEAD = -1
"""Predicted head of a word that no arc of the predicted structure reaches; it counts as wrong."""


@dataclass(frozen=True)
class ArcCounts:
    """Numbers of arcs, each an int64 array [sentences].

    ``total`` counts the scored gold arcs, ``directed`` the correct ones (UAS), ``undirected`` those that are
    correct when the direction is ignored (UUAS), and ``ned`` those correct under neutral edge direction.
    """

    total: NDArray[np.int64]
    directed: NDArray[np.int64]
    undirected: NDArray[np.int64]
    ned: NDArray[np.int64]

    def to_frame(self) -> DataFrame:
        """The counts as a pandas frame: a row a sentence, numbered from 0, a column an attribute."""
        import pandas

        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return pandas.DataFrame(columns).rename_axis("sentence")


def count_arcs(
    gold: Sequence[ArrayLike],
    predicted: Sequence[ArrayLike],
    *,
    scored: Sequence[ArrayLike] | None = None,
) -> ArcCounts:
    """Compare predicted trees with gold trees, arc by arc.

    An arc is a dependent with its head, the arc from ROOT included.

    - UAS: the predicted head is the gold head.
    - UUAS: an arc also counts if the gold arc is its reverse (Klein and Manning, ACL 2004).
    - NED: an arc also counts if the predicted head is the gold grandparent (Schwartz et al., ACL 2011).
      ROOT is a grandparent like any other: a predicted head 0 counts when the gold head is a root word.
      The published left-chain figure of Wu et al. (ACL 2020) comes out only so: 53.3, against 51.2 without.

    All three have the same denominator, the number of scored arcs.

    Args:
        gold: head sequences, one a sentence: 1-based heads, 0 = ROOT.
        predicted: head sequences of the same lengths; ``NO_HEAD`` (-1) where a word has no head.
        scored: bool arrays, True for the dependents whose arcs count; every dependent by default.

    Raises:
        ValueError: if the numbers of sentences or of words differ, or a head is outside the sentence.
    """
    masks: Sequence[ArrayLike | None] = [None] * len(gold) if scored is None else scored
    if not len(gold) == len(predicted) == len(masks):
        raise ValueError(
            f"expected as many predicted trees and masks as gold trees, "
            f"found {len(gold)} gold, {len(predicted)} predicted, {len(masks)} masks"
        )
    rows = [_count(index, *trio) for index, trio in enumerate(zip(gold, predicted, masks, strict=True))]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return ArcCounts(*columns)


def _count(
    index: int, gold: ArrayLike, predicted: ArrayLike, scored: ArrayLike | None
) -> tuple[int, int, int, int]:
    """Count one sentence: total, directed, undirected, NED."""
    gold_heads = _heads(gold, index, "gold", lowest=0)
    heads = _heads(predicted, index, "predicted", lowest=NO_HEAD)
    n = len(gold_heads)
    mask = np.ones(n, dtype=bool) if scored is None else np.asarray(scored, dtype=bool)
    if heads.shape != (n,) or mask.shape != (n,):
        raise ValueError(
            f"sentence {index}: expected {n} predicted heads and mask entries as there are gold heads, "
            f"found shapes {heads.shape} and {mask.shape}"
        )
    # Heads of 0..n, so that a head can be looked up by its number. ROOT has none: n + 1 equals no head.
    head_of = np.concatenate(([n + 1], gold_heads))
    directed = heads == gold_heads
    reverse = (heads > 0) & (head_of[np.maximum(heads, 0)] == np.arange(1, n + 1))
    undirected = directed | reverse
    ned = undirected | (heads == head_of[gold_heads])
    return (
        int(mask.sum()),
        int((directed & mask).sum()),
        int((undirected & mask).sum()),
        int((ned & mask).sum()),
    )


def _heads(heads: ArrayLike, index: int, kind: str, *, lowest: int) -> NDArray[np.int64]:
    """Convert the heads of one sentence to an int64 array, refusing what is no head."""
    array = np.asarray(heads)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(
            f"sentence {index}: expected a flat sequence of whole numbers as {kind} heads, "
            f"found shape {array.shape} of {array.dtype}"
        )
    outside = np.flatnonzero((array < lowest) | (array > array.size))
    if outside.size:
        word = int(outside[0])
        raise ValueError(
            f"sentence {index}, word {word + 1}: expected a {kind} head from {lowest} to {array.size}, "
            f"found {int(array[word])}"
        )
    return array.astype(np.int64)
