"""Maximum spanning arborescences of many matrices at once in float64, where rounding can decide nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from parsers._batches import stacked

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)

# Scores whose sums neither overflow nor lose digits below the smallest number.
_LEAST, _MOST = 2.0**-900, 2.0**900


def clear_trees(
    arrays: Sequence[Floats], roots: Sequence[int | None], single_root: bool
) -> list[Ints | None]:
    """Return the best tree of each checked matrix, None where another one is as good or nearly so.

    The algorithm of Chu and Liu (1965) and Edmonds (1967), all cycles of all sentences contracted together.
    What is subtracted in contractions is, as the float64 number that it is, a dual solution: it bounds the
    sum of any tree. Where every choice is won by more than the rounding of all the sums of an arc, each tree
    but one is below the bound by more than that one is, so that one is the only best tree.

    Shape: arrays[k] [n_k + 1, n_k + 1]; results [n_k].
    """
    sizes = np.array([len(array) for array in arrays])
    scores = stacked(arrays)
    largest = np.abs(scores).max(axis=(1, 2))
    usable = (largest >= _LEAST) & (largest <= _MOST)
    scores[~usable] = largest[~usable] = 0.0  # of these nothing is found, and nothing overflows
    _mask(scores, sizes, largest, roots, single_root)
    # Numbers are below 5 (n + 1) max |w|, n of them make an arc's gain, and 2 n + 1 gains are compared.
    search = _Search(scores, sizes, tolerance=largest * sizes**3 * 2.0**-47)
    search.unclear |= ~usable
    heads = search.heads()
    return [
        None if unclear else row[1:size].copy()
        for row, size, unclear in zip(heads, sizes.tolist(), search.unclear.tolist(), strict=True)
    ]


def _mask(
    gains: Floats, sizes: Ints, largest: Floats, roots: Sequence[int | None], single_root: bool
) -> None:
    """Put -inf where there is no arc, and the arcs from ROOT below all others if there may be but one."""
    places = np.arange(gains.shape[1])
    gains[:, places, places] = gains[:, :, 0] = -np.inf
    beyond = places >= sizes[:, np.newaxis]
    np.copyto(gains, -np.inf, where=beyond[:, :, np.newaxis] | beyond[:, np.newaxis, :])
    if not single_root:
        return
    # Trees differ by at most 2 n max |w| besides.
    gains[:, 0] -= (2 * sizes * largest)[:, np.newaxis]
    for sentence, root in enumerate(roots):
        if root is not None:
            gains[sentence, 0] = gains[sentence, :, root] = -np.inf
            gains[sentence, 0, root] = 0.0


@dataclass(frozen=True, slots=True)
class _Round:
    """The nodes on cycles that one step contracts.

    Shape: sentence, node and head [nodes], the nodes of one cycle together, with the head of the best arc into
    each; first and name [cycles], place of the first of these nodes, and the node that they become; gains
    [nodes, n + 1], of an arc from each position over the best one.
    """

    sentence: Ints
    node: Ints
    head: Ints
    first: Ints
    name: Ints
    gains: Floats

    def of_nodes(self, values: NDArray[Number]) -> NDArray[Number]:
        """Repeat what each cycle has for its nodes."""
        return values.repeat(np.diff(self.first, append=len(self.node)), axis=0)


class _Search:
    """The nodes of all sentences of a batch: positions, and contracted cycles, named after one of theirs.

    Attributes:
        unclear: the sentences in which something was decided by no more than the tolerance. [batch]
    """

    def __init__(self, scores: Floats, sizes: Ints, *, tolerance: Floats) -> None:
        """Shape: scores [batch, n + 1, n + 1], -inf where there is no arc; sizes, tolerance [batch]."""
        batch, m, _ = scores.shape
        self.unclear = np.zeros(batch, dtype=np.bool_)
        self._tolerance = tolerance
        # [sentence, node, head]: gain of the best arc from a position into a node.
        self._into = np.ascontiguousarray(scores.swapaxes(1, 2))
        self._nodes = np.tile(np.arange(m), (batch, 1))  # [sentence, position]: outermost node that holds it
        self._offset = np.arange(batch)[:, np.newaxis] * m
        # Of the best arc into each node; ROOT has itself.
        self._head, self._best = np.zeros((batch, m), dtype=np.int64), np.zeros((batch, m))
        sentence, word = np.nonzero(np.arange(1, m) < sizes[:, np.newaxis])
        self._choose(sentence, word + 1)

    def heads(self) -> Ints:
        """Contract until no cycle is left, and return the head of every position. Shape: [batch, n + 1]."""
        rounds: list[_Round] = []
        live = np.flatnonzero(~self.unclear)
        while len(live) and len((found := self._contract(live)).node):
            rounds.append(found)
            more = np.zeros_like(self.unclear)
            more[found.sentence] = True
            live = np.flatnonzero(more & ~self.unclear)
        for found in reversed(rounds):
            self._expand(found)
        return self._head

    def _choose(self, sentence: Ints, node: Ints) -> None:
        """Find the best arcs into nodes. Shape: [nodes]."""
        into = self._into[sentence, node]
        head = into.argmax(axis=1)
        best = into[np.arange(len(into)), head]
        near = into >= (best - self._tolerance[sentence])[:, np.newaxis]
        self.unclear[sentence[np.count_nonzero(near, axis=1) > 1]] = True
        self._head[sentence, node], self._best[sentence, node] = head, best

    def _contract(self, live: Ints) -> _Round:
        """Make one node of each cycle: an arc into it is worth what it gains over the one it replaces."""
        found = self._on_cycles(live)
        if not len(found.node):
            return found
        m = self._nodes.shape[1]
        names = np.tile(np.arange(m), len(self._nodes))
        names[found.sentence * m + found.node] = found.of_nodes(found.name)
        self._nodes = names.take(self._nodes + self._offset)
        sentence = found.sentence[found.first]
        best = np.maximum.reduceat(found.gains, found.first, axis=0)
        np.copyto(best, -np.inf, where=self._nodes[sentence] == found.name[:, np.newaxis])
        self._into[sentence, found.name] = best
        self._choose(sentence, found.name)
        return found

    def _on_cycles(self, live: Ints) -> _Round:
        """Return the nodes of the cycles of best arcs. Shape: live [sentences]."""
        m = self._nodes.shape[1]
        # As places in the flat array. ROOT leads to itself, and nothing to names that are no more.
        nexts = (
            np.take_along_axis(self._nodes[live], self._head[live], axis=1) + self._offset[: len(live)]
        ).ravel()
        least = np.tile(np.arange(m), len(live))
        for _ in range(m.bit_length()):
            least = np.minimum(least, least.take(nexts))
            nexts = nexts.take(nexts)
        # So many steps from anywhere lead to a cycle or to ROOT.
        on_cycle = np.zeros(len(nexts), dtype=np.bool_)
        on_cycle[nexts] = True
        on_cycle[::m] = False
        places = np.flatnonzero(on_cycle)
        row, node = np.divmod(places, m)
        cycle = row * m + least[places]
        order = cycle.argsort(kind="stable")
        sentence, node, cycle = live[row[order]], node[order], cycle[order]
        first = np.flatnonzero(np.diff(cycle, prepend=-1))
        gains = self._into[sentence, node]
        gains -= self._best[sentence, node][:, np.newaxis]
        return _Round(sentence, node, self._head[sentence, node], first, cycle[first] % m, gains)

    def _expand(self, found: _Round) -> None:
        """Undo contractions: the arc into a cycle replaces the one into the node where it ends."""
        sentence = found.sentence[found.first]
        head = self._head[sentence, found.name]
        gains = found.gains[np.arange(len(found.node)), found.of_nodes(head)]
        limit = np.maximum.reduceat(gains, found.first) - self._tolerance[sentence]
        ends = gains >= found.of_nodes(limit)
        self.unclear[sentence[np.add.reduceat(ends, found.first, dtype=np.intp) > 1]] = True
        self._head[found.sentence, found.node] = np.where(ends, found.of_nodes(head), found.head)
