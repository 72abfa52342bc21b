"""Who sees whom along trees: masks over words made of the heads of dependency trees.

Syntax-BERT (Bai et al., EACL 2021) hides from a word all words that do not stand in some relation to it in a tree:
parent, children, siblings, a distance. Here a mask is made of one relation, or of several joined.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from probe.errors import OptionError, quoted
from probe.registry import check_name

RELATIONS = ("parent", "children", "siblings", "distance:K", "nearest:K")
"""What a word sees beside itself: its head, its dependents, the other dependents of its head, the words at most K
arcs away, or the K words fewest arcs away (among equals the nearer in the sentence, then the left one)."""

_NUMBERED = re.compile(r"(distance|nearest):([1-9][0-9]{0,5})")
_NAME = re.compile(r"tree:([a-z0-9:+]+)@[0-9a-f]{12}")

Mask: TypeAlias = NDArray[np.bool_]
Heads: TypeAlias = "Sequence[int] | NDArray[np.int64]"
"""Of n words the place of each one's head, from 1; 0 of a root."""


def relation_name(name: str) -> str:
    """The relation itself, or several joined by ``+``, if there are such.

    Raises:
        OptionError: there are not; says which there are.
    """
    for part in name.split("+"):
        if part.partition(":")[0] in ("distance", "nearest"):
            if not _NUMBERED.fullmatch(part):
                found = quoted(part)
                raise OptionError(
                    f"relation: a number from 1 is expected for K, as in distance:2, found {found}"
                )
        else:
            check_name("relation", part, RELATIONS)
    return name


def is_structure(name: str) -> bool:
    """Whether this is the name of a ``Structure``, as settings, files and run directories have it.

    Raises:
        OptionError: its relation is none.
    """
    found = _NAME.fullmatch(name)
    return found is not None and bool(relation_name(found[1]))


@dataclass(frozen=True, eq=False)
class Structure:
    """The masks of many sentences, made of their trees; where attention is asked for, it can be given.

    Attributes:
        relation: see ``RELATIONS``; several are joined by ``+``.
        trees: the heads of each sentence.
        digest: tells these trees from others; made of all trees that there are, if not given.

    Raises:
        OptionError: an unknown relation.
        ValueError: heads that are out of range, or a word that is its own head.
    """

    relation: str
    trees: Sequence[Heads]
    digest: str = ""

    def __post_init__(self) -> None:
        relation_name(self.relation)
        for number, heads in enumerate(self.trees, start=1):
            found = np.asarray(heads)
            if (found < 0).any() or (found > len(found)).any():
                raise ValueError(f"tree {number}: heads are expected in 0..{len(found)}")
            if (found == np.arange(1, len(found) + 1)).any():
                raise ValueError(f"tree {number}: a word is its own head")
        if not self.digest:
            object.__setattr__(self, "digest", _digest(self.trees))

    @property
    def name(self) -> str:
        """What settings say of it: the relation, and of which trees."""
        return f"tree:{self.relation}@{self.digest}"

    def __len__(self) -> int:
        return len(self.trees)

    def __iter__(self) -> Iterator[Mask]:
        return (mask_of(heads, self.relation) for heads in self.trees)

    def part(self, places: Sequence[int]) -> Structure:
        """That of the sentences at these places, under the name of all."""
        return Structure(self.relation, [self.trees[place] for place in places], self.digest)


def mask_of(heads: Heads, relation: str) -> Mask:
    """Which words each one sees: bool [n, n], word by seen word; each one sees itself.

    Args:
        heads: int [n], of a tree or of several: words of different trees are at no distance.
        relation: see ``RELATIONS``; several are joined by ``+``.

    Raises:
        OptionError: an unknown relation.
    """
    relation_name(relation)
    arcs = _arcs(np.asarray(heads, dtype=np.int64))
    found = np.eye(len(arcs), dtype=bool)
    for part in relation.split("+"):
        found |= _of_relation(arcs, part)
    return found


def tree_distances(heads: Heads) -> NDArray[np.float64]:
    """Number of arcs between any two words: [n, n]; infinite where no path joins them."""
    return _distances(_arcs(np.asarray(heads, dtype=np.int64)))


def _arcs(heads: NDArray[np.int64]) -> Mask:
    """Whether word j is the head of word i: bool [n, n]."""
    found: Mask = heads[:, None] == np.arange(1, len(heads) + 1)
    return found


def _of_relation(arcs: Mask, relation: str) -> Mask:
    if relation == "parent":
        return arcs
    if relation == "children":
        return arcs.T
    if relation == "siblings":
        return np.asarray(arcs.astype(np.float32) @ arcs.T > 0)
    kind, number = relation.split(":")
    distances = _distances(arcs)
    if kind == "nearest":
        return _nearest(distances, int(number))
    near: Mask = distances <= int(number)
    return near


def _distances(arcs: Mask) -> NDArray[np.float64]:
    from scipy.sparse.csgraph import shortest_path  # type: ignore[import-untyped]

    found: NDArray[np.float64] = shortest_path(arcs, directed=False, unweighted=True)
    return found


def _nearest(distances: NDArray[np.float64], k: int) -> Mask:
    """The word itself, and k others, or all that there are."""
    n = len(distances)
    offset = np.arange(n) - np.arange(n)[:, None]
    order = np.lexsort((offset, np.abs(offset), distances), axis=-1)[:, : k + 1]  # itself is at distance 0
    found = np.zeros((n, n), dtype=bool)
    np.put_along_axis(found, order, True, axis=1)
    return found


def _digest(trees: Sequence[Heads]) -> str:
    """The beginning of a SHA-256 over the heads, a line of JSON a sentence."""
    sha = hashlib.sha256()
    for heads in trees:
        sha.update(json.dumps([int(head) for head in heads]).encode("ascii") + b"\n")
    return sha.hexdigest()[:12]
