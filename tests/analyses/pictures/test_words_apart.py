"""Neighbouring words of arcs and trees never run together, whatever letters they have."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from analyses.pictures.arcs import arcs
from analyses.pictures.arcs_svg import arcs_svg
from analyses.pictures.brackets_svg import brackets_svg
from analyses.pictures.style import style
from parsers import Bracketing

if TYPE_CHECKING:
    from tests.browser import Browser

pytest_plugins = ["tests.browser"]

SENTENCES = {
    "wide": "WWWWWW MMMMMM @@@@@@ %%%%% ii ——— WWWWWWWWWWWWWWWWWWWWWWWW mmmmmmmmmmmm",
    "chinese": "我 昨天 在 图书馆 读了 一 本 书 。",
    "emoji": "❤️❤️ 🍕🍕🍕 👨\u200d👩\u200d👧 so 🦊🦊 !",
    "scripts": "שלום العربية हिन्दी ไทย 한국어 ქართული ЩЖЮЩЖЮ ΩΩΩ",
    "long": f"See https://example.org/{'a' * 900} and {'W' * 60} .",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_in_figures(name: str) -> None:
    words = SENTENCES[name].split()
    with style(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no font: drawn as code points
        figure = arcs(words, [0] + [1] * (len(words) - 1))
        figure.set_dpi(300)
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        (axes,) = figure.axes
        drawn = [text for text in axes.texts if text.get_position()[1] == 0]
        boxes = sorted((text.get_window_extent(renderer) for text in drawn), key=lambda box: box.x0)
    assert len(boxes) == len(words)
    points = 300 / 72
    assert min(right.x0 - left.x1 for left, right in pairwise(boxes)) > 3 * points


@pytest.mark.parametrize("name", SENTENCES)
def test_in_a_browser(name: str, browser: Browser, tmp_path: Path) -> None:
    words = SENTENCES[name].split()
    n = len(words)
    pictures = [
        arcs_svg(words, [0] + [1] * (n - 1)),
        brackets_svg(words, Bracketing.from_splits(n, lambda start, end: start + 1)),
    ]
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{''.join(pictures)}", encoding="utf-8")
    browser.open(page)
    for picture in range(2):
        edges = browser.run(
            "return [...document.querySelectorAll('svg')[arguments[0]].querySelectorAll('text:not([font-size])')]"
            ".map((text) => text.getBBox()).map((box) => [box.x, box.x + box.width])",
            picture,
        )
        assert len(edges) == n
        assert edges[0][0] >= 0
        assert min(right[0] - left[1] for left, right in pairwise(sorted(edges))) > 6
