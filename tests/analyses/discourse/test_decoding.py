"""Trees of documents under both protocols, against the enumeration of all trees."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from analyses import NO_HEAD, decode_document
from analyses.trees.arc_scores import fair_scores
from analyses.trees.decoders import DECODERS
from data import DataError
from parsers import chu_liu_edmonds, eisner
from tests.analyses.discourse.documents import document


def wu2020_matrix(values: np.ndarray[Any, np.dtype[np.float64]], root: int) -> np.ndarray[Any, Any]:
    """Without the last unit, and with the gold root, as ``protocols`` of the paper's code describe it."""
    matrix = np.array(values[:-1, :-1])
    matrix[root, :] = 0
    matrix[root, 0] = 1
    return matrix


def is_tree(heads: tuple[int, ...]) -> bool:
    """Whether every EDU, from 1, leads to ROOT."""
    for position in range(1, len(heads) + 1):
        seen = set()
        while position:
            if position in seen:
                return False
            seen.add(position)
            position = heads[position - 1]
    return True


def is_projective(heads: tuple[int, ...]) -> bool:
    """Whether no two arcs cross, those from ROOT included."""
    arcs = [sorted(arc) for arc in enumerate(heads, start=1)]
    return not any(a < c < b < d for a, b in arcs for c, d in arcs)


@pytest.mark.parametrize("decoder", DECODERS)
def test_wu2020_trees_are_the_best_of_all_but_the_last_edu(decoder: str) -> None:
    rng = np.random.default_rng(0)
    trees = [heads for heads in product(range(5), repeat=4) if is_tree(heads)]
    if decoder == "eisner":
        trees = [heads for heads in trees if is_projective(heads)]
    for _ in range(40):
        root = int(rng.integers(1, 5))
        values = rng.random((6, 6)) * (1.5 if decoder == "eisner" else 10)
        found = decode_document(
            values,
            document(tuple(0 if i == root else root for i in range(1, 6))),
            protocol="wu2020",
            decoder=decoder,
        )
        assert found[-1] == NO_HEAD
        matrix = wu2020_matrix(values, root)
        total = np.sum if decoder == "eisner" else np.prod
        best = max(trees, key=lambda heads: total([matrix[i, head] for i, head in enumerate(heads, start=1)]))
        assert tuple(found[:-1]) == best
        if decoder == "cle":  # any other head of the root makes the product zero
            assert found[root - 1] == 0


@pytest.mark.parametrize("decoder", DECODERS)
def test_fair_trees_do_not_look_at_cls(decoder: str) -> None:
    values = np.random.default_rng(2).random((6, 6))
    text = document((2, 0, 2, 3, 4))
    found = decode_document(values, text, protocol="fair", decoder=decoder)
    parse = eisner if decoder == "eisner" else chu_liu_edmonds
    assert found.tolist() == parse(fair_scores(values[1:, 1:])).tolist()
    values[0] = values[:, 0] = 99
    assert decode_document(values, text, protocol="fair", decoder=decoder).tolist() == found.tolist()


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_root_that_is_cut_off_is_not_given(decoder: str) -> None:
    values = np.random.default_rng(3).random((4, 4))
    found = decode_document(values, document((3, 3, 0)), protocol="wu2020", decoder=decoder)
    assert found[-1] == NO_HEAD and 0 in found[:2]
    alone = decode_document(values[:2, :2], document((0,)), protocol="wu2020", decoder=decoder)
    assert alone.tolist() == [NO_HEAD]


def test_decoding_refuses_what_it_cannot_decode() -> None:
    good, text = np.ones((4, 4)), document((0, 1, 1))
    with pytest.raises(ValueError, match=r"expected impacts \[4, 4\] of \[CLS\] and 3 EDUs, found \[3, 3\]"):
        decode_document(good[1:, 1:], text, protocol="fair", decoder="eisner")
    with pytest.raises(ValueError, match="expected impacts >= 0"):
        decode_document(-good, text, protocol="wu2020", decoder="cle")
    with pytest.raises(ValueError, match="unknown decoder"):
        decode_document(good, text, protocol="fair", decoder="mart")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="D14-1: a root is expected"):
        decode_document(good, document((-1, 1, 1)), protocol="wu2020", decoder="eisner")
