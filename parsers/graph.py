"""Dependency trees as graphs of networkx, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from networkx import DiGraph


def to_networkx(heads: ArrayLike, words: Sequence[str] | None = None) -> DiGraph[int]:
    """The tree as a graph: node 0 is ROOT, node d is word d, and an arc goes from each head to its dependent.

    Args:
        heads: [n], whole numbers: the head of word d is heads[d - 1], 0 = ROOT; a word of head -1 gets no arc.
        words: n words, for the attribute `word` of the nodes; without them the nodes have none.

    Raises:
        ValueError: `heads` is not flat, a head is outside the sentence, or there is another number of words.

    Example:
        >>> import networkx
        >>> from parsers import to_networkx
        >>> tree = to_networkx([2, 3, 0, 3], ["The", "cat", "sat", "."])
        >>> networkx.is_arborescence(tree)
        True
        >>> networkx.shortest_path_length(tree.to_undirected(), 1, 4)
        3
    """
    from networkx import DiGraph

    array = np.asarray(heads)
    n = len(array) if array.ndim else 0
    if array.ndim != 1 or (n and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"heads: expected whole numbers [n], got shape {array.shape} of {array.dtype}")
    if words is not None and len(words) != n:
        raise ValueError(f"words: expected {n}, one a head, got {len(words)}")
    for word, head in enumerate(array.tolist(), start=1):
        if not -1 <= head <= n:
            raise ValueError(f"head of word {word}: expected a number from -1 to {n}, got {head}")
    graph: DiGraph[int] = DiGraph()
    graph.add_nodes_from(range(n + 1))
    for word, text in enumerate(words or (), start=1):
        graph.nodes[word]["word"] = text
    graph.add_edges_from((head, word) for word, head in enumerate(array.tolist(), start=1) if head >= 0)
    return graph


def from_networkx(graph: DiGraph[Any]) -> NDArray[np.int64]:
    """Heads of a graph as :func:`to_networkx` makes it.

    Returns:
        int64 [n], 0 = ROOT; -1 for a word without an arc to it.

    Raises:
        ValueError: the nodes are not 0 to n, or a word has several heads.

    Example:
        >>> from parsers import from_networkx, to_networkx
        >>> from_networkx(to_networkx([2, 3, 0, 3])).tolist()
        [2, 3, 0, 3]
    """
    n = len(graph) - 1
    if set(graph) != set(range(n + 1)):
        raise ValueError(f"graph: expected the nodes 0 (ROOT) to {n}, got {sorted(map(str, graph))}")
    heads = np.full(n, -1, dtype=np.int64)
    for head, word in graph.edges():
        if word == 0:
            raise ValueError(f"graph: expected no arc to ROOT, got one from {head}")
        if heads[word - 1] >= 0:
            raise ValueError(f"graph: expected one head of word {word}, got {heads[word - 1]} and {head}")
        heads[word - 1] = head
    return heads
