"""Binary trees that look at no model: right-branching, left-branching, balanced, random."""

import numpy as np

from parsers.bracketing import Bracketing


def right_branching(n: int) -> Bracketing:
    """Split every span after its first word: (a (b (c d))).

    Raises:
        ValueError: `n` is below 1.

    Example:
        >>> from parsers import branching
        >>> branching.right_branching(4).brackets("a b c d".split())
        '(X a (X b (X c d)))'
    """
    return Bracketing(n, frozenset((start, n) for start in range(n - 1)))


def left_branching(n: int) -> Bracketing:
    """Split every span before its last word: (((a b) c) d).

    Raises:
        ValueError: `n` is below 1.

    Example:
        >>> from parsers import branching
        >>> branching.left_branching(4).brackets("a b c d".split())
        '(X (X (X a b) c) d)'
    """
    return Bracketing(n, frozenset((0, end) for end in range(2, n + 1)))


def balanced(n: int) -> Bracketing:
    """Split every span in the middle; of an odd number of words the right part has one more.

    Raises:
        ValueError: `n` is below 1.

    Example:
        >>> from parsers import branching
        >>> branching.balanced(5).brackets("a b c d e".split())
        '(X (X a b) (X c (X d e)))'
    """
    return Bracketing.from_splits(n, lambda start, end: (start + end) // 2)


def random_binary(n: int, *, seed: int | np.random.Generator) -> Bracketing:
    """Draw a binary tree, uniformly from all of n words.

    A binary tree in preorder is a sequence of n - 1 spans and n words. Of the rotations of a shuffled one
    exactly one is a tree (the cycle lemma, Dvoretzky and Motzkin 1947): the one that begins after the first
    minimum of the walk of +1 (span) and -1 (word).

    Args:
        n: number of words.
        seed: a seed of `numpy.random.default_rng`, or a generator, which is advanced.

    Raises:
        ValueError: `n` is below 1.

    Example:
        >>> from parsers import branching
        >>> len(branching.random_binary(6, seed=1).spans)
        5
    """
    if n < 1:
        raise ValueError(f"n: expected at least 1 word, got {n}")
    is_span = np.random.default_rng(seed).permutation(np.arange(2 * n - 1) < n - 1)
    begin = np.cumsum(np.where(is_span, 1, -1)).argmin() + 1
    preorder: list[bool] = np.roll(is_span, -begin).tolist()
    # Read from its end: the parts of a span are then finished before it, the left one last.
    parts: list[tuple[int, int]] = []
    spans, word = set(), n
    for spanning in reversed(preorder):
        if spanning:
            (start, _), (_, end) = parts.pop(), parts.pop()
            spans.add((start, end))
            parts.append((start, end))
        else:
            word -= 1
            parts.append((word, word + 1))
    return Bracketing(n, frozenset(spans))
