"""Ranks against sorting by hand, and LAMA's rules on which facts are asked."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import probe
from analyses.intervals import bootstrap
from analyses.knowledge.candidates import Candidates, model_words
from analyses.knowledge.extras import Extras
from analyses.knowledge.gaps import Cloze, GapReader, Prompt, encode_all
from analyses.knowledge.inserted import WAYS, InsertedResult
from analyses.knowledge.inserted_tables import InsertedRun, inserted_tables
from analyses.knowledge.paraphrases import ParaphraseResult, paraphrase_tables
from analyses.knowledge.pieces import PieceResult
from analyses.knowledge.ranks import (
    Excluded,
    Question,
    Ranks,
    encode_questions,
    fill,
    frequency_ranks,
    rank,
    select,
)
from analyses.knowledge.results import RelationResult, ask_relations, probe_relations, values_of
from analyses.knowledge.scores import fact_values, mean_over_facts, mean_over_relations
from analyses.knowledge.tables import Run, corpus_tables
from data.lama import Fact, Relation, list_relations, read_facts, read_word_list
from probe import Probe, ProbeError
from tests.analyses.knowledge.test_gaps import direct_scores
from tests.conftest import ModelFolder
from tests.lama_files import write_lama

TEMPLATE = Relation(corpus="T-REx", name="P1", file=Path("x"), template="[X] sleeps near the [Y] .")
OWN = Relation(corpus="SQuAD", name="SQuAD", file=Path("x"))


def fact(subject: str | None, filler: str, *sentences: str, **more: object) -> Fact:
    made = Fact(subject=subject, object=filler, sentences=sentences, id="x")
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.fixture
def model(model_folder: ModelFolder) -> Probe:
    return probe.load(model_folder("bert"), device="cpu", dtype="float32")


@pytest.fixture
def candidates(model: Probe) -> Candidates:
    return Candidates.of(model.tokenizer, model_words(model.tokenizer))


def own(model: Probe, questions: list[Question]) -> list[Cloze]:
    """The prompts of the questions as pieces."""
    return encode_all(model, [each.prompt for each in questions])


def reasons(excluded: list[Excluded]) -> list[str]:
    return [each.reason for each in excluded]


def test_ranks_are_places_in_the_sorted_scores(model: Probe, candidates: Candidates) -> None:
    fillers = ["the", "The", "and", "to", "of", "the"]
    subjects = ["The fox", "The fox", "The fox", "A cat", "A cat", "My sister and the sea"]
    facts = [fact(*pair, where=str(at)) for at, pair in enumerate(zip(subjects, fillers, strict=True))]
    questions, excluded = select(model, TEMPLATE, facts, candidates)
    assert reasons(excluded) == ["subject and object of 0 again"]  # The = the, for this model
    found = rank(GapReader(model, candidates.ids, batch_tokens=20), questions, own(model, questions))
    for place, question in enumerate(questions):
        scores = direct_scores(model, question.prompt.text, candidates.ids)
        order = np.argsort(-scores).tolist()
        assert found.top[place] == order[0]
        assert found.plain[place] == 1 + order.index(question.gold)
        others = {
            each.gold
            for each in questions
            if each.fact.subject == question.fact.subject and each.gold != question.gold
        }
        assert set(question.others) == others
        left = [candidate for candidate in order if candidate not in others]
        assert found.filtered[place] == 1 + left.index(question.gold)


def test_the_right_object_comes_last_among_equal_scores(model: Probe, candidates: Candidates) -> None:
    import torch

    head = model.model.get_output_embeddings()
    torch.nn.init.zeros_(head.weight)  # type: ignore[arg-type,union-attr]
    torch.nn.init.zeros_(head.bias)  # type: ignore[arg-type,union-attr]
    questions, _ = select(model, TEMPLATE, [fact("A cat", "the")], candidates)
    found = rank(GapReader(model, candidates.ids), questions, own(model, questions))
    assert found.plain.tolist() == [len(candidates)]


def test_scores_that_are_not_finite_are_an_error(model: Probe, candidates: Candidates) -> None:
    import torch

    questions, _ = select(model, TEMPLATE, [fact("A cat", "the")], candidates)
    bias = model.model.get_output_embeddings().bias  # type: ignore[union-attr]
    torch.nn.init.constant_(bias, torch.nan)  # type: ignore[arg-type]
    with pytest.raises(ProbeError, match="not finite: try dtype float32"):
        rank(GapReader(model, candidates.ids), questions, own(model, questions))


def test_why_facts_are_left_out(model: Probe, candidates: Candidates) -> None:
    few = Candidates.of(model.tokenizer, ["the", "and"])
    facts = [
        fact(None, "the", "The owl called [MASK] ."),
        fact(None, "violinists", "The owl called [MASK] ."),
        fact(None, "of", "The owl called [MASK] ."),
        fact(None, "日", "The owl called [MASK] ."),
        fact(None, "the", "owl " * 100 + "[MASK]"),
        fact(None, "the", "One [MASK] .", "Two [MASK] ."),
        fact(None, "the", "The owl called [MASK] .", rejected=True),
        fact(None, "the", "The owl called [MASK] ."),
    ]
    questions, excluded = select(model, OWN, facts, few)
    assert [question.fact for question in questions] == [facts[0], facts[-1]]
    assert reasons(excluded) == [
        "its object is several pieces",
        "its object is not in the word list",
        "its object is unknown to the model's vocabulary",
        "its masked sentences have more than 100 words",
        "it has several masked sentences",
        "most judges rejected it",
    ]
    assert not any(each.failed for each in excluded)


def test_facts_that_the_model_cannot_take_have_failed(model: Probe, candidates: Candidates) -> None:
    facts = [fact("A cat", "the"), fact("A cat " * 20, "the"), fact("A [SEP]", "the"), fact("[Y]", "the")]
    questions, excluded = select(model, TEMPLATE, [*facts, fact("A [MASK]", "the")], candidates)
    assert reasons(excluded) == ["its subject holds [MASK]"]
    fit, clozes, failed = encode_questions(model, TEMPLATE, questions)
    assert [question.fact.subject for question in fit] == ["A cat", "A [SEP]", "[Y]"]  # which is text
    assert fit[2].prompt.text == "[Y] sleeps near the [MASK] ."
    assert len(clozes) == len(fit)
    assert [each.failed for each in failed] == [True]
    assert "more than the model's window" in failed[0].reason


@pytest.mark.parametrize(
    ("template", "blank", "gap"),
    [
        ("[X] sleeps near the [Y] .", "[MASK] sleeps near the [MASK] .", 1),
        ("The [Y] belongs to [X] .", "The [MASK] belongs to [MASK] .", 0),
    ],
)
def test_prompts_without_their_subject(
    template: str, blank: str, gap: int, model: Probe, candidates: Candidates
) -> None:
    relation = replace(TEMPLATE, template=template)
    questions, _ = select(model, relation, [fact("A cat", "the")], candidates)
    assert questions[0].blank is not None
    assert (questions[0].blank.text, questions[0].blank.gap) == (blank, gap)
    assert fill(template, "A cat") == questions[0].prompt.text


def test_sentences_without_their_subject(model: Probe, candidates: Candidates) -> None:
    facts = [
        fact("owl", "the", "An owl is [MASK] ."),
        fact("owl", "the", "[MASK] is an owl ."),
        fact("owl", "the", "An egg is [MASK] ."),
        fact(None, "the", "An owl is [MASK] ."),
    ]
    questions, _ = select(model, OWN, facts, candidates)
    blanks = [question.blank and (question.blank.text, question.blank.gap) for question in questions]
    assert blanks == [("An [MASK] is [MASK] .", 1), ("[MASK] is an [MASK] .", 0), None, None]


def test_the_gap_of_a_blank_prompt_is_read(model: Probe, candidates: Candidates) -> None:
    import torch

    questions, _ = select(model, TEMPLATE, [fact("A cat", "the")], candidates)
    prompt = questions[0].blank
    assert prompt is not None
    found = rank(GapReader(model, candidates.ids), questions, encode_all(model, [prompt]))
    inputs = torch.tensor([model.tokenizer(prompt.text)["input_ids"]])
    second = int((inputs[0] == model.tokenizer.mask_token_id).nonzero()[1])
    scores = model.model(input_ids=inputs).logits[0, second, torch.from_numpy(candidates.ids)]
    assert found.plain[0] == int((scores >= scores[questions[0].gold]).sum())


def question(gold: int) -> Question:
    return Question(fact=fact("a", "b"), prompt=Prompt(""), blank=None, gold=gold, others=())


def test_frequency_ranks() -> None:
    questions = [question(gold) for gold in (5, 3, 5, 9, 3, 5, 1)]
    assert frequency_ranks(questions).tolist() == [1, 2, 1, 4, 2, 1, 3]


def test_values_of_facts() -> None:
    ranks = np.array([1, 2, 10, 11, 100, 101])
    values = fact_values(ranks)
    assert values[:, 0].tolist() == [100, 0, 0, 0, 0, 0]
    assert values[:, 1].tolist() == [100, 100, 100, 0, 0, 0]
    assert values[:, 2].tolist() == [100, 100, 100, 100, 100, 0]
    np.testing.assert_allclose(values[:, 3], 100 / ranks)


def test_means_over_facts_are_the_bootstrap() -> None:
    values = fact_values(np.random.default_rng(3).integers(1, 30, size=70))
    cells = mean_over_facts(values, seed=4).cells()
    for column, cell in enumerate(cells):
        interval = bootstrap(values[:, column], np.ones(70), seed=4)
        assert cell.value == pytest.approx(values[:, column].mean())
        assert cell.interval is not None
        assert (cell.interval.low, cell.interval.high) == pytest.approx((interval.low, interval.high))


def test_means_over_relations_count_each_once() -> None:
    groups = [np.full((100, 1), 10.0), np.array([[0.0], [100.0]])]
    means = [mean_over_facts(group, seed=0, resamples=500) for group in groups]
    cell = mean_over_relations(means).cells()[0]
    assert cell.value == 30
    assert cell.interval is not None
    assert (cell.interval.low, cell.interval.high) == (5, 55)


def opposite_ranks() -> tuple[Ranks, Ranks]:
    """Of two relations with 40 facts each: what is right in one is wrong in the other."""
    right = np.arange(40) % 2
    return tuple(Ranks(found, found, found) for found in (1 + 200 * right, 201 - 200 * right))  # type: ignore[return-value]


def test_facts_of_relations_are_drawn_apart() -> None:
    first, second = (fact_values(ranks.plain) for ranks in opposite_ranks())
    means = [mean_over_facts(each, relation=number) for number, each in enumerate((first, second))]
    cell = mean_over_relations(means).cells()[0]
    assert cell.value == 50 and cell.interval is not None
    # Each mean has a standard error of 50 / sqrt(40) points, their mean one of 50 / sqrt(80) = 5.6.
    assert 8 < cell.interval.high - 50 < 14 and 8 < 50 - cell.interval.low < 14


def test_facts_of_one_relation_are_drawn_alike_for_every_system() -> None:
    first, second = (fact_values(ranks.plain) for ranks in opposite_ranks())
    own, other = (mean_over_facts(each, relation=3).resampled[:, 0] for each in (first, second))
    np.testing.assert_allclose(own + other, 100)


def test_tables_of_relations_draw_their_facts_apart(model: Probe, candidates: Candidates) -> None:
    ranks = opposite_ranks()
    relations = [replace(TEMPLATE, name=name) for name in ("P1", "P2")]
    pairs = list(zip(relations, ranks, strict=True))
    results = [
        RelationResult(
            relation=relation,
            facts=tuple(fact(str(at), "the") for at in range(40)),
            answers=("the",) * 40,
            digest="0",
            own=own,
            blank=own,
            frequent=own.plain,
            random=(own,),
            excluded=(),
        )
        for relation, own in pairs
    ]
    inserted = [
        InsertedResult(
            relation=relation,
            subjects=tuple(map(str, range(40))),
            digest="0",
            ranks=dict.fromkeys(WAYS, (own,)),
            random=(own,),
            branch=40,
            alone=0,
            excluded=(),
        )
        for relation, own in pairs
    ]
    pieces = [
        PieceResult(
            relation=relation,
            asked=40,
            digest="0",
            objects=1,
            longer=0,
            own=own,
            blank=own,
            random=(own,),
            frequent=own.plain,
            excluded=(),
        )
        for relation, own in pairs
    ]
    patterns = [
        ParaphraseResult(relation=relation, patterns=("a", "b"), ranks=(own, own), dropped=0)
        for relation, own in pairs
    ]
    run = Run(model=model, candidates=candidates, results=results)
    tables = [
        corpus_tables(run, "T-REx")[0][1],
        inserted_tables(InsertedRun(run=run, results=inserted, draws=1, seeds=1), "T-REx")[0][1],
        Extras(run, relations)._piece_table("T-REx", pieces, 2),
    ]
    *_, mean = paraphrase_tables(model.name, patterns, signature="s")[0][1].rows
    for row in [mean, *(row for table in tables for row in table.rows if row.kind != "published")]:
        cell = row.cells[0]
        assert cell is not None and cell.value == 50
        assert cell.interval is not None and cell.interval.high - cell.interval.low > 10


def test_all_corpora_with_baselines(model: Probe, tmp_path: Path) -> None:
    relations, _ = list_relations(write_lama(tmp_path, words=["the", "and", "of", "to"]))
    candidates = Candidates.of(model.tokenizer, ["the", "and", "of", "to"])
    done: list[int] = []
    seeds = [lambda: model.with_random_weights(seed=0), lambda: model.with_random_weights(seed=1)]
    results = probe_relations(model, relations, candidates, weights=seeds, on_done=done.append)
    names = [result.relation.name for result in results]
    assert names[3:] == ["P1", "P2", "AtLocation", "IsA", "SQuAD"]
    asked = {result.relation.name: result.asked for result in results}
    assert (asked["P1"], asked["P2"], asked["IsA"], asked["SQuAD"]) == (3, 3, 2, 2)
    assert sum(done) == 3 * sum(asked.values())
    for result in results:
        total = sum(1 for _ in read_facts(result.relation))
        if result.relation.corpus != "ConceptNet":
            assert result.asked + len(result.excluded) == total
        assert len(result.own.plain) == len(result.frequent) == result.asked
        assert len(result.random) == 2
        assert values_of(result.random).shape == (result.asked, 5)
    blanks = {result.relation.name: result.blank for result in results}
    assert blanks["SQuAD"] is None
    assert blanks["IsA"] is not None and len(blanks["IsA"].plain) == 1  # "bird" is not in its sentence
    reader = GapReader(model.with_random_weights(seed=1), candidates.ids)
    p1 = next(relation for relation in relations if relation.name == "P1")
    again, _ = select(model, p1, list(read_facts(p1)), candidates)
    expected = rank(reader, again, own(model, again))
    assert results[names.index("P1")].random[1].plain.tolist() == expected.plain.tolist()
    expected = rank(GapReader(model, candidates.ids), again, own(model, again))
    assert results[names.index("P1")].own.plain.tolist() == expected.plain.tolist()


def test_limit(model: Probe, tmp_path: Path) -> None:
    relations, _ = list_relations(write_lama(tmp_path, words=["the"]), names=["P2"])
    candidates = Candidates.of(model.tokenizer, ["the", "and", "of", "to"])
    results = probe_relations(model, relations, candidates, limit=2)
    assert [result.asked for result in results] == [2]
    frame, facts = results[0].to_frame(), list(read_facts(relations[0]))[:2]
    columns = ["relation", "id", "subject", "object"]
    assert frame[columns].values.tolist() == [["P2", fact.id, fact.subject, fact.object] for fact in facts]
    assert frame["rank"].tolist() == results[0].own.plain.tolist()
    assert ((frame["rank"] == 1) <= (frame["answer"] == frame["object"])).all()


@pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")
def test_every_fact_is_asked_or_has_a_reason() -> None:
    folder = Path(os.environ["PROBE_DATA"]) / "lama"
    model = probe.load("bert", device="cpu", dtype="float32")
    candidates = Candidates.of(model.tokenizer, read_word_list(folder / "common_vocab_cased.txt"))
    names = ["place_of_birth", "place_of_death", "P19", "P413", "SQuAD"]
    relations, _ = list_relations(folder, names=names)
    for relation, found in zip(relations, ask_relations(model, relations, candidates), strict=True):
        facts = list(read_facts(relation))
        asked = [question.fact.where for question in found.questions]
        left_out = [each.fact.where for each in found.excluded]
        assert sorted([*asked, *left_out]) == sorted(each.where for each in facts)
        assert all(reasons(found.excluded))
        if relation.name == "SQuAD":
            assert len(asked) + len(left_out) == 305


@pytest.mark.parametrize(
    ("subject", "text", "blank", "gap"),
    [
        ("ant", "Plants want an ant to [MASK].", "Plants want an [MASK] to [MASK].", 1),
        ("ice cream", "[MASK] is ice cream.", "[MASK] is [MASK].", 0),
        ("C++", "C++ is a [MASK] (C++).", "[MASK] is a [MASK] (C++).", 1),
        ("ant", "Plants want [MASK].", None, 0),
        ("", "Plants want [MASK].", None, 0),
    ],
)
def test_a_subject_is_masked_as_a_word_or_phrase(
    subject: str, text: str, blank: str | None, gap: int, model: Probe, candidates: Candidates
) -> None:
    ((question,), _) = select(model, OWN, [fact(subject, "the", text)], candidates)
    assert question.prompt == Prompt(text)
    assert question.blank == (None if blank is None else Prompt(blank, gap=gap))
