"""Constituent trees: brackets, traces, spans under both protocols, and what is malformed."""

import os
from pathlib import Path

import nltk  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data
from data import DataError, InputError, PtbTree
from data.ptb import ConstituencyProtocol
from data.ptb_tags import is_word_tag, universal_tag

needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")

TREES = r"""
( (S
    (NP-SBJ-1 (DT The) (NN price) )
    (VP (VBD rose)
      (NP-EXT ($ $) (CD 1,250) (-NONE- *U*) )
      (S (NP-SBJ (-NONE- *-1) )
        (VP (TO to)
          (VP (VB reach)
            (NP (CD 3\/4) )))))
    (. .) ))
( (S (NP=2 (NP (PRP It))) (VP (VBZ is) (RB n't))))
"""


def parse(text: str, *, function_tags: bool = True) -> list[PtbTree]:
    """Parse bracketed text under the name ``t``."""
    return list(data.parse_ptb(text.split("\n"), name="t", function_tags=function_tags))


def test_trees_and_their_leaves() -> None:
    first, second = parse(TREES)
    assert (first.id, first.where, second.id, second.where) == ("t:1", "t:2", "t:2", "t:11")
    assert first.words == ("The", "price", "rose", "$", "1,250", "*U*", "*-1", "to", "reach", r"3\/4", ".")
    assert first.tags[3:7] == ("$", "CD", "-NONE-", "-NONE-")
    assert first.tree.label() == "S"  # the empty bracket around it is taken off
    assert first.tree[0].label() == "NP-SBJ-1"


def test_function_tags_go_on_request() -> None:
    first, second = parse(TREES, function_tags=False)
    labels = {tree.label() for tree in (*first.tree.subtrees(), *second.tree.subtrees()) if tree.height() > 2}
    assert labels == {"S", "NP", "VP"}
    assert first.tags[5] == "-NONE-"


def test_wu2020_words_and_spans() -> None:
    first, second = (data.constituency_sentence(tree, protocol="wu2020") for tree in parse(TREES))
    assert first.words == ("the", "price", "rose", "19", "to", "reach", "19")
    assert first.labelled_spans == {
        (0, 7, "S"),
        (0, 2, "NP"),
        (2, 7, "VP"),
        (4, 7, "S"),  # its subject is a trace, so that S and VP cover the same words
        (4, 7, "VP"),
        (5, 7, "VP"),
    }
    assert first.spans == {(0, 7), (0, 2), (2, 7), (4, 7), (5, 7)}
    assert (first.id, first.where) == ("t:1", "t:2")
    assert second.labelled_spans == {(0, 3, "S"), (1, 3, "VP")}  # NP over NP is one word


def test_fair_words_and_spans() -> None:
    first, second = (data.constituency_sentence(tree, protocol="fair") for tree in parse(TREES))
    assert first.words == ("The", "price", "rose", "1,250", "to", "reach", r"3\/4")
    assert first.spans == {(0, 2), (2, 7), (4, 7), (5, 7)}
    assert second.spans == {(1, 3)}


def test_a_unary_chain_over_the_sentence_is_not_scored_under_fair() -> None:
    (tree,) = parse("(S (VP (VB Go) (RB home)) (. .))")
    assert data.constituency_sentence(tree, protocol="fair").labelled_spans == frozenset()
    wu2020 = data.constituency_sentence(tree, protocol="wu2020")
    assert wu2020.labelled_spans == {(0, 2, "S"), (0, 2, "VP")}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("U.S.", "u.s."),
        ("1987", "N"),
        ("2.5", "19"),
        (r"1\/2", "19"),
        ("1,250", "19"),
        ("1,250,000", "19"),
        ("10-20", "19"),
        ("1990s", "Ns"),
        ("30-day", "N-day"),
        ("1,250-seat", "N,N-seat"),
        ("7:30", "N:N"),
        ("N", "n"),
    ],
)
def test_wu2020_numbers(word: str, expected: str) -> None:
    (tree,) = parse(f"(NP (CD {word}))")
    assert data.constituency_sentence(tree, protocol="wu2020").words == (expected,)


