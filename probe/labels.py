"""Words as labels of pictures: how wide they are, and what is shown of long ones.

A picture does not know the fonts of whoever looks at it. Widths are those of DejaVu Sans, among the widest of the
fonts that browsers and matplotlib show text in, and bounds for letters that it lacks: words that have room by them
do not run together.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import regex
from wcwidth import wcwidth

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

LONGEST_LABEL = 15.0
"""Widest label of a word, in sizes of its font: some 24 letters. A longer one would leave no room for the rest."""

_WIDE, _EMOJI, _OTHER = 1.05, 1.4, 1.3
"""Widths of a CJK character, an emoji, and a letter of another script, in sizes of the font."""


def text_width(text: str, size: float = 14.0) -> float:
    """About the width of text, rather more than less, in the units of the size of its font."""
    return size * sum(map(_advance, text))


def elided(text: str, longest: float = LONGEST_LABEL) -> str:
    """A label of at most so many sizes of its font: of a wider text the beginning, no letter cut in two.

    What stands for a letter without a font, ``<U+4E2D>``, is not cut either.
    """
    if len(text) <= longest / _EMOJI or text_width(text, 1) <= longest:
        return text
    room, kept = longest - _advance("\u2026"), ""
    for cluster in regex.finditer(r"<U\+[0-9A-F]+>|\X", text):
        room -= text_width(cluster[0], 1)
        if room < 0:
            break
        kept += cluster[0]
    return f"{kept}\u2026"


@cache
def _advance(character: str) -> float:
    """How far a character moves the pen, in sizes of the font."""
    from matplotlib.ft2font import LoadFlags

    category = unicodedata.category(character)
    if character == "\ufe0f":  # what stands before it is an emoji, and so wider than a letter
        return _EMOJI - 0.8
    if category in ("Mn", "Me", "Cf"):
        return 0.0
    if wcwidth(character) == 2:
        return _EMOJI if category == "So" else _WIDE
    font = _font()
    if category in ("Cc", "Cs", "Cn", "Co"):
        character = "\ufffd"
    if font.get_char_index(ord(character)):
        return float(font.load_char(ord(character), LoadFlags.NO_SCALE).horiAdvance / font.units_per_EM)
    if len(parts := unicodedata.normalize("NFKC", character)) > 1:
        return sum(map(_advance, parts))
    return _OTHER


@cache
def _font() -> FT2Font:
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    return FT2Font(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf")
