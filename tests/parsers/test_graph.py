"""Trees as graphs of networkx, and back."""

from typing import Any

import networkx
import numpy as np
import pytest

from parsers import baselines, from_networkx, to_networkx


@pytest.mark.parametrize("seed", range(5))
def test_random_trees_come_back(seed: int) -> None:
    heads = baselines.random_projective(9, seed=seed)
    graph = to_networkx(heads, [f"w{word}" for word in range(1, 10)])
    assert networkx.is_arborescence(graph)
    assert [graph.nodes[word]["word"] for word in range(1, 10)] == [f"w{word}" for word in range(1, 10)]
    assert sorted(graph.edges()) == sorted((int(head), word) for word, head in enumerate(heads, start=1))
    back = from_networkx(graph)
    assert back.dtype == np.int64 and (back == heads).all()


def test_words_without_a_head_have_no_arc() -> None:
    graph = to_networkx([0, -1, 1])
    assert sorted(graph.edges()) == [(0, 1), (1, 3)] and "word" not in graph.nodes[1]
    assert from_networkx(graph).tolist() == [0, -1, 1]


def test_no_words() -> None:
    assert from_networkx(to_networkx(np.empty(0, dtype=np.int64))).tolist() == []


@pytest.mark.parametrize(
    ("heads", "words", "message"),
    [
        ([3, 0], None, "head of word 1: expected a number from -1 to 2, got 3"),
        ([0.5, 0], None, "expected whole numbers"),
        ([[0, 1]], None, r"got shape \(1, 2\)"),
        ([0, 1], ["a"], "words: expected 2, one a head, got 1"),
    ],
)
def test_bad_heads(heads: Any, words: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_networkx(heads, words)


@pytest.mark.parametrize(
    ("nodes", "arcs", "message"),
    [
        ([0, 2], [], r"expected the nodes 0 \(ROOT\) to 1"),
        ([0, 1, 2], [(0, 1), (2, 1)], "expected one head of word 1, got 0 and 2"),
        ([0, 1], [(1, 0)], "expected no arc to ROOT, got one from 1"),
    ],
)
def test_bad_graphs(nodes: list[int], arcs: list[tuple[int, int]], message: str) -> None:
    graph: networkx.DiGraph[int] = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(arcs)
    with pytest.raises(ValueError, match=message):
        from_networkx(graph)
