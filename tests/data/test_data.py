"""Readers and the CoNLL-U writer: what is accepted, what is refused and with which line."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import conllu
import pytest
from hypothesis import given
from hypothesis import strategies as st

import data
from data import DataError, InputError, Sentence

needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")

RICH = """\
# newdoc id = d
# sent_id = s-1
# text = He can't go home
1	He	he	PRON	PRP	_	4	nsubj	4:nsubj	_
2-3	can't	_	_	_	_	_	_	_	_
2	ca	can	AUX	MD	_	4	aux	4:aux	_
3	n't	not	PART	RB	_	4	advmod	4:advmod	_
4	go	go	VERB	VB	_	0	root	0:root	Note=x
4.1	to	to	ADP	IN	_	_	_	5:case	_
5	home	home	ADV	RB	_	4	advmod	4:advmod	_

"""


def word(
    identifier: object = 1, form: str = "a", head: object = 0, relation: str = "root", upos: str = "X"
) -> str:
    """Return a line of CoNLL-U."""
    return "\t".join([str(identifier), form, "_", upos, "_", "_", str(head), relation, "_", "_"])


def parse(text: str) -> list[Sentence]:
    """Parse CoNLL-U text under the name ``t``."""
    return list(data.parse_conllu(text.split("\n"), name="t"))


def sentence_with(*heads: int) -> Sentence:
    """Return a sentence of words a, b, c, ... with these heads."""
    words = tuple("abcdefgh"[: len(heads)])
    return Sentence(id="s", words=words, heads=heads, where="t:1")


def test_rich_block() -> None:
    (sentence,) = parse(RICH)
    assert sentence.id == "s-1"
    assert sentence.words == ("He", "ca", "n't", "go", "home")
    assert sentence.heads == (4, 4, 4, 0, 4)
    assert sentence.upos == ("PRON", "AUX", "PART", "VERB", "ADV")
    assert sentence.relations == ("nsubj", "aux", "advmod", "root", "advmod")
    assert sentence.where == "t:1"
    assert "\n".join(sentence.lines) + "\n\n" == RICH
    assert data.root(sentence) == 4


def test_missing_annotation() -> None:
    (sentence,) = parse(word(1, head="_", relation="_", upos="_"))
    assert (sentence.heads, sentence.relations, sentence.upos) == (None, None, None)
    partly = parse("\n".join([word(1, head="_"), word(2, upos="_")]))[0]
    assert partly.heads is None
    assert partly.upos == ("X", "_")


def test_layout_that_is_tolerated() -> None:
    lines = ["\ufeff" + word(), "", "", "", word(form="b")]
    first, second = parse("\r\n".join(lines))
    assert (first.id, first.words, first.where) == ("1", ("a",), "t:1")
    assert (second.id, second.words, second.where) == ("2", ("b",), "t:5")


def test_forms_with_spaces_and_equal_ids() -> None:
    block = "# sent_id = x\n" + word(form="10\u00a0000") + "\n" + word(2, form="at all", head=1) + "\n"
    first, second = parse(block + "\n" + block)
    assert first.words == ("10\u00a0000", "at all")
    assert first.id == second.id == "x"


def test_parsing_is_streaming() -> None:
    def lines() -> Iterator[str]:
        yield word()
        yield ""
        raise AssertionError("read too far")

    assert next(data.parse_conllu(lines(), name="t")).words == ("a",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t: no sentences"),
        ("\n\n", "t: no sentences"),
        ("# only a comment\n", "t:1: .*at least one word"),
        (word().replace("\t", " "), "t:1: 10 columns separated by tabs expected, found 1"),
        (word() + "\t_", "t:1: 10 columns .* found 11"),
        (word() + "\n ", "t:2: 10 columns"),
        (word(form=""), "t:1: a value in column FORM expected, found ''"),
        (word(form="\u00a0"), "t:1: a value in column FORM"),
        (word(upos=""), "t:1: a value in column UPOS"),
        (word(2), "t:1: ID 1 expected, found '2'"),
        (word("01"), "t:1: ID 1 expected, found '01'"),
        (word("x"), "t:1: ID 1 expected, found 'x'"),
        ("\n" + word() + "\n" + word(3), "t:3: ID 2 expected, found '3'"),
        (word() + "\n# late", "t:2: comments are expected before the first word"),
        (word(head="x"), "t:1: HEAD an integer from 0 or _ expected, found 'x'"),
        (word(head=-1), "t:1: HEAD an integer"),
        (word(head="1.1"), "t:1: HEAD an integer"),
        (word(head="\u0661"), "t:1: HEAD an integer"),
        (word() + "\n" + word(2, head=3), r"t:2: HEAD in 0\.\.2 expected, found 3"),
        (word("2-3"), "t:1: a multiword token from 1 to a later word expected, found 2-3"),
        (word("1-1"), "t:1: a multiword token from 1"),
        (word("1-2") + "\n" + word(), r"t:1: a multiword token within words 1\.\.1"),
        (
            "\n".join([word("1-3"), word(1), word("2-3"), word(2, head=1)]),
            "t:3: a multiword token after word 3",
        ),
        ("\n".join([word("1-2"), word("1-3"), word(1)]), "t:2: a multiword token after word 2"),
        (word() + "\n" + word("2.1"), "t:2: an empty node in place, as 1.1 expected, found 2.1"),
        (word() + "\n" + word("1.2"), "t:2: an empty node in place, as 1.1"),
        ("\n".join([word(), word("2-3"), word("1.1")]), "t:3: an empty node in place"),
        (word("0.1"), "t:1: .*at least one word is expected, found none"),
        (word(form="a\0b"), "t:1: .* found U\\+0000"),
        (word(form="a\rb"), "t:1: .* found U\\+000D"),
        (word(form="a\udce9"), "t:1: .* found U\\+DCE9"),
    ],
)
def test_malformed_conllu(text: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}") as caught:
        parse(text)
    assert not isinstance(caught.value, InputError)
    assert "\n" not in str(caught.value)


def test_sentences_before_the_error_are_returned() -> None:
    stream = data.parse_conllu([word(), "", word(2)], name="t")
    assert next(stream).words == ("a",)
    with pytest.raises(DataError, match=r"^t:3:"):
        next(stream)


@pytest.mark.parametrize("suffix", [".conllu", ".txt"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfea\0", ":1: UTF-8 text is expected, found byte 0xff at offset 0"),
        (b"", ": no sentences"),
        (b"a\0b", ":1: .* found U\\+0000"),
    ],
)
def test_files_that_are_not_text(tmp_path: Path, suffix: str, content: bytes, message: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"x{suffix}{message}"):
        list(data.read_sentences(path))


def test_encoding_error_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"one\n\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"x\.txt:3: UTF-8 text is expected, found byte 0xe9 at offset 3"):
        list(data.read_text(path))


def test_input_errors_come_at_the_call(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    (tmp_path / "d.txt").mkdir()
    for name, message in [
        ("none.conllu", "there is none"),
        ("x.json", r"\.conllu or \.txt"),
        ("d.txt", "directory"),
    ]:
        with pytest.raises(InputError, match=message):
            data.read_sentences(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("a\n")
    path.chmod(0)
    with pytest.raises(InputError, match="permission"):
        data.read_text(path)


def test_read_sentences_by_suffix(tmp_path: Path) -> None:
    (tmp_path / "x.CONLLU").write_bytes(b"\xef\xbb\xbf" + RICH.replace("\n", "\r\n").encode())
    (tmp_path / "x.txt").write_bytes("\ufeffa b\r\n\r\nc".encode())
    (rich,) = data.read_sentences(tmp_path / "x.CONLLU")
    assert "\n".join(rich.lines) + "\n\n" == RICH
    assert [sentence.words for sentence in data.read_sentences(tmp_path / "x.txt")] == [("a", "b"), ("c",)]


def test_text_words_and_ids() -> None:
    lines = ["  The\tcat  sat . \n", "\n", " \t\n", "10\u00a0000\u2028km\n"]
    first, second = data.parse_text(lines, name="t")
    assert first == Sentence(id="1", words=("The", "cat", "sat", "."), where="t:1")
    assert second == Sentence(id="2", words=("10\u00a0000\u2028km",), where="t:4")


def test_text_without_words() -> None:
    with pytest.raises(DataError, match=r"^t: no sentences"):
        list(data.parse_text(["\n", " \n"], name="t"))
    with pytest.raises(DataError, match=r"^t:2: a word with a visible character is expected, found '\\xa0'"):
        list(data.parse_text(["a\n", "b \u00a0 c\n"], name="t"))


@pytest.mark.parametrize("heads", [(0,), (2, 0), (0, 1, 2), (3, 3, 0, 3)])
def test_trees_pass(heads: tuple[int, ...]) -> None:
    data.check_tree(sentence_with(*heads))
    assert data.root(sentence_with(*heads)) == heads.index(0) + 1


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ((3, 0), r"head of word 1 'a' is expected in 0\.\.2, found 3"),
        ((-1, 0), r"head of word 1 'a' is expected in 0\.\.2, found -1"),
        ((0, 2), "word 2 'b' is its own head"),
        ((0, 0), "one root is expected, found 2"),
        ((0, 3, 2), "the heads form a cycle: 2 'b' -> 3 'c' -> 2 'b'"),
        ((0, 3, 4, 3), "the heads form a cycle: 3 'c' -> 4 'd' -> 3 'c'"),
        ((2, 1), "one root is expected, found 0; the heads form a cycle: 1 'a' -> 2 'b' -> 1 'a'"),
    ],
)
def test_what_is_no_tree(heads: tuple[int, ...], message: str) -> None:
    for function in (data.check_tree, data.root):
        with pytest.raises(DataError, match=f"^t:1: sentence s: {message}$"):
            function(sentence_with(*heads))


def test_missing_heads_are_no_tree() -> None:
    with pytest.raises(DataError, match="a head for every word is expected"):
        data.check_tree(Sentence(id="s", words=("a",)))
    with pytest.raises(DataError, match="2 heads are expected, one a word, found 1"):
        data.check_tree(Sentence(id="s", words=("a", "b"), heads=(0,)))


@given(st.integers(1, 7).flatmap(lambda n: st.lists(st.integers(0, n), min_size=n, max_size=n)))
def test_tree_check_agrees_with_walking_up(heads: list[int]) -> None:
    def reaches_root(node: int) -> bool:
        for _ in heads:
            node = heads[node - 1] if node else 0
        return node == 0

    is_tree = heads.count(0) == 1 and all(reaches_root(node) for node in range(1, len(heads) + 1))
    try:
        data.check_tree(sentence_with(*heads))
    except DataError:
        assert not is_tree
    else:
        assert is_tree


def test_output_keeps_everything_but_the_arcs() -> None:
    (sentence,) = parse(RICH)
    written = data.to_conllu(sentence, [2, 3, 4, 5, 0])
    (again,) = parse(written)
    assert again.heads == (2, 3, 4, 5, 0)
    assert again.relations == ("dep", "dep", "dep", "dep", "root")
    assert len(again.lines) == len(sentence.lines)
    for before, after in zip(sentence.lines, again.lines, strict=True):
        old, new = before.split("\t"), after.split("\t")
        assert old[:6] + old[8:] == new[:6] + new[8:]
        assert old[0].isdigit() or old == new
    assert written.endswith("\n\n") and not written.endswith("\n\n\n")


def test_output_of_a_bare_block() -> None:
    block = "\n".join(
        [
            word("1-2", "don't", "_", "_", "_"),
            word(1, "do", "_", "_", "_"),
            word(2, "n't", "_", "_", "_"),
            word(3, "go", "_", "_", "VERB")[:-1] + "SpaceAfter=No",
            word(4, ".", "_", "_", "_"),
        ]
    )
    (sentence,) = parse(block)
    lines = data.to_conllu(sentence, [3, 3, 0, 3]).split("\n")
    assert lines[:2] == ["# sent_id = 1", "# text = don't go."]
    assert lines[2] == word("1-2", "don't", "_", "_", "_")
    assert lines[3:5] == [word(1, "do", 3, "dep", "_"), word(2, "n't", 3, "dep", "_")]
    assert lines[6:] == [word(4, ".", 3, "dep", "_"), "", ""]


def test_output_of_text() -> None:
    (sentence,) = data.parse_text(["A 10\u00a0\u2028000 _"], name="t")
    assert data.to_conllu(sentence, [2, 0, 2]) == "\n".join(
        [
            "# sent_id = 1",
            "# text = A 10 000 _",
            word(1, "A", 2, "dep"),
            word(2, "10 000", 0, "root"),
            word(3, "_", 2, "dep"),
            "",
            "",
        ]
    )


def test_output_refuses_wrong_heads() -> None:
    with pytest.raises(ValueError, match="2 heads are expected, one a word, found 1"):
        data.to_conllu(sentence_with(0, 1), [0])
    for head in (-1, 3):
        with pytest.raises(ValueError, match=r"heads are expected in 0\.\.2, found"):
            data.to_conllu(sentence_with(0, 1), [0, head])


@given(
    st.lists(st.text(min_size=1).filter(lambda t: t.strip() and not set(t) & set(" \t\n\r\0")), min_size=1)
)
def test_text_output_can_be_read_back(words: list[str]) -> None:
    try:
        (sentence,) = data.parse_text([" ".join(words)], name="t")
    except DataError:  # hypothesis may draw a lone surrogate or an escape character
        assert re.search("[\ud800-\udfff\x1b]", "".join(words))
        return
    heads = list(range(len(sentence.words)))
    if set(sentence.words) == {"_"}:  # which CoNLL-U has for a text that is not there
        return
    (again,) = data.parse_conllu(data.to_conllu(sentence, heads).split("\n"), name="t")
    assert again.words == tuple(" ".join(word.split()) for word in sentence.words)
    assert again.heads == tuple(heads)


def test_import_is_free_of_torch_and_nltk() -> None:
    code = "import sys, data; assert not {'torch', 'nltk', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_are_sorted_and_present() -> None:
    assert data.__all__ == sorted(data.__all__)
    assert all(hasattr(data, name) for name in data.__all__)


TREEBANKS = [
    ("en_pud-wu2020.conllu", 1000, 21176),
    ("en_pud-ud-test.conllu", 1000, 21180),
    ("en_ewt-ud-dev.conllu", 2001, 25147),
]


@needs_data
@pytest.mark.parametrize(("name", "sentences", "words"), TREEBANKS)
def test_treebanks(name: str, sentences: int, words: int) -> None:
    path = Path(os.environ["PROBE_DATA"]) / "ud" / name
    read = list(data.read_sentences(path))
    assert len(read) == sentences
    assert sum(len(sentence.words) for sentence in read) == words
    for sentence in read:
        data.check_tree(sentence)
    blocks = "\n\n".join("\n".join(sentence.lines) for sentence in read)
    assert blocks == path.read_text(encoding="utf-8").rstrip("\n")


@needs_data
@pytest.mark.parametrize("name", [name for name, _, _ in TREEBANKS])
def test_treebanks_agree_with_the_conllu_package(name: str) -> None:
    path = Path(os.environ["PROBE_DATA"]) / "ud" / name
    expected = conllu.parse(path.read_text(encoding="utf-8"))
    for ours, theirs in zip(data.read_conllu(path), expected, strict=True):
        assert list(ours.tokens) == list(theirs)
        assert theirs.metadata.items() <= ours.tokens.metadata.items()  # ours has comments without "=", too
