"""Words and their pieces, for words that tokenizers are known to get wrong."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

import probe
from probe.alignment import Alignment, align
from tests.conftest import ModelFolder
from tests.tiny import MASKED_LMS, WINDOW

WORDPIECE = ("bert", "distilbert", "electra", "ernie", "mpnet")
BYTE_LEVEL = ("modernbert", "modernbert_split", "roberta")
UNIGRAM = ("albert", "deberta_v2", "deberta_v3", "xlm_roberta")
SPECIALS = ("[MASK]", "[SEP]", "[CLS]", "[PAD]", "[UNK]", "<mask>", "</s>", "<s>", "<pad>", "<unk>")
UNUSUAL = {
    "emoji": "\N{GRINNING FACE}",
    "emoji joined": "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}",
    "CJK": "漢字",
    "right-to-left": "שלום",
    "Arabic with marks": "مُحَمَّد",
    "no-break space inside": "10\N{NO-BREAK SPACE}000",
    "accent combining": "cafe\N{COMBINING ACUTE ACCENT}",
    "apostrophe": "don't",
    "hyphens": "merry-go-round",
    "long": "unhappily" * 2,
}

LoadProbe = Callable[[str], probe.Probe]


@pytest.fixture(scope="module")
def load_probe(model_folder: ModelFolder) -> LoadProbe:
    """A tiny model by name."""
    return cache(lambda name: probe.load(str(model_folder(name)), device="cpu", dtype="float32"))


def pieces_of(alignment: Alignment, unit: int) -> list[int]:
    """The ids of a unit's pieces."""
    return list(map(int, alignment.ids[alignment.positions[alignment.unit_of == unit]]))


def test_every_tokenizer_family_is_covered() -> None:
    assert sorted((*WORDPIECE, *BYTE_LEVEL, *UNIGRAM)) == sorted(MASKED_LMS)


@pytest.mark.parametrize("name", MASKED_LMS)
def test_plain_words(name: str, load_probe: LoadProbe) -> None:
    words = ("The", "unhappy", "painters", "slept", ".")
    loaded = load_probe(name)
    alignment = loaded.align(words)
    tokenizer: Any = loaded.tokenizer
    assert alignment.units == words
    assert alignment.cls == 0
    assert [alignment.ids[0], alignment.ids[-1]] == [tokenizer.cls_token_id, tokenizer.sep_token_id]
    assert alignment.positions.tolist() == list(range(1, len(alignment.ids) - 1))
    assert alignment.unit_of.tolist() == sorted(alignment.unit_of.tolist())
    for unit, word in enumerate(words):
        text = tokenizer.decode(pieces_of(alignment, unit)).strip()
        assert text == (word.lower() if name in (*WORDPIECE, "albert") else word)


