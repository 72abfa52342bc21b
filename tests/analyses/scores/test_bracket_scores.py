"""Unlabelled F1 against evalb's way of counting, worked out by hand from trees, and recall by label."""

import doctest
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from nltk.tree import Tree  # type: ignore[import-untyped]

from analyses import count_brackets, label_recall, recall_frame, score_brackets, span_frame
from analyses.scores import brackets as bracket_scores
from analyses.trees.protocols import PROTOCOLS, ProtocolName
from parsers import branching

Span = tuple[int, int]
LABELS = ["NP", "VP", "PP", "S"]


def random_gold(rng: np.random.Generator, n: int, unary: float) -> Tree:
    """A random tree over n words of any arity, with a root; nodes get a parent of their own with odds `unary`."""
    kept = {span for span in branching.random_binary(n, seed=rng).spans if rng.random() < 0.6}
    kept |= {(0, n)} | {(word, word + 1) for word in range(n) if rng.random() < 0.2}

    def build(start: int, end: int) -> Tree:
        children: list[Tree | str] = []
        place = start
        while place < end:
            inside = [span for span in kept if span[0] == place and span[1] <= end and span != (start, end)]
            widest = max(inside, default=None)
            children.append(f"w{place}" if widest is None else build(*widest))
            place = place + 1 if widest is None else widest[1]
        tree = Tree(str(rng.choice(LABELS)), children)
        return Tree(str(rng.choice(LABELS)), [tree]) if rng.random() < unary else tree

    return build(0, n)


def brackets(tree: Tree, start: int = 0) -> Iterator[tuple[int, int, str]]:
    """Brackets of a tree as often as they are in it, those over one word included."""
    place = start
    for child in tree:
        if isinstance(child, str):
            place += 1
        else:
            yield from brackets(child, place)
            place += len(child.leaves())
    yield start, place, tree.label()


def evalb(gold: Tree, predicted: Tree) -> tuple[int, int, int]:
    """Matched, predicted and gold brackets as evalb counts them, but without labels and single words.

    Brackets are lists: each bracket of one tree is matched with at most one of the other.
    """

    def counted(tree: Tree) -> Counter[Span]:
        return Counter((start, end) for start, end, _ in brackets(tree) if end - start > 1)

    first, second = counted(gold), counted(predicted)
    return (first & second).total(), second.total(), first.total()


def spans(tree: Tree) -> set[Span]:
    return {(start, end) for start, end, _ in brackets(tree)}


def pairs(number: int, unary: float) -> Iterator[tuple[int, Tree, Tree]]:
    """Number of words, random gold tree, random binary tree."""
    rng = np.random.default_rng(0)
    for _ in range(number):
        n = int(rng.integers(1, 13))
        words = [f"w{place}" for place in range(n)]
        yield n, random_gold(rng, n, unary), branching.random_binary(n, seed=rng).to_tree(words)


def test_wu2020_counts_as_evalb_where_no_bracket_is_repeated() -> None:
    lengths, gold, predicted = zip(*pairs(3000, unary=0.0), strict=True)
    counts = count_brackets(
        [spans(tree) for tree in gold],
        [spans(tree) for tree in predicted],
        lengths=lengths,
        protocol="wu2020",
    )
    expected = np.array([evalb(*both) for both in zip(gold, predicted, strict=True)])
    assert (np.stack([counts.matched, counts.predicted, counts.gold], axis=1) == expected).all()
    # evalb's summary: precision and recall of all brackets together.
    matched, of_predicted, of_gold = expected.sum(axis=0)
    precision, recall = matched / of_predicted, matched / of_gold
    assert counts.corpus_f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_unlike_evalb_the_brackets_of_a_unary_chain_count_once() -> None:
    gold = Tree.fromstring("(S (VP (VP see owls)))")
    predicted = Tree.fromstring("(X see owls)")
    assert evalb(gold, predicted) == (1, 1, 3)
    counts = count_brackets([spans(gold)], [spans(predicted)], lengths=[2], protocol="wu2020")
    assert (counts.matched.item(), counts.predicted.item(), counts.gold.item()) == (1, 1, 1)
    for n, tree, other in pairs(500, unary=0.3):
        counts = count_brackets([spans(tree)], [spans(other)], lengths=[n], protocol="wu2020")
        matched, of_predicted, of_gold = evalb(tree, other)
        assert counts.matched.item() == matched  # binary trees have no chains, so nothing is matched twice
        assert counts.predicted.item() == of_predicted
        assert counts.gold.item() <= of_gold


