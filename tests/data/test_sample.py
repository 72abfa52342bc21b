"""The bundled sample treebank: its annotation holds to the rules of Universal Dependencies and of itself."""

import re

import pytest

import data
from data import Sentence, load_sample, load_sample_trees

SENTENCES = load_sample()
TREES = load_sample_trees()

# fmt: off
RELATIONS = {
    "acl", "advcl", "advmod", "amod", "appos", "aux", "case", "cc", "ccomp", "clf", "compound", "conj",
    "cop", "csubj", "dep", "det", "discourse", "dislocated", "expl", "fixed", "flat", "goeswith", "iobj",
    "list", "mark", "nmod", "nsubj", "nummod", "obj", "obl", "orphan", "parataxis", "punct", "reparandum",
    "root", "vocative", "xcomp"
}
UPOS = {
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT",
    "SCONJ", "SYM", "VERB", "X"
}
# fmt: on
CLAUSE_HEADED = {"nsubj", "csubj", "obj", "iobj", "obl", "xcomp", "ccomp", "aux", "cop", "mark", "expl"}
PREDICATES = {"VERB", "ADJ", "NOUN", "PROPN", "PRON", "ADV", "NUM", "SYM"}
ADPOSITION_OR_CLITIC = {"ADP", "PART"}
LABELS = {
    "ADJP",
    "ADVP",
    "INTJ",
    "NP",
    "PP",
    "PRN",
    "PRT",
    "S",
    "SBAR",
    "SBARQ",
    "SINV",
    "SQ",
    "VP",
    "WHADVP",
    "WHNP",
}


def base(relation: str) -> str:
    """Return a relation without its subtype."""
    return relation.split(":")[0]


def rows(sentence: Sentence) -> list[list[str]]:
    """Return the columns of all lines but comments."""
    return [line.split("\t") for line in sentence.lines if not line.startswith("#")]


def word_rows(sentence: Sentence) -> list[list[str]]:
    """Return the columns of the words."""
    return [row for row in rows(sentence) if row[0].isdigit()]


def arcs(sentence: Sentence) -> list[tuple[int, int, str]]:
    """Return (dependent, head, relation) for every word."""
    assert sentence.heads is not None and sentence.relations is not None
    return [
        (d, h, r) for d, (h, r) in enumerate(zip(sentence.heads, sentence.relations, strict=True), start=1)
    ]


def crossed(sentence: Sentence) -> list[int]:
    """Return the words whose arc is not projective: a word between it and its head is not under the head."""
    heads = sentence.heads
    assert heads is not None

    def under(word: int, ancestor: int) -> bool:
        while word not in (0, ancestor):
            word = heads[word - 1]
        return word == ancestor

    return [
        dependent
        for dependent, head in enumerate(heads, start=1)
        if head and not all(under(k, head) for k in range(min(dependent, head) + 1, max(dependent, head)))
    ]


each_sentence = pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.id)
each_pair = pytest.mark.parametrize(
    ("sentence", "tree"), list(zip(SENTENCES, TREES, strict=True)), ids=[s.id for s in SENTENCES]
)


def test_size_and_ids() -> None:
    assert len(SENTENCES) >= 36
    assert len({sentence.id for sentence in SENTENCES}) == len(SENTENCES)
    assert len({sentence.words for sentence in SENTENCES}) == len(SENTENCES)
    lengths = {len(sentence.words) for sentence in SENTENCES}
    assert min(lengths) == 1 and 2 <= max(lengths) <= 25 and len(lengths) >= 10


def test_variety() -> None:
    text = " ".join(" ".join(sentence.words) for sentence in SENTENCES)
    assert "🎂" in text and "ê" in text and "(" in text and '"' in text
    ranges = [row for sentence in SENTENCES for row in rows(sentence) if "-" in row[0]]
    empty_nodes = [row for sentence in SENTENCES for row in rows(sentence) if "." in row[0]]
    assert len(ranges) >= 2 and len(empty_nodes) >= 1
    relations = {relation for sentence in SENTENCES for _, _, relation in arcs(sentence)}
    assert {
        "acl:relcl",
        "appos",
        "ccomp",
        "csubj",
        "expl",
        "iobj",
        "nsubj:pass",
        "orphan",
        "vocative",
    } <= relations
    labels = {tree.label() for tree in TREES}
    assert {"S", "SQ", "SBARQ", "SINV"} <= labels


def test_non_projective_trees() -> None:
    assert sum(bool(crossed(sentence)) for sentence in SENTENCES) >= 4


@each_sentence
def test_tree_tags_and_relations(sentence: Sentence) -> None:
    data.check_tree(sentence)
    assert sentence.upos is not None and set(sentence.upos) <= UPOS
    for _, head, relation in arcs(sentence):
        assert base(relation) in RELATIONS
        assert (relation == "root") == (head == 0)


@each_sentence
def test_function_words_have_no_dependents(sentence: Sentence) -> None:
    relations = sentence.relations
    assert relations is not None
    for dependent, head, relation in arcs(sentence):
        if head and base(relations[head - 1]) in {"aux", "case", "cc", "cop", "det", "mark", "punct"}:
            pytest.fail(f"word {dependent} ({relation}) depends on a function word")


