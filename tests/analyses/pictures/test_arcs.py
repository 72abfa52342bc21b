"""Drawn trees can be read back, and keep their columns whatever the words are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from analyses import draw_arcs

UP, DOWN = "╯┴│┤┼", "╮┬│┤┼"


def heads_of(drawing: str, prefix: int) -> list[int]:
    """Heads read from a drawing whose arcs begin after ``prefix`` characters."""
    lines = drawing.split("\n")
    canvas = [line[prefix:].removesuffix("ROOT").rstrip() for line in lines]
    cells = [row.ljust(max(map(len, canvas))) for row in canvas]
    heads = []
    for row, (line, cell) in enumerate(zip(lines, cells, strict=True)):
        assert cell.count("◄") == (not line.endswith("  ROOT"))
        if line.endswith("  ROOT"):
            heads.append(0)
            continue
        column = cell.index("◄") + 1
        step = 1 if cell[column] in DOWN else -1
        onward = DOWN if step == 1 else UP
        end = row
        while cells[end][column] in onward:
            end += step
        assert cells[end][column - 1] == "─"
        heads.append(end + 1)
    return heads


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    """Any tree, crossing arcs included: every word but the first drawn takes a head among the earlier."""
    order = draw(st.permutations(range(draw(st.integers(1, 12)))))
    heads = [0] * len(order)
    for index, word in enumerate(order[1:], start=1):
        heads[word] = order[draw(st.integers(0, index - 1))] + 1
    return heads


@given(trees())
@settings(max_examples=150, deadline=None)
def test_a_drawing_can_be_read_back(heads: list[int]) -> None:
    words = [f"w{i}" for i in range(len(heads))]
    prefix = len(str(len(words))) + 1 + max(map(len, words)) + 1
    assert heads_of(draw_arcs(words, heads), prefix) == heads


def test_several_roots_can_be_drawn() -> None:
    heads = [0, 1, 0, 5, 3]
    assert heads_of(draw_arcs(list("abcde"), heads), 4) == heads


def test_a_small_tree() -> None:
    drawing = draw_arcs(["Snow", "fell", "."], [2, 0, 2])
    assert drawing.split("\n") == ["1 Snow   ◄╮", "2 fell ───┴──╮  ROOT", "3 .         ◄╯"]


def test_one_word_is_its_own_root() -> None:
    assert draw_arcs(["Wait"], [0]).split() == ["1", "Wait", "ROOT"]


def test_arcs_start_in_one_column_whatever_the_script() -> None:
    words = ["漢字", "cafe\u0301", "😀", "שלום", "plain", "10\u00a0000"]
    lines = draw_arcs(words, [0, 1, 1, 1, 1, 1]).split("\n")
    arrows = [wcswidth(line[: line.index("◄")]) for line in lines[1:]]
    levels = np.diff(arrows)
    assert (levels > 0).all() and set(levels.tolist()) == {3}


@pytest.mark.parametrize("word", ["a\nb", "a\tb", "a\x1b[31mb", "a\x07b", "a\u200bb", "a\u202eb", "a\u2028b"])
def test_what_would_move_the_cursor_is_shown_as_its_code_point(word: str) -> None:
    drawing = draw_arcs([word, "b"], [0, 1])
    assert len(drawing.splitlines()) == 2
    assert f"a<U+{ord(word[1]):04X}>" in drawing
    assert all(c.isprintable() for line in drawing.split("\n") for c in line)


def test_no_line_ends_in_blanks() -> None:
    drawing = draw_arcs(["long word", "b", "c"], [0, 1, 1])
    assert all(line == line.rstrip() for line in drawing.split("\n"))


@pytest.mark.parametrize("heads", [[0], [0, 1, 1], [0, 3], [0, -1]])
def test_heads_that_do_not_fit_are_refused(heads: list[int]) -> None:
    with pytest.raises(ValueError, match="expected 2 heads from 0 to 2"):
        draw_arcs(["a", "b"], heads)