def test_lengths_are_those_without_punctuation() -> None:
    trees = parse("(X (NN a) (. .))\n(X (. .))\n(X (NN a) (, ,) (NN b))\n(X (NN a) (NN b) (NN c))")

    def ids(**limits: int) -> list[str]:
        return [s.id for s in data.constituency_sentences(trees, protocol="fair", **limits)]

    assert ids() == ["t:1", "t:3", "t:4"]
    assert ids(max_length=2) == ["t:1", "t:3"]
    assert ids(min_length=2, max_length=2) == ["t:3"]
    with pytest.raises(ValueError, match="a shortest length of at least 1 word is expected, found 0"):
        ids(min_length=0)


def test_trees_that_cannot_be_scored() -> None:
    punctuation, foreign = parse("(X (. .) (-NONE- *))\n(X (NN a) (NOUN b))")
    with pytest.raises(DataError, match=r"^t:1: tree t:1: at least one word is expected, found none"):
        data.constituency_sentence(punctuation, protocol="fair")
    with pytest.raises(DataError, match=r"^t:2: tree t:2: a part-of-speech tag .* found 'NOUN'"):
        list(data.constituency_sentences([foreign], protocol="wu2020"))
    with pytest.raises(ValueError, match="protocol wu2020 or fair is expected, found 'wu'"):
        data.constituency_sentence(punctuation, protocol="wu")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t: no trees; at least one bracketed tree is expected"),
        ("\nword", "t:2: '(' is expected, found 'word'"),
        ("(NP (NN a)))", "t:1: '(' is expected, found ')'"),
        ("(S\n(NP (NN a))", "t:1: ')' for a '(' of this line is expected, found the end of the file"),
        ("(S\n(NP (NN a", "t:2: ')' for a '(' of this line is expected, found the end of the file"),
        ("()", "t:1: a label is expected, found ')'"),
        ("(S (NP))", r"t:1: a word or a constituent in \(NP is expected, found ')'"),
        ("(S (NN a b))", "t:1: ')' is expected after word 'a', found 'b'"),
        ("(S (NN a (NN b)))", r"t:1: ')' is expected after word 'a', found '\('"),
        ("(S (NN a) b)", r"t:1: '\(' or ')' is expected after a constituent, found 'b'"),
        (
            "( (S (NN a))\n( (S (NN b)))",
            r"t:2: a label is expected after '\(', found '\('; "
            r"a '\)' may be missing in the tree that begins in line 1",
        ),
    ],
)
def test_malformed_brackets(text: str, message: str) -> None:
    message = message.replace("')'", r"'\)'").replace("'('", r"'\('")
    with pytest.raises(DataError, match=f"^{message}$"):
        parse(text)


def test_trees_before_a_malformed_one_are_given() -> None:
    trees = data.parse_ptb(iter(["(NP (NN a))", ")"]), name="t")
    assert next(trees).words == ("a",)
    with pytest.raises(DataError, match=r"^t:2: "):
        next(trees)


def test_an_empty_root_with_two_constituents_stays() -> None:
    (tree,) = parse("( (NP (NN a)) (. .))")
    assert (tree.tree.label(), len(tree.tree)) == ("", 2)


TOKENS = st.text("abcXYZ09-=*$.", min_size=1, max_size=4)
PRETERMINALS = st.builds(lambda tag, word: nltk.Tree(tag, [word]), TOKENS, TOKENS)
NLTK_TREES = st.recursive(
    PRETERMINALS, lambda inner: st.builds(nltk.Tree, TOKENS, st.lists(inner, min_size=1, max_size=3))
)


@settings(derandomize=True, deadline=None)
@given(st.lists(NLTK_TREES, min_size=1, max_size=3), st.integers(5, 80))
def test_what_nltk_writes_is_read_back(trees: list[nltk.Tree], margin: int) -> None:
    text = "\n".join(f"( {tree.pformat(margin=margin)} )" for tree in trees)
    assert [tree.tree for tree in parse(text)] == trees


