"""Pictures and what notebooks show: well-formed, escaped, and saying what is there."""

from typing import Any
from xml.dom import minidom

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses import NO_HEAD, Interval, Score, evaluate
from analyses.pictures.arcs_svg import arcs_svg
from analyses.pictures.brackets_svg import brackets_svg
from analyses.report.charts import chart_svg
from analyses.tables.table import Cell, Row, Table
from data import Sentence
from parsers import Bracketing
from probe import ImpactMatrix
from probe.svg import heatmap_svg

WORDS = ["<script>alert(1)</script>", "שלום", "🦊👩‍👩‍👧", "e\u0301\u0323", "\u202eabc", "a\x00b"]
HEADS = [3, 1, 0, 3, 3, 4]
words = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=8)


def titles(picture: str) -> list[str]:
    """What the picture and its parts are called."""
    return [
        "".join(child.data for child in node.childNodes)
        for node in minidom.parseString(picture).getElementsByTagName("title")
    ]


def matrix(units: list[str], values: Any) -> ImpactMatrix:
    return ImpactMatrix(
        values=np.asarray(values, dtype=np.float32),
        on_cls=np.zeros(len(units), dtype=np.float32),
        units=tuple(units),
        model="<toy>",
        metric="dist",
        layer=3,
        pool="mean",
        perturb="pair",
    )


def table() -> Table:
    cells = (Cell(41.7, Interval(40.9, 42.5)), Cell(12.0))
    return Table(
        title="UAS <of> trees",
        columns=("UAS & co", "n"),
        rows=(
            Row(name="chain", kind="published", cells=(Cell(35.0), None)),
            Row(name="a<b", kind="model", cells=cells, signature="toy@1f3a… | v1"),
        ),
        notes=("A <note>.",),
    )


@settings(max_examples=30, deadline=None)
@given(words, st.randoms(use_true_random=False))
def test_pictures_of_any_words_are_well_formed(found: list[str], random: Any) -> None:
    n = len(found)
    heads = [random.choice([head for head in range(n + 1) if head != i]) for i in range(1, n + 1)]
    tree = Bracketing.from_splits(n, lambda start, end: random.randrange(start + 1, end))
    values = np.array([[random.uniform(-1, 1) for _ in found] for _ in found])
    for picture in (
        arcs_svg(found, heads),
        arcs_svg(found, heads, gold=[NO_HEAD] * n),
        brackets_svg(found, tree, gold=[(0, n)]),
        heatmap_svg(found, values),
    ):
        minidom.parseString(picture)


def test_arcs_say_which_are_right() -> None:
    gold = [3, 1, 0, 3, 4, 4]
    picture = arcs_svg(["a", "b", "c", "d", "e", "f"], HEADS, gold=gold, title="T")
    assert titles(picture)[0] == "T"
    assert sorted(titles(picture)[1:]) == [
        *["ROOT → c: right", "a → b: right", "c → a: right", "c → d: right", "c → e: wrong"],
        *["d → e: gold arc that was missed", "d → f: right"],
    ]
    assert picture.count('stroke-dasharray="6 3"') == 2  # the wrong arc, and the legend
    assert "e: head c (gold: d)" in picture


def test_a_word_without_a_head_has_no_arc() -> None:
    assert titles(arcs_svg(["a", "b"], [NO_HEAD, 0]))[1:] == ["ROOT → b: predicted arc"]


def test_arcs_that_overlap_have_their_own_levels() -> None:
    """A chain is flat, whatever its length; an arc above it is one level higher."""
    flat = arcs_svg(["w"] * 30, [0, *range(1, 30)])
    lines = {
        path.split("Q")[1].split()[1] for path in flat.split('d="') if path.startswith("M") and "Q" in path
    }
    assert len(lines) == 1
    above = arcs_svg(["w"] * 30, [0, *range(1, 29), 1])
    lines = {
        path.split("Q")[1].split()[1] for path in above.split('d="') if path.startswith("M") and "Q" in path
    }
    assert len(lines) == 2


@pytest.mark.parametrize("heads", [[0], [0, 3], [0, -2]])
def test_heads_outside_the_sentence_are_refused(heads: list[int]) -> None:
    with pytest.raises(ValueError, match="expected 2 heads from -1 to 2"):
        arcs_svg(["a", "b"], heads)
    with pytest.raises(ValueError, match="expected 2 gold heads"):
        arcs_svg(["a", "b"], [0, 1], gold=heads)


