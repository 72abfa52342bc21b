"""Whatever a file holds, a reader gives records or one short DataError, in linear time."""

import json
import re
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import data
from data import DataError
from data.geometry_curves import read_geometry_curves
from data.json_text import parse_json
from data.numbers import parse_number
from data.ptb import DEEPEST
from data.vectors import read_vectors
from data.word_sets import read_analogies, read_categories, read_similarities
from tests.fuzz import HOSTILE, bounded, inputs

LONGEST_MESSAGE = 300  # without the path

ROW = "\t".join(["1", "a", "_", "X", "_", "_", "0", "root", "_", "_"])
EDUS = [
    {"id": 0, "parent": -1, "text": "ROOT", "relation": "null"},
    {"id": 1, "parent": 0, "text": "We try <S>", "relation": "ROOT"},
]
PAIR = {"sentence_good": "a", "sentence_bad": "b", "linguistics_term": "c", "UID": "d", "field": "e"}
TERM = '<aspectTerm term="bar" polarity="positive" from="7" to="10"/>'
XML = f"<sentences><sentence><text>a nice bar</text><aspectTerms>{TERM}</aspectTerms></sentence></sentences>"


def lama(folder: Path, text: bytes) -> list[Any]:
    """Facts, and relations that are named by the same bytes."""
    (folder / "TREx").mkdir(exist_ok=True)
    (folder / "relations.jsonl").write_bytes(text)
    (folder / "TREx" / "P1.jsonl").write_bytes(text)
    file = folder / "f.jsonl"
    file.write_bytes(text)
    found: list[Any] = []
    for corpus in ("SQuAD", "ConceptNet"):
        found += _or_error(data.read_facts(data.Relation(corpus=corpus, name="x", file=file)))
    return [*found, *data.list_relations(folder)[0]]


def curves(folder: Path, text: bytes) -> list[Any]:
    """A model's folder whose three files are all these bytes."""
    for name in ("embedding_space_stats.json", "self_similarity.csv", "variance_explained.csv"):
        (folder / name).write_bytes(text)
    return [*read_geometry_curves(folder)]


def _or_error(records: Iterable[Any]) -> list[Any]:
    try:
        return list(records)
    except DataError as error:
        return [error]


def file_reader(name: str, read: Callable[[Path], Any]) -> Callable[[Path, bytes], list[Any]]:
    """Write the bytes under a name, and read them."""

    def read_bytes(folder: Path, text: bytes) -> list[Any]:
        (folder / name).write_bytes(text)
        found = read(folder / name)
        return list(found) if isinstance(found, Iterable) else [found]

    return read_bytes


def _distances(path: Path) -> Any:
    item = data.AspectItem(words=("a", "b"), aspect=(0, 1), polarity=1)
    return data.read_distances(path, [item])


def _contacts(path: Path) -> Any:
    return [data.read_contacts(path, 9)]


def npy() -> bytes:
    """Distances of nine residues, as NumPy keeps them."""
    import numpy as np

    file = BytesIO()
    np.save(file, np.zeros((9, 9)))
    return file.getvalue()


def example(name: str) -> bytes:
    """A file that the reader of this name takes."""
    text = READERS[name][1]
    return text if isinstance(text, bytes) else text.encode()


READERS: dict[str, tuple[Callable[[Path, bytes], list[Any]], str | bytes]] = {
    "conllu": (file_reader("x.conllu", data.read_conllu), f"# sent_id = a\n# text = a\n{ROW}\n"),
    "text": (file_reader("x.txt", data.read_text), "a b .\nc d .\n"),
    "dp": (file_reader("x.dp", data.read_dp), "a\tNN\t2\nb\tVB\t0\n"),
    "ptb": (file_reader("x.mrg", data.read_ptb), "( (S (NP (DT a) (NN b)) (VP (VB c))))\n"),
    "scidtb": (file_reader("x.edu.txt.dep", data.read_scidtb), json.dumps({"root": EDUS})),
    "pairs": (file_reader("x.jsonl", data.read_minimal_pairs), json.dumps(PAIR)),
    "patterns": (file_reader("p.jsonl", data.read_patterns), json.dumps({"pattern": "[X] is [Y]."})),
    "word list": (file_reader("w.txt", data.read_word_list), "a\nb\n"),
    "lama": (
        lama,
        json.dumps(
            {"obj_label": "b", "masked_sentences": ["a [MASK]"], "relation": "P1", "template": "[X] [Y]"}
        ),
    ),
    "seg": (file_reader("x.seg", data.read_aspects), "a $T$ b\nbar\n1\n"),
    "xml": (file_reader("x.xml", data.read_aspects), XML),
    "distances": (file_reader("d.txt", _distances), "$T$ b\n0 1.5\n"),
    "sts": (file_reader("x.tsv", data.read_sts), "4.75\ta b\tc d\n"),
    "vectors": (file_reader("v.txt", lambda path: [read_vectors(path)]), "a 1 2\nb 3 4e-1\n"),
    "vectors, json": (
        file_reader("v.json", lambda path: [read_vectors(path)]),
        '{"a": [1, 2], "b": [3, 4.5]}',
    ),
    "similarities": (file_reader("s.txt", read_similarities), "a b 1.5\nc d 2\n"),
    "analogies": (file_reader("a.txt", read_analogies), ": x\na b c d\n"),
    "analogies, csv": (file_reader("a.csv", read_analogies), "type,word1,word2,word3,target\nt,a,b,c,d\n"),
    "categories": (file_reader("c.csv", read_categories), 'category,word\nx,"a"\nx,b\n'),
    "fasta": (file_reader("x.fasta", data.read_fasta), ">a b\nMKV\nL\n>b\nA\n"),
    "raw text": (
        file_reader("x.txt", data.read_raw_text),
        'Dr. Who\'s cat sat (3 cm) up. "No!" he said.\n\nI.\n',
    ),
    "contacts": (file_reader("x.csv", _contacts), "i,j,distance\n1,5,7.5\n2,9,3\n"),
    "contacts, RR": (file_reader("x.rr", _contacts), "1 5 0 8 0.5\n"),
    "contacts, npy": (file_reader("x.npy", _contacts), npy()),
    "curves": (curves, "word,layer_0,layer_1\na,1,2\n"),
}


