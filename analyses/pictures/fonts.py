"""Which fonts the letters of a figure come from, and what stands for a character that no font has."""

from __future__ import annotations

import re
import sys
import unicodedata
import warnings
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST = "DejaVu Sans"
"""Comes with matplotlib."""

FALLBACKS = (
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "Noto Sans KR",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Tamil",
    "Noto Sans Thai",
    "Noto Sans Ethiopic",
    "Noto Sans Armenian",
    "Noto Sans Georgian",
    "Noto Sans Gujarati",
    "Noto Sans Gurmukhi",
    "Noto Sans Kannada",
    "Noto Sans Khmer",
    "Noto Sans Lao",
    "Noto Sans Malayalam",
    "Noto Sans Myanmar",
    "Noto Sans Oriya",
    "Noto Sans Sinhala",
    "Noto Sans Telugu",
    "Noto Sans Coptic",
    "Noto Sans Gothic",
    "Noto Sans Syriac",
    "Noto Sans Cuneiform",
    "Noto Sans Egyptian Hieroglyphs",
    "Noto Sans Glagolitic",
    "Noto Sans Math",
    "Noto Sans Symbols2",
    "Noto Emoji",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Nirmala UI",
    "Segoe UI Symbol",
    "FreeSans",
    "Unifont",
)
"""Fonts asked, in this order and where installed, for characters that DejaVu Sans lacks."""

_NAMED = 4
"""So many characters are named in a warning."""

_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH", "BOPOMOFO")


class MissingFont(UserWarning):
    """No installed font has some characters; ``fonts`` are those that have them."""

    def __init__(self, message: str, fonts: tuple[str, ...]) -> None:
        super().__init__(message)
        self.fonts = fonts


@cache
def families() -> tuple[str, ...]:
    """``FIRST`` and the installed ones of ``FALLBACKS``."""
    from matplotlib.font_manager import get_font_names

    _see_new_fonts()
    installed = set(get_font_names())
    return (FIRST, *(name for name in FALLBACKS if name in installed))


def _see_new_fonts() -> None:
    """Tell matplotlib of fonts that were installed after it had made its list, which it never does anew."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    if sys.platform == "darwin":  # where to ask takes seconds, and the system has fonts for most scripts
        return
    known = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            with suppress(OSError, RuntimeError):  # no font that can be read
                fontManager.addfont(path)


@cache
def code_points(*names: str) -> frozenset[int]:
    """The code points that one of these fonts has."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(code for name in names for code in get_font(findfont(name)).get_charmap())


def missing(text: str) -> list[str]:
    """The characters that no font of the figures has, each once, in their order."""
    return _lacking(text, code_points(*families()))


def drawable(texts: Iterable[str]) -> list[str]:
    """The texts with code points, ``<U+1F98A>``, where boxes would be drawn; a warning names the characters."""
    given = list(texts)
    lacking = missing("".join(given))
    if not lacking:
        return given
    named = [f"U+{ord(c):04X} {unicodedata.name(c, '')}".rstrip() for c in lacking[:_NAMED]]
    shown = ", ".join(named) + (", ..." if len(lacking) > _NAMED else "")
    fonts = tuple(dict.fromkeys(map(_font_of, lacking)))
    message = f"no installed font has {shown}: drawn as code points; install {' and '.join(fonts)}"
    warnings.warn(MissingFont(message, fonts), stacklevel=2)
    # What joined or varied the character means nothing beside its code point.
    pattern = re.compile(f"([{re.escape(''.join(lacking))}])[\u200d\ufe0e\ufe0f]*")
    return [pattern.sub(lambda found: f"<U+{ord(found[1]):04X}>", text) for text in given]


def _font_of(character: str) -> str:
    """The font of ``FALLBACKS`` to install for a character, by the script that its name begins with."""
    script = unicodedata.name(character, "").partition(" ")[0]
    if script in _CJK or (
        unicodedata.east_asian_width(character) == "W" and unicodedata.category(character) != "So"
    ):
        return "Noto Sans CJK JP"
    named = (name for name in FALLBACKS if script and name.upper().startswith(f"NOTO SANS {script}"))
    if found := next(named, None):
        return found
    return "Noto Emoji" if unicodedata.category(character) == "So" else "Noto Sans"


def make_drawable(figure: Figure) -> None:
    """Let all text of a figure be :func:`drawable`, and that of fallback fonts be drawn as outlines.

    Matplotlib 3.11 embeds a CJK font, whose outlines are PostScript's, in a PDF as if it were TrueType.
    """
    from matplotlib.patheffects import Normal
    from matplotlib.text import Text

    # Ticks take their labels anew from the axis whenever they are drawn.
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if missing("".join(labels)):
            axis.set_ticks(axis.get_ticklocs(), labels=drawable(labels))
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    shown = drawable(text.get_text() for text in found)
    for text, content in zip(found, shown, strict=True):
        text.set_text(content)
        if _lacking(content, code_points(FIRST)):
            text.set_path_effects([Normal()])


def _lacking(text: str, known: frozenset[int]) -> list[str]:
    return [c for c in dict.fromkeys(text) if ord(c) not in known and not _is_invisible(c)]


def _is_invisible(character: str) -> bool:
    """Line ends, joiners and variation selectors have no glyph of their own."""
    return character == "\n" or unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"
