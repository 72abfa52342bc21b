"""Distances to the aspect in trees, against direct definitions."""

import os
from pathlib import Path
from typing import Any, cast

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses.sentiment.systems import source_distances, source_heads
from analyses.sentiment.trees import baseline_heads, item_distances, sentences_of, tree_distances
from parsers.baselines import random_projective
from tests.analyses.sentiment.test_sentiment import toy_items


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_tree_distances_are_shortest_paths(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    start = data.draw(st.integers(0, n - 1))
    end = data.draw(st.integers(start + 1, n))
    heads = random_projective(n, seed=data.draw(st.integers(0, 99))).tolist()
    for cut in data.draw(st.sets(st.integers(0, n - 1), max_size=2)):
        heads[cut] = 0  # a forest: paths do not lead through ROOT
    graph: Any = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from((d, head - 1) for d, head in enumerate(heads) if head)
    paths = dict(nx.all_pairs_shortest_path_length(graph))
    lengths = [[paths[word][a] for a in range(start, end) if a in paths[word]] for word in range(n)]
    expected = [min(found, default=n / 2) for found in lengths]
    assert list(tree_distances(heads, (start, end))) == expected


def test_tree_distances_of_a_sentence() -> None:
    #  The(2) screen(4) is(4) dim(0) today(4)
    assert tree_distances([2, 4, 4, 0, 4], (1, 2)) == (1, 0, 2, 1, 2)
    assert tree_distances([2, 4, 4, 0, 4], (0, 2)) == (0, 0, 2, 1, 2)


@pytest.mark.parametrize(
    ("heads", "aspect"), [([2, 0], (1, 1)), ([2, 0], (1, 3)), ([2, 0], (-1, 1)), ([3, 0], (0, 1))]
)
def test_bad_trees(heads: list[int], aspect: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        tree_distances(heads, aspect)


def test_both_chains_and_positions_give_equal_distances() -> None:
    items = toy_items(30)
    chains = [
        item_distances(items, baseline_heads(name, sentences_of(items)))
        for name in ("left-chain", "right-chain")
    ]
    positions = [
        tuple(
            float(min(abs(place - word) for word in range(*item.aspect))) for place in range(len(item.words))
        )
        for item in items
    ]
    assert chains[0] == chains[1] == positions == source_distances("position", items, None)


def test_random_trees_depend_on_the_seed_and_not_on_the_items() -> None:
    sentences = list(dict.fromkeys(item.words for item in toy_items(20)))
    first, again, other = (
        cast(Any, source_heads("random", sentences, decoded={}, seed=seed)) for seed in (0, 0, 1)
    )
    assert all((first[words] == again[words]).all() for words in sentences)
    assert any((first[words] != other[words]).any() for words in sentences)


@pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")
def test_published_distances_are_never_those_of_a_chain() -> None:
    from analyses.sentiment.corpus import FILES, read_corpus

    folder = Path(os.environ["PROBE_DATA"]) / "absa"
    files = tuple(folder / name for name in FILES["laptop"])
    corpus = read_corpus("laptop", cast(Any, files), distances=[folder / "dist-wu2020-eisner"])
    items = corpus.test.items
    chains = item_distances(items, baseline_heads("left-chain", sentences_of(items)))
    published = corpus.test.distances["dist-wu2020-eisner"]
    assert np.mean([a == b for a, b in zip(chains, published, strict=True)]) < 0.2
