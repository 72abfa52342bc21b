"""Facts in LAMA's layout are read as they stand, and every fault has a place and a name."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from data import DataError, InputError
from data.lama import (
    Relation,
    list_relations,
    read_facts,
    read_patterns,
    read_word_list,
)
from tests.lama_files import P1, TEMPLATES, sentence, triple, write_lama, write_lines

WORDS = ("the", "and", "of", "to")
LAMA = Path(os.environ.get("PROBE_DATA", ".")) / "lama"
needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")


def test_relations_of_all_corpora(tmp_path: Path) -> None:
    relations, absent = list_relations(write_lama(tmp_path, words=WORDS))
    assert [(relation.corpus, relation.name) for relation in relations] == [
        ("Google-RE", "place_of_birth"),
        ("Google-RE", "date_of_birth"),
        ("Google-RE", "place_of_death"),
        ("T-REx", "P1"),
        ("T-REx", "P2"),
        ("ConceptNet", "ConceptNet"),
        ("SQuAD", "SQuAD"),
    ]
    assert absent == ("P9",)
    assert relations[3].template == "[X] sleeps near the [Y] ."
    assert (relations[3].type, relations[3].label) == ("N-1", "sleeps near")
    assert relations[1].template == "[X] (born [Y])."
    assert relations[-1].template is None


def test_chosen_relations(tmp_path: Path) -> None:
    write_lama(tmp_path, words=WORDS)
    relations, absent = list_relations(tmp_path, names=["P2", "SQuAD"])
    assert [relation.name for relation in relations] == ["P2", "SQuAD"]
    assert absent == ()
    with pytest.raises(InputError, match=r"no facts of relation P9; there are place_of_birth, .*SQuAD"):
        list_relations(tmp_path, names=["P9"])


def test_facts_under_a_template(tmp_path: Path) -> None:
    relations, _ = list_relations(write_lama(tmp_path, words=WORDS), names=["P1"])
    facts = list(read_facts(relations[0]))
    assert [(fact.subject, fact.object) for fact in facts] == list(P1)
    assert [fact.id for fact in facts] == ["a0", "a1", "a2", "a3", "a4"]
    assert facts[1].where == f"{relations[0].file}:2"
    assert facts[0].sentences == ()


def test_facts_with_sentences(tmp_path: Path) -> None:
    relations, _ = list_relations(write_lama(tmp_path, words=WORDS), names=["ConceptNet", "SQuAD"])
    concepts, squad = (list(read_facts(relation)) for relation in relations)
    assert [(fact.subject, fact.predicate) for fact in concepts] == [
        ("fox", "IsA"),
        ("barn", "AtLocation"),
        ("bird", "IsA"),
    ]
    assert [(fact.subject, fact.id, fact.sentences) for fact in squad[:2]] == [
        (None, "s1", ("The owl called [MASK] .",)),
        (None, "s2", ("The owl [MASK] the [MASK] .",)),
    ]


def test_judged_facts_without_an_id(tmp_path: Path) -> None:
    votes = [{"judgment": vote} for vote in ("yes", "no", "no")]
    facts = [triple("A", "b"), triple("A", "b", judgments=votes), triple("A", "b", judgments=votes[:2])]
    path = write_lines(tmp_path / "f.jsonl", facts)
    found = list(read_facts(Relation(corpus="Google-RE", name="x", file=path, template="[X] [Y]")))
    assert [(fact.id, fact.rejected) for fact in found] == [("1", False), ("2", True), ("3", False)]


BAD_FACTS = {
    "no JSON": ("{", "JSON is expected, found Expecting property name"),
    "a list": ("[]", "a JSON object is expected, found list"),
    "no subject": (json.dumps({"obj_label": "b"}), "key 'sub_label' is expected, found obj_label"),
    "no object": (json.dumps({"sub_label": "b"}), "key 'obj_label' is expected, found sub_label"),
    "empty object": (json.dumps(triple("a", " ")), "a text that is not empty is expected as 'obj_label'"),
    "surrogate": (json.dumps(triple("\ud800", "b")), "found half a surrogate pair"),
    "judgments": (json.dumps(triple("a", "b", judgments="no")), "a list of objects is expected"),
}


@pytest.mark.parametrize(("line", "message"), BAD_FACTS.values(), ids=BAD_FACTS)
def test_malformed_facts(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(f"{json.dumps(triple('a', 'b'))}\n\n{line}\n", encoding="utf-8")
    facts = read_facts(Relation(corpus="T-REx", name="x", file=path, template="[X] [Y]"))
    with pytest.raises(DataError, match=r"f\.jsonl:3: ") as raised:
        list(facts)
    assert message in str(raised.value)


@pytest.mark.parametrize("listed", [None, [], ["no gap"], [3]])
def test_malformed_sentences(listed: object, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "f.jsonl", [{**sentence("", "b"), "masked_sentences": listed}])
    with pytest.raises(DataError, match=r"f.jsonl:1: .*'masked_sentences'"):
        list(read_facts(Relation(corpus="SQuAD", name="x", file=path)))


def test_a_relation_without_facts(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "f.jsonl", [])
    with pytest.raises(DataError, match="no facts; one JSON object a line"):
        list(read_facts(Relation(corpus="SQuAD", name="x", file=path)))
    with pytest.raises(InputError, match="there is none of this name"):
        read_facts(Relation(corpus="SQuAD", name="x", file=tmp_path / "g.jsonl"))


BAD_TEMPLATES: dict[str, tuple[dict[str, str], str]] = {
    "without object": ({"template": "[X] sleeps ."}, r"a template with \[Y\] once is expected"),
    "two subjects": ({"template": "[X] [X] [Y]"}, r"a template with \[X\] once is expected"),
    "unknown type": ({"type": "2-3"}, "type 1-1, N-1, N-M is expected, found '2-3'"),
    "again": ({"relation": "P1"}, "each relation once is expected, found P1 again"),
}


@pytest.mark.parametrize(("change", "message"), BAD_TEMPLATES.values(), ids=BAD_TEMPLATES)
def test_malformed_templates(change: dict[str, str], message: str, tmp_path: Path) -> None:
    write_lama(tmp_path, words=WORDS)
    write_lines(tmp_path / "relations.jsonl", [TEMPLATES[0], {**TEMPLATES[1], **change}])
    with pytest.raises(DataError, match=rf"relations.jsonl:2: {message}"):
        list_relations(tmp_path)


def test_facts_without_a_template(tmp_path: Path) -> None:
    write_lama(tmp_path, words=WORDS)
    write_lines(tmp_path / "relations.jsonl", TEMPLATES[:1])
    with pytest.raises(DataError, match=r"a template for .*P2.jsonl is expected, found none"):
        list_relations(tmp_path)


@pytest.mark.parametrize("prepare", [lambda folder: None, lambda folder: (folder / "Other").mkdir()])
def test_a_folder_of_something_else(prepare: Callable[[Path], None], tmp_path: Path) -> None:
    prepare(tmp_path)
    with pytest.raises(InputError, match="Google_RE, TREx, ConceptNet or Squad is expected"):
        list_relations(tmp_path)
    with pytest.raises(InputError, match="a folder in the layout of LAMA is expected"):
        list_relations(tmp_path / "nowhere")


def test_patterns(tmp_path: Path) -> None:
    listed = [{"pattern": text} for text in ("[X] is [Y].", "[Y] has [X].", "[X] is [Y].")]
    assert read_patterns(write_lines(tmp_path / "P1.jsonl", listed)) == ("[X] is [Y].", "[Y] has [X].")
    with pytest.raises(DataError, match=r"P2.jsonl:1: a template with \[Y\] once"):
        read_patterns(write_lines(tmp_path / "P2.jsonl", [{"pattern": "[X] is."}]))
    with pytest.raises(DataError, match="no patterns"):
        read_patterns(write_lines(tmp_path / "P3.jsonl", []))


def test_word_list(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("the\r\n\n and\n", encoding="utf-8")
    assert read_word_list(path) == ("the", "and")
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="no words; one word a line"):
        read_word_list(path)


@needs_data
def test_the_whole_of_lama() -> None:
    relations, absent = list_relations(LAMA)
    counts = {relation.name: sum(1 for _ in read_facts(relation)) for relation in relations}
    assert counts["SQuAD"] == 305
    assert (counts["place_of_birth"], counts["date_of_birth"], counts["place_of_death"]) == (2937, 1825, 766)
    assert sum(counts[each.name] for each in relations if each.corpus == "T-REx") == 32_421
    assert len(absent) == 5
    kinds = [each.type for each in relations if each.corpus == "T-REx"]
    assert [kinds.count(kind) for kind in ("1-1", "N-1", "N-M")] == [2, 23, 16]


@needs_data
def test_all_paraphrases_and_words() -> None:
    patterns = [read_patterns(path) for path in sorted((LAMA / "pararel-patterns").glob("*.jsonl"))]
    assert len(patterns) == 39
    assert len(read_word_list(LAMA / "common_vocab_cased.txt")) == 21_018
