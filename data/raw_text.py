"""Running text: sentences and words as NLTK's tokenizers find them, without anything to download.

Words are those of the Penn Treebank (``NLTKWordTokenizer``: ``do n't``, ``it 's``, punctuation apart), sentences
those of ``PunktSentenceTokenizer`` (Kiss and Strunk, Computational Linguistics 2006) with common English
abbreviations in place of trained ones. Full stops of other scripts, such as the danda, end sentences, too.
Chinese, Japanese and Thai, which are written without spaces, need a segmenter of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import DataError
from data.paths import FilePath
from data.sentence import Sentence
from data.text import check_input, number_lines, parse_text, read_lines

if TYPE_CHECKING:
    from nltk.tokenize.destructive import NLTKWordTokenizer  # type: ignore[import-untyped]
    from nltk.tokenize.punkt import PunktSentenceTokenizer  # type: ignore[import-untyped]

__all__ = ["looks_untokenised", "parse_raw_text", "parse_sentence", "read_raw_text"]

_ABBREVIATIONS = """
a.m adj adv al apr approx assn aug ave bros ca capt cf co col corp dec dept dr e.g ed eds est etc feb fig
figs gen gov hon i.e inc jan jr lt ltd messrs mr mrs ms mt nov oct op p.m ph.d pp prof rep rev sen sept
sgt sr st u.k u.n u.s univ vol vols vs
"""
# Ends of sentences that Punkt does not know: Devanagari, Arabic and Urdu, Armenian, Ethiopic, full width.
_OTHER_END = r"।॥۔؟։።。！？｡"
_SENTENCE = re.compile(rf"[^{_OTHER_END}]*[{_OTHER_END}]+[\"'”’»)\]」』]*|[^{_OTHER_END}]+")
_WORD_PART = re.compile(rf"[{_OTHER_END}]|[^{_OTHER_END}]+")
_LETTERS_AND_MARK = re.compile(r"[\"'“‘(\[]?[^\W\d_]{2,}[,;:!?]|[^\W\d_]{3,}\.")


def read_raw_text(path: FilePath) -> Iterator[Sentence]:
    """Read a file of running text; see `parse_raw_text`.

    Raises:
        InputError: The file is missing, a directory or not readable (at the call).
        DataError: As in `parse_raw_text`, or the file is not UTF-8 (while iterating).
    """
    path = Path(path)
    check_input(path)
    return parse_raw_text(read_lines(path), name=str(path))


def parse_raw_text(lines: Iterable[str], *, name: str) -> Iterator[Sentence]:
    """Yield the sentences of lines of running text; the end of a line ends a sentence.

    Sentences are numbered from 1. ``Sentence.spaces`` says where the text has white space, so that ``text`` is the
    running text with one space for any white space.

    Args:
        lines: Lines with or without line ends.
        name: Name of the input in messages.

    Raises:
        DataError: A line has a NUL, or there is no sentence.
    """
    count = 0
    for number, line in number_lines(lines, name=name):
        for text in _sentences(line):
            spans = list(_words(text))
            if not spans:
                continue
            count += 1
            following = [start for start, _ in spans[1:]]
            yield Sentence(
                id=str(count),
                words=tuple(text[start:end] for start, end in spans),
                where=f"{name}:{number}",
                spaces=(
                    *(start > end for (_, end), start in zip(spans[:-1], following, strict=True)),
                    False,
                ),
            )
    if not count:
        raise DataError(f"{name}: no sentences; a line of text is expected")


def parse_sentence(text: str, *, tokenize: bool = True) -> Sentence:
    """The one sentence of a text; a line break is a space.

    Args:
        text: running text, or words separated by spaces.
        tokenize: whether it is running text; see `parse_raw_text`, and of words `parse_text`.

    Raises:
        DataError: The text has no sentence or several, or as in these functions.
    """
    parse = parse_raw_text if tokenize else parse_text
    sentences = list(parse([re.sub(r"[\r\n]+", " ", text)], name="text"))
    if len(sentences) > 1:
        raise DataError(f"text: one sentence is expected, found {len(sentences)}")
    return sentences[0]


def looks_untokenised(sentence: Sentence) -> str | None:
    """The first word of a plain-text sentence that seems to hold punctuation of its own, such as ``mat.``.

    None for words of treebanks and of tokenised text. A full stop counts at the end of the sentence alone, after
    three letters and more that are no common abbreviation.
    """
    if sentence.lines or sentence.spaces is not None:
        return None
    for position, word in enumerate(sentence.words, start=1):
        if _LETTERS_AND_MARK.fullmatch(word) and (
            not word.endswith(".")
            or (position == len(sentence.words) and word[:-1].lower() not in _ABBREVIATIONS.split())
        ):
            return word
    return None


def _sentences(line: str) -> Iterator[str]:
    for part in _SENTENCE.findall(line):
        for start, end in _sentence_tokenizer().span_tokenize(part):
            yield part[start:end]


def _words(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the words, in characters of the sentence."""
    for start, end in _word_tokenizer().span_tokenize(text):
        for part in _WORD_PART.finditer(text, start, end):
            yield part.span()


@cache
def _sentence_tokenizer() -> PunktSentenceTokenizer:
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    parameters = PunktParameters()
    parameters.abbrev_types = set(_ABBREVIATIONS.split())
    return PunktSentenceTokenizer(parameters)


@cache
def _word_tokenizer() -> NLTKWordTokenizer:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()
