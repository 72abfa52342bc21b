"""The sentence of heatmap, arcs, tree and steps: that of Wu et al. (2020), one of a treebank, or one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data import Sentence

# Figures 1 and 2 of Wu et al. (ACL 2020) show this sentence, n01001013 of the treebank PUD. Heads are those of
# Universal Dependencies, the brackets are in the style of the Penn Treebank, written for this project.
_WORDS = (
    "For", "those", "who", "follow", "social", "media", "transitions", "on", "Capitol",
    "Hill", ",", "this", "will", "be", "a", "little", "different", ".",
)  # fmt: skip
_HEADS = (2, 17, 4, 2, 6, 7, 4, 10, 10, 7, 17, 17, 17, 17, 16, 17, 0, 17)
_BRACKETS = (
    "(S (PP (IN For) (NP (NP (DT those)) (SBAR (WHNP (WP who)) (S (VP (VBP follow) (NP (NP (JJ social) "
    "(NNS media) (NNS transitions)) (PP (IN on) (NP (NNP Capitol) (NNP Hill))))))))) (, ,) (NP (DT this)) "
    "(VP (MD will) (VP (VB be) (ADJP (NP (DT a) (JJ little)) (JJ different)))) (. .))"
)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A sentence to be drawn.

    Attributes:
        name: what it is called in signatures.
        sentence: its words, with gold heads if there are any.
        constituents: the words without punctuation (``data.words_proper``); the tree stands over them.
        brackets: labels of the gold brackets over ``constituents``; None where there is no gold tree.
    """

    name: str
    sentence: Sentence
    constituents: tuple[str, ...]
    brackets: dict[tuple[int, int], str] | None

    @property
    def scored(self) -> list[bool]:
        """Which dependents are scored: all but punctuation."""
        from data import words_proper

        kept = words_proper(self.sentence)
        return [place in kept for place in range(len(self.sentence.words))]


def published_example() -> Example:
    """The sentence of Figures 1 and 2 of Wu et al. (2020)."""
    from data import Sentence

    tags = tuple("PUNCT" if word in ",." else "X" for word in _WORDS)
    sentence = Sentence(id="n01001013", words=_WORDS, heads=_HEADS, upos=tags)
    return _with_brackets("wu2020-figure-1", sentence, _BRACKETS)


def own_example(text: str) -> Example:
    """A sentence of one's own, its words between spaces, without gold trees.

    Raises:
        data.DataError: there is no word, or more than one line.
    """
    from data import DataError, parse_text

    found = list(parse_text(text.split("\n"), name="--text"))
    if len(found) != 1:
        raise DataError(f"--text: one sentence is expected, found {len(found)}")
    return _without_brackets("text", found[0])


def treebank_example(sentences: Sequence[Sentence], name: str, identifier: str) -> Example:
    """The sentence of a treebank with this ``sent_id``; those of the bundled sample have gold brackets.

    Raises:
        data.InputError: there is no such sentence.
    """
    from data import InputError, load_sample_trees

    place = next((at for at, sentence in enumerate(sentences) if sentence.id == identifier), None)
    if place is None:
        raise InputError(f"{name}: a sentence of this treebank is expected, found no {identifier!r}")
    sentence = sentences[place]
    if name == "sample":
        return _with_brackets(name, sentence, str(load_sample_trees()[place]))
    return _without_brackets(name, sentence)


def _without_brackets(name: str, sentence: Sentence) -> Example:
    from data import words_proper

    kept = tuple(sentence.words[place] for place in words_proper(sentence))
    return Example(name=name, sentence=sentence, constituents=kept, brackets=None)


def _with_brackets(name: str, sentence: Sentence, brackets: str) -> Example:
    from data import constituency_sentence, parse_ptb

    tree = next(parse_ptb([brackets], name=name))
    gold = constituency_sentence(tree, protocol="fair")
    labels: dict[tuple[int, int], list[str]] = {}
    for start, end, label in sorted(gold.labelled_spans):
        labels.setdefault((start, end), []).append(label)
    shown = {span: "/".join(names) for span, names in labels.items()}
    return Example(name=name, sentence=sentence, constituents=gold.words, brackets=shown)