def test_brackets_say_which_are_gold() -> None:
    tree = Bracketing(3, frozenset({(0, 3), (1, 3)}))
    assert titles(brackets_svg(["a", "b", "c"], tree))[1:] == ["b c", "a b c"]
    marked = brackets_svg(["a", "b", "c"], tree, gold={(0, 3), (0, 2)})
    assert titles(marked)[1:] == ["b c: not in the gold tree", "a b c: right"]


def test_heatmap_cells_are_named_and_shaded() -> None:
    picture = heatmap_svg(["a", "b"], [[0, 2], [-1, 0]])
    assert titles(picture)[1:] == [
        "a → a: the word itself",
        "b → a: 2",
        "a → b: -1",
        "b → b: the word itself",
    ]
    shades = [
        float(cell.getAttribute("fill-opacity"))
        for cell in minidom.parseString(picture).getElementsByTagName("rect")
    ]
    assert shades == [0, 1, 0.5, 0]
    assert "no value" in heatmap_svg(["a", "b"], [[0, np.nan], [1, 0]])
    with pytest.raises(ValueError, match=r"expected values \[1, 1\]"):
        heatmap_svg(["a"], [[1, 2]])


def test_nothing_in_a_sentence_becomes_markup() -> None:
    n = len(WORDS)
    tree = Bracketing.from_splits(n, lambda start, end: start + 1)
    shown = [
        arcs_svg(WORDS, HEADS, title="<b>"),
        brackets_svg(WORDS, tree),
        heatmap_svg(WORDS, np.ones((n, n))),
        matrix(WORDS, np.ones((n, n)))._repr_html_(),
    ]
    for picture in shown:
        assert "<script" not in picture and "<b>" not in picture and "\x00" not in picture
        assert "שלום" in picture and "🦊👩‍👩‍👧" in picture and "e\u0301\u0323" in picture


def test_matrix_in_a_notebook() -> None:
    found = matrix(["a", "b"], [[0, 2], [1, 0]])
    assert repr(found) == "ImpactMatrix(2 units, <toy>: dist, layer 3, mean, pair)"
    assert "&lt;toy&gt;: dist, layer 3, mean, pair" in found._repr_html_()
    assert "<svg" in found._repr_html_()


class Printer:
    """Takes what IPython's printer is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def text(self, text: str) -> None:
        self.texts.append(text)


def plain(value: Any) -> str:
    """What a notebook shows of a value where it shows plain text only."""
    printer = Printer()
    value._repr_pretty_(printer, False)
    return "".join(printer.texts)


def test_trees_scores_and_tables_in_a_notebook() -> None:
    tree = Bracketing(3, frozenset({(0, 3), (1, 3)}))
    assert plain(tree) == tree.draw(["0", "1", "2"])
    assert plain(tree) in tree._repr_html_() and "monospace" in tree._repr_html_()
    score = Score(name="UAS", value=41.7, interval=Interval(40.9, 42.5), n=10)
    assert plain(score) == "UAS = 41.7 [40.9, 42.5]"
    assert score._repr_html_() == "<code>UAS = 41.7 [40.9, 42.5]</code>"
    sentence = Sentence(id="1", words=("a", "b"), heads=(2, 0), upos=("X", "X"))
    row = evaluate(
        [sentence], [[2, 0]], name="<m>", data="toy", version="1", protocol="fair", root="predicted"
    )
    assert plain(row) == f"<m>\n{row}"
    assert "&lt;m&gt;" in row._repr_html_() and "UAS = 100.0" in row._repr_html_()
    assert plain(table()) == str(table()) == table().render("table")


def test_table_as_html() -> None:
    found = minidom.parseString(table()._repr_html_().replace("&nbsp;", " "))
    cells = [cell.firstChild.data for cell in found.getElementsByTagName("td") if cell.firstChild]
    assert cells == ["41.7 [40.9, 42.5]", "–", "12.0", "–", "35.0", "–"]
    assert found.getElementsByTagName("caption")[0].firstChild.data == "UAS <of> trees"
    rows = found.getElementsByTagName("tr")[1:]
    assert [row.getAttribute("class") for row in rows] == ["model", "published"]
    assert "(published only)" in rows[1].toxml() and "(published" not in rows[0].toxml()
    assert "A &lt;note&gt;." in table()._repr_html_() and "toy@1f3a… | v1" in table()._repr_html_()


def test_chart_has_a_mark_for_each_figure_of_columns_with_intervals() -> None:
    picture = chart_svg(table())
    assert picture is not None
    assert titles(picture)[1:] == ["chain (published): UAS & co 35.0", "a<b: UAS & co 41.7 [40.9, 42.5]"]
    bare = Table(title="t", columns=("n",), rows=(Row(name="a", kind="model", cells=(Cell(1),)),))
    assert chart_svg(bare) is None
