"""Constituency trees to the columns of Table 3 of Wu et al. (ACL 2020): F1 by length, recall by label."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analyses.constituency.bias import measure_bias
from analyses.intervals import percent_interval
from analyses.scores.brackets import BracketCounts, count_brackets, label_recall
from analyses.scores.paired import Counted
from analyses.tables.table import Cell
from analyses.trees.protocols import ProtocolName
from parsers import Bracketing, branching

if TYPE_CHECKING:
    from data import ConstituencySentence

LABELS = ("NP", "VP", "PP", "S", "SBAR", "ADJP", "ADVP")
"""Labels with a column of their own; Wu et al. (2020, table 3) have the first five."""

WSJ10_WORDS = 10
RANDOM_TREES = 10
"""Random trees drawn for each sentence; the random row is their mean."""

BIAS_WORDS, BIAS_LIMIT = 10, 0.05
"""A decoder whose right- minus left-branching F1 on random matrices of 10 words is .05 or more is biased."""

Hits: TypeAlias = NDArray[np.int64]
"""[sentences, 1 + labels]: gold brackets that a tree has, all of them and those of each of ``LABELS``."""


@dataclass(frozen=True)
class Gold:
    """The sentences that the rows of a table share, and what they are divided by.

    Attributes:
        sentences: of one protocol, of two words or more.
        protocol: decides which brackets are counted.
        hits: [sentences, 1 + labels], the hits of the gold trees themselves.
        predicted: int64 [sentences], brackets of a binary tree.
        lengths: int64 [sentences], words.
    """

    sentences: tuple[ConstituencySentence, ...]
    protocol: ProtocolName
    hits: Hits
    predicted: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, sentences: Sequence[ConstituencySentence], protocol: ProtocolName) -> Gold:
        """Count the gold brackets."""
        lengths = np.array([len(sentence.words) for sentence in sentences], dtype=np.int64)
        return cls(
            sentences=tuple(sentences),
            protocol=protocol,
            hits=count_hits(sentences, [sentence.spans for sentence in sentences], protocol),
            predicted=lengths - (1 if protocol == "wu2020" else 2),
            lengths=lengths,
        )

    def counts(self, hits: Hits) -> BracketCounts:
        """The brackets of binary trees with these hits."""
        return BracketCounts(hits[:, 0], self.predicted, self.hits[:, 0], self.protocol)

    def digest(self) -> str:
        """SHA-256, in hexadecimal, over the words and the labelled gold spans of the sentences, in order.

        Each sentence enters as one line of JSON, ``[[words], [[start, end, label], ...]]`` in ASCII without
        spaces, the spans sorted.
        """
        sha = hashlib.sha256()
        for sentence in self.sentences:
            line = json.dumps([sentence.words, sorted(sentence.labelled_spans)], separators=(",", ":"))
            sha.update(line.encode("ascii") + b"\n")
        return sha.hexdigest()


def count_hits(
    sentences: Sequence[ConstituencySentence],
    trees: Sequence[Iterable[tuple[int, int]]],
    protocol: ProtocolName,
) -> Hits:
    """Count the gold brackets that the trees, given as their spans, have.

    Returns:
        [sentences, 1 + labels], see ``Hits``.

    Raises:
        ValueError: as ``analyses.count_brackets``.
    """
    hits = np.zeros((len(sentences), 1 + len(LABELS)), dtype=np.int64)
    for row, sentence, spans in zip(hits, sentences, trees, strict=True):
        tree, lengths = [frozenset(spans)], [len(sentence.words)]
        row[0] = count_brackets([sentence.spans], tree, lengths=lengths, protocol=protocol).matched[0]
        recall = label_recall([sentence.labelled_spans], tree, lengths=lengths, protocol=protocol)
        row[1:] = [recall[label].found if label in recall else 0 for label in LABELS]
    return hits


def baseline_hits(gold: Gold, *, seed: int) -> dict[str, list[Hits]]:
    """Hits of the trees that look at no model; ``RANDOM_TREES`` draws of the uniformly random ones.

    The draws depend on the numbers of words and the seed alone.
    """
    rng = np.random.default_rng(seed)

    def hits(trees: list[Bracketing]) -> Hits:
        return count_hits(gold.sentences, [tree.spans for tree in trees], gold.protocol)

    lengths = gold.lengths.tolist()
    return {
        "right-branching": [hits([branching.right_branching(n) for n in lengths])],
        "left-branching": [hits([branching.left_branching(n) for n in lengths])],
        "balanced": [hits([branching.balanced(n) for n in lengths])],
        "random": [
            hits([branching.random_binary(n, seed=rng) for n in lengths]) for _ in range(RANDOM_TREES)
        ],
    }


@dataclass(frozen=True)
class Columns:
    """The columns of a table and the figures of its rows.

    F1 is given for the sentences of up to 10 words (WSJ10) and for all, where there are longer ones; under
    ``fair`` both that of sentences (mean) and that of the corpus. Recall by label is over all sentences.
    """

    gold: Gold
    max_length: int | None

    @property
    def names(self) -> tuple[str, ...]:
        """Headers, F1 first."""
        return (*self.f1_names, *LABELS)

    @property
    def f1_names(self) -> tuple[str, ...]:
        """The headers of the F1."""
        return tuple(name for name, _, _ in self._f1())

    @property
    def main(self) -> int:
        """The column with the mean F1 of all sentences."""
        return max(place for place, (_, _, of_corpus) in enumerate(self._f1()) if not of_corpus)

    def cells(self, runs: Sequence[Hits], *, seed: int) -> tuple[Cell | None, ...]:
        """The figures of a row in percent, the F1 with 95% bootstrap intervals over sentences.

        Args:
            runs: hits of one system's trees; of several (seeds, random draws) the mean is given.
            seed: of the bootstrap.
        """
        f1 = [_cell(self.counted("", runs, column), seed) for column in range(len(self.f1_names))]
        found, total = np.sum(runs, axis=(0, 1))[1:], self.gold.hits.sum(axis=0)[1:]
        recall = [
            Cell(float(100 * hit / (len(runs) * gold))) if gold else None
            for hit, gold in zip(found, total, strict=True)
        ]
        return (*f1, *recall)

    def counted(self, name: str, runs: Sequence[Hits], column: int) -> Counted:
        """A row's F1 in a column as a ratio of sums over sentences, the mean of its runs."""
        _, mask, of_corpus = self._f1()[column]
        counts = [self.gold.counts(hits) for hits in runs]
        if of_corpus:
            correct = np.mean([2 * each.matched for each in counts], axis=0)
            total = (counts[0].predicted + counts[0].gold).astype(np.float64)
        else:
            total = counts[0].scored.astype(np.float64)
            correct = total * np.mean([each.f1 for each in counts], axis=0)
        return Counted(name=name, correct=correct * mask, total=total * mask)

    def _f1(self) -> list[tuple[str, NDArray[np.bool_], bool]]:
        """Header, sentences and whether it is the F1 of the corpus, for each column of F1."""
        short = self.gold.lengths <= WSJ10_WORDS
        groups = []
        if self.max_length is None or self.max_length >= WSJ10_WORDS:
            groups.append((f"F1 to {WSJ10_WORDS}", short))
        if self.max_length is None:
            groups.append(("F1", np.ones_like(short)))
        elif self.max_length != WSJ10_WORDS:
            groups.append((f"F1 to {self.max_length}", np.ones_like(short)))
        kinds = [("", False)] if self.gold.protocol == "wu2020" else [("", False), ("corpus ", True)]
        return [(f"{kind}{name}", mask, of_corpus) for name, mask in groups for kind, of_corpus in kinds]


@cache
def decoder_bias(decoder: str) -> float:
    """Right- minus left-branching F1 of a decoder on 1,000 random matrices of 10 words, protocol ``fair``.

    Raises:
        ValueError: the decoder is unknown.
    """
    (found,) = [row for row in measure_bias(decoder, BIAS_WORDS) if row.protocol == "fair"]
    return found.difference.value


def is_biased(decoder: str) -> bool:
    """Whether a decoder prefers a side so much that ``fair`` does not take its trees for the model's."""
    return abs(decoder_bias(decoder)) >= BIAS_LIMIT


def _cell(row: Counted, seed: int) -> Cell | None:
    """A ratio in percent with its interval; None if there is nothing to score."""
    if not np.any(row.total):
        return None
    return Cell.measured(100 * row.value, percent_interval(row.correct, row.total, seed=seed))