def write_section_folders(folder: Path) -> None:
    for name in ("02/WSJ_0201.MRG", "00/wsj_0001.mrg", "00/wsj_0002.mrg", "23/wsj_2300.mrg"):
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("( (NP (NN a)) )\n( (NP (NN b)) )\n")
    (folder / "00" / "readme.txt").write_text("not a tree")


def test_folders_with_sections(tmp_path: Path) -> None:
    write_section_folders(tmp_path)
    names = ["WSJ_0201.MRG", "wsj_0001.mrg", "wsj_0002.mrg", "wsj_2300.mrg"]
    assert [tree.id for tree in data.read_ptb(tmp_path)] == [f"{name}:{i}" for name in names for i in (1, 2)]
    some = [tree.id for tree in data.read_ptb(tmp_path, sections={23, 0})]
    assert some == [f"{name}:{i}" for name in names[1:] for i in (1, 2)]
    assert len(list(data.read_ptb(tmp_path / "00" / "wsj_0001.mrg"))) == 2
    with pytest.raises(InputError, match=r"files wsj_05NN\.mrg of section 5 are expected, found none"):
        data.read_ptb(tmp_path, sections=[0, 5])


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a folder with \.mrg files is expected, found none"):
        data.read_ptb(tmp_path)
    with pytest.raises(InputError, match="a file is expected, there is none of this name"):
        data.read_ptb(tmp_path / "nothing.mrg")


def test_malformed_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "wsj_0001.mrg"
    file.write_text("( (S (NN a)))\n)\n")
    with pytest.raises(DataError, match=rf"^{file}:2: '\(' is expected"):
        list(data.read_ptb(tmp_path))
    file.write_bytes(b"(NN \xff)")
    with pytest.raises(DataError, match=rf"^{file}:1: UTF-8 text is expected"):
        list(data.read_ptb(tmp_path))


def test_tags() -> None:
    assert [universal_tag(tag) for tag in ("NNP", "MD", "$", "-LRB-", "JJ|NN", "TO")] == [
        "PROPN",
        "AUX",
        "PUNCT",
        "PUNCT",
        "ADJ",
        "PART",
    ]
    assert is_word_tag("SYM") and not is_word_tag("#") and not is_word_tag("-NONE-")
    for tag in ("-NONE-", "NOUN", ""):
        with pytest.raises(ValueError, match="a part-of-speech tag of the Penn Treebank is expected"):
            universal_tag(tag)


def test_sample_trees_have_spans() -> None:
    trees = [PtbTree(id=str(i), tree=tree) for i, tree in enumerate(data.load_sample_trees(), start=1)]
    sentences = list(data.constituency_sentences(trees, protocol="wu2020"))
    assert len(sentences) == len(trees)
    for sentence in sentences:
        n = len(sentence.words)
        assert n == 1 or (0, n) in sentence.spans
        assert all(start >= 0 and start + 1 < end <= n for start, end in sentence.spans)


@needs_data
def test_wsj_sample() -> None:
    folder = Path(os.environ["PROBE_DATA"]) / "wsj-sample"
    trees = list(data.read_ptb(folder))
    assert len(trees) == 3914
    assert trees[1].id == "wsj_0001.mrg:2"
    assert next(data.read_ptb(folder, sections=[1])).id == "wsj_0100.mrg:1"
    protocols: tuple[ConstituencyProtocol, ...] = ("wu2020", "fair")
    for protocol in protocols:
        short = list(data.constituency_sentences(trees, protocol=protocol, max_length=10))
        assert len(short) == 555
        assert sum(len(sentence.words) >= 2 for sentence in short) == 542
        assert sum(len(sentence.words) for sentence in short) == 3856


@needs_data
def test_wsj_sample_agrees_with_nltk() -> None:
    file = Path(os.environ["PROBE_DATA"]) / "wsj-sample" / "wsj_0003.mrg"
    theirs = nltk.Tree.fromstring(f"(FILE {file.read_text(encoding='utf-8')})")
    assert [tree.tree for tree in data.read_ptb(file)] == [empty_root[0] for empty_root in theirs]
