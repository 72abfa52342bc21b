"""Candidates are whole words of any vocabulary, and scores at a gap are those of the model's own forward pass."""

from pathlib import Path

import numpy as np
import pytest
import torch

import probe
from analyses.knowledge.candidates import Candidates, model_words, word_pieces
from analyses.knowledge.gaps import Cloze, GapReader, Prompt, encode
from probe import ModelError, Probe, SentenceError
from tests.conftest import ModelFolder
from tests.gaps import masked_ids
from tests.tiny import MASKED_LMS, WINDOW

PROMPTS = (
    "The owl sleeps near the [MASK] .",
    "The owl (born [MASK]).",
    "[MASK] painters sleep .",
    "The owl sleeps near the [MASK] .",
    "The [MASK] of the [MASK] .",
)


def load(folder: Path) -> Probe:
    return probe.load(folder, device="cpu", dtype="float32")


def whole_words(model: Probe) -> Candidates:
    return Candidates.of(model.tokenizer, model_words(model.tokenizer))


def direct_scores(model: Probe, prompt: str, ids: np.ndarray) -> np.ndarray:
    """Log-probabilities over candidates from one ordinary forward pass of the whole model."""
    tokenizer = model.tokenizer
    inputs = torch.tensor([masked_ids(tokenizer, prompt)])
    with torch.inference_mode():
        logits = model.model(input_ids=inputs).logits[0]
    position = int((inputs[0] == tokenizer.mask_token_id).nonzero()[0])
    return np.asarray(logits[position, torch.from_numpy(ids)].log_softmax(-1))


@pytest.mark.parametrize("name", MASKED_LMS)
def test_scores_equal_the_whole_model(name: str, model_folder: ModelFolder) -> None:
    model = load(model_folder(name))
    candidates = whole_words(model)
    clozes = [
        cloze for cloze in encode(model, [Prompt(text) for text in PROMPTS]) if isinstance(cloze, Cloze)
    ]
    assert len(clozes) == len(PROMPTS)
    passes: list[int] = []
    reader = GapReader(model, candidates.ids, batch_tokens=16, on_passes=passes.append)
    found = {}
    for places, scores in reader(clozes):
        found.update(zip(places.tolist(), scores.numpy(), strict=True))
    assert sorted(found) == list(range(len(PROMPTS)))
    for place, prompt in enumerate(PROMPTS):
        np.testing.assert_allclose(
            found[place], direct_scores(model, prompt, candidates.ids), atol=2e-5, rtol=1e-4
        )
    assert sum(passes) == len(set(PROMPTS))  # equal prompts are one pass


@pytest.mark.parametrize("name", MASKED_LMS)
def test_candidates_are_single_pieces_after_a_space(name: str, model_folder: ModelFolder) -> None:
    model = load(model_folder(name))
    candidates = whole_words(model)
    tokenizer = model.tokenizer
    assert len(candidates) >= 5
    assert len(set(candidates.ids.tolist())) == len(candidates)
    assert not set(candidates.ids.tolist()) & set(tokenizer.all_special_ids)
    for place, (word, piece) in enumerate(zip(candidates.words, candidates.ids.tolist(), strict=True)):
        within = tokenizer(f"xx {word}", add_special_tokens=False)["input_ids"]
        assert within[-1] == piece
        assert tokenizer.decode([piece]).strip() == (word.lower() if candidates.lowercase else word)
        assert candidates.place([piece]) == place
    marks = {str(tokenizer.convert_ids_to_tokens(piece))[:1] for piece in candidates.ids.tolist()}
    if name in ("roberta", "modernbert", "modernbert_split"):
        assert marks == {"Ġ"}
    elif name in ("albert", "deberta_v2", "deberta_v3", "xlm_roberta"):
        assert marks == {"▁"}
    else:
        assert "#" not in marks


def test_words_that_share_a_piece_are_one_candidate(model_folder: ModelFolder) -> None:
    model = load(model_folder("bert"))
    candidates = Candidates.of(model.tokenizer, ["The", "of", "the", "violins", "THE", "日"])
    assert candidates.words == ("The", "of")
    assert candidates.lowercase
    assert candidates.listed == 6
    assert [candidates.place(pieces) for pieces in word_pieces(model.tokenizer, ["tHe", "of", "and"])] == [
        0,
        1,
        None,
    ]
    assert str(candidates).startswith("candidates:2 of 6@")
    assert str(candidates).endswith("… | case:lower")


def test_cased_vocabularies_keep_the_case(model_folder: ModelFolder) -> None:
    model = load(model_folder("roberta"))
    words = [word for word in model_words(model.tokenizer) if word != word.lower()]
    assert words
    capital = words[0]
    both = Candidates.of(model.tokenizer, [*model_words(model.tokenizer), capital.lower()])
    assert not both.lowercase
    assert capital in both.words


def test_unknown_words_have_no_pieces(model_folder: ModelFolder) -> None:
    tokenizer = load(model_folder("bert")).tokenizer
    assert word_pieces(tokenizer, ["日"]) == [()]
    assert word_pieces(tokenizer, []) == []
    assert len(word_pieces(tokenizer, ["violinists"])[0]) > 1


def test_no_candidates_is_an_error(model_folder: ModelFolder) -> None:
    with pytest.raises(ValueError, match="none of the 2 words is one piece"):
        Candidates.of(load(model_folder("bert")).tokenizer, ["violinists", "日"])


def test_prompts_that_cannot_be_asked(model_folder: ModelFolder) -> None:
    model = load(model_folder("bert"))
    prompts = [Prompt(text) for text in ("the " * WINDOW + "[MASK]", "the [SEP] of [MASK]", "no gap")]
    messages = [str(found) for found in encode(model, prompts) if isinstance(found, SentenceError)]
    assert messages[0] == f"{WINDOW + 3} pieces are more than the model's window of {WINDOW}"
    assert messages[1:] == ["it has 0 gaps, and gap 1 is asked for"]
    assert list(encode(model, [])) == []


def test_a_model_without_a_head(model_folder: ModelFolder) -> None:
    with pytest.raises(ModelError, match="has no masked-LM head, which filling gaps needs"):
        GapReader(load(model_folder("bert_without_head")))