def published_f1(gold: set[Span], predicted: set[Span]) -> float:
    """Harmonic mean of precision and recall; recall is 1 without a gold bracket, and precision without any."""
    matched = len(gold & predicted)
    recall = matched / len(gold) if gold else 1.0
    precision = matched / len(predicted) if predicted else float(not gold)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sentence_f1(protocol: ProtocolName) -> None:
    lengths, gold, predicted = zip(*pairs(1000, unary=0.1), strict=True)
    kept = []
    for n, *trees in zip(lengths, gold, predicted, strict=True):
        whole = {(0, n)} if protocol == "fair" else set()
        kept.append([{(i, j) for i, j in spans(tree) if j - i > 1} - whole for tree in trees])
    counts = count_brackets(
        [spans(tree) for tree in gold],
        [spans(tree) for tree in predicted],
        lengths=lengths,
        protocol=protocol,
    )
    expected = [published_f1(*both) for both in kept]
    np.testing.assert_allclose(counts.f1, expected)
    scored = [protocol == "wu2020" or bool(first | second) for first, second in kept]
    assert counts.scored.tolist() == scored
    assert (protocol == "wu2020") == all(scored)
    chosen = [value for value, is_scored in zip(expected, scored, strict=True) if is_scored]
    assert counts.sentence_f1 == pytest.approx(np.mean(chosen))
    matched = sum(len(first & second) for first, second in kept)
    assert counts.corpus_f1 == pytest.approx(2 * matched / sum(len(a) + len(b) for a, b in kept))


def test_sentences_without_gold_brackets() -> None:
    flat: set[Span] = set()
    counts = count_brackets([flat, flat], [{(0, 2)}, flat], lengths=[2, 1], protocol="wu2020")
    assert counts.f1.tolist() == [0.0, 1.0]
    fair = count_brackets([flat, flat], [{(0, 2)}, flat], lengths=[2, 1], protocol="fair")
    assert not fair.scored.any()
    assert np.isnan(fair.sentence_f1) and np.isnan(fair.corpus_f1)
    with pytest.raises(ValueError, match="expected at least one bracket to score, found none"):
        score_brackets(fair)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_are_percent_with_intervals(protocol: ProtocolName) -> None:
    lengths, gold, predicted = zip(*pairs(300, unary=0.0), strict=True)
    counts = count_brackets(
        [spans(tree) for tree in gold],
        [spans(tree) for tree in predicted],
        lengths=lengths,
        protocol=protocol,
    )
    of_sentences, of_corpus = score_brackets(counts, seed=1)
    assert (of_sentences.name, of_corpus.name) == ("sentence F1", "corpus F1")
    assert of_sentences.value == pytest.approx(100 * counts.sentence_f1)
    assert of_corpus.value == pytest.approx(100 * counts.corpus_f1)
    for score in (of_sentences, of_corpus):
        assert 0 < score.interval.low < score.value < score.interval.high < 100
        assert score.n == counts.scored.sum()
    assert score_brackets(counts, seed=1) == (of_sentences, of_corpus)
    # Sentences that are not scored are not drawn.
    scored = counts.f1[counts.scored]
    draws = np.random.default_rng(1).integers(len(scored), size=(1000, len(scored)))
    low, high = 100 * np.quantile(scored[draws].mean(axis=1), [0.025, 0.975])
    assert (of_sentences.interval.low, of_sentences.interval.high) == pytest.approx((low, high))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_recall_by_label(protocol: ProtocolName) -> None:
    lengths, gold, predicted = zip(*pairs(500, unary=0.2), strict=True)
    labelled = [set(brackets(tree)) for tree in gold]
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for n, tree, other in zip(lengths, labelled, predicted, strict=True):
        for start, end, label in tree:
            if end - start > 1 and (protocol == "wu2020" or end - start < n):
                total[label] += 1
                found[label] += (start, end) in spans(other)
    recall = label_recall(labelled, [spans(tree) for tree in predicted], lengths=lengths, protocol=protocol)
    assert {label: (value.found, value.total) for label, value in recall.items()} == {
        label: (found[label], total[label]) for label in LABELS
    }
    assert [value.total for value in recall.values()] == sorted(total.values(), reverse=True)
    assert all(value.recall == value.found / value.total for value in recall.values())


