"""The picture from impacts to a tree shows the numbers it is given, and marks the heads of the tree."""

import numpy as np
import pytest

from analyses.pictures.steps import steps
from analyses.pictures.style import render, style

WORDS = ("Rivers", "carry", "$and$", ".")
HEADS = [2, 0, 2, 2]
RNG = np.random.default_rng(0)
IMPACTS, SCORES = RNG.random((4, 4)), RNG.random((5, 5)) - 0.5


def test_shows_impacts_scores_and_heads() -> None:
    with style():
        figure = steps(WORDS, IMPACTS, SCORES, HEADS, signature="a | b")
    _, *scales, impacts, scores = figure.axes
    assert [bar.get_xlabel() for bar in scales] == ["impact", "score of a head"]
    others = ~np.eye(4, dtype=bool)
    np.testing.assert_array_equal(np.asarray(impacts.images[0].get_array())[others], IMPACTS[others])
    shown = np.asarray(scores.images[0].get_array())
    for head in range(5):
        for dependent in range(1, 5):
            if head != dependent:
                assert shown[dependent - 1, head] == SCORES[head, dependent]
    (dots,) = scores.lines
    assert np.asarray(dots.get_data()).tolist() == [HEADS, [0, 1, 2, 3]]
    assert [text.get_text() for text in scores.get_xticklabels()] == ["ROOT", *WORDS]
    said = [text.get_text() for text in figure.texts]
    assert said == ["impacts", "scores of heads", "tree", "a | b"]


def test_parts_do_not_overlap() -> None:
    with style():
        tree, _, _, impacts, scores = steps(WORDS * 5, *drawn(20), [0, *range(1, 20)]).axes
    ends = [(axes.get_position().x0, axes.get_position().x1) for axes in (impacts, scores, tree)]
    flat = [edge for pair in ends for edge in pair]
    assert flat == sorted(flat) and flat[0] > 0 and flat[-1] <= 1


def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
    return RNG.random((n, n)), RNG.random((n + 1, n + 1))


@pytest.mark.parametrize("n", [1, 4])
def test_the_same_bytes(n: int) -> None:
    impacts, scores = drawn(n)
    with style():
        first, second = (render(steps(WORDS[:n], impacts, scores, [0, 1, 1, 1][:n]), "svg") for _ in range(2))
    assert first == second


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"4 words, found \(3, 3\) and \(5, 5\)"):
        steps(WORDS, IMPACTS[:3, :3], SCORES, HEADS)
    with style(), pytest.raises(ValueError, match="expected 4 heads"):
        steps(WORDS, IMPACTS, SCORES, HEADS[:3])
