"""Attachment scores: worked examples, properties, and the published chain figures."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses import NO_HEAD, ArcCounts, count_arcs
from data import read_conllu

# "She reads the book ." with reads as the root.
GOLD = [2, 0, 4, 2, 2]


def numbers(counts: ArcCounts, index: int = 0) -> tuple[int, int, int, int]:
    return (
        int(counts.total[index]),
        int(counts.directed[index]),
        int(counts.undirected[index]),
        int(counts.ned[index]),
    )


def percentages(counts: ArcCounts) -> list[float]:
    columns = (counts.directed, counts.undirected, counts.ned)
    return [100 * int(column.sum()) / int(counts.total.sum()) for column in columns]


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        (GOLD, (5, 5, 5, 5)),
        # Word 2 under word 1 is the reverse of the gold arc; word 1 under ROOT is its gold grandparent.
        ([0, 1, 4, 2, 2], (5, 3, 4, 5)),
        # Word 3 under word 2, its gold grandparent.
        ([2, 0, 2, 2, 2], (5, 4, 4, 5)),
        # Word 4 under word 3 is reversed; word 3 under word 5 is plainly wrong.
        ([2, 0, 5, 3, 2], (5, 3, 4, 4)),
        # The root word under a dependent of its dependent: not its reverse, and ROOT has no head.
        ([2, 3, 4, 2, 2], (5, 4, 4, 4)),
        ([NO_HEAD] * 5, (5, 0, 0, 0)),
    ],
)
def test_worked_examples(predicted: list[int], expected: tuple[int, int, int, int]) -> None:
    assert numbers(count_arcs([GOLD], [predicted])) == expected


def test_only_scored_dependents_count() -> None:
    scored = [True, True, True, True, False]
    assert numbers(count_arcs([GOLD], [[2, 0, 4, 2, 4]], scored=[scored])) == (4, 4, 4, 4)
    assert numbers(count_arcs([GOLD], [GOLD], scored=[[False] * 5])) == (0, 0, 0, 0)


def test_counts_are_int64_per_sentence() -> None:
    counts = count_arcs([GOLD, [0]], [GOLD, [0]])
    assert [numbers(counts, 0), numbers(counts, 1)] == [(5, 5, 5, 5), (1, 1, 1, 1)]
    for column in (counts.total, counts.directed, counts.undirected, counts.ned):
        assert column.shape == (2,) and column.dtype == np.int64
    assert count_arcs([], []).total.shape == (0,)


def one_by_one(gold: list[int], predicted: list[int], scored: list[bool]) -> tuple[int, int, int, int]:
    """The definitions, word by word on sets of arcs."""
    arcs = {(head, word) for word, head in enumerate(gold, start=1)}
    total = directed = undirected = ned = 0
    for word, head in enumerate(predicted, start=1):
        if not scored[word - 1]:
            continue
        total += 1
        is_same = (head, word) in arcs
        is_reverse = (word, head) in arcs
        is_grandparent = any(
            (head, middle) in arcs and (middle, word) in arcs for middle in range(1, len(gold) + 1)
        )
        directed += is_same
        undirected += is_same or is_reverse
        ned += is_same or is_reverse or is_grandparent
    return total, directed, undirected, ned


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], list[int], list[bool]]:
    """A gold tree (each word attached to one placed before it), any predicted heads, and a mask."""
    n = draw(st.integers(1, 8))
    order = [0, *draw(st.permutations(range(1, n + 1)))]
    head = {order[i]: order[draw(st.integers(0, i - 1))] for i in range(1, n + 1)}
    predicted = draw(st.lists(st.integers(NO_HEAD, n), min_size=n, max_size=n))
    scored = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return [head[word] for word in range(1, n + 1)], predicted, scored


def random_tree(rng: np.random.Generator, n: int) -> list[int]:
    """Heads of a tree with one root: each word under one that is placed before it."""
    order = [0, *(int(word) for word in 1 + rng.permutation(n))]
    head = {order[i]: order[rng.integers(1, i)] if i > 1 else 0 for i in range(1, n + 1)}
    return [head[word] for word in range(1, n + 1)]


def test_uas_is_that_of_the_universal_dependencies_scorer() -> None:
    udeval = pytest.importorskip("udtools.udeval", reason="udtools is not installed")
    rng = np.random.default_rng(0)
    pairs = [(random_tree(rng, n), random_tree(rng, n)) for n in rng.integers(1, 12, size=3_000)]

    def loaded(side: int) -> object:
        rows = [
            "".join(
                f"{i}\tw{i}\t_\t_\t_\t_\t{head}\t{'dep' if head else 'root'}\t_\t_\n" for i, head in words
            )
            for words in (enumerate(pair[side], start=1) for pair in pairs)
        ]
        return udeval.load_conllu(io.StringIO("\n".join(rows) + "\n"), "", {})

    score = udeval.evaluate(loaded(0), loaded(1))["UAS"]
    counts = count_arcs([gold for gold, _ in pairs], [predicted for _, predicted in pairs])
    assert score.gold_total == counts.total.sum()
    assert score.correct == counts.directed.sum()


@settings(derandomize=True, deadline=None)
@given(cases())
def test_agrees_with_the_definitions(case: tuple[list[int], list[int], list[bool]]) -> None:
    gold, predicted, scored = case
    total, directed, undirected, ned = found = numbers(count_arcs([gold], [predicted], scored=[scored]))
    assert found == one_by_one(gold, predicted, scored)
    assert directed <= undirected <= ned <= total
    assert numbers(count_arcs([gold], [gold])) == (len(gold),) * 4


def test_errors_name_the_sentence() -> None:
    with pytest.raises(ValueError, match=r"^sentence 1: expected 2 predicted heads"):
        count_arcs([[0], [0, 1]], [[0], [0]])
    with pytest.raises(ValueError, match=r"^sentence 0: expected 1 predicted heads and mask"):
        count_arcs([[0]], [[0]], scored=[[True, True]])
    with pytest.raises(ValueError, match=r"as many predicted trees and masks.* found 2 gold, 1 predicted"):
        count_arcs([[0], [0]], [[0]])
    with pytest.raises(
        ValueError, match=r"sentence 0, word 2: expected a predicted head from -1 to 2, found 3"
    ):
        count_arcs([[0, 1]], [[0, 3]])
    with pytest.raises(ValueError, match=r"sentence 0, word 1: expected a gold head from 0 to 1, found -1"):
        count_arcs([[-1]], [[0]])
    with pytest.raises(ValueError, match=r"sentence 0: expected a flat sequence of whole numbers"):
        count_arcs([[0.5]], [[0]])


def chain(n: int, root: int, step: int, border: int) -> list[int]:
    """Word i under word i + step, the gold root under 0, the word without that neighbour under border."""
    return [
        0 if word == root else word + step if 1 <= word + step <= n else border for word in range(1, n + 1)
    ]


@pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")
def test_published_chains_on_pud() -> None:
    path = Path(os.environ["PROBE_DATA"]) / "ud" / "en_pud-wu2020.conllu"
    gold = [list(sentence.heads or ()) for sentence in read_conllu(path)]
    roots = [heads.index(0) + 1 for heads in gold]

    def score(step: int, border: int) -> list[float]:
        trees = [chain(len(heads), root, step, border) for heads, root in zip(gold, roots, strict=True)]
        return percentages(count_arcs(gold, trees))

    assert sum(len(heads) for heads in gold) == 21_176
    # The published figures are over 21,183 arcs, the 7 empty nodes of the file included.
    assert score(1, NO_HEAD) == pytest.approx([35.04, 39.86, 41.16], abs=0.04)
    assert score(-1, 0) == pytest.approx([10.74, 37.02, 53.34], abs=0.04)