def test_a_label_without_a_bracket_that_counts_is_left_out() -> None:
    gold = [{(0, 2, "S"), (0, 1, "NP")}]
    assert list(label_recall(gold, [{(0, 2)}], lengths=[2], protocol="wu2020")) == ["S"]
    assert label_recall(gold, [{(0, 2)}], lengths=[2], protocol="fair") == {}


def test_frames_have_a_row_a_sentence_a_label_and_a_span() -> None:
    gold, predicted = [{(0, 3, "S"), (0, 2, "NP")}, {(0, 2, "S")}], [{(0, 3), (1, 3)}, {(0, 2)}]
    spans = [{(start, end) for start, end, _ in each} for each in gold]
    counts = count_brackets(spans, predicted, lengths=[3, 2], protocol="fair").to_frame()
    assert counts.index.name == "sentence"
    assert counts[["matched", "predicted", "gold", "scored"]].values.tolist() == [
        [0, 1, 1, True],
        [0, 0, 0, False],
    ]
    recall = recall_frame(label_recall(gold, predicted, lengths=[3, 2], protocol="wu2020"))
    assert recall.to_dict("index") == {
        "S": {"found": 2, "total": 2, "recall": 1.0},
        "NP": {"found": 0, "total": 1, "recall": 0.0},
    }
    found = span_frame(spans, predicted, lengths=[3, 2], protocol="wu2020")
    assert list(found.columns) == ["sentence", "start", "end", "gold", "predicted"]
    assert found.values.tolist() == [
        [0, 0, 2, True, False],
        [0, 0, 3, True, True],
        [0, 1, 3, False, True],
        [1, 0, 2, True, True],
    ]
    both = span_frame(spans, predicted, lengths=[3, 2], protocol="fair").eval("gold and predicted")
    assert both.sum() == counts["matched"].sum()


@pytest.mark.parametrize(
    ("gold", "predicted", "lengths", "message"),
    [
        ([{(0, 3)}], [{(0, 2)}], [2], r"gold\[0\]: expected spans within 2 words, found \(0, 3\)"),
        ([{(0, 2)}], [{(1, 1)}], [2], r"predicted\[0\]: expected spans within 2 words, found \(1, 1\)"),
        ([{(0, 2)}], [{(-1, 1)}], [2], r"predicted\[0\]: .* found \(-1, 1\)"),
        ([], [{(0, 2)}], [2], "gold: expected 1 sentences, found 0"),
        ([{(0, 2)}], [], [2], "predicted: expected 1 sentences, found 0"),
    ],
)
def test_bad_input(
    gold: list[set[Span]], predicted: list[set[Span]], lengths: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        count_brackets(gold, predicted, lengths=lengths, protocol="fair")
    with pytest.raises(ValueError, match=message):
        label_recall(
            [{(*span, "X") for span in each} for each in gold], predicted, lengths=lengths, protocol="fair"
        )


def test_an_unknown_protocol() -> None:
    with pytest.raises(ValueError, match="protocol"):
        count_brackets([], [], lengths=[], protocol="other")  # type: ignore[arg-type]


def test_docstring_examples() -> None:
    result = doctest.testmod(bracket_scores)
    assert result.attempted > 0
    assert result.failed == 0
