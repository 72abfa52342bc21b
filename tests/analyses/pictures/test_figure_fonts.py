"""Characters of many scripts in figures, whatever fonts are installed."""

import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager, get_data_path
from matplotlib.figure import Figure

from analyses.pictures import fonts as figure_fonts
from analyses.pictures.arcs import arcs
from analyses.pictures.constituents import trees
from analyses.pictures.fonts import code_points, drawable, families, missing
from analyses.pictures.heatmap import heatmap
from analyses.pictures.style import render, style
from tests.figure_tables import texts

SCRIPTS = "中文 日本語 한국어 العربية שלום हिन्दी ไทย ქართული 🦊 👩\u200d👧 e\u0301\u0323 naïve".split()
N = len(SCRIPTS)
SERIF = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSerif.ttf"


@pytest.fixture
def fresh() -> Iterator[None]:
    """Fonts are looked for again, before and after the test."""
    families.cache_clear()
    yield
    families.cache_clear()


@pytest.fixture
def only_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no font had more."""
    monkeypatch.setattr(
        figure_fonts, "code_points", lambda *names: frozenset([*range(32, 127), 0x2026, 0x2212])
    )


DRAWN: dict[str, Callable[[], Figure]] = {
    "arcs": lambda: arcs(SCRIPTS, [0, *range(1, N)]),
    "heatmap": lambda: heatmap(SCRIPTS, np.ones((N, N)), signature="中文"),
    "tree": lambda: trees(SCRIPTS, {(0, 2), (1 + 1, N)}, gold={(0, N): "S", (0, 2): "名"}),
}


@pytest.mark.parametrize("name", DRAWN)
def test_no_box_is_drawn(name: str) -> None:
    """What fonts lack, fewer or more of them, is a code point; a PDF has one font, of the right type."""
    with style(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure = DRAWN[name]()
        pdf = render(figure, "pdf")
    assert [str(each.message) for each in caught if "drawn as code points" not in str(each.message)] == []
    assert missing("".join(texts(figure))) == []
    assert {name.split(b"+")[1] for name in re.findall(rb"/FontName /(\S+)", pdf)} == {b"DejaVuSans"}


@pytest.mark.parametrize("name", DRAWN)
def test_without_fonts_every_script_is_named(name: str, only_ascii: None) -> None:
    with style(), pytest.warns(UserWarning, match="U\\+4E2D CJK UNIFIED IDEOGRAPH-4E2D, U\\+6587"):
        figure = DRAWN[name]()
        pdf = render(figure, "pdf")
    if name == "heatmap":
        (axes, _) = figure.axes
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels[0] == "<U+4E2D>\u2026" and labels[9] == "<U+1F469>\u2026"
    assert "中" not in "".join(texts(figure)) and b"LastResort" not in pdf


def test_labels_of_ticks_are_replaced_too(only_ascii: None) -> None:
    with style():
        figure = Figure()
        axes = figure.subplots()
        axes.set_yticks([0, 1], labels=["owl", "梟"])
    with pytest.warns(UserWarning, match="no installed font has U\\+689F"):
        render(figure, "svg")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["owl", "<U+689F>"]


def test_drawable(only_ascii: None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawable(["a\nb\u200d", ""]) == ["a\nb\u200d", ""]
    with pytest.warns(UserWarning) as caught:
        assert drawable(["é", "👍\ufe0f!", "éàèùô"])[:2] == ["<U+00E9>", "<U+1F44D>!"]
    (warning,) = caught
    assert "U+00E9 LATIN SMALL LETTER E WITH ACUTE, U+1F44D THUMBS UP SIGN, U+00E0 " in str(warning.message)
    assert ", ...: drawn as code points; install Noto Sans and Noto Emoji" in str(warning.message)
    assert missing("naïve\x07") == ["ï", "\x07"]


def test_fallback_fonts_are_those_installed(monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    monkeypatch.setattr(figure_fonts, "FALLBACKS", ("No Such Font", "STIXGeneral"))
    assert families() == ("DejaVu Sans", "STIXGeneral")
    lacking = "\u1d81"  # which STIXGeneral has
    assert ord(lacking) not in code_points("DejaVu Sans") and missing(f"a {lacking}") == []
    with style():
        figure = Figure()
        figure.text(0, 0, f"a {lacking}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        render(figure, "svg")


def test_fonts_installed_since_matplotlib_made_its_list(
    monkeypatch: pytest.MonkeyPatch, fresh: None, tmp_path: Path
) -> None:
    new, broken = tmp_path / "new.ttf", tmp_path / "broken.ttf"
    shutil.copy(SERIF, new)
    broken.write_bytes(b"no font")
    manager = font_manager.fontManager
    old = [entry for entry in manager.ttflist if entry.name != "DejaVu Serif"]
    monkeypatch.setattr(manager, "ttflist", old)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(broken), str(new)])
    monkeypatch.setattr(figure_fonts, "FALLBACKS", ("DejaVu Serif",))
    monkeypatch.setattr(sys, "platform", "linux")
    assert families() == ("DejaVu Sans", "DejaVu Serif")
