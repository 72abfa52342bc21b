"""The sentences of a report: a line in the list for each, and the data that the page draws an opened one from."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from analyses.report.trees import SHOWN_BRACKETS, Part, Seen
from analyses.scores.brackets import count_brackets
from analyses.scores.recall import arc_groups
from analyses.tables.table import unknown_text
from analyses.trees.protocols import ProtocolName, scored_words
from data import ConstituencySentence, Sentence


@dataclass(frozen=True)
class Verdict:
    """How well the model did on a sentence.

    Attributes:
        scores: UAS, or F1 of the brackets, in percent by protocol; none where there is nothing to score.
        labels: relations, or labels of brackets, of the gold tree.
        wrong: those of them that the model has wrong at least once, under ``fair`` where it is scored.
    """

    scores: dict[ProtocolName, float]
    labels: set[str]
    wrong: set[str]


def verdict(seen: Seen) -> Verdict:
    """Compare the trees of the model with the gold tree of the sentence."""
    sentence = seen.sentence
    if isinstance(sentence, Sentence):
        return _arcs_verdict(seen, sentence)
    counts = count_brackets(
        [sentence.spans], [seen.brackets.spans], lengths=[len(seen.words)], protocol="fair"
    )
    missed = {
        label for start, end, label in sentence.labelled_spans if (start, end) not in seen.brackets.spans
    }
    return Verdict(
        scores={"fair": float(100 * counts.f1[0])} if counts.scored[0] else {},
        labels={label for _, _, label in sentence.labelled_spans},
        wrong=missed,
    )


def _arcs_verdict(seen: Seen, sentence: Sentence) -> Verdict:
    if sentence.heads is None:
        return Verdict({}, set(), set())
    relations = arc_groups(sentence, "relation") if sentence.relations else []
    scores: dict[ProtocolName, float] = {}
    wrong: set[str] = set()
    for protocol, heads in seen.heads.items():
        scored, right = scored_words(sentence, protocol), heads == np.asarray(sentence.heads)
        if scored.any():
            scores[protocol] = float(100 * right[scored].mean())
        wrong = {relations[place] for place in np.flatnonzero(scored & ~right)} if relations else wrong
    return Verdict(scores=scores, labels=set(relations), wrong=wrong)


@dataclass(frozen=True, kw_only=True)
class Item:
    """A sentence in the list, still closed.

    Attributes:
        number, place: of the corpus in the report and of the sentence in the corpus, from 1, for the anchors.
        id, words: of the sentence.
        scores: in percent with one decimal, by protocol.
        facts: said in its line.
        labels, wrong: values of attributes, separated by spaces, which no label has.
    """

    number: int
    place: int
    id: str
    words: Sequence[str]
    scores: Mapping[ProtocolName, str]
    facts: tuple[str, ...]
    labels: str
    wrong: str


def sentence_items(part: Part, *, number: int) -> Iterator[Item]:
    """The sentences of a corpus.

    Args:
        part: the corpus.
        number: of the corpus in the report, for the anchors.
    """
    for place, seen in enumerate(part.seen, start=1):
        found = verdict(seen)
        scores = {protocol: f"{score:.1f}" for protocol, score in found.scores.items()}
        name = "UAS" if seen.heads else "F1"
        yield Item(
            number=number,
            place=place,
            id=seen.sentence.id,
            words=seen.words,
            scores=scores,
            facts=(
                "1 word" if len(seen.words) == 1 else f"{len(seen.words)} words",
                *(f"{name} {score} ({key})" for key, score in scores.items()),
                *([unknown_text(seen.unknown, len(seen.words))] if seen.unknown else []),
            ),
            labels=" ".join(sorted(found.labels)),
            wrong=" ".join(sorted(found.wrong)),
        )


def sentence_data(parts: Iterable[Part]) -> Markup:
    """What opened sentences are drawn from, in their order, as JSON that may stand in a ``<script>``."""
    records = [_record(seen) for part in parts for seen in part.seen]
    text = json.dumps(records, ensure_ascii=False, separators=(",", ":"))
    # Nothing in a script element may look like markup, and two characters end a line in older JavaScript.
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return Markup(text)


def _record(seen: Seen) -> dict[str, Any]:
    record: dict[str, Any] = {
        "words": seen.words,
        "decoder": SHOWN_BRACKETS,
        "spans": sorted(seen.brackets.spans),
        "heat": base64.b64encode(seen.heat).decode(),
        "largest": float(f"{seen.largest:.4g}"),
        "scale": seen.scale,
    }
    if len(seen.kept) < len(seen.words):
        record["kept"] = seen.kept
    if isinstance(seen.sentence, ConstituencySentence):
        return record | {"gold_spans": sorted(seen.sentence.labelled_spans)}
    record["heads"] = {protocol: heads.tolist() for protocol, heads in seen.heads.items()}
    if seen.sentence.heads is None:
        return record
    return record | {
        "gold": seen.sentence.heads,
        "tags": seen.sentence.upos,
        "relations": seen.sentence.relations,
        "scored": {
            protocol: scored_words(seen.sentence, protocol).astype(int).tolist() for protocol in seen.heads
        },
    }
