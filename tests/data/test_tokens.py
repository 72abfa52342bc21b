"""The token lists of the conllu package: what they hold, and that writing them loses nothing."""

import os
from pathlib import Path

import conllu
import pytest

import data
from data import DataError, Sentence
from data.tokens import to_token_list

needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")


def row(identifier: object, form: str, *, misc: str = "_", upos: str = "X", feats: str = "_") -> str:
    """Return a line of CoNLL-U whose head is the root for word 1 and word 1 for the others."""
    head = "_" if not str(identifier).isdecimal() else 0 if identifier == 1 else 1
    return "\t".join(map(str, [identifier, form, "_", upos, "_", feats, head, "dep", "_", misc]))


def read(*lines: str) -> Sentence:
    """Read one sentence."""
    (sentence,) = data.parse_conllu(lines, name="t")
    return sentence


def test_tokens_are_those_of_the_package() -> None:
    lines = ("# sent_id = a", "# text = can't", row("1-2", "can't"), row(1, "ca", feats="A=1|B=2"))
    sentence = read(*lines, row(2, "n't"), row("2.1", "x"))
    assert isinstance(sentence.tokens, conllu.TokenList)
    assert [token["id"] for token in sentence.tokens] == [(1, "-", 2), 1, 2, (2, ".", 1)]
    assert sentence.tokens.metadata == {"sent_id": "a", "text": "can't"}
    assert sentence.tokens[1]["feats"] == {"A": "1", "B": "2"}
    assert sentence.tokens == conllu.parse("\n".join(sentence.lines))[0]
    sentence.tokens.clear()
    assert len(sentence.tokens) == 4


@pytest.mark.parametrize(
    "line",
    [
        row(1, "a  b"),  # the package ends a column at two spaces
        row(1, "a", feats="A=1|A=2"),
        row(1, "a", misc="Gloss=x=y|Empty=|=x"),
        row(1, "a", misc="x|_|y"),
        row(1, "a", misc="a\u00a0"),  # the package strips the line
        row(1, "a", upos="_"),
        row(1, "a")[:-3] + "9" * 5000 + ":x\t_",
        row(1, "a")[:-3] + "00.1:x|0:root\t_",
    ],
)
@pytest.mark.parametrize("comment", ["#bare", "# bare", "#", "#  text=x", "# k = v ", "# a = 1\n# a = 2"])
def test_what_the_package_cannot_keep_is_kept(line: str, comment: str) -> None:
    lines = ["# sent_id = a", *comment.split("\n"), "# text = a", line]
    written = data.to_conllu(read(*lines), [0])
    columns = line.split("\t")
    columns[7] = "root"
    assert written == "\n".join([*lines[:-1], "\t".join(columns)]) + "\n\n"


def test_bare_comments_are_in_the_metadata() -> None:
    tokens = to_token_list(["# newpar", "#bare", "# k = v", row(1, "a")])
    assert tokens.metadata == {"newpar": None, "bare": None, "k": "v"}


def test_comments_are_added_where_ud_requires_them() -> None:
    bare, named = read(row(1, "a")), read("# sent_id = x", row(1, "a", misc="SpaceAfter=No"), row(2, "b"))
    assert data.added_comments(bare) == ("sent_id", "text")
    assert data.added_comments(named) == ("text",)
    assert data.to_conllu(named, [0, 1]).startswith("# sent_id = x\n# text = ab\n1\t")
    assert data.added_comments(read("# text = a", "# sent_id = b", row(1, "a"))) == ()


def test_a_record_without_lines_has_tokens_too() -> None:
    sentence = Sentence(
        id="s",
        words=("a", "b"),
        heads=(0, 1),
        upos=("X", "Y"),
        relations=("root", "dep"),
        spaces=(False, False),
    )
    assert [token["upos"] for token in sentence.tokens] == ["X", "Y"]
    assert data.to_conllu(sentence, [2, 0]) == (
        "# sent_id = s\n# text = ab\n"
        "1\ta\t_\tX\t_\t_\t2\tdep\t_\tSpaceAfter=No\n2\tb\t_\tY\t_\t_\t0\troot\t_\t_\n\n"
    )