@pytest.mark.parametrize("name", BYTE_LEVEL)
def test_byte_level_pieces_are_those_after_a_space(
    name: str, load_probe: LoadProbe, model_folder: ModelFolder
) -> None:
    words = ("the", "The", "painters", "don't", "merry-go-round", "tea4two", "\N{GRINNING FACE}")
    tokenizer = AutoTokenizer.from_pretrained(model_folder(name))
    alignment = load_probe(name).align(words)
    for unit, word in enumerate(words):
        assert pieces_of(alignment, unit) == tokenizer(" " + word, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("word", UNUSUAL.values(), ids=UNUSUAL.keys())
@pytest.mark.parametrize("name", MASKED_LMS)
def test_unusual_words_are_one_unit(name: str, word: str, load_probe: LoadProbe) -> None:
    loaded = load_probe(name)
    alignment = loaded.align(["the", word, "the"])
    plain = loaded.align(["the", "the"])
    assert alignment.units == ("the", word, "the")
    assert pieces_of(alignment, 0) == pieces_of(plain, 0)
    assert pieces_of(alignment, 2) == pieces_of(plain, 1)
    assert len(pieces_of(alignment, 1)) == len(alignment.ids) - len(plain.ids) > 0
    matrix = loaded.impact(["the", word, "the"])
    assert matrix.values.shape == (3, 3)
    assert np.isfinite(matrix.values).all()


@pytest.mark.parametrize("name", WORDPIECE)
def test_words_without_pieces_are_named(name: str, load_probe: LoadProbe) -> None:
    for word in ("\N{COMBINING ACUTE ACCENT}", "\N{ZERO WIDTH SPACE}", "\N{SOFT HYPHEN}", " ", ""):
        with pytest.raises(probe.SentenceError) as error:
            load_probe(name).align(["the", word, "river"])
        assert str(error.value).startswith(f"word 2 ({word!r}) ")


@pytest.mark.parametrize("name", ["albert", "modernbert", "roberta", "xlm_roberta"])
def test_empty_words_are_never_lost(name: str, load_probe: LoadProbe) -> None:
    try:
        alignment = load_probe(name).align(["the", "", "river"])
    except probe.SentenceError as error:
        assert str(error).startswith("word 2 ('') ")
    else:
        assert len(pieces_of(alignment, 1)) > 0


@pytest.mark.parametrize("literal", SPECIALS)
@pytest.mark.parametrize("name", (*WORDPIECE, *BYTE_LEVEL))
def test_literal_special_tokens_are_text(name: str, literal: str, load_probe: LoadProbe) -> None:
    loaded = load_probe(name)
    reserved = set(loaded.tokenizer.all_special_ids) - {loaded.tokenizer.unk_token_id}
    for word in (literal, f"un{literal}s"):
        alignment = loaded.align(["the", word, "river"])
        plain = loaded.align(["the", "river"])
        assert pieces_of(alignment, 0) == pieces_of(plain, 0)
        assert pieces_of(alignment, 2) == pieces_of(plain, 1)
        assert len(pieces_of(alignment, 1)) > 1
        assert reserved.isdisjoint(pieces_of(alignment, 1))
        assert set(pieces_of(alignment, 1)) != {loaded.tokenizer.unk_token_id}


@pytest.mark.parametrize("literal", SPECIALS)
@pytest.mark.parametrize("name", UNIGRAM)
def test_literal_special_tokens_of_a_unigram_vocabulary_are_text_or_refused(
    name: str, literal: str, load_probe: LoadProbe
) -> None:
    loaded = load_probe(name)
    reserved = set(loaded.tokenizer.all_special_ids) - {loaded.tokenizer.unk_token_id}
    known = literal in loaded.tokenizer.get_vocab()
    unknown = literal == loaded.tokenizer.unk_token
    lowered = (
        name == "albert" and literal != literal.lower()
    )  # what is lowercased is no special token any more
    if known and not unknown and not lowered:
        with pytest.raises(probe.SentenceError) as error:
            loaded.align(["the", literal, "river"])
        assert str(error.value).startswith(f"word 2 ({literal!r}) ")
    else:
        alignment = loaded.align(["the", literal, "river"])
        assert len(pieces_of(alignment, 1)) > 1
        assert reserved.isdisjoint(pieces_of(alignment, 1))


@pytest.mark.parametrize("name", WORDPIECE)
def test_unknown_words_are_units(name: str, load_probe: LoadProbe) -> None:
    loaded = load_probe(name)
    alignment = loaded.align(["the", "\N{GRINNING FACE}", "river", "漢字"])
    assert len(pieces_of(alignment, 0)) > 0 < len(pieces_of(alignment, 2))
    assert set(pieces_of(alignment, 1)) == set(pieces_of(alignment, 3)) == {loaded.tokenizer.unk_token_id}


@pytest.mark.parametrize("name", MASKED_LMS)
def test_a_sentence_beyond_the_window_is_refused_never_cut(name: str, load_probe: LoadProbe) -> None:
    loaded = load_probe(name)
    assert loaded.window == WINDOW
    words = ["the"] * (WINDOW + 3)
    length = len(align(loaded.tokenizer, words, window=1000).ids)
    assert length > WINDOW
    with pytest.raises(probe.SentenceError, match=rf"^{length} pieces .*\b{WINDOW}$"):
        loaded.align(words)
    assert len(align(loaded.tokenizer, words, window=length).ids) == length
    with pytest.raises(probe.SentenceError, match=rf"\b{length - 1}$"):
        align(loaded.tokenizer, words, window=length - 1)


@pytest.mark.parametrize("name", ["bert", "modernbert", "roberta", "xlm_roberta"])
def test_any_words_are_aligned_whole_or_refused_by_name(name: str, load_probe: LoadProbe) -> None:
    pieces = load_probe(name).pieces

    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.text(max_size=6), min_size=1, max_size=4))
    def check(words: list[str]) -> None:
        try:
            alignment = align(pieces, words, window=1000)
        except probe.SentenceError as error:
            named = [f"word {i} ({word!r}) " for i, word in enumerate(words, start=1)]
            assert str(error).startswith(tuple(named))
            return
        assert alignment.positions.tolist() == list(range(1, len(alignment.ids) - 1))
        assert np.unique(alignment.unit_of).tolist() == list(range(len(words)))
        for unit, word in enumerate(words):
            assert pieces_of(alignment, unit) == pieces([word])[0]

    check()


def test_spans(load_probe: LoadProbe) -> None:
    loaded = load_probe("bert")
    words = ["Nobody", "reads", "the", "old", "letters", "."]
    by_word = loaded.align(words)
    by_span = loaded.align(words, [(0, 2), (3, 5)])
    assert by_span.units == ("Nobody reads", "old letters")
    assert by_span.ids.tolist() == by_word.ids.tolist()
    assert pieces_of(by_span, 0) == pieces_of(by_word, 0) + pieces_of(by_word, 1)
    assert pieces_of(by_span, 1) == pieces_of(by_word, 3) + pieces_of(by_word, 4)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([], "no spans"),
        ([(0, 0)], r"\(0, 0\) is empty"),
        ([(2, 1)], r"\(2, 1\) is empty"),
        ([(0, 1), (1, 4)], r"\(1, 4\) .*3 words"),
        ([(-1, 1)], r"\(-1, 1\) .*outside"),
        ([(0, 2), (1, 3)], r"\(1, 3\) overlaps"),
        ([(1, 3), (0, 2)], r"\(1, 3\) overlaps"),
        ([(0, 1), (0, 1)], r"\(0, 1\) overlaps"),
    ],
)
def test_spans_that_are_no_units(spans: list[tuple[int, int]], message: str, load_probe: LoadProbe) -> None:
    with pytest.raises(probe.SentenceError, match=message):
        load_probe("bert").align(["the", "old", "letters"], spans)


@pytest.mark.parametrize(("words", "message"), [([], "no words"), ("the river", "list of words")])
def test_sentences_that_are_none(words: Any, message: str, load_probe: LoadProbe) -> None:
    with pytest.raises(probe.SentenceError, match=message):
        load_probe("bert").align(words)
