"""Dependencies in three columns, and trees without punctuation."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data
from analyses.scores.attachment import count_arcs
from data import DataError, InputError, Sentence
from parsers.baselines import left_chain, random_projective, right_chain

needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")

TEXT = "\n``\t``\t2\nGo\tVB\t0\n\n\nIt\tPRP\t2\ncosts\tVBZ\t0\n$\t$\t2\n5\tCD\t3\n"


def parse(text: str) -> list[Sentence]:
    """Parse text in three columns under the name ``t``."""
    return list(data.parse_dp(text.split("\n"), name="t"))


def sentence(*heads: int, gone: str = "") -> Sentence:
    """Return a sentence of words a, b, c, ... with these heads; the words of `gone` are punctuation."""
    words = tuple("abcdefgh"[: len(heads)])
    upos = tuple("PUNCT" if word in gone else "X" for word in words)
    return Sentence(id="s", words=words, heads=heads, upos=upos, relations=words, where="t:1", lines=("x",))


def test_sentences() -> None:
    first, second = parse(TEXT)
    assert first == Sentence(id="t:1", words=("``", "Go"), heads=(2, 0), upos=("PUNCT", "VERB"), where="t:2")
    assert (second.id, second.where) == ("t:2", "t:6")
    assert second.heads == (2, 0, 2, 3)
    assert second.upos == ("PRON", "VERB", "PUNCT", "NUM")
    assert parse(TEXT.rstrip("\n")) == [first, second]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\n", "t: no sentences; lines of word, tag and head are expected"),
        ("a\tNN\t0\na\tNN", r"t:2: word, tag and head separated by tabs are expected, found 'a\\tNN'"),
        ("a\tNN\t0\tb", "t:1: word, tag and head separated by tabs are expected, found .*"),
        ("a\t \t0", "t:1: word, tag and head separated by tabs are expected, found .*"),
        ("a\tNN\t-1", "t:1: a head, an integer from 0, is expected, found '-1'"),
        ("a\tNN\t0\nb\tNN\t3", r"t:2: a head in 0\.\.2 is expected, found 3"),
        ("a\tNOUN\t0", "t:1: a part-of-speech tag of the Penn Treebank is expected, found 'NOUN'"),
    ],
)
def test_malformed_lines(text: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}$"):
        parse(text)


def test_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a folder with \.dp files is expected, found none"):
        data.read_dp(tmp_path)
    for name in ("b.dp", "a.dp"):
        (tmp_path / name).write_text(TEXT)
    assert [s.id for s in data.read_dp(tmp_path)] == ["a.dp:1", "a.dp:2", "b.dp:1", "b.dp:2"]
    (tmp_path / "a.dp").write_text("a\tNN\tb\n")
    with pytest.raises(DataError, match=rf"^{tmp_path / 'a.dp'}:1: a head"):
        list(data.read_dp(tmp_path))


def test_words_are_lifted_over_punctuation() -> None:
    lifted = data.without_punctuation(sentence(2, 3, 0, 2, gone="b"))
    assert lifted == Sentence(
        id="s",
        words=("a", "c", "d"),
        heads=(2, 0, 2),
        upos=("X", "X", "X"),
        relations=("a", "c", "d"),
        where="t:1",
    )
    assert data.without_punctuation(sentence(2, 3, 4, 0, gone="bc")).heads == (2, 0)  # over two of them


def test_a_root_that_is_punctuation() -> None:
    lifted = data.without_punctuation(sentence(3, 3, 0, 3, 4, gone="c"))
    assert lifted.words == ("a", "b", "d", "e")
    assert lifted.heads == (0, 1, 1, 3)
    assert data.without_punctuation(sentence(0, 1, 2, gone="ab")).heads == (0,)


def test_another_choice_of_words() -> None:
    lifted = data.without_punctuation(sentence(2, 0, 2, gone="a"), [False, False, True])
    assert (lifted.words, lifted.heads) == (("a", "b"), (2, 0))
    with pytest.raises(ValueError, match="sentence s: 3 truth values are expected, found 1"):
        data.without_punctuation(sentence(2, 0, 2), [True])


def test_sentences_that_cannot_be_lifted() -> None:
    with pytest.raises(DataError, match=r"^t:1: sentence s: a word besides punctuation is expected"):
        data.without_punctuation(sentence(0, 1, gone="ab"))
    with pytest.raises(DataError, match="one root is expected, found 2"):
        data.without_punctuation(sentence(0, 0))
    with pytest.raises(DataError, match="UPOS tags are expected, found none"):
        data.without_punctuation(Sentence(id="s", words=("a",), heads=(0,)))


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 8), st.integers(0, 10**6))
def test_lifting_keeps_a_tree_and_the_order_of_ancestors(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    heads = tuple(random_projective(n, seed=rng).tolist())
    gone = (rng.random(n) < 0.4).tolist()
    if all(gone):
        gone[0] = False
    before = sentence(*heads)
    after = data.without_punctuation(before, gone)
    data.check_tree(after)
    assert after.words == tuple(word for word, goes in zip(before.words, gone, strict=True) if not goes)

    def ancestors(s: Sentence, word: str) -> list[str]:
        assert s.heads is not None
        above, head = [], s.heads[s.words.index(word)]
        while head:
            above.append(s.words[head - 1])
            head = s.heads[head - 1]
        return above

    new_root = after.words[data.root(after) - 1]
    for word in after.words:
        expected = [w for w in ancestors(before, word) if w in after.words]
        if new_root not in (word, *expected):
            expected.append(new_root)  # the root of the words under a root that went
        assert ancestors(after, word) == expected


@needs_data
def test_wsj_sample() -> None:
    folder = Path(os.environ["PROBE_DATA"]) / "wsj-sample"
    sentences = list(data.read_dp(folder / "dependencies"))
    assert len(sentences) == 3914
    assert sum(len(s.words) for s in sentences) == 94084
    trees = data.read_ptb(folder)
    for s, tree in zip(sentences, trees, strict=True):
        data.check_tree(s)
        assert s.words == tuple(w for w, tag in zip(tree.words, tree.tags, strict=True) if tag != "-NONE-")


@needs_data
def test_chains_on_wsj10() -> None:
    folder = Path(os.environ["PROBE_DATA"]) / "wsj-sample" / "dependencies"
    lifted = [data.without_punctuation(s) for s in data.read_dp(folder)]
    short = [s for s in lifted if len(s.words) <= 10]
    gold = [s.heads for s in short if s.heads is not None]
    assert (len(gold), sum(map(len, gold))) == (555, 3856)
    for chain, expected in ((right_chain, 49.0), (left_chain, 32.6)):
        trees = [chain(len(s.words), data.root(s)) for s in short]
        counts = count_arcs(gold, trees)
        assert round(100 * counts.directed.sum() / counts.total.sum(), 1) == expected
