"""Aspect sentiment of SemEval-2014 task 4 (Pontiki et al. 2014): items, and published tree distances."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

import regex

from data.errors import DataError, InputError
from data.messages import QUOTED, quoted
from data.numbers import parse_number
from data.paths import FilePath
from data.text import check_input, number_lines, read_lines

__all__ = ["POLARITIES", "AspectItem", "find_aspect", "read_aspects", "read_distances", "tokenize"]

POLARITIES = {-1: "negative", 0: "neutral", 1: "positive"}
"""The three classes; what annotators disagreed on ("conflict") is left out, as in every published comparison."""

_TARGET = "$T$"
_SEG_LINES, _DISTANCE_LINES = 3, 2
_CONFLICT = "conflict"
_OFFSET = re.compile(r"[0-9]{1,9}")
_LETTER = r"[\w\p{M}\p{N}]"  # marks after their letter, such as accents and vowel signs, belong to it
_TOKEN = regex.compile(
    rf"\d+(?:[.,:/]\d+)+{_LETTER}*(?:-{_LETTER}+)*"  # 1,000.5 and 12:30, 2.5GB and 13.3-inch
    rf"|{_LETTER}+(?=n['’]t\b)|n['’]t\b"  # do n't
    r"|['’](?:s|re|ve|ll|d|m)\b"  # it 's
    rf"|{_LETTER}+(?:-{_LETTER}+)*"  # also 2nd, 16GB and 17-inch
    r"|\.{2,}|[^\w\p{M}\p{N}\s]",
    regex.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class AspectItem:
    """A sentence, one aspect in it, and what is said about that aspect.

    Attributes:
        words: The n words, as they are spelled.
        aspect: Span of the aspect in `words`, ``(start, end)``, end exclusive, not empty.
        polarity: A key of `POLARITIES`.
        where: ``file:line``, for messages.
    """

    words: tuple[str, ...]
    aspect: tuple[int, int]
    polarity: int
    where: str = "<memory>"

    @property
    def term(self) -> str:
        """The aspect as text."""
        return " ".join(self.words[slice(*self.aspect)])


def read_aspects(path: FilePath) -> Iterator[AspectItem]:
    """Read a ``.seg`` file (three lines an item) or the original ``.xml``, chosen by suffix.

    In a ``.seg`` file an item is the sentence with ``$T$`` for the aspect, the aspect, and -1, 0 or 1; words
    are separated by white space of any kind. The XML has raw text: the parts before, in and after an aspect
    are tokenised apart (see `tokenize`), each aspect is an item, and those of polarity ``conflict`` are left out.

    Raises:
        InputError: The suffix is another one, or the file cannot be read (at the call).
        DataError: The content is malformed, an aspect is not where it is said to be, or there are no items
            (while iterating).
    """
    path = Path(path)
    readers = {".seg": _read_seg, ".xml": _read_xml}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        check_input(path)  # of a wrong path that is the better message
        raise InputError(f"{path}: suffix {' or '.join(readers)} is expected, found {path.suffix!r}")
    check_input(path)
    return reader(path)


def read_distances(path: FilePath, items: Sequence[AspectItem]) -> list[tuple[float, ...]]:
    """Read the tree distances of items: two lines an item, its sentence with ``$T$`` and a number a word.

    The sentences are checked against the items, apart from case and the number of spaces.

    Returns:
        For every item n distances, in its order of words.

    Raises:
        InputError: The file cannot be read.
        DataError: Another number of items or of words, another sentence, or a distance that is not a
            finite number from 0 on; names the item.
    """
    path = Path(path)
    check_input(path)
    records = list(_records(path, _DISTANCE_LINES))
    if len(records) != len(items):
        raise DataError(f"{path}: {len(items)} items are expected, found {len(records)}")
    found = []
    for number, ((line, (text, values)), item) in enumerate(zip(records, items, strict=True), start=1):
        name = f"item {number} ({item.where})"
        if text.lower().split() != _with_target(item):
            raise DataError(f"{path}:{line}: the sentence of {name} is expected, found {quoted(text)}")
        distances = _numbers(values, where=f"{path}:{line + 1}: {name}")
        if len(distances) != len(item.words):
            raise DataError(
                f"{path}:{line + 1}: {name}: {len(item.words)} distances are expected, one a word, "
                f"found {len(distances)}"
            )
        found.append(distances)
    return found


def tokenize(text: str) -> tuple[str, ...]:
    """Split raw text into words: punctuation apart, ``do n't`` and ``it 's`` as in the Penn Treebank.

    Example:
        >>> tokenize("It doesn't cost $1,000.50...")
        ('It', 'does', "n't", 'cost', '$', '1,000.50', '...')
    """
    return tuple(_TOKEN.findall(text))


def find_aspect(words: Sequence[str], aspect: Sequence[str]) -> tuple[int, int]:
    """Span of the first place where the aspect's words stand in a sentence, whatever their case.

    Raises:
        DataError: They stand nowhere, or there are none.
    """
    sought, within = [word.lower() for word in aspect], [word.lower() for word in words]
    for start in range(len(within) - len(sought) + 1):
        if sought and within[start : start + len(sought)] == sought:
            return start, start + len(sought)
    raise DataError(
        f"an aspect out of the words of the sentence is expected, found {quoted(' '.join(aspect))} "
        f"beside {quoted(' '.join(words))}"
    )


def _records(path: Path, size: int) -> Iterator[tuple[int, list[str]]]:
    """Groups of so many lines, each with the number of its first line; empty lines at the end are passed over."""
    lines = list(number_lines(read_lines(path), name=str(path)))
    while lines and not lines[-1][1].strip():
        lines.pop()
    if not lines:
        raise DataError(f"{path}: no items; {size} lines an item are expected")
    if len(lines) % size:
        raise DataError(f"{path}:{lines[-1][0]}: {size} lines an item are expected, the last item has fewer")
    for at in range(0, len(lines), size):
        yield lines[at][0], [text for _, text in lines[at : at + size]]


def _read_seg(path: Path) -> Iterator[AspectItem]:
    for line, (text, aspect, polarity) in _records(path, _SEG_LINES):
        if text.count(_TARGET) != 1:
            raise DataError(
                f"{path}:{line}: a sentence with {_TARGET} once is expected, found {text.count(_TARGET)}"
            )
        if not aspect.strip():
            raise DataError(f"{path}:{line + 1}: an aspect is expected, found none")
        if polarity.strip() not in map(str, POLARITIES):
            raise DataError(
                f"{path}:{line + 2}: a polarity out of -1, 0, 1 is expected, found {quoted(polarity)}"
            )
        left, _, right = text.partition(_TARGET)
        # str.split also splits at a no-break space: so did the reader that the published distances come from.
        parts = [tuple(part.split()) for part in (left, aspect, right)]
        yield _item(parts, int(polarity.strip()), where=f"{path}:{line}")


def _item(parts: Sequence[tuple[str, ...]], polarity: int, *, where: str) -> AspectItem:
    left, aspect, right = parts
    span = (len(left), len(left) + len(aspect))
    return AspectItem(words=left + aspect + right, aspect=span, polarity=polarity, where=where)


def _with_target(item: AspectItem) -> list[str]:
    start, end = item.aspect
    words = [*item.words[:start], _TARGET, *item.words[end:]]
    return [word.lower() for word in words]


def _numbers(text: str, *, where: str) -> tuple[float, ...]:
    distances = []
    for field in text.split():
        value = parse_number(field)
        if value is None or value < 0:
            raise DataError(f"{where}: finite distances from 0 on are expected, found {quoted(field)}")
        distances.append(value)
    return tuple(distances)


# --- XML


def _read_xml(path: Path) -> Iterator[AspectItem]:
    reader = _XmlReader(path)
    try:
        reader.parser.Parse(path.read_bytes(), True)
    except DataError:
        raise
    except expat.ExpatError as error:
        raise DataError(
            f"{path}:{error.lineno}: XML is expected, found {expat.ErrorString(error.code)}"
        ) from None
    except (LookupError, ValueError) as error:  # there is no such encoding, or expat cannot use it
        raise DataError(f"{path}:1: XML of a known encoding is expected, found {error}") from None
    if not reader.terms:
        raise DataError(f"{path}: no aspect terms; <aspectTerm> elements within <sentence> are expected")
    yield from reader.items


class _XmlReader:
    """Collects items while expat, unlike ElementTree, knows the line it is at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items: list[AspectItem] = []
        self.terms = 0
        self._text: list[str] | None = None  # of this sentence, once its <text> has begun
        self._in_sentence = self._in_text = False
        self.parser: Any = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _doctype(self, name: str, *declared: object) -> None:
        # Entities of one's own grow without bound; those of other files would be missing from the text.
        where = f"{self.path}:{self.parser.CurrentLineNumber}"
        raise DataError(
            f"{where}: XML without a document type declaration is expected, found <!DOCTYPE {name[:QUOTED]}"
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        where = f"{self.path}:{self.parser.CurrentLineNumber}"
        if self._in_text:
            raise DataError(f"{where}: text alone is expected within <text>, found <{name[:QUOTED]}>")
        if name == "sentence":
            self._in_sentence, self._text = True, None
        elif name == "text":
            if not self._in_sentence or self._text is not None:
                raise DataError(f"{where}: <text> once in a <sentence> is expected")
            self._in_text, self._text = True, []
        elif name == "aspectTerm":
            if self._text is None:
                raise DataError(f"{where}: <aspectTerm> is expected after the <text> of its <sentence>")
            self.terms += 1
            self._term(attributes, where=where)

    def _end(self, name: str) -> None:
        if name == "sentence":
            self._in_sentence, self._text = False, None
        self._in_text = False

    def _characters(self, text: str) -> None:
        if self._in_text and self._text is not None:
            self._text.append(text)

    def _term(self, attributes: dict[str, str], *, where: str) -> None:
        if missing := [key for key in ("term", "polarity", "from", "to") if key not in attributes]:
            raise DataError(f"{where}: an attribute {missing[0]!r} of <aspectTerm> is expected, found none")
        text, term = "".join(self._text or ()), attributes["term"]
        start, end = (attributes[key] for key in ("from", "to"))
        offsets = _OFFSET.fullmatch(start) and _OFFSET.fullmatch(end)
        if not offsets or text[int(start) : int(end)] != term:
            raise DataError(
                f"{where}: the aspect {quoted(term)} is expected at characters {start[:20]} to {end[:20]} "
                f"of the sentence, found {quoted(text)}"
            )
        polarities = {name: value for value, name in POLARITIES.items()}
        if attributes["polarity"] == _CONFLICT:
            return
        if attributes["polarity"] not in polarities:
            known = ", ".join([*polarities, _CONFLICT])
            raise DataError(
                f"{where}: a polarity out of {known} is expected, found {quoted(attributes['polarity'])}"
            )
        parts = [tokenize(part) for part in (text[: int(start)], term, text[int(end) :])]
        if not parts[1]:
            raise DataError(f"{where}: an aspect of at least one word is expected, found {quoted(term)}")
        self.items.append(_item(parts, polarities[attributes["polarity"]], where=where))
