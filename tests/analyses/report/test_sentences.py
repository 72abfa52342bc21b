"""What a report says of one sentence, and how large a thousand of them are."""

import json

import numpy as np
import pytest

from analyses.report.page import Report, page
from analyses.report.sentences import sentence_data, sentence_items, verdict
from analyses.report.trees import Part, Seen, View
from data import ConstituencySentence, Sentence
from parsers import Bracketing


def seen(n: int, *, heads: list[int], upos: tuple[str, ...] | None = None) -> Seen:
    words = tuple(f"word{i}" for i in range(n))
    gold = tuple(range(n))
    sentence = Sentence(
        id="1",
        words=words,
        heads=gold,
        upos=upos or ("NOUN",) * n,
        relations=("nsubj:pass", "obj") * (n // 2),
    )
    rng = np.random.default_rng(0)
    found = np.asarray(heads)
    return Seen(
        words=words,
        views=(
            View(
                brackets=Bracketing.from_splits(n, lambda start, end: start + 1),
                heat=rng.integers(0, 256, n * n, dtype=np.uint8).tobytes(),
                largest=3.25,
                scale="impact",
                heads={"wu2020": found, "fair": found},
            ),
        ),
        sentence=sentence,
        kept=tuple(range(n)),
    )


def test_verdict_counts_what_the_protocol_scores() -> None:
    found = verdict(seen(4, heads=[0, 1, 1, 1], upos=("NOUN", "NOUN", "NOUN", "PUNCT")))
    assert found.scores == {(0, "wu2020"): 50, (0, "fair"): pytest.approx(200 / 3)}
    assert found.labels == {"nsubj", "obj"}
    assert found.wrong == {"nsubj"}


def test_a_thousand_sentences_are_below_five_megabytes() -> None:
    """Sentences of 24 words with relations, every matrix incompressible."""
    part = Part(name="x", kind="dependencies", tables=(), seen=(seen(24, heads=[0] * 24),) * 1000, skipped=())
    report = Report(title="m", parts=(part,), facts={}, card=None, command="", versions={})
    assert len("".join(page(report)).encode()) < 4e6
    assert len(list(sentence_items(part, number=1))) == len(json.loads(sentence_data([part]))) == 1000


def test_verdict_of_brackets_names_the_missed_labels() -> None:
    tree = Bracketing(3, frozenset({(0, 3), (1, 3)}))
    spans = frozenset({(0, 2, "NP"), (1, 3, "VP")})
    gold = ConstituencySentence(id="1", words=("a", "b", "c"), labelled_spans=spans, where="x:1")
    view = View(brackets=tree, heat=bytes(9), largest=0.0, scale="impact")
    made = Seen(words=gold.words, views=(view,), sentence=gold, kept=tuple(range(len(gold.words))))
    found = verdict(made)
    assert found.scores == {(0, "fair"): pytest.approx(200 / 3)}
    assert (found.labels, found.wrong) == ({"NP", "VP"}, {"NP"})


def test_data_of_sentences_cannot_end_their_script() -> None:
    tree = Bracketing(2, frozenset({(0, 2)}))
    gold = ConstituencySentence(
        id="1", words=("</script><!--", "\u2028&"), labelled_spans=frozenset(), where="x:1"
    )
    view = View(brackets=tree, heat=bytes(4), largest=0.0, scale="impact")
    made = Seen(words=gold.words, views=(view,), sentence=gold, kept=tuple(range(len(gold.words))))
    part = Part(name="x", kind="constituents", tables=(), seen=(made,), skipped=())
    text = sentence_data([part])
    assert not set("<>&\u2028") & set(text)
    assert tuple(json.loads(text)[0]["words"]) == gold.words
