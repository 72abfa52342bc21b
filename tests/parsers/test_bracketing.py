"""Binary trees as values, their drawings, and the trees that look at no model."""

from collections import Counter
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from nltk.tree import Tree  # type: ignore[import-untyped]

from parsers import Bracketing, branching
from tests.binary_trees import Spans, all_binary_trees, mirrored

WORDS = "a b c d e f g".split()


def spans_of_tree(tree: Tree, start: int = 0) -> Spans:
    """Spans of more than one word of a tree of nltk."""
    found: Spans = frozenset()
    end = start
    for child in tree:
        if isinstance(child, str):
            end += 1
        else:
            found |= spans_of_tree(child, end)
            end += len(child.leaves())
    return found | ({(start, end)} if end - start > 1 else set())


@pytest.mark.parametrize("n", range(1, 8))
def test_every_binary_tree_in_all_its_forms(n: int) -> None:
    words, drawings = WORDS[:n], set()
    for spans in all_binary_trees(n):
        tree = Bracketing(n, spans)
        assert len(tree.spans) == n - 1
        nltk_tree = tree.to_tree(words, label="Y")
        assert nltk_tree.leaves() == words
        assert spans_of_tree(nltk_tree) == spans
        line = tree.brackets(words, label="Y")
        assert line == nltk_tree.pformat(margin=10**6)
        assert Tree.fromstring(line) == nltk_tree
        drawn = tree.draw(words).splitlines()
        assert [row.split()[-1] for row in drawn] == words
        drawings.add(tuple(drawn))
    assert len(drawings) == len(all_binary_trees(n))


@pytest.mark.parametrize("n", range(1, 6))
def test_only_the_spans_of_a_binary_tree_are_one(n: int) -> None:
    every = [(i, j) for i in range(n) for j in range(i + 2, n + 1)]
    trees = set(all_binary_trees(n))
    for number in range(n + 2):
        for chosen in map(frozenset, combinations(every, number)):
            if chosen in trees:
                assert Bracketing(n, chosen).spans == chosen
            else:
                with pytest.raises(ValueError, match=rf"spans: expected the {n - 1} spans of a binary tree"):
                    Bracketing(n, chosen)


@pytest.mark.parametrize("spans", [{(0, 1)}, {(0, 3), (-1, 2)}, {(0, 3), (1, 4)}, {(0, 3), (2, 1)}, {(0, 4)}])
def test_spans_that_are_none(spans: set[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="spans: expected the 2 spans of a binary tree over 3 words"):
        Bracketing(3, frozenset(spans))


def test_one_and_two_words() -> None:
    one, two = Bracketing(1, frozenset()), Bracketing(2, frozenset({(0, 2)}))
    assert one.to_tree(["yes"]) == Tree("X", ["yes"])
    assert (one.brackets(["yes"]), one.draw(["yes"])) == ("(X yes)", "yes")
    assert two.to_tree(["oh", "yes"]) == Tree("X", ["oh", "yes"])
    assert (two.brackets(["oh", "yes"]), two.draw(["oh", "yes"])) == ("(X oh yes)", "┬─ oh\n└─ yes")


def test_a_drawing() -> None:
    tree = Bracketing(5, frozenset({(0, 5), (0, 2), (2, 5), (3, 5)}))
    assert tree.draw(WORDS[:5]).splitlines() == [
        "┬─┬─ a",
        "│ └─ b",
        "└─┬─ c",
        "  └─┬─ d",
        "    └─ e",
    ]


def test_brackets_among_the_words() -> None:
    tree = Bracketing(2, frozenset({(0, 2)}))
    assert tree.brackets(["(", ":-)"]) == "(X -LRB- :--RRB-)"
    for word in ("", "a b", "a\n", "\u00a0"):
        with pytest.raises(ValueError, match="expected words without white space, got"):
            tree.brackets(["a", word])


def test_equal_trees_are_equal_and_hash_alike() -> None:
    first, second = branching.balanced(6), branching.balanced(6)
    assert first == second and len({first, second}) == 1
    assert first != branching.right_branching(6)


def test_wrong_numbers_of_words() -> None:
    tree = Bracketing(2, frozenset({(0, 2)}))
    for use in (tree.to_tree, tree.brackets, tree.draw):
        with pytest.raises(ValueError, match="expected 2 words, got 3"):
            use(["a", "b", "c"])
    for n in (0, -1):
        with pytest.raises(ValueError, match=f"n: expected at least 1 word, got {n}"):
            Bracketing(n, frozenset())
        with pytest.raises(ValueError, match=f"n: expected at least 1 word, got {n}"):
            Bracketing.from_splits(n, lambda start, end: start + 1)
    with pytest.raises(ValueError, match=r"split: expected a position inside \[0, 3\), got 3"):
        Bracketing.from_splits(3, lambda start, end: end)


def test_a_long_tree_needs_no_recursion() -> None:
    n = 3000
    assert branching.right_branching(n).brackets(["a"] * n).endswith(")" * (n - 1))


@pytest.mark.parametrize("n", range(1, 9))
def test_branchings(n: int) -> None:
    right, left = branching.right_branching(n), branching.left_branching(n)
    assert right == Bracketing.from_splits(n, lambda start, end: start + 1)
    assert mirrored(right.spans, n) == left.spans
    for start, end in branching.balanced(n).spans:
        middle = (start + end) // 2
        assert {(start, middle), (middle, end)} <= branching.balanced(n).spans | {
            (i, i + 1) for i in range(n)
        }


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_random_trees_are_uniform(n: int) -> None:
    trees = all_binary_trees(n)
    rng, draws = np.random.default_rng(0), 400 * len(trees)
    counts = Counter(branching.random_binary(n, seed=rng).spans for _ in range(draws))
    assert set(counts) == set(trees)
    # Chi-squared with as many degrees of freedom as other trees: five standard deviations above its mean.
    others = len(trees) - 1
    assert sum((count - 400) ** 2 / 400 for count in counts.values()) <= others + 5 * (2 * others) ** 0.5


def test_random_trees_depend_on_the_seed() -> None:
    assert branching.random_binary(30, seed=1) == branching.random_binary(30, seed=1)
    assert branching.random_binary(30, seed=1) != branching.random_binary(30, seed=2)
    rng = np.random.default_rng(1)
    assert branching.random_binary(30, seed=rng) != branching.random_binary(30, seed=rng)


@pytest.mark.parametrize(
    "tree",
    [
        branching.right_branching,
        branching.left_branching,
        branching.balanced,
        lambda n: branching.random_binary(n, seed=0),
    ],
)
def test_no_words(tree: Callable[[int], Bracketing]) -> None:
    for n in (0, -2):
        with pytest.raises(ValueError, match=f"n: expected at least 1 word, got {n}"):
            tree(n)
