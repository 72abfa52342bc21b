"""Models over the letters of a sequence, and others whose configuration is unlike that of the large ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import probe
from probe.costs import pass_flops
from probe.errors import SentenceError
from tests import tiny

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def tokenizer_of(pieces: Sequence[str], *, specials: Sequence[str] = SPECIALS) -> Any:
    """A tokenizer whose only pieces are these, most of them letters."""
    vocabulary = {piece: at for at, piece in enumerate([*specials, *pieces])}
    named = {f"{one[1:-1].lower()}_token": one for one in specials}
    own = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=named.get("unk_token")))
    if "[CLS]" in specials:
        ends = [(one, vocabulary[one]) for one in ("[CLS]", "[SEP]")]
        own.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=own, model_max_length=64, **named)


def loaded(folder: Path, model_class: Any, config: Any, tokenizer: Any) -> probe.Probe:
    return probe.load(str(tiny._save(folder, model_class, config, tokenizer, seed=0)), device="cpu")


def gpt2(folder: Path, letters: str, *, specials: Sequence[str] = ("[UNK]",)) -> probe.Probe:
    tokenizer = tokenizer_of(letters, specials=specials)
    config = transformers.GPT2Config(
        n_embd=24,
        n_layer=2,
        n_head=2,
        n_positions=64,
        vocab_size=len(tokenizer),
        initializer_range=tiny.INITIALIZER_RANGE,
        bos_token_id=None,
        eos_token_id=None,
    )
    return loaded(folder, transformers.GPT2LMHeadModel, config, tokenizer)


def bert(folder: Path, *, window: int = 32, pad_token_id: int | None = 0) -> probe.Probe:
    tokenizer = transformers.BertTokenizer(vocab=tiny._wordpiece(SPECIALS), model_max_length=window)
    config = transformers.BertConfig(
        **tiny._SHAPE, vocab_size=len(tokenizer), max_position_embeddings=window, pad_token_id=pad_token_id
    )
    return loaded(folder, transformers.BertForMaskedLM, config, tokenizer)


@pytest.mark.parametrize("letters", ["ACGT", "ACGTN", "ACGTNR", "AC"])
def test_a_causal_model_of_letters_is_seen_as_one(letters: str, tmp_path: Path) -> None:
    model = gpt2(tmp_path, letters)
    assert (model.attention.causal, model.attention.refusal) == (True, None)
    found = model.impact(["A", "C", "A", "C", "C"], perturb="knockout").values
    assert not np.triu(found).any()  # no word tells those before it
    assert found[1, 0] > 0


@pytest.mark.parametrize("letters", ["ACGTNR", "ACGTNRY", "ACGTNRYW"])
def test_a_leak_is_seen_whatever_the_number_of_pieces(letters: str, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(letters)
    config = transformers.ConvBertConfig(
        **tiny._SHAPE,
        embedding_size=24,
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        pad_token_id=0,
        conv_kernel_size=3,
        head_ratio=1,
    )
    model = loaded(tmp_path, transformers.ConvBertForMaskedLM, config, tokenizer)
    assert model.attention.refusal == "information passes around its attention"


def test_a_vocabulary_of_one_piece_cannot_be_tried(tmp_path: Path) -> None:
    assert "one piece only" in str(gpt2(tmp_path, "A").attention.refusal)


def test_a_tokenizer_that_makes_nothing_of_english_words(tmp_path: Path) -> None:
    model = gpt2(tmp_path, "ACGT", specials=())
    assert model.impact(["A", "C", "G"], perturb="substitute:ACGT").values.any()
    assert pass_flops(model)[1] > 0


def test_a_configuration_without_padding(tmp_path: Path) -> None:
    own, usual = bert(tmp_path / "none", pad_token_id=None), bert(tmp_path / "zero")
    words = ["old", "foxes", "sleep"]
    np.testing.assert_array_equal(own.impact(words).values, usual.impact(words).values)


def test_costs_of_a_short_window(tmp_path: Path) -> None:
    short, long = (pass_flops(bert(tmp_path / str(window), window=window)) for window in (16, 32))
    np.testing.assert_allclose(short, long, rtol=1e-9, atol=1)


def test_openness_hides_no_piece_whose_number_is_that_of_padding(tmp_path: Path) -> None:
    words = ["We", "found", "the", "missing", "keys"]
    specials = ("[BOS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]", "[CLS]")
    own = Tokenizer(models.WordLevel({one: at for at, one in enumerate([*specials, *words])}, "[UNK]"))
    own.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    named = {f"{one[1:-1].lower()}_token": one for one in specials}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=own, model_max_length=32, **named)
    the = tokenizer.convert_tokens_to_ids("the")
    config = transformers.FlaubertConfig(
        vocab_size=len(tokenizer),
        emb_dim=24,
        n_layers=2,
        n_heads=2,
        n_langs=1,
        max_position_embeddings=32,
        pad_index=the,
        pad_token_id=the,
        mask_token_id=4,
        init_std=0.3,
        embed_init_std=0.3,
        layerdrop=0.0,
    )
    model = loaded(tmp_path, transformers.FlaubertWithLMHeadModel, config, tokenizer)
    ids = torch.from_numpy(np.repeat(model.align(words).ids[None], len(words), axis=0))
    at = torch.arange(len(words))
    ids[at, at] = 4
    with torch.inference_mode():
        logs = model.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[at, at].log_softmax(-1)
    np.testing.assert_allclose(model.openness(words), -(logs.exp() * logs).sum(-1), atol=1e-5)


def test_words_that_the_vocabulary_does_not_know_have_no_openness(tmp_path: Path) -> None:
    model = bert(tmp_path)
    with pytest.raises(SentenceError, match="unknown words 2 of 2"):
        model.openness(["☃", "☃"])