@each_sentence
def test_punctuation(sentence: Sentence) -> None:
    assert sentence.upos is not None
    outside = set(crossed(sentence))
    for dependent, _, relation in arcs(sentence):
        assert (relation == "punct") == (sentence.upos[dependent - 1] == "PUNCT")
        assert relation != "punct" or dependent not in outside


@each_sentence
def test_relations_fit_tags(sentence: Sentence) -> None:
    assert sentence.upos is not None
    expected = {
        "aux": {"AUX"},
        "cop": {"AUX"},
        "det": {"DET"},
        "amod": {"ADJ"},
        "nummod": {"NUM"},
        "case": ADPOSITION_OR_CLITIC,
        "cc": {"CCONJ"},
        "mark": {"SCONJ", "PART"},
        "nsubj": {"NOUN", "PROPN", "PRON"},
        "obj": {"NOUN", "PROPN", "PRON", "ADJ"},
        "expl": {"PRON"},
        "advmod": {"ADV", "PART"},
    }
    for dependent, head, relation in arcs(sentence):
        tag = sentence.upos[dependent - 1]
        assert tag in expected.get(base(relation), UPOS), (dependent, relation, tag)
        if base(relation) in CLAUSE_HEADED:
            assert sentence.upos[head - 1] in PREDICATES, (dependent, relation)


@each_sentence
def test_one_subject_and_object_a_predicate(sentence: Sentence) -> None:
    seen = [(head, base(relation).replace("csubj", "nsubj")) for _, head, relation in arcs(sentence)]
    for relation in ("nsubj", "obj", "iobj", "cop", "expl"):
        heads = [head for head, name in seen if name == relation]
        assert len(heads) == len(set(heads)), relation


@each_sentence
def test_coordination_and_apposition_run_to_the_right(sentence: Sentence) -> None:
    for dependent, head, relation in arcs(sentence):
        if base(relation) in {"conj", "appos", "flat", "fixed"}:
            assert head < dependent
        if relation == "cc":
            assert dependent < head


@each_sentence
def test_text_is_made_of_the_tokens(sentence: Sentence) -> None:
    text = next(line for line in sentence.lines if line.startswith("# text = ")).removeprefix("# text = ")
    made, covered = "", 0
    for row in rows(sentence):
        if "." in row[0] or (row[0].isdigit() and int(row[0]) <= covered):
            continue
        if "-" in row[0]:
            covered = int(row[0].split("-")[1])
        made += row[1] + ("" if row[9] == "SpaceAfter=No" else " ")
    assert made.strip() == text


@each_sentence
def test_ranges_are_made_of_their_words(sentence: Sentence) -> None:
    for row in rows(sentence):
        if match := re.fullmatch(r"(\d+)-(\d+)", row[0]):
            assert "".join(sentence.words[int(match[1]) - 1 : int(match[2])]) == row[1]


@each_sentence
def test_enhanced_graph_differs_only_under_gapping(sentence: Sentence) -> None:
    has_empty_node = any("." in row[0] for row in rows(sentence))
    basic = [f"{row[6]}:{row[7]}" for row in word_rows(sentence)]
    assert has_empty_node == ([row[8] for row in word_rows(sentence)] != basic)


@each_pair
def test_leaves_are_the_words(sentence: Sentence, tree) -> None:  # type: ignore[no-untyped-def]
    brackets = {"(": "-LRB-", ")": "-RRB-"}
    assert tree.leaves() == [brackets.get(word, word) for word in sentence.words]
    assert [tag for _, tag in tree.pos()] == [row[4] for row in word_rows(sentence)]


@each_pair
def test_labels(sentence: Sentence, tree) -> None:  # type: ignore[no-untyped-def]
    for subtree in tree.subtrees(lambda node: node.height() > 2):
        assert subtree.label() in LABELS, sentence.id
    assert tree.label() in {"S", "SQ", "SBARQ", "SINV"}


@each_pair
def test_contiguous_subjects_are_constituents(sentence: Sentence, tree) -> None:  # type: ignore[no-untyped-def]
    spans = {
        (leaves_before(tree, position), len(tree[position].leaves()))
        for position in tree.treepositions()
        if not isinstance(tree[position], str)
    }
    assert sentence.heads is not None
    for dependent, _, relation in arcs(sentence):
        if base(relation) in {"nsubj", "csubj"} and dependent not in set(crossed(sentence)):
            words = subtree_words(sentence.heads, dependent)
            contiguous = words[-1] - words[0] + 1 == len(words)
            assert not contiguous or (words[0] - 1, len(words)) in spans, words


def subtree_words(heads: tuple[int, ...], word: int) -> list[int]:
    """Return the words at and under a word, in order."""
    found = {word}
    while more := {d for d, h in enumerate(heads, start=1) if h in found} - found:
        found |= more
    return sorted(found)


def leaves_before(tree, position: tuple[int, ...]) -> int:  # type: ignore[no-untyped-def]
    """Return the number of leaves before a subtree."""
    before = [tree[position[:k]][i] for k, last in enumerate(position) for i in range(last)]
    return sum(len(subtree.leaves()) for subtree in before)