def _round_trip(sentences: list[Sentence]) -> str:
    """Write with the heads that were read; relations are put back, which heads alone do not say."""
    found = []
    for sentence in sentences:
        assert sentence.heads is not None
        rows = [
            line.split("\t") for line in data.to_conllu(sentence, sentence.heads).rstrip("\n").split("\n")
        ]
        relations = iter(sentence.relations or ())
        for columns in rows:
            if columns[0].isdecimal():
                columns[7] = next(relations)
        found.append("\n".join("\t".join(columns) for columns in rows))
    return "\n\n".join(found) + "\n\n"


@needs_data
@pytest.mark.parametrize("name", ["en_pud-wu2020", "en_pud-ud-test", "en_ewt-ud-dev"])
def test_treebanks_come_back_to_the_byte(name: str) -> None:
    path = Path(os.environ["PROBE_DATA"]) / "ud" / f"{name}.conllu"
    assert _round_trip(list(data.read_conllu(path))).encode().rstrip(b"\n") == path.read_bytes().rstrip(b"\n")


def test_the_sample_comes_back_to_the_byte() -> None:
    path = Path(data.__file__).parent / "sample" / "sample.conllu"
    assert _round_trip(list(data.load_sample())).encode() == path.read_bytes()


@needs_data
@pytest.mark.parametrize("name", ["en_pud-ud-test", "en_ewt-ud-dev"])
def test_running_text_is_that_of_the_treebank(name: str) -> None:
    for sentence in data.read_conllu(Path(os.environ["PROBE_DATA"]) / "ud" / f"{name}.conllu"):
        expected = " ".join(sentence.tokens.metadata["text"].split())
        assert sentence.text == expected or any(isinstance(token["id"], tuple) for token in sentence.tokens)
        assert sentence.text is not None and sentence.offsets is not None
        for word, (start, end) in zip(sentence.words, sentence.offsets, strict=True):
            assert sentence.text[start:end] == word


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([row(1, "a"), row(2, ".")], None),
        ([row(1, "a", misc="X=1|SpaceAfter=No"), row(2, ".")], "a."),
        (["# text = a.", row(1, "a"), row(2, ".")], "a."),
        (["# text = a .", row(1, "a", misc="SpaceAfter=No"), row(2, ".")], "a ."),
        (["# text = b.", row(1, "a", misc="SpaceAfter=No"), row(2, ".")], "a."),
        (["# text = 猫がいる", row(1, "猫"), row(2, "が"), row(3, "いる")], "猫がいる"),
        (["# text = can't go", row("1-2", "can't"), row(1, "ca"), row(2, "n't"), row(3, "go")], "can't go"),
        (
            ["# text = du pain.", row("1-2", "du"), *map(row, (1, 2, 3, 4), ("de", "le", "pain", "."))],
            "de le pain.",
        ),
    ],
)
def test_running_text(lines: list[str], text: str | None) -> None:
    sentence = read(*lines)
    assert sentence.text == text
    assert (sentence.offsets is None) == (text is None)


def test_offsets() -> None:
    sentence = Sentence(id="s", words=("It", "'s", "he"), spaces=(False, True, False))
    assert (sentence.text, sentence.offsets) == ("It's he", ((0, 2), (2, 4), (5, 7)))
    assert data.without_punctuation(sentence_with_heads(sentence), [False, True, False]).text is None


def sentence_with_heads(sentence: Sentence) -> Sentence:
    """Return the sentence of three words with heads."""
    return Sentence(id=sentence.id, words=sentence.words, heads=(0, 1, 1), spaces=sentence.spaces)


def test_a_text_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match=r"^t:5: a word in column FORM is expected, found _ in every row"):
        list(
            data.parse_conllu(
                [row(1, "a"), row(2, "_"), "", "", "# text = _", row(1, "_"), row(2, "_")], name="t"
            )
        )
    assert read(row(1, "a"), row(2, "_")).words == ("a", "_")


def test_many_spaces_in_a_comment_take_no_time() -> None:
    assert read("# text = " + " " * 200_000 + "x", row(1, "x")).text == "x"
    assert read("# text" + " " * 200_000, "#" + " " * 200_000 + "= x", row(1, "x")).text is None
