"""Inserted triples: the visible matrix and soft positions by plain loops, which triples are taken, the command."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import probe
from analyses.knowledge import triples_command
from analyses.knowledge.candidates import Candidates, model_words
from analyses.knowledge.experiment import EXPERIMENT
from analyses.knowledge.figures import facts_by_way
from analyses.knowledge.gaps import Cloze, GapReader, Prompt, encode_all, piece_span
from analyses.knowledge.inserted import (
    ASKED,
    NONE,
    OPEN,
    RANDOM,
    RELATED,
    WAYS,
    check_inserts,
    probe_inserted,
)
from analyses.knowledge.ranks import rank
from analyses.knowledge.results import probe_relations
from analyses.knowledge.triples import Triple, Triples, branch_pieces, insert
from analyses.tables.forms import read_table
from data.lama import Fact, Relation, list_relations
from probe import Probe
from tests.command import PLAIN, ran
from tests.conftest import ModelFolder
from tests.countdown import Countdown
from tests.lama_files import triple, write_lines

TEMPLATES = (
    {"relation": "P1", "template": "[X] sleeps near the [Y] .", "label": "sleeps near", "type": "N-1"},
    {"relation": "P2", "template": "The [Y] belongs to ([X]).", "label": "belongs to", "type": "1-1"},
    {"relation": "P3", "template": "[X] saw [Y] .", "label": "reads", "type": "N-M"},
)
FACTS = {
    "P1": [("The fox", "to"), ("My sister", "of"), ("An owl", "the"), ("It", "of")],
    "P2": [("The fox", "To"), ("My sister", "and"), ("An owl", "of"), ("Nobody", "the")],
    "P3": [("The fox", "the"), ("My sister", "to"), ("An owl", "and")],
}
WORDS = ("the", "and", "of", "to")


@pytest.fixture(scope="module")
def lama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lama")
    write_lines(folder / "relations.jsonl", TEMPLATES)
    for name, pairs in FACTS.items():
        write_lines(folder / "TREx" / f"{name}.jsonl", [triple(*pair) for pair in pairs])
    (folder / "common_vocab_cased.txt").write_text("\n".join(WORDS), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def relations(lama: Path) -> tuple[Relation, ...]:
    return list_relations(lama)[0]


@pytest.fixture(scope="module")
def tiny(model_folder: ModelFolder) -> Probe:
    return probe.load(model_folder("bert"), device="cpu", dtype="float64")


def fact(subject: str, answer: str) -> Fact:
    return Fact(subject=subject, object=answer, sentences=(), id="x")


# --- which triple


def test_a_related_triple_is_another_relation_and_never_the_answer(relations: tuple[Relation, ...]) -> None:
    known = Triples(relations)
    p1, p2, _ = relations
    found = known.related(p1, fact("The fox", "to"))
    assert found is not None and found.text == "reads the"  # P2 has the answer, "To"
    found = known.related(p2, fact("The fox", "of"))
    assert found is not None and found.text == "sleeps near to"
    assert known.related(p1, fact("It", "of")) is None
    assert known.related(p1, fact("A stranger", "of")) is None


def test_a_report_has_the_section_where_there_are_triples(lama: Path, tmp_path: Path) -> None:
    allowed = {section.kind: section.allowed for section in EXPERIMENT.sections}["triples"]
    assert allowed is not None and allowed(lama) and allowed(tmp_path / "none")
    write_lines(tmp_path / "relations.jsonl", TEMPLATES[:2])
    write_lines(tmp_path / "TREx" / "P1.jsonl", [triple("The fox", "the"), triple("The fox", "of")])
    write_lines(tmp_path / "TREx" / "P2.jsonl", [triple("The fox", "The"), triple("It", "to")])
    assert allowed(tmp_path)  # of and The
    write_lines(tmp_path / "TREx" / "P1.jsonl", [triple("The fox", "the")])
    assert not allowed(tmp_path)


def test_triples_of_random_subjects_tell_neither_answer_nor_triple(relations: tuple[Relation, ...]) -> None:
    known = Triples(relations)
    own = Triple(subject="An owl", relation=relations[0], object="the")
    assert [each.object for each in known.alike(own, "TO")] == ["of", "of"]
    named = Relation(corpus="Google-RE", name="place_of_birth", file=Path("x"), template="[X] [Y]")
    assert Triple(subject="x", relation=named, object="Rome").text == "place of birth Rome"


# --- how it is inserted


@pytest.mark.parametrize("gap", [1, 6])
@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize("soft", [True, False])
def test_insertion_is_that_of_k_bert_by_a_plain_loop(*, gap: int, visible: bool, soft: bool) -> None:
    found = insert(Cloze(np.arange(10, 18), gap), (3, 5), [90, 91, 92], visible=visible, soft=soft)
    kinds = list("ttteebbbttt")  # prompt, entity, branch
    assert found.ids.tolist() == [10, 11, 12, 13, 14, 90, 91, 92, 15, 16, 17]
    assert found.ids[found.position] == 10 + gap
    assert found.sees is not None and found.places is not None
    for query, mine in enumerate(kinds):
        for key, its in enumerate(kinds):
            hidden = {mine, its} == {"t", "b"}
            assert found.sees[query, key] == (not (visible and hidden)), (query, key)
    soft_places = [0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 7]
    assert found.places.tolist() == (soft_places if soft else list(range(11)))


@pytest.mark.parametrize("entity", [(3, 3), (0, 9), (5, 7)])
def test_an_entity_without_the_gap_is_expected(entity: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="an entity within 8 pieces"):
        insert(Cloze(np.arange(8), 6), entity, [1])


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_the_entity_is_found_among_pieces(name: str, model_folder: ModelFolder) -> None:
    model = probe.load(model_folder(name), device="cpu", dtype="float32")
    for before, subject, after in (
        ("The [MASK] near ", "violinists of it", " slept ."),
        ("", "My sister", " saw [MASK] ."),
        ("Near [MASK] the ", "owl", ", they"),
        ("They ,", "careless waiter", ", saw [MASK] ."),
    ):
        text = before + subject + after
        (cloze,) = encode_all(model, [Prompt(text)])
        start, end = piece_span(model, text, len(before), len(before + subject))
        told = model.tokenizer.decode(cloze.ids[start:end]).replace(" ", "").lower()
        assert subject.replace(" ", "").lower() in told and len(told) <= len(subject) + 2


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_scores_are_those_of_one_plain_pass(name: str, model_folder: ModelFolder) -> None:
    model = probe.load(model_folder(name), device="cpu", dtype="float64")
    candidates = Candidates.of(model.tokenizer, model_words(model.tokenizer))
    text = "My sister knows [MASK] ."
    (cloze,) = encode_all(model, [Prompt(text)])
    entity = piece_span(model, text, 0, len("My sister"))
    asked = [cloze]
    for words in (["near", "the", "sea"], ["by", "an", "owl"]):
        branch = [piece for ids in model.pieces.encode(words, ["after a space"] * 3) for piece in ids]
        ways = [(True, True), (False, True), (True, False), (False, False)]
        asked += [insert(cloze, entity, branch, visible=visible, soft=soft) for visible, soft in ways]
    passes: list[int] = []
    reader = GapReader(model, candidates.ids, batch_tokens=16, on_passes=passes.append)
    found = {}
    for places, scores in reader([*asked, asked[1]]):
        found.update(zip(places.tolist(), scores.numpy(), strict=True))
    assert sum(passes) == len(asked)  # an equal prompt is no pass of its own
    first = 0 if name == "bert" else model.model.config.pad_token_id + 1
    for at, each in enumerate(asked):
        n = len(each.ids)
        sees = np.ones((n, n), dtype=bool) if each.sees is None else each.sees
        places = np.arange(n) if each.places is None else each.places
        hidden = torch.zeros(1, 1, n, n, dtype=torch.float64)
        hidden[0, 0][~torch.from_numpy(sees)] = torch.finfo(torch.float64).min
        inputs = {"input_ids": torch.from_numpy(each.ids)[None], "attention_mask": hidden}
        with torch.inference_mode():
            logits = model.model(**inputs, position_ids=torch.from_numpy(places + first)[None]).logits
        direct = logits[0, each.position, torch.from_numpy(candidates.ids)].log_softmax(-1)
        np.testing.assert_allclose(found[at], direct.numpy(), atol=1e-9)
    np.testing.assert_array_equal(found[1], found[len(asked)])
    assert all(np.abs(found[0] - found[at]).max() > 1e-6 for at in range(1, len(asked)))


def test_soft_positions_are_told_by_behaviour(model_folder: ModelFolder) -> None:
    for name, reason in (("mpnet", "by something else"), ("deberta_v2", "move none of its states")):
        model = probe.load(model_folder(name), device="cpu", dtype="float32")
        with pytest.raises(probe.ModelError, match=reason):
            check_inserts(model)
        ids = torch.tensor([[5, 6, 7]])
        with pytest.raises(probe.ModelError, match="who stands where"):
            model.attention.run(ids, torch.ones(1, 3, 3, dtype=torch.bool), places=torch.tensor([[0, 1, 1]]))
    for name, first in (("bert", 0), ("distilbert", 0), ("albert", 0), ("xlm_roberta", 2)):
        attention = probe.load(model_folder(name), device="cpu", dtype="float32").attention
        assert attention.refusal_of_places is None and attention._first_place == first


# --- all of it


def test_facts_without_a_triple_are_those_of_knowledge(tiny: Probe, relations: tuple[Relation, ...]) -> None:
    candidates = Candidates.of(tiny.tokenizer, WORDS)
    results = probe_inserted(tiny, relations, Triples(relations), candidates, draws=2)
    plain = {each.relation.name: each for each in probe_relations(tiny, relations, candidates)}
    assert sum(each.asked for each in results) >= 6
    for each in results:
        subjects = [one.subject for one in plain[each.relation.name].facts]
        places = [subjects.index(name) for name in each.subjects]
        (own,) = each.ranks[NONE]
        assert own.plain.tolist() == plain[each.relation.name].own.plain[places].tolist()
        assert list(each.ranks) == list(WAYS) and len(each.ranks[RANDOM]) == 2
    again = probe_inserted(tiny, relations, Triples(relations), candidates, draws=2, batch_tokens=1, limit=1)
    for each, one in zip(results, again, strict=True):
        assert one.subjects == each.subjects[:1]
        for way in (RELATED, OPEN, ASKED):
            assert one.ranks[way][0].plain.tolist() == each.ranks[way][0].plain[:1].tolist()


def test_what_the_vocabulary_lacks_is_not_inserted(tiny: Probe, relations: tuple[Relation, ...]) -> None:
    assert branch_pieces(tiny, Triple(subject="x", relation=relations[0], object="東")) is None


def test_tables_and_figure(
    lama: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = ("--model", model_folder("bert"), *PLAIN, "--data", lama, "--out", tmp_path)
    done = ran(capsys, triples_command.main, *options)
    assert (done.code, done.err) == (0, "")
    table = json.loads((tmp_path / "triples-t-rex.json").read_text(encoding="utf-8"))
    assert len(table["rows"]) == 1 + len(WAYS) and "random weights" in table["rows"][0]["name"]
    assert "2 others have no related triple" in table["notes"][0]
    differences = json.loads((tmp_path / "triples-t-rex-differences.json").read_text(encoding="utf-8"))
    values = {row["name"].split(": ", 1)[1]: row["cells"]["P@1 of all facts"] for row in table["rows"][1:]}
    first = differences["rows"][0]["cells"]["P@1"]["value"]
    assert first == pytest.approx(values[RELATED]["value"] - values[NONE]["value"])
    assert (tmp_path / "triples-t-rex-by-relation.csv").is_file()
    figure = facts_by_way(read_table(tmp_path / "triples-t-rex.json"))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()][1] == NONE
    with pytest.raises(ValueError, match="expected rows with P@1"):
        facts_by_way(read_table(tmp_path / "triples-t-rex-by-relation.json"))


@pytest.mark.usefixtures("one_thread")
def test_an_interrupted_run_goes_on_where_it_was(
    lama: Path,
    model_folder: ModelFolder,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ("--model", model_folder("bert"), *PLAIN, "--data", lama, "--draws", 1, "--quiet")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert ran(capsys, triples_command.main, *options, "--out", whole).code == 0
    ways = len(WAYS)
    # Of three relations random weights are done, and the first one of the model; the second is in the middle.
    ranked = Countdown(rank, 3 + ways + 2)
    monkeypatch.setattr("analyses.knowledge.inserted.rank", ranked)
    assert ran(capsys, triples_command.main, *options, "--out", stopped).code == 130
    assert not list(stopped.glob("triples-*"))
    ranked.left = 2 * ways
    assert ran(capsys, triples_command.main, *options, "--out", stopped).code == 0 and ranked.left == 0
    written = {path.name: path.read_bytes() for path in whole.glob("triples-*")}
    assert written == {path.name: path.read_bytes() for path in stopped.glob("triples-*")}
    other = ran(capsys, triples_command.main, *options, "--out", stopped, "--seed", 1)
    assert other.code == 130  # with other random triples it is asked anew


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--relations", "P7"), "no facts of relation P7"),
        (("--draws", "0"), "a whole number above 0"),
        (("--data", "none"), "a folder in the layout of LAMA is expected"),
    ],
)
def test_wrong_use_is_one_line(
    options: tuple[str, ...], said: str, lama: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = ran(capsys, triples_command.main, "--data", lama, *options, "--out", tmp_path / "out")
    assert done.code != 0 and said in done.err and len(done.err.splitlines()) == 1 and not done.out
    assert not (tmp_path / "out").exists()


def test_models_and_facts_that_do_not_do_are_one_line(
    lama: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = ran(capsys, triples_command.main, "--data", lama, "--model", model_folder("mpnet"), *PLAIN)
    assert done.code == 2 and "inserted triples need" in done.err and len(done.err.splitlines()) == 1
    write_lines(tmp_path / "relations.jsonl", TEMPLATES[:1])
    write_lines(tmp_path / "TREx" / "P1.jsonl", [triple("The fox", "the")])
    options = ("--data", tmp_path, "--vocabulary", lama / "common_vocab_cased.txt", *PLAIN)
    done = ran(capsys, triples_command.main, "--model", model_folder("bert"), *options)
    assert done.code == 2 and "has another fact of its subject" in done.err
