"""Running text: sentences, words and where they stand."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data
from data import DataError, Sentence
from data.absa import tokenize
from data.sts import split_words


def words(*lines: str) -> list[tuple[str, ...]]:
    """The words of each sentence of running text."""
    return [sentence.words for sentence in data.parse_raw_text(lines, name="t")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("The cat didn't sit on the mat.", ["The cat did n't sit on the mat ."]),
        ('He said "no" -- it\'s 3.5%...', ['He said " no " -- it \'s 3.5 % ...']),
        ("Mr. Smith left. It rained!", ["Mr. Smith left .", "It rained !"]),
        ("See e.g. the cats. Why?", ["See e.g. the cats .", "Why ?"]),
        ("किताब पढ़ी गई। वह गया।", ["किताब पढ़ी गई ।", "वह गया ।"]),
        ("ذهب الولد؟ نعم.", ["ذهب الولد ؟", "نعم ."]),
        ("它很好。我们走吧！", ["它很好 。", "我们走吧 ！"]),
        ("  spaces\tand\u00a0more  ", ["spaces and more"]),
    ],
)
def test_sentences_and_words(line: str, expected: list[str]) -> None:
    assert [" ".join(found) for found in words(line)] == expected


def test_text_and_offsets_are_those_of_the_line() -> None:
    first, second = data.parse_raw_text(["", 'It\'s  "here".  Go!\n'], name="t")
    assert (first.id, first.where, first.text) == ("1", "t:2", 'It\'s "here".')
    assert second == Sentence(id="2", words=("Go", "!"), where="t:2", spaces=(False, False))
    assert first.text is not None and first.offsets is not None
    assert [first.text[start:end] for start, end in first.offsets] == list(first.words)
    assert data.to_conllu(first, range(len(first.words))).startswith(
        '# sent_id = 1\n# text = It\'s "here".\n'
    )


def test_no_text_is_refused() -> None:
    with pytest.raises(DataError, match=r"^t: no sentences; a line of text is expected"):
        words("", " \u00a0 ")
    with pytest.raises(DataError, match=r"^t:1: .*U\+0000"):
        words("a\0b")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["a", "n't", "'", '"', "``", "''", " ", ".", "...", "(", "”", "।", "\u0301", "-", "d'ye"]
        )
    )
)
def test_no_character_is_lost(parts: list[str]) -> None:
    line = "".join(parts)
    try:
        found = list(data.parse_raw_text([line], name="t"))
    except DataError:
        assert not line.strip()
        return
    assert "".join(word for sentence in found for word in sentence.words) == "".join(line.split())
    joined = "".join(re.sub(r"\s", "", sentence.text or "") for sentence in found)
    assert joined == "".join(line.split())


@pytest.mark.parametrize("part", ["a", " ", ".", "a. ", "'", '"', "(", "।", "n't", "-"])
def test_long_lines_take_linear_time(part: str) -> None:
    started = time.process_time()
    try:
        words(part * 10_000)
    except DataError:
        assert not part.strip()
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The cat sat on the mat.", "mat."),
        ("However, it sat .", "However,"),
        ("Who?", "Who?"),
        ("(Indeed, yes .", "(Indeed,"),
        ("The cat sat on the mat .", None),
        ("Mr. Smith left .", None),
        ("He left at five p.m.", None),
        ("cats , dogs , etc.", None),
        ("It is 3.5% of $1,000.", None),
        ("a.", None),
        ("The mat. is red .", None),
    ],
)
def test_what_looks_untokenised(text: str, word: str | None) -> None:
    (sentence,) = data.parse_text([text], name="t")
    assert data.looks_untokenised(sentence) == word


def test_words_of_treebanks_are_taken_as_they_are() -> None:
    assert not any(map(data.looks_untokenised, data.load_sample()))
    (sentence,) = data.parse_conllu(["1\tmat.\t_\t_\t_\t_\t0\troot\t_\t_"], name="t")
    assert data.looks_untokenised(sentence) is None


@pytest.mark.parametrize("split", [split_words, tokenize])
@pytest.mark.parametrize(
    "text",
    ["किताब पढ़ी गई", "বই পড়া", "สวัสดี ครับ", "e\u0301te\u0301 a\u0308", "שָׁלוֹם עוֹלָם", "கேள்வி", "m² ½"],
)
def test_letters_and_their_marks_stay_together(split: object, text: str) -> None:
    assert split(text) == tuple(text.split())  # type: ignore[operator]
