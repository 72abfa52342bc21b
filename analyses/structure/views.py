"""Ways to see a sentence: along gold, induced, random trees and chains, with everything or nothing in sight."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from parsers.baselines import left_chain, random_projective
from probe.patterns import FULL, AttentionChoice
from probe.structure import mask_of

Heads: TypeAlias = NDArray[np.int64]
GOLD, INDUCED, RANDOM, CHAIN = "gold trees", "induced trees", "random trees", "chains"
EVERYTHING, WORDS, NOTHING = "full attention", "all words", "no other word"
"""What is seen where no tree says it: as the model was trained; the same but special tokens, which see no word, as
under a tree; the word itself and special tokens."""


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """One way to see all sentences.

    Attributes:
        name: of its row.
        draws: for each draw the attention of each sentence; one draw, unless trees are random.
    """

    name: str
    draws: Sequence[Sequence[AttentionChoice]]


def trees_of(
    sizes: Sequence[int], *, gold: Sequence[Heads] | None, induced: Sequence[Heads], draws: int, seed: int
) -> dict[str, list[Sequence[Heads]]]:
    """The trees of every sentence by their names, for each draw.

    Args:
        sizes: words of each sentence.
        gold: its gold heads; None where the data have none.
        induced: the heads that the model gives it.
        draws: of random trees, projective and uniform; those of a sentence do not depend on the others.
        seed: of these.
    """
    random = [
        [random_projective(n, seed=np.random.default_rng([seed, draw, at])) for at, n in enumerate(sizes)]
        for draw in range(draws)
    ]
    found: dict[str, list[Sequence[Heads]]] = {CHAIN: [[left_chain(n) for n in sizes]], RANDOM: [*random]}
    return found | {INDUCED: [induced]} | ({} if gold is None else {GOLD: [gold]})


def along(trees: Mapping[str, Sequence[Sequence[Heads]]], relation: str) -> list[View]:
    """The ways to see along these trees, of one relation (``probe.structure.RELATIONS``)."""
    return [
        View(name=name, draws=[[mask_of(heads, relation) for heads in draw] for draw in drawn])
        for name, drawn in trees.items()
    ]


def without_trees(sizes: Sequence[int]) -> list[View]:
    """With everything and with nothing in sight."""
    return [
        View(name=NOTHING, draws=[[np.eye(n, dtype=bool) for n in sizes]]),
        View(name=WORDS, draws=[[np.ones((n, n), dtype=bool) for n in sizes]]),
        View(name=EVERYTHING, draws=[[FULL for _ in sizes]]),
    ]


def masks_sha256(attentions: Sequence[AttentionChoice]) -> str:
    """SHA-256 over the ways to see all sentences."""
    sha = hashlib.sha256()
    for one in attentions:
        packed = (
            one.encode() if isinstance(one, str) else np.packbits(one).tobytes() + bytes([len(one) % 256])
        )
        sha.update(packed + b"\n")
    return sha.hexdigest()
