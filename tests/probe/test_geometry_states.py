"""Pieces of sentences out of the pieces of their distinct words, against the tokenizer on whole sentences."""

from typing import Any

import numpy as np
import pytest

from probe import ModelError, OptionError, SentenceError
from probe.alignment import align
from probe.spaces import split_text
from probe.word_states import PieceTable, WordStates, load_encoder, word_states
from tests.conftest import ModelFolder

ODD = [
    ["The", "cat", "the", "THE", "."],
    ["don't", "state-of-the-art", "3.14", "a\u0301b", "\u4e2d\u6587"],
    ["cat"],
    ["the", "", "cat"],
    [],
    ["the", "\u0301"],
    ["the", " ", "cat"],
    ["[MASK]", "<mask>", "cat"],
    ["</s>", "[SEP]"],
    ["cat", " cat", "cat "],
    ["the"] * 40,
    ["\U0001f600", "cat", "zq"],
]


@pytest.mark.parametrize("name", ["bert", "roberta", "gpt2", "xlm_roberta", "deberta_v3", "modernbert"])
def test_pieces_are_those_of_whole_sentences(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("probe.word_states._TOKENIZED", 3)
    encoder = load_encoder(str(model_folder(name)), device="cpu", dtype="float32")
    table = PieceTable(encoder, ODD)
    for place, words in enumerate(ODD):
        try:
            expected = align(encoder.tokenizer, words, window=encoder.window)
            expected.check_known()
        except SentenceError:
            assert not table.usable[place]
            continue
        assert table.usable[place]
        found = table.batch(np.array([place, place]))
        assert found.ids.tolist() == [expected.ids.tolist()] * 2
        assert table.lengths[place] == len(expected.ids)
        length, pieces = len(expected.ids), len(expected.positions)
        assert found.at[:pieces].tolist() == expected.positions.tolist()
        assert found.at[pieces:].tolist() == (expected.positions + length).tolist()
        assert found.word_of[:pieces].tolist() == expected.unit_of.tolist()
        assert found.word_of[pieces:].tolist() == (expected.unit_of + len(words)).tolist()


def test_each_sentence_has_states_or_the_reason_why_not(model_folder: ModelFolder) -> None:
    encoder = load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")
    seen, reasons = [], {}
    for found in word_states(encoder, ODD, layers=[1], batch_tokens=16):
        if isinstance(found, WordStates):
            seen += found.sentences.tolist()
            assert len(found.states[0]) == sum(len(ODD[place]) for place in found.sentences)
        else:
            reasons[found[0]] = str(found[1])
    assert sorted([*seen, *reasons]) == list(range(len(ODD)))
    assert reasons[4] == "the sentence has no words"
    assert reasons[3].startswith("word 2 ('') has no pieces")
    assert "window" in reasons[10]


@pytest.mark.parametrize("layer", [4, -1, 99])
def test_layers_that_the_model_has_not(layer: int, model_folder: ModelFolder) -> None:
    encoder = load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")
    with pytest.raises(OptionError, match=f"layer {layer}: the model has layers 0"):
        list(word_states(encoder, [["a"]], layers=[0, layer]))


def test_words_that_are_no_text_are_left_out_with_a_reason(model_folder: ModelFolder) -> None:
    encoder = load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")
    sentences: list[Any] = [["a", "tea"], ["a", "\ud800"], [3]]
    first, second, states = word_states(encoder, sentences, layers=[1])
    assert "half of a surrogate pair" in str(first[1])  # type: ignore[index]
    assert "not text but of type int" in str(second[1])  # type: ignore[index]
    assert isinstance(states, WordStates)
    assert states.sentences.tolist() == [0]


@pytest.mark.parametrize("sentences", [[], [[]], [[""]]])
def test_nothing_to_tokenize(model_folder: ModelFolder, sentences: list[list[str]]) -> None:
    encoder = load_encoder(str(model_folder("bert")), device="cpu", dtype="float32")
    found = list(word_states(encoder, sentences, layers=[0]))
    assert all(not isinstance(each, WordStates) for each in found)
    assert len(found) == len(sentences)


def test_a_sentence_shorter_than_a_step_of_canine_is_left_out(model_folder: ModelFolder) -> None:
    encoder = load_encoder(str(model_folder("canine")), device="cpu", dtype="float32")
    (found,) = word_states(encoder, [split_text("a")], layers=[0])
    assert isinstance(found, tuple)
    assert str(found[1]) == "3 pieces are fewer than the 4 that the model takes at least"
    with pytest.raises(ModelError, match="does not give one state a layer and piece"):
        list(word_states(encoder, [["ab", "c"]], layers=[0]))
