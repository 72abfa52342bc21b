"""The part-of-speech tags of the Penn Treebank: which are words, and their universal counterparts."""

from collections.abc import Mapping
from types import MappingProxyType

from data.messages import quoted

__all__ = ["TRACE_TAG", "is_word_tag", "universal_tag"]

TRACE_TAG = "-NONE-"
"""Tag of traces and other empty elements."""

_GROUPS = {
    "ADJ": "JJ JJR JJS",
    "ADP": "IN",
    "ADV": "RB RBR RBS WRB",
    "AUX": "MD",
    "CCONJ": "CC",
    "DET": "DT EX PDT WDT",
    "INTJ": "UH",
    "NOUN": "NN NNS",
    "NUM": "CD",
    "PART": "POS RP TO",
    "PRON": "PRP PRP$ WP WP$",
    "PROPN": "NNP NNPS",
    "PUNCT": "# $ '' , -LRB- -RRB- . : ``",
    "VERB": "VB VBD VBG VBN VBP VBZ",
    "X": "FW LS SYM",
}
_UNIVERSAL: Mapping[str, str] = MappingProxyType(
    {tag: universal for universal, tags in _GROUPS.items() for tag in tags.split()}
)


def universal_tag(tag: str) -> str:
    """Return the universal tag (UD v2) of a Penn Treebank tag.

    The classes are those of Petrov, Das and McDonald (LREC 2012) under their UD names, with AUX, INTJ and
    PROPN where the tag alone tells them. As there, the currency signs ``$`` and ``#`` are punctuation: PUNCT
    is what WSJ10 is without. Of an undecided tag such as ``JJ|NN`` the first counts.

    Raises:
        ValueError: The tag is not one of the Penn Treebank, or it is that of a trace.
    """
    universal = _UNIVERSAL.get(tag.partition("|")[0])
    if universal is None:
        raise ValueError(f"a part-of-speech tag of the Penn Treebank is expected, found {quoted(tag)}")
    return universal


def is_word_tag(tag: str) -> bool:
    """Tell whether a tag is that of a word: not of punctuation, a currency sign or a trace.

    Raises:
        ValueError: The tag is not one of the Penn Treebank.
    """
    return tag != TRACE_TAG and universal_tag(tag) != "PUNCT"
