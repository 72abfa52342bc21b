"""The sentences of a report: a line in the list for each, and the data that the page draws an opened one from."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from markupsafe import Markup

from analyses.report.trees import SHOWN_BRACKETS, Part, Seen, View
from analyses.scores.brackets import count_brackets
from analyses.scores.recall import arc_groups
from analyses.tables.table import unknown_text
from analyses.trees.protocols import ProtocolName, scored_words
from data import ConstituencySentence, Sentence

Scoring: TypeAlias = tuple[int, ProtocolName]
"""The place of a method, and a protocol."""


def scoring_key(scoring: Scoring) -> str:
    """What it is called in the page: ``fair``, and ``fair-2`` for the second method."""
    place, protocol = scoring
    return protocol if place == 0 else f"{protocol}-{place + 1}"


def scoring_label(methods: Sequence[str], scoring: Scoring) -> str:
    """What a reader is told: the protocol, and the method where there are several."""
    place, protocol = scoring
    return protocol if len(methods) == 1 else f"{methods[place]}, {protocol}"


@dataclass(frozen=True)
class Verdict:
    """How well the model did on a sentence.

    Attributes:
        scores: UAS, or F1 of the brackets, in percent; none where there is nothing to score.
        labels: relations, or labels of brackets, of the gold tree.
        wrong: those of them that a method has wrong at least once, under ``fair`` where it is scored.
    """

    scores: dict[Scoring, float]
    labels: set[str]
    wrong: set[str]


def verdict(seen: Seen) -> Verdict:
    """Compare the trees of the model with the gold tree of the sentence."""
    sentence = seen.sentence
    if isinstance(sentence, Sentence):
        return _arcs_verdict(seen, sentence)
    scores: dict[Scoring, float] = {}
    wrong: set[str] = set()
    for place, view in enumerate(seen.views):
        own = view.brackets.spans
        counts = count_brackets([sentence.spans], [own], lengths=[len(seen.words)], protocol="fair")
        if counts.scored[0]:
            scores[place, "fair"] = float(100 * counts.f1[0])
        wrong |= {label for start, end, label in sentence.labelled_spans if (start, end) not in own}
    labels = {label for _, _, label in sentence.labelled_spans}
    return Verdict(scores=scores, labels=labels, wrong=wrong)


def _arcs_verdict(seen: Seen, sentence: Sentence) -> Verdict:
    if sentence.heads is None:
        return Verdict({}, set(), set())
    relations = arc_groups(sentence, "relation") if sentence.relations else []
    scores: dict[Scoring, float] = {}
    wrong: set[str] = set()
    for number, view in enumerate(seen.views):
        missed: set[str] = set()
        for protocol, heads in view.heads.items():
            scored, right = scored_words(sentence, protocol), heads == np.asarray(sentence.heads)
            if scored.any():
                scores[number, protocol] = float(100 * right[scored].mean())
            missed = {relations[place] for place in np.flatnonzero(scored & ~right)} if relations else missed
        wrong |= missed
    return Verdict(scores=scores, labels=set(relations), wrong=wrong)


@dataclass(frozen=True, kw_only=True)
class Item:
    """A sentence in the list, still closed.

    Attributes:
        number, place: of the corpus in the report and of the sentence in the corpus, from 1, for the anchors.
        id, words: of the sentence.
        scores: in percent with one decimal, by ``scoring_key``.
        facts: said in its line.
        labels, wrong: values of attributes, separated by spaces, which no label has.
    """

    number: int
    place: int
    id: str
    words: Sequence[str]
    scores: Mapping[str, str]
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
        methods = [view.method for view in seen.views]
        column = "UAS" if seen.views[0].heads else "F1"
        yield Item(
            number=number,
            place=place,
            id=seen.sentence.id,
            words=seen.words,
            scores={scoring_key(key): f"{score:.1f}" for key, score in found.scores.items()},
            facts=(
                "1 word" if len(seen.words) == 1 else f"{len(seen.words)} words",
                *(
                    f"{column} {score:.1f} ({scoring_label(methods, key)})"
                    for key, score in found.scores.items()
                ),
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
        "methods": [_method(view) for view in seen.views],
    }
    if len(seen.kept) < len(seen.words):
        record["kept"] = seen.kept
    if isinstance(seen.sentence, ConstituencySentence):
        return record | {"gold_spans": sorted(seen.sentence.labelled_spans)}
    if seen.sentence.heads is None:
        return record
    return record | {
        "gold": seen.sentence.heads,
        "tags": seen.sentence.upos,
        "relations": seen.sentence.relations,
        "scored": {
            protocol: scored_words(seen.sentence, protocol).astype(int).tolist()
            for protocol in seen.views[0].heads
        },
    }


def _method(view: View) -> dict[str, Any]:
    return {
        "name": view.method,
        "impacts": view.impacts,
        "spans": sorted(view.brackets.spans),
        "heat": base64.b64encode(view.heat).decode(),
        "largest": float(f"{view.largest:.4g}"),
        "scale": view.scale,
        "heads": {protocol: heads.tolist() for protocol, heads in view.heads.items()},
    }