def read_or_refuse(name: str, folder: Path, text: bytes) -> str | None:
    """Read; return the message of a DataError, without the path. Anything else is a failure."""
    try:
        READERS[name][0](folder, text)
    except DataError as error:
        message = str(error).replace(str(folder), "")
        assert "\n" not in message and len(message) <= LONGEST_MESSAGE, message
        message.encode()  # it can be printed
        return message
    return None


@pytest.mark.parametrize("name", READERS)
def test_the_example_is_read(name: str, tmp_path: Path) -> None:
    message = read_or_refuse(name, tmp_path, example(name))
    assert message is None or name in ("lama", "curves")  # whose files would have to differ


def test_white_space_around_a_polarity_is_any_that_is_stripped(tmp_path: Path) -> None:
    (tmp_path / "x.seg").write_bytes(b"a $T$ b\nbar\n\x1c1\n")
    (item,) = data.read_aspects(tmp_path / "x.seg")
    assert item.polarity == 1


def test_a_path_may_be_text(tmp_path: Path) -> None:
    for name in ("conllu", "text", "fasta"):
        (tmp_path / name).mkdir()
        READERS[name][0](tmp_path / name, example(name))
        (path,) = (tmp_path / name).iterdir()
        assert list(data.read_sentences(str(path))) == list(data.read_sentences(path)) != []
    with pytest.raises(data.InputError, match=r"none\.txt: a file is expected, there is none of this name"):
        data.read_sentences(str(tmp_path / "none.txt"))
    assert data.read_word_list(str(tmp_path / "text" / "x.txt"))


@pytest.mark.fuzz
@pytest.mark.parametrize("name", READERS)
@inputs(25)
@given(drawn=st.data())
def test_mutations_are_read_or_refused(name: str, tmp_path: Path, drawn: st.DataObject) -> None:
    text = example(name)
    for _ in range(drawn.draw(st.integers(1, 3))):
        start = drawn.draw(st.integers(0, len(text)))
        length = drawn.draw(st.sampled_from([0, 1, 2, 10]))
        put = drawn.draw(st.sampled_from(HOSTILE) | st.binary(max_size=4))
        text = text[:start] + put + text[start + length :]
    with bounded():
        read_or_refuse(name, tmp_path, text)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: repr(text[:12]))
def test_a_hostile_value_in_every_field(name: str, hostile: bytes, tmp_path: Path) -> None:
    """Every run of letters and digits in the example, one after the other, becomes this value."""
    text = example(name)
    for match in re.finditer(rb"[A-Za-z0-9.]+", text):
        read_or_refuse(name, tmp_path, text[: match.start()] + hostile + text[match.end() :])


