"""Objects of several pieces, paraphrases, contrasts and words, each against its direct definition."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

import probe
from analyses.knowledge.candidates import Candidates, model_words, word_pieces
from analyses.knowledge.contrasts import Contrast, answer_contrasts, contrast_table, load_contrasts
from analyses.knowledge.gaps import GapReader, Prompt, encode_all
from analyses.knowledge.paraphrases import paraphrase_tables, probe_paraphrases
from analyses.knowledge.pieces import Objects, object_scores, probe_pieces, rank_objects
from analyses.knowledge.ranks import select
from analyses.knowledge.words import word_impacts, word_table
from data.lama import Fact, Relation
from probe import Probe, SentenceError
from tests.conftest import ModelFolder
from tests.gaps import masked_ids

RELATION = Relation(
    corpus="T-REx", name="P1", file=Path("x"), template="[X] sleeps near the [Y] .", label="sleeps near"
)
PAIRS = (
    ("The fox", "violins"),
    ("An owl", "the"),
    ("A cat", "sea"),
    ("The fox", "old sea"),
    ("It", "violinists"),
)


def facts(pairs: tuple[tuple[str, str], ...] = PAIRS) -> list[Fact]:
    return [
        Fact(subject=subject, object=filler, sentences=(), id=str(at), where=f"f:{at}")
        for at, (subject, filler) in enumerate(pairs)
    ]


@pytest.fixture(params=["bert", "roberta", "albert"])
def model(request: pytest.FixtureRequest, model_folder: ModelFolder) -> Probe:
    return probe.load(model_folder(request.param), device="cpu", dtype="float32")


@pytest.fixture
def candidates(model: Probe) -> Candidates:
    return Candidates.of(model.tokenizer, model_words(model.tokenizer))


def chain_rule(model: Probe, prompt: str, pieces: tuple[int, ...]) -> float:
    """Mean log-probability of pieces filled in one by one, by ordinary forward passes."""
    tokenizer = model.tokenizer
    ids = masked_ids(tokenizer, prompt)
    gap = ids.index(tokenizer.mask_token_id)
    total = 0.0
    for filled, piece in enumerate(pieces):
        masks = [tokenizer.mask_token_id] * (len(pieces) - filled)
        copy = torch.tensor([[*ids[:gap], *pieces[:filled], *masks, *ids[gap + 1 :]]])
        with torch.inference_mode():
            logits = model.model(input_ids=copy).logits[0, gap + filled]
        total += float(logits.log_softmax(-1)[piece])
    return total / len(pieces)


def test_objects_are_scored_by_the_chain_rule(model: Probe) -> None:
    objects = Objects.of(model, facts(), most=8)
    assert max(map(len, objects.objects)) > 2
    prompts = [Prompt("The fox sleeps near the [MASK] ."), Prompt("An [MASK] owl called .")]
    reader = GapReader(model, batch_tokens=40)
    found = object_scores(model, reader, encode_all(model, prompts), objects)
    assert found.shape == (2, len(objects.objects))
    for row, prompt in enumerate(prompts):
        for place, pieces in enumerate(objects.objects):
            assert found[row, place] == pytest.approx(chain_rule(model, prompt.text, pieces), abs=1e-4)


def test_objects_share_their_copies(model: Probe) -> None:
    objects = Objects.of(model, facts(), most=8)
    expected = {(len(each), each[:at]) for each in objects.objects for at in range(len(each))}
    assert set(objects.copies) == expected
    assert len(objects.copies) == len(expected)


def test_ranks_of_objects(model: Probe) -> None:
    result = probe_pieces(
        model, RELATION, facts(), most=8, weights=[model, model.with_random_weights(seed=1)]
    )
    objects = Objects.of(model, facts(), most=8)
    questions, _ = select(model, RELATION, facts(), objects)
    assert result.asked == len(questions) == len(PAIRS)
    assert result.longer == sum(len(objects.objects[each.gold]) > 1 for each in questions)
    for place, question in enumerate(questions):
        scores = [chain_rule(model, question.prompt.text, pieces) for pieces in objects.objects]
        order = np.argsort(scores)[::-1].tolist()
        assert result.own.plain[place] == 1 + order.index(question.gold)
        kept = [each for each in order if each not in question.others]
        assert result.own.filtered[place] == 1 + kept.index(question.gold)
        assert result.own.top[place] == order[0]
    assert result.blank is not None and len(result.blank.plain) == len(PAIRS)
    same, other = result.random
    assert same.plain.tolist() == result.own.plain.tolist()
    assert other.plain.tolist() != result.own.plain.tolist()


def test_objects_of_too_many_pieces_are_left_out(model: Probe) -> None:
    result = probe_pieces(model, RELATION, facts(), most=1)
    lengths = [len(pieces) for pieces in word_pieces(model.tokenizer, [filler for _, filler in PAIRS])]
    assert result.asked == lengths.count(1)
    assert {each.reason for each in result.excluded} == {"its object is more than 1 pieces"}
    nothing = probe_pieces(model, RELATION, facts((("A", "violinists"),)), most=1)
    assert (nothing.asked, nothing.objects, len(nothing.own.plain), len(nothing.excluded)) == (0, 0, 0, 1)


def test_equal_scores_rank_the_right_object_last(model: Probe) -> None:
    objects = Objects.of(model, facts(), most=8)
    questions, _ = select(model, RELATION, facts(), objects)
    ranks = rank_objects(np.zeros((len(questions), 5)), questions)
    assert ranks.plain.tolist() == [5] * 5
    assert ranks.filtered.tolist() == [4, 5, 5, 4, 5]  # the fox has two


def some_facts(candidates: Candidates, count: int = 6) -> list[Fact]:
    words = candidates.words[:count]
    return facts(tuple((f"The fox {at}", word) for at, word in enumerate(words)))


def test_paraphrases(model: Probe, candidates: Candidates) -> None:
    patterns = ["[X] sleeps near the [Y].", "The [Y] is near [X] .", "[X] , [Y] ."]
    reader = GapReader(model, candidates.ids)
    questions, _ = select(model, RELATION, some_facts(candidates), candidates)
    result = probe_paraphrases(model, reader, RELATION, questions, patterns)
    assert result is not None
    assert result.patterns == ("[X] sleeps near the [Y] .", *patterns[1:])  # spaces make no other pattern
    golds = {question.gold for question in questions}
    for ranks in result.ranks:
        assert set(ranks.top.tolist()) <= golds
    for place in range(result.facts):
        pairs = list(combinations([ranks.top[place] for ranks in result.ranks], 2))
        expected = 100 * sum(first == second for first, second in pairs) / len(pairs)
        assert result.consistency[place] == pytest.approx(expected)
    (_, by_relation), (_, by_pattern) = paraphrase_tables(model.name, [result], signature="s")
    own = [100 * float((ranks.plain == 1).mean()) for ranks in result.ranks]
    values = [cell.value for cell in by_relation.rows[0].cells if cell is not None]
    assert values[:2] == pytest.approx([own[0], np.mean(own)])
    assert values[3:] == pytest.approx([max(own), min(own), np.std(own)])
    assert [cell.value for row in by_pattern.rows if (cell := row.cells[0])] == pytest.approx(own)


def test_no_paraphrases(model: Probe, candidates: Candidates) -> None:
    reader = GapReader(model, candidates.ids)
    questions, _ = select(model, RELATION, some_facts(candidates), candidates)
    assert probe_paraphrases(model, reader, RELATION, questions, ["[X] sleeps near the [Y]."]) is None
    assert probe_paraphrases(model, reader, RELATION, [], ["[X] , [Y] ."]) is None
    long = ["[X] " + "sea " * 40 + "[Y] ."]
    assert probe_paraphrases(model, reader, RELATION, questions, long) is None


def test_contrasts_of_the_package() -> None:
    contrasts = load_contrasts()
    assert len(contrasts) >= 10
    for each in contrasts:
        assert each.prompt.count("[MASK]") == each.negated.count("[MASK]") == 1
        assert " not " in each.negated
        assert each.misprimed.endswith(f"? {each.prompt}")
        assert each.prime != each.object


def test_answers_to_contrasts(model: Probe, candidates: Candidates) -> None:
    words = candidates.words
    contrasts = [
        Contrast(prompt="The sea is [MASK] .", negated="It is not [MASK] .", prime=words[0], object=words[1]),
        Contrast(prompt="[MASK] .", negated="no [MASK] .", prime=words[0], object="violinists"),
    ]
    reader = GapReader(model, candidates.ids)
    (answers,) = answer_contrasts(model, reader, contrasts, candidates)
    for prompt, found in (
        (contrasts[0].prompt, answers.plain),
        (contrasts[0].negated, answers.negated),
        (contrasts[0].misprimed, answers.misprimed),
    ):
        scores = [chain_rule(model, prompt, (piece,)) for piece in candidates.ids.tolist()]
        assert found == words[int(np.argmax(scores))]
    table = contrast_table(model, [answers], candidates, left_out=1, signature="s")
    cells = [cell.value for cell in table.rows[0].cells if cell is not None]
    assert cells == [
        100 * (answers.plain == words[1]),
        100 * (answers.misprimed == words[1]),
        100 * (answers.misprimed == words[0]),
        100 * (answers.plain == answers.negated),
    ]
    assert table.notes[-1].startswith("1 prompts left out")


def test_impacts_of_words(model: Probe, candidates: Candidates) -> None:
    answer = candidates.words[3]
    found = word_impacts(model, "The fox sleeps near the [MASK] .", answer)
    assert found.words == ("The", "fox", "sleeps", "near", "the", answer, ".")
    assert found.answer == 5
    alignment = model.align(found.words)
    gap = alignment.unit_of == 5
    right = int(alignment.ids[alignment.positions[gap]][0])

    def probability(*masked: int) -> float:
        ids = alignment.ids.copy()
        ids[alignment.positions[np.isin(alignment.unit_of, masked)]] = model.tokenizer.mask_token_id
        with torch.inference_mode():
            logits = model.model(input_ids=torch.from_numpy(ids)[None]).logits[0]
        return float(logits[int(alignment.positions[gap][0])].softmax(-1)[right])

    assert found.probability == pytest.approx(probability(5), abs=1e-5)
    for word in (0, 1, 2, 3, 4, 6):
        assert found.impacts[word] == pytest.approx(probability(5) - probability(5, word), abs=1e-5)
    table = word_table("tiny", found, signature="s")
    assert [row.name for row in table.rows] == ["The", "fox", "sleeps", "near", "the", "."]
    assert table.title.startswith(f"tiny: The fox sleeps near the [MASK] . -> {answer} (")


def test_prompts_whose_words_cannot_be_weighed(model: Probe) -> None:
    for prompt in ("no gap", "[MASK] and [MASK]"):
        with pytest.raises(ValueError, match=r"a prompt with \[MASK\] once is expected"):
            word_impacts(model, prompt, "the")
    with pytest.raises(ValueError, match="an answer of one piece is expected"):
        word_impacts(model, "The [MASK] .", "violinists")
    with pytest.raises(SentenceError):
        word_impacts(model, "sea " * 40 + "[MASK]", "the")
