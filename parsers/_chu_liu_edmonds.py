"""Maximum spanning arborescence (Chu and Liu 1965; Edmonds 1967) in exact integer arithmetic."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parsers._arborescences import clear_trees
from parsers._batches import decode_batches
from parsers._scores import check_many, check_scores

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Python integers in an array: they neither round nor overflow.
Integers = NDArray[np.object_]

# From this many sentences on, decoding them together takes less than one after another.
_TOGETHER = 6


def chu_liu_edmonds(scores: ArrayLike, root: int | None = None, *, single_root: bool = True) -> Ints:
    """Return the dependency tree, projective or not, with the highest sum of arc scores.

    The algorithm of Chu and Liu (1965) and Edmonds (1967), as in McDonald et al. (2005, "Non-projective
    dependency parsing using spanning tree algorithms", HLT-EMNLP), in O(n^2) by growing one path at a time
    (Gabow et al. 1986). The tree is exact for all finite scores, however large, small or mixed, because the
    scores become integers and no sum is rounded. For the same reason the single root, which Zmigrod et al.
    (2020, "Please mind the root", EMNLP) show to need care, is a plain penalty on arcs from ROOT.
    Ties: each choice of a best arc into a word or a contracted cycle takes the smallest head.

    Shape: scores [n + 1, n + 1], scores[head, dependent], index 0 = ROOT; result [n].

    Args:
        scores, root, single_root: as for `eisner`.

    Returns:
        The heads: heads[d - 1] is the head of word d, 0 for ROOT.

    Raises:
        ValueError: as for `eisner`.

    Example:
        >>> import numpy as np
        >>> from parsers import chu_liu_edmonds
        >>> scores = np.zeros((5, 5))
        >>> scores[0, 3] = scores[3, 1] = scores[1, 4] = scores[4, 2] = 1.0  # 3 -> 1 -> 4 -> 2
        >>> chu_liu_edmonds(scores).tolist()
        [3, 4, 0, 1]
        >>> chu_liu_edmonds(np.array([[0, 9, 9], [0, 0, 1], [0, 1, 0]]), single_root=False).tolist()
        [0, 0]
    """
    return _decode(check_scores(scores, root, single_root=single_root), root, single_root)


def chu_liu_edmonds_many(
    matrices: Sequence[ArrayLike],
    roots: Sequence[int | None] | None = None,
    *,
    single_root: bool = True,
) -> list[Ints]:
    """Return `chu_liu_edmonds` of every matrix.

    Shape: matrices[k] [n_k + 1, n_k + 1]; result[k] [n_k].

    Args:
        matrices, roots, single_root: as for `eisner_many`.

    Raises:
        ValueError: as for `eisner_many`.

    Example:
        >>> import numpy as np
        >>> from parsers import chu_liu_edmonds_many
        >>> [heads.tolist() for heads in chu_liu_edmonds_many([np.ones((2, 2)), np.eye(3, k=1)])]
        [[0], [0, 1]]
    """
    arrays, known = check_many(matrices, roots, single_root=single_root)
    return decode_batches(
        arrays,
        lambda batch: _decode_many([arrays[k] for k in batch], [known[k] for k in batch], single_root),
    )


def _decode_many(arrays: Sequence[Floats], roots: Sequence[int | None], single_root: bool) -> list[Ints]:
    """Decode checked matrices: together as far as their best trees are clear, the others exactly."""
    few = len(arrays) < _TOGETHER
    trees = [None] * len(arrays) if few else clear_trees(arrays, roots, single_root)
    return [
        _decode(array, root, single_root) if tree is None else tree
        for array, root, tree in zip(arrays, roots, trees, strict=True)
    ]


def _decode(scores: Floats, root: int | None, single_root: bool) -> Ints:
    """Decode one checked matrix."""
    weights = _as_integers(scores)
    n = len(weights) - 1
    if single_root:
        # Two trees differ by at most 2 n max |w|, so a tree with fewer penalised arcs is always better.
        penalty = 2 * n * int(abs(weights).max()) + 1
        weights[0, 1:] -= penalty
        if root is not None:
            weights[0, root] += penalty
    return _Arborescence(weights).heads()


def _as_integers(scores: Floats) -> Integers | Ints:
    """Multiply the scores by the power of two that makes all of them integers.

    They are machine integers where sums of theirs cannot overflow.
    """
    mantissas, exponents = np.frexp(scores)
    digits = np.ldexp(mantissas, 53).astype(np.int64)
    if digits.any():
        # The digits without the zeros at their end, and the exponents of what is left.
        zeros = np.frexp((digits & -digits).astype(np.float64))[1] - 1
        lowest = int((exponents + zeros)[digits != 0].min())
        highest = int(exponents[digits != 0].max())
        # All numbers are below 2^(53 + highest - lowest), and what becomes of them below 8 (n + 1) times that.
        if 53 + highest - lowest + (8 * len(scores)).bit_length() <= 63:
            left = np.where(digits == 0, 0, exponents - lowest)
            small: Ints = np.where(left < 0, digits >> np.maximum(-left, 0), digits << np.maximum(left, 0))
            return small
    integers: Integers = digits.astype(object) * 2 ** (exponents - exponents.min()).astype(object)
    return integers


class _Arborescence:
    """The search for the best arborescence from node 0: grow paths backwards, contract the cycles they close.

    A node is a position (0..n) or a contracted cycle (n + 1, ...). For every node the best arc from each
    position into it is kept, so that contracting k nodes costs O(kn).
    """

    def __init__(self, weights: Integers | Ints) -> None:
        size = len(weights)
        # Lower than a gain can be: a weight less the best weight into the same node is at least -2 max |w|.
        self._never = -3 * int(abs(weights).max()) - 1
        np.fill_diagonal(weights, self._never)
        self._into = [weights[:, d].copy() for d in range(size)]  # [node][head]: weight of the best arc
        self._ends = [np.full(size, d) for d in range(size)]  # [node][head]: the position where it ends
        self._node_of = np.arange(size)  # [position]: outermost node that holds it
        self._parent = [-1] * size  # [node]: node it was contracted into
        self._head = [-1] * size  # [node]: head of the best arc into it

    def heads(self) -> Ints:
        """Return the head of every word. Shape: [n]."""
        reached = {0}
        for word in range(1, len(self._node_of)):
            path: list[int] = []
            node = int(self._node_of[word])
            while node not in reached:
                if node in path:
                    at = path.index(node)
                    node = self._contract(path[at:])
                    del path[at:]
                path.append(node)
                self._head[node] = int(self._into[node].argmax())
                node = int(self._node_of[self._head[node]])
            reached.update(path)
        return self._expand()

    def _contract(self, cycle: list[int]) -> int:
        """Make one node of `cycle`: an arc into it is worth what it gains over the arc it replaces."""
        new = len(self._into)
        into, ends = self._gains(cycle[0]), self._ends[cycle[0]]
        inside = self._node_of == cycle[0]
        for node in cycle[1:]:
            gains = self._gains(node)
            better = gains > into
            into = np.where(better, gains, into)
            ends = np.where(better, self._ends[node], ends)
            inside |= self._node_of == node
        into[inside] = self._never
        self._node_of[inside] = new
        self._into.append(into)
        self._ends.append(ends)
        self._parent.append(-1)
        self._head.append(-1)
        for node in cycle:
            self._parent[node] = new
        return new

    def _gains(self, node: int) -> Integers | Ints:
        """Return what an arc from each position into `node` weighs above the best one. Shape: [n + 1]."""
        gains: Integers | Ints = self._into[node] - self._into[node][self._head[node]]
        return gains

    def _expand(self) -> Ints:
        """Undo the contractions, the outermost first: the arc into a cycle replaces one arc of the cycle."""
        heads = np.zeros(len(self._node_of), dtype=np.int64)
        replaced: set[int] = set()
        for node in range(len(self._head) - 1, 0, -1):
            if node in replaced:
                continue
            head = self._head[node]
            inner = end = int(self._ends[node][head])
            heads[end] = head
            while inner != node:
                replaced.add(inner)
                inner = self._parent[inner]
        return heads[1:]