def refusal(name: str, folder: Path, text: str) -> str:
    """The message with which a text is refused."""
    message = read_or_refuse(name, folder, text.encode())
    assert message is not None
    return message


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("scidtb", json.dumps({"root": EDUS}).replace('"id": 1', f'"id": {"9" * 5000}'), "a number of thousands"),
        ("scidtb", json.dumps({"root": EDUS}).replace("We", "\\ud83d"), "half a surrogate pair"),
        ("scidtb", json.dumps({"root": EDUS}).replace("We", "\\u0000"), "found U+0000"),
        ("scidtb", json.dumps({"root": EDUS}).replace("We", "\\u001b[1m"), "found U+001B"),
        ("scidtb", json.dumps({"root": EDUS}).replace('"id": 1', '"id": 1, "id": 1'), "key 'id' twice"),
        ("pairs", "[" * 100_000, "nested too deeply"),
        ("pairs", json.dumps(PAIR)[:-1] + ', "x": NaN}', "found NaN"),
        ("ptb", "(S " * 1200 + "(NN a)" + ")" * 1200, f"at most {DEEPEST} brackets"),
        ("categories", "category,word\nx,\"a\nx,b\"\n", "c.csv:2: a row of CSV is expected"),
        ("categories", "category,word\nx,\"a\nx,b\n", "c.csv:2: a row of CSV is expected"),
        ("categories", f"category,word\nx,{'a' * 140_000}\n", "c.csv:2: a row of CSV is expected"),
        ("categories", "category,word\nx,a,b\n", "c.csv:2: 2 fields are expected, found 3"),
        ("categories", "word,word\nx,a\n", "c.csv:1: each column once"),
        ("vectors", "a 1_0 2\n", "found '1_0'"),
        ("vectors", "a \u0661 2\n", "found '\u0661'"),
        ("vectors", "a 1 inf\n", "found 'inf'"),
        ("vectors", "a 1 1e400\n", "finite numbers"),
        ("vectors", "a\x1b[1m 1 2\n", "found U+001B"),
        ("vectors, json", '{"a": [1, 2], "a": [3, 4]}', "key 'a' twice"),
        ("vectors, json", '{"a": ["1", "2"]}', "2 numbers are expected"),
        ("vectors, json", '{"a": [true, 2]}', "2 numbers are expected"),
        ("vectors, json", '{"a": [1e400, 2]}', "finite numbers"),
        ("vectors, json", '{"\\ud800": [1, 2]}', "half a surrogate pair"),
        ("sts", "5.5\ta\tb\n", "a score from 0 to 5"),
        ("sts", "\u0665\ta\tb\n", "a score from 0 to 5"),
        ("sts", "1_0\ta\tb\n", "a score from 0 to 5"),
        ("similarities", "a b 1_0\n", "two words and a score"),
        ("similarities", "a b \u0661\n", "two words and a score"),
        ("distances", "$T$ b\n0 1_0\n", "found '1_0'"),
        ("xml", XML.replace("nice", "<b>nice</b>"), "text alone is expected within <text>, found <b>"),
        ("xml", XML.replace("<text>a nice bar</text>", ""), "<aspectTerm> is expected after the <text>"),
        ("xml", XML.replace("</sentence>", "</sentence>" + TERM), "<aspectTerm> is expected after"),
        ("xml", XML.replace("<text>", "<text>a</text><text>"), "<text> once in a <sentence>"),
        ("dp", "a" * 1_000_000 + "\n", "found 'aaa"),
    ],
)  # fmt: skip
def test_refusals(name: str, text: str, message: str, tmp_path: Path) -> None:
    assert message in refusal(name, tmp_path, text)


@pytest.mark.parametrize("name", ["../P1", "a/b", "x" * 300, ".", "a\\b", ""])
def test_names_of_relations_are_names_of_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "TREx").mkdir()
    record = {"relation": name, "template": "[X] [Y]"}
    (tmp_path / "relations.jsonl").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(DataError, match=r"relations\.jsonl:1: a (relation whose name|text)"):
        data.list_relations(tmp_path)


def test_brackets_up_to_the_limit_are_read(tmp_path: Path) -> None:
    depth = DEEPEST - 1
    (tree,) = data.parse_ptb(["(S " * depth + "(NN a)" + ")" * depth], name="t")
    assert tree.words == ("a",)
    assert data.constituency_sentence(tree, protocol="fair").words == ("a",)


def test_a_chain_of_many_units_is_read_at_once(tmp_path: Path) -> None:
    n = 20_000
    chain = [
        {"id": i, "parent": i + 1 if i < n else 0, "text": "w", "relation": "x"} for i in range(1, n + 1)
    ]
    path = tmp_path / "x.edu.txt.dep"
    started = time.process_time()
    path.write_text(json.dumps({"root": [EDUS[0], *chain]}), encoding="utf-8")
    (document,) = data.read_scidtb(path)
    assert len(document.heads) == n
    chain[-1]["parent"] = 1
    path.write_text(json.dumps({"root": [EDUS[0], *chain]}), encoding="utf-8")
    with pytest.raises(DataError, match="a cycle"):
        list(data.read_scidtb(path))
    assert time.process_time() - started < 10


def test_a_long_cycle_has_a_short_message() -> None:
    n = 1000
    heads = (*range(2, n + 1), 1)
    with pytest.raises(DataError, match=r"\(1000 words\)") as caught:
        data.check_tree(data.Sentence(id="s" * 500, words=("w" * 500,) * n, heads=heads))
    assert len(str(caught.value)) <= 2 * LONGEST_MESSAGE


@given(st.text(max_size=12))
def test_numbers_are_those_of_ascii(text: str) -> None:
    value = parse_number(text)
    if value is not None:
        assert text.isascii() and "_" not in text and value == float(text) and abs(value) < float("inf")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_a_number(value: float) -> None:
    assert parse_number(repr(value)) == value


def test_json_escapes_that_are_whole() -> None:
    assert parse_json('{"a": ["\\ud83d\\ude00", 1.5, null]}', where="t") == {"a": ["\U0001f600", 1.5, None]}
