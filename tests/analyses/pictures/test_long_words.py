"""Words of any length and any characters in pictures."""

import time
from xml.etree import ElementTree

import numpy as np
import pytest

from analyses.pictures.arcs_svg import arcs_svg
from analyses.pictures.brackets_svg import brackets_svg
from parsers import mart
from probe.svg import escape, heatmap_svg

WORDS = ["x" * 1_000, "carry", "sand"]
VALUES = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 4.0], [5.0, 6.0, 0.0]])
HEADS = [2, 0, 2]
SVG = "{http://www.w3.org/2000/svg}"


def test_pictures_of_long_words_name_them_in_titles() -> None:
    for picture in (heatmap_svg(WORDS, VALUES), arcs_svg(WORDS, HEADS), brackets_svg(WORDS, mart(VALUES))):
        root = ElementTree.fromstring(picture)
        assert float(root.attrib["width"]) < 1_000
        labels = [
            text for text in root.iter(f"{SVG}text") if (text.findtext(f"{SVG}title") or "") == WORDS[0]
        ]
        assert labels and all((text[0].tail or "").endswith("x\u2026") for text in labels)
        assert picture.count(WORDS[0]) == len(labels)  # not in every cell


def test_figures_of_long_words_stay_small() -> None:
    pytest.importorskip("matplotlib")
    from analyses.pictures.arcs import arcs
    from analyses.pictures.constituents import trees
    from analyses.pictures.heatmap import heatmap
    from analyses.pictures.style import render, style

    started = time.monotonic()
    with style():
        drawn = (heatmap(WORDS, VALUES), arcs(WORDS, HEADS), trees(WORDS, mart(VALUES).spans))
        for figure in drawn:
            width, height = figure.get_size_inches()
            assert width < 12 and height < 12
            assert ElementTree.fromstring(render(figure, "svg")) is not None
    assert time.monotonic() - started < 60


def test_what_xml_cannot_hold_is_replaced() -> None:
    bad = "\x00\x1b\x85\ufffe\uffff\ud800"
    assert escape(bad) == 6 * "\ufffd"
    assert escape("<é\U0001f98a>") == "&lt;é\U0001f98a&gt;"
    words = [f"a{bad}", "b", "c"]
    for picture in (heatmap_svg(words, VALUES), arcs_svg(words, HEADS), brackets_svg(words, mart(VALUES))):
        ElementTree.fromstring(picture)


def test_what_xml_cannot_hold_in_a_figure() -> None:
    pytest.importorskip("matplotlib")
    from analyses.pictures.heatmap import heatmap
    from analyses.pictures.style import render, style

    with style(), pytest.warns(UserWarning, match="no installed font has U\\+FFFE"):
        figure = heatmap(["a\ufffe", "b", "c"], VALUES, signature="data\ufffe")
        ElementTree.fromstring(render(figure, "svg"))
