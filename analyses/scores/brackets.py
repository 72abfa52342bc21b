"""Unlabelled F1 of constituency trees and recall by label, under the two protocols.

Brackets are sets of spans: two brackets over the same words count once. Spans of one word are never counted.
The whole sentence is counted under ``wu2020`` and not under ``fair``. A sentence without any bracket to
count, gold or predicted, has F1 1 under ``wu2020``, as in the published evaluation, and is left out under
``fair``, where it would add a point for nothing.

evalb (Sekine and Collins 1997) differs: it compares labels, counts each bracket of a unary chain and brackets
over one word, leaves punctuation out itself, and its F1 is that of the corpus.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.intervals import percent_interval
from analyses.tables.signature import Score
from analyses.trees.protocols import PROTOCOLS, ProtocolName
from probe.registry import check_name

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class BracketCounts:
    """Brackets of each sentence that are counted under a protocol.

    Attributes:
        matched: int64 [sentences], brackets that are both gold and predicted.
        predicted: int64 [sentences].
        gold: int64 [sentences].
        protocol: ``wu2020`` or ``fair``.
    """

    matched: NDArray[np.int64]
    predicted: NDArray[np.int64]
    gold: NDArray[np.int64]
    protocol: ProtocolName

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Sentences that have a part in the sentence-level F1, [sentences]."""
        return (self.predicted + self.gold > 0) | (self.protocol == "wu2020")

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 of each sentence, 0 to 1, [sentences]: 2 matched / (predicted + gold), and 1 for 0 / 0.

        With recall 1 where there is no gold bracket and precision 1 where there is no predicted one either,
        as in the published evaluation, this is their harmonic mean in every case.
        """
        brackets = self.predicted + self.gold
        return np.where(brackets > 0, 2 * self.matched / np.maximum(brackets, 1), 1.0)

    @property
    def sentence_f1(self) -> float:
        """Mean of the F1 of the sentences that are scored, 0 to 1; NaN if there is none."""
        return float(self.f1[self.scored].mean()) if self.scored.any() else float("nan")

    @property
    def corpus_f1(self) -> float:
        """F1 of the brackets of all sentences together, 0 to 1; NaN if there is none."""
        brackets = self.predicted.sum() + self.gold.sum()
        return float(2 * self.matched.sum() / brackets) if brackets else float("nan")

    def to_frame(self) -> DataFrame:
        """A pandas frame: a row a sentence, numbered from 0; columns as the attributes, ``f1`` and ``scored``."""
        import pandas

        names = ("matched", "predicted", "gold", "f1", "scored")
        return pandas.DataFrame({name: getattr(self, name) for name in names}).rename_axis("sentence")


@dataclass(frozen=True)
class LabelRecall:
    """How many of the gold brackets with a label were found."""

    found: int
    total: int

    @property
    def recall(self) -> float:
        """Share of the gold brackets that were found, 0 to 1."""
        return self.found / self.total


def count_brackets(
    gold: Sequence[Iterable[tuple[int, int]]],
    predicted: Sequence[Iterable[tuple[int, int]]],
    *,
    lengths: Sequence[int],
    protocol: ProtocolName,
) -> BracketCounts:
    """Count the brackets of every sentence.

    Args:
        gold: the gold spans of each sentence, (start, end), counted from 0, the end exclusive.
        predicted: the predicted spans, for example ``parsers.Bracketing.spans``.
        lengths: number of words of each sentence.
        protocol: ``wu2020`` or ``fair``; decides which spans are counted.

    Raises:
        ValueError: for an unknown protocol, numbers of sentences that differ, or a span outside its sentence.

    Example:
        >>> from analyses import count_brackets
        >>> counts = count_brackets([{(0, 3), (0, 2)}], [{(0, 3), (1, 3)}], lengths=[3], protocol="wu2020")
        >>> counts.sentence_f1
        0.5
    """
    gold_sets = _counted(gold, lengths, protocol, "gold")
    predicted_sets = _counted(predicted, lengths, protocol, "predicted")
    return BracketCounts(
        matched=np.array(
            [len(g & p) for g, p in zip(gold_sets, predicted_sets, strict=True)], dtype=np.int64
        ),
        predicted=np.array([len(spans) for spans in predicted_sets], dtype=np.int64),
        gold=np.array([len(spans) for spans in gold_sets], dtype=np.int64),
        protocol=protocol,
    )


def score_brackets(counts: BracketCounts, *, seed: int = 0, resamples: int = 1000) -> tuple[Score, Score]:
    """Sentence-level and corpus-level F1 in percent, with 95% bootstrap intervals over sentences.

    Raises:
        ValueError: there is no bracket in any sentence, or an option of the bootstrap is out of range.
    """
    weights = counts.scored.astype(np.float64)
    brackets = counts.predicted + counts.gold
    if not brackets.any():
        raise ValueError("expected at least one bracket to score, found none")
    by_level = {
        "sentence F1": (counts.sentence_f1, counts.f1 * weights, weights),
        "corpus F1": (counts.corpus_f1, 2 * counts.matched, brackets),
    }
    scores = []
    for name, (value, numerator, denominator) in by_level.items():
        percent = percent_interval(numerator, denominator, seed=seed, resamples=resamples)
        scores.append(Score(name=name, value=100 * value, interval=percent, n=int(weights.sum())))
    return scores[0], scores[1]


def label_recall(
    gold: Sequence[Iterable[tuple[int, int, str]]],
    predicted: Sequence[Iterable[tuple[int, int]]],
    *,
    lengths: Sequence[int],
    protocol: ProtocolName,
) -> dict[str, LabelRecall]:
    """Share of the gold brackets of each label that are in the output (accuracy by label).

    A bracket with two labels, as of a unary chain, counts once for each of them.

    Args:
        gold: the gold brackets of each sentence, (start, end, label), counted from 0, the end exclusive.
        predicted: the predicted spans, (start, end).
        lengths: number of words of each sentence.
        protocol: ``wu2020`` or ``fair``; decides which spans are counted.

    Returns:
        By label, the most frequent first, then in alphabetical order.

    Raises:
        ValueError: as :func:`count_brackets`.

    Example:
        >>> from analyses import label_recall
        >>> gold = [{(0, 3, "S"), (0, 2, "NP")}]
        >>> label_recall(gold, [{(0, 3), (1, 3)}], lengths=[3], protocol="wu2020")
        {'NP': LabelRecall(found=0, total=1), 'S': LabelRecall(found=1, total=1)}
    """
    labelled = [set(brackets) for brackets in gold]
    unlabelled = [{(start, end) for start, end, _ in brackets} for brackets in labelled]
    gold_sets = _counted(unlabelled, lengths, protocol, "gold")
    predicted_sets = _counted(predicted, lengths, protocol, "predicted")
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for brackets, counted, output in zip(labelled, gold_sets, predicted_sets, strict=True):
        for start, end, label in brackets:
            total[label] += (start, end) in counted
            found[label] += (start, end) in counted & output
    present = sorted((label for label in total if total[label]), key=lambda label: (-total[label], label))
    return {label: LabelRecall(found[label], total[label]) for label in present}


def recall_frame(recall: Mapping[str, LabelRecall]) -> DataFrame:
    """Recall by label as a pandas frame: a row a label; ``found``, ``total`` and ``recall``, 0 to 1."""
    import pandas

    rows = [(each.found, each.total, each.recall) for each in recall.values()]
    index = pandas.Index(list(recall), name="label")
    return pandas.DataFrame(rows, columns=["found", "total", "recall"], index=index)


def span_frame(
    gold: Sequence[Iterable[tuple[int, int]]],
    predicted: Sequence[Iterable[tuple[int, int]]],
    *,
    lengths: Sequence[int],
    protocol: ProtocolName,
) -> DataFrame:
    """The brackets that are counted as a pandas frame: a row a sentence and span, in their order.

    Args:
        gold, predicted, lengths, protocol: as :func:`count_brackets`.

    Returns:
        Columns ``sentence`` (from 0), ``start``, ``end`` (exclusive), and the bools ``gold`` and ``predicted``.

    Raises:
        ValueError: as :func:`count_brackets`.
    """
    import pandas

    gold_sets = _counted(gold, lengths, protocol, "gold")
    predicted_sets = _counted(predicted, lengths, protocol, "predicted")
    rows = [
        (number, start, end, (start, end) in right, (start, end) in found)
        for number, (right, found) in enumerate(zip(gold_sets, predicted_sets, strict=True))
        for start, end in sorted(right | found)
    ]
    return pandas.DataFrame(rows, columns=["sentence", "start", "end", "gold", "predicted"])


def _counted(
    sentences: Sequence[Iterable[tuple[int, int]]],
    lengths: Sequence[int],
    protocol: ProtocolName,
    name: str,
) -> list[set[tuple[int, int]]]:
    """Check the spans of all sentences and keep those that the protocol counts."""
    check_name("protocol", protocol, PROTOCOLS)
    if len(sentences) != len(lengths):
        raise ValueError(f"{name}: expected {len(lengths)} sentences, found {len(sentences)}")
    kept = []
    for index, (spans, n) in enumerate(zip(sentences, lengths, strict=True)):
        distinct = set(spans)
        for start, end in distinct:
            if not 0 <= start < end <= n:
                raise ValueError(f"{name}[{index}]: expected spans within {n} words, found ({start}, {end})")
        whole = n if protocol == "fair" else n + 1  # spans as long as this, or longer, are not counted
        kept.append({(start, end) for start, end in distinct if 1 < end - start < whole})
    return kept
