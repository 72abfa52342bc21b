"""Widths of words in pictures, and labels that fit."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from probe.labels import LONGEST_LABEL, elided, text_width


@given(st.text(max_size=80), st.floats(2, 20))
def test_a_label_fits_and_is_the_beginning(text: str, longest: float) -> None:
    shown = elided(text, longest)
    assert text_width(shown, 1) <= longest or shown == text
    if shown != text:
        assert shown.endswith("…") and text.startswith(shown[:-1])
        clusters = regex.findall(r"\X", text)
        assert shown[:-1] in {"".join(clusters[:count]) for count in range(len(clusters))}


@pytest.mark.parametrize("word", ["cat", "Donaudampfschifffahrt", "图书馆", "e\u0301" * 20])
def test_ordinary_words_stand_whole(word: str) -> None:
    assert elided(word) == word
    assert 0 < text_width(word) <= 14 * LONGEST_LABEL


def test_widths() -> None:
    assert text_width("") == 0
    assert text_width("WWW") > text_width("www") > text_width("iii") > 0
    assert text_width("e\u0301") == text_width("e")
    assert text_width("ab", 7) == text_width("ab", 14) / 2
    assert text_width("图") >= 14 and text_width("🦊") >= 17.5  # as in Noto's fonts
    assert text_width("ﷺ") > text_width("م") * 10  # one character, four words
    assert text_width("\x00\ud800\uffff") > 0


def test_code_points_are_not_cut() -> None:
    assert elided("<U+4E2D>" * 4, 14) == "<U+4E2D><U+4E2D>…"
