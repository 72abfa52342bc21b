"""Dependency trees that look at no model: chains, the adjacent tree, random projective trees."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def left_chain(n: int, root: int | None = None) -> Ints:
    """Attach every word to the word before it: word i to i - 1, so word 1 to 0.

    With `root` (the gold root, counted from 1) that word attaches to 0 instead, as in the `wu2020` protocol;
    word 1 keeps 0 as well, so that two words attach to 0 unless `root` is 1.

    Shape: result [n], heads[d - 1] is the head of word d.

    Raises:
        ValueError: `n` is below 1 or `root` is not one of the words 1..n.

    Example:
        >>> from parsers import baselines
        >>> baselines.left_chain(4).tolist(), baselines.left_chain(4, root=3).tolist()
        ([0, 1, 2, 3], [0, 1, 0, 3])
    """
    _check(n, root)
    heads = np.arange(n, dtype=np.int64)
    if root is not None:
        heads[root - 1] = 0
    return heads


def right_chain(n: int, root: int | None = None) -> Ints:
    """Attach every word to the word after it: word i to i + 1, and the last word, which has none, to 0.

    With `root` (the gold root, counted from 1) that word attaches to 0 instead, as in the `wu2020` protocol,
    and the last word, unless it is the root, has no head: -1, which is wrong under every measure. (With 0 it
    would often hit the gold grandparent, and the published NED would not come out.)

    Shape: result [n], heads[d - 1] is the head of word d.

    Raises:
        ValueError: `n` is below 1 or `root` is not one of the words 1..n.

    Example:
        >>> from parsers import baselines
        >>> baselines.right_chain(4).tolist(), baselines.right_chain(4, root=2).tolist()
        ([2, 3, 4, 0], [2, 0, 4, -1])
    """
    _check(n, root)
    heads = np.arange(2, n + 2, dtype=np.int64)
    heads[-1] = 0 if root is None else -1
    if root is not None:
        heads[root - 1] = 0
    return heads


def adjacent(n: int, root: int | None = None) -> Ints:
    """Attach every word to its neighbour on the root's side: a single-root projective tree.

    `root` is counted from 1 and is the middle word, n // 2 + 1, where it is not given.

    Shape: result [n], heads[d - 1] is the head of word d.

    Raises:
        ValueError: `n` is below 1 or `root` is not one of the words 1..n.

    Example:
        >>> from parsers import baselines
        >>> baselines.adjacent(4).tolist(), baselines.adjacent(4, root=1).tolist()
        ([2, 3, 0, 3], [0, 1, 2, 3])
    """
    _check(n, root)
    middle = n // 2 + 1 if root is None else root
    words = np.arange(1, n + 1, dtype=np.int64)
    heads = words + np.sign(middle - words)
    heads[middle - 1] = 0
    return heads


def random_projective(n: int, *, seed: int | np.random.Generator, root: int | None = None) -> Ints:
    """Draw a single-root projective tree, uniformly from all of n words (or all of these with root `root`).

    A projective tree is a root between two forests; a forest that is not empty is the first of its trees
    (a head between two forests) and the forest of the others. Forests are thus ternary trees, and the cycle
    lemma (Dvoretzky and Motzkin 1947) draws these uniformly in O(n): see `_draw_forests`.

    Shape: result [n], heads[d - 1] is the head of word d.

    Args:
        n: number of words.
        seed: a seed of `numpy.random.default_rng`, or a generator, which is advanced.
        root: the root, counted from 1; drawn with the tree where it is not given.

    Raises:
        ValueError: `n` is below 1 or `root` is not one of the words 1..n.

    Example:
        >>> from parsers import baselines
        >>> heads = baselines.random_projective(5, seed=1, root=2)
        >>> len(heads), int(heads[1]), int((heads == 0).sum())
        (5, 0, 1)
    """
    _check(n, root)
    rng = np.random.default_rng(seed)
    if root is None:
        return _read_tree(_draw_forests(n - 1, 2, rng))
    return _read_tree(_draw_forests(root - 1, 1, rng) + _draw_forests(n - root, 1, rng))


def _draw_forests(words: int, forests: int, rng: np.random.Generator) -> list[bool]:
    """Draw `forests` forests with `words` words together: ternary trees in preorder, True for a word.

    Of the rotations of a shuffled sequence of `words` words and 2 `words` + `forests` leaves, `forests` are
    valid: they begin after the first times at which the walk of +2 (word) and -1 (leaf) is at its minimum, at
    its minimum, at its minimum + 1, ...
    """
    is_word = rng.permutation(np.arange(3 * words + forests) < words)
    walk = np.cumsum(np.where(is_word, 2, -1))
    begin = np.argmax(walk == walk.min() + rng.integers(forests)) + 1
    rotated: list[bool] = np.roll(is_word, -begin).tolist()
    return rotated


def _read_tree(symbols: list[bool]) -> Ints:
    """Read the two forests of a root from their preorder and number the words from left to right."""
    heads_by_id = [-1]  # the root has id 0; ids count words in the order in which they are read
    order: list[int] = []
    # What is left to do: place word `id` (True), or read a forest of dependents of word `id` (False).
    todo = [(False, 0), (True, 0), (False, 0)]
    reading = iter(symbols)
    while todo:
        place, word = todo.pop()
        if place:
            order.append(word)
        elif next(reading):
            new = len(heads_by_id)
            heads_by_id.append(word)
            todo += [(False, word), (False, new), (True, new), (False, new)]
    position = np.argsort(order) + 1
    heads = [0 if heads_by_id[word] < 0 else position[heads_by_id[word]] for word in order]
    return np.array(heads, dtype=np.int64)


def _check(n: int, root: int | None) -> None:
    """Refuse a sentence without words and a root outside it."""
    if n < 1:
        raise ValueError(f"n: expected at least 1 word, got {n}")
    if root is not None and not 1 <= root <= n:
        raise ValueError(f"root: expected a word in 1..{n}, got {root}")
