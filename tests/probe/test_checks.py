"""Models that would give wrong numbers without a word are refused, with the reason; others are warned of."""

import json
import shutil
import string
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file

import probe
from probe.checks import check_case
from probe.options import Best
from probe.spaces import WordPieces
from probe.word_states import encoder_of, word_states
from tests import tiny
from tests.conftest import ModelFolder

WORDS = ["The", "gardener", "slept", "."]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def load(folder: Path) -> probe.Probe:
    return probe.load(folder, device="cpu")


@pytest.fixture
def copied(model_folder: ModelFolder, tmp_path: Path) -> Path:
    """A tiny BERT in a folder that the test may spoil."""
    return Path(shutil.copytree(model_folder("bert"), tmp_path / "spoilt"))


def change(folder: Path, file: str = "config.json", **entries: Any) -> None:
    """Other entries in a JSON file of a model."""
    path = folder / file
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**found, **entries}), encoding="utf-8")


def change_weights(folder: Path, **added: torch.Tensor) -> None:
    path = folder / "model.safetensors"
    save_file({**load_file(path), **added}, path, metadata={"format": "pt"})


def save(folder: Path, config: Any) -> Path:
    """A model of this configuration with random weights and the tokenizer of the tiny BERT."""
    tokenizer = transformers.BertTokenizer(vocab=tiny._wordpiece(tiny._BERT_SPECIALS), model_max_length=999)
    return tiny._save(folder, transformers.AutoModelForMaskedLM.from_config, config, tokenizer, seed=0)


def shape(size: int) -> dict[str, Any]:
    return {**tiny._SHAPE, "vocab_size": size, "pad_token_id": 0}


VOCABULARY = len(tiny._wordpiece(tiny._BERT_SPECIALS))


def test_a_mask_token_that_is_the_unknown_token(copied: Path) -> None:
    change(copied, "tokenizer_config.json", mask_token="[UNK]")
    with pytest.raises(probe.ModelError, match="its mask token is its unknown token"):
        load(copied)


def test_an_encoder_that_is_told_to_be_a_decoder(copied: Path) -> None:
    change(copied, is_decoder=True)
    with pytest.raises(probe.ModelError, match="is_decoder, so each piece sees those before it only"):
        load(copied)


@pytest.mark.parametrize("auto_map", [True, False])
def test_an_architecture_that_transformers_lacks(auto_map: bool, copied: Path) -> None:
    change(copied, model_type="theirs", **({"auto_map": {"AutoModel": "theirs.Theirs"}} if auto_map else {}))
    message = (
        "needs code of its own, which is never run" if auto_map else "'theirs', is unknown to this transf"
    )
    with pytest.raises(probe.ModelError, match=message):
        load(copied)


def test_layers_that_the_configuration_cuts_off(copied: Path) -> None:
    change(copied, num_hidden_layers=2)
    with pytest.raises(probe.ModelError, match=r"ignores, bert\.encoder\.layer\.2\..* and 15 more"):
        load(copied)


def test_relative_positions_that_transformers_reads_no_more(copied: Path) -> None:
    name = "bert.encoder.layer.0.attention.self.distance_embedding.weight"
    change_weights(copied, **{name: torch.ones(63, 12)})
    with pytest.raises(probe.ModelError, match=r"ignores, bert\..*distance_embedding\.weight and 0 more"):
        load(copied)


def test_weights_that_no_state_depends_on_are_let_be(copied: Path) -> None:
    change_weights(
        copied,
        **{
            "bert.pooler.dense.bias": torch.ones(24),
            "bert.embeddings.position_ids": torch.arange(32)[None],
            "cls.seq_relationship.bias": torch.ones(2),
        },
    )
    assert load(copied).n_layers == 3


@pytest.mark.parametrize("padded", [True, False])
def test_a_gap_in_the_ids(padded: bool, copied: Path) -> None:
    change(copied, "tokenizer.json")
    path = copied / "tokenizer.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["model"]["vocab"]["the"] = VOCABULARY + 40
    path.write_text(json.dumps(whole), encoding="utf-8")
    if not padded:
        with pytest.raises(
            probe.ModelError, match=f"has ids up to {VOCABULARY + 40}, but the model has only"
        ):
            load(copied)
        return
    model = transformers.BertForMaskedLM.from_pretrained(copied)
    model.resize_token_embeddings(VOCABULARY + 64)
    model.save_pretrained(copied)
    loaded = load(copied)
    assert loaded.align(["the"]).ids[1] == VOCABULARY + 40
    assert loaded.impact(["the", "houses", "."]).values.shape == (3, 3)
    (found,) = word_states(encoder_of(loaded), [["the", "houses"]], layers=[1])
    assert not isinstance(found, tuple) and found.states[0].shape == (2, 24)


@pytest.mark.parametrize(
    ("words", "lower", "message"),
    [
        (["The", "Rome", "Mary", *LETTERS.upper()], True, "makes small letters of capitals, but 29 pieces"),
        (["the", "rome", "mary"], False, "keeps capitals, but no piece of its vocabulary has any"),
        (["the", "rome", "mary"], True, None),
        (["The", "Rome", "Mary", *LETTERS.upper()], False, None),
    ],
)
def test_the_case_of_tokenizer_and_vocabulary(
    words: list[str], lower: bool, message: str | None, tmp_path: Path
) -> None:
    pieces = [*tiny._BERT_SPECIALS, *words, ".", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = transformers.BertTokenizer(
        vocab={piece: at for at, piece in enumerate(pieces)}, do_lower_case=lower
    )
    config = transformers.BertConfig(**shape(len(pieces)), max_position_embeddings=32)
    tiny._save(tmp_path, transformers.BertForMaskedLM, config, tokenizer, seed=0)
    if message is None:
        assert load(tmp_path).pieces.lowercases == lower
    else:
        with pytest.raises(probe.ModelError, match=message):
            load(tmp_path)


@pytest.mark.parametrize("trained_on", ["small", "cased"])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("prefix", ["\u0120", "\u2581"])
def test_the_case_of_vocabularies_that_have_all_letters(prefix: str, lower: bool, trained_on: str) -> None:
    texts = ["Apple and Rome", "The river", "Mary slept in Rome"] * 5
    texts = [text.lower() for text in texts] if trained_on == "small" else texts
    bytes_ = prefix == "\u0120"
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    if lower:
        backend.normalizer = tokenizers.normalizers.Lowercase()
    kinds = tokenizers.pre_tokenizers
    backend.pre_tokenizer = kinds.ByteLevel() if bytes_ else kinds.Metaspace()
    # Capitals are there as letters: trained on with the words, as rare ones of a big corpus.
    alphabet = kinds.ByteLevel.alphabet() if bytes_ else list(string.ascii_letters)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<unk>"], initial_alphabet=alphabet, show_progress=False
    )
    normalizer, backend.normalizer = backend.normalizer, None
    backend.train_from_iterator(texts, trainer)
    if normalizer is not None:
        backend.normalizer = normalizer
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    pieces = WordPieces(tokenizer)
    assert pieces.lowercases == lower
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        if lower and trained_on == "cased":
            with pytest.raises(probe.ModelError, match="makes small letters of capitals"):
                check_case(pieces, tokenizer.get_vocab(), "x")
        else:
            check_case(pieces, tokenizer.get_vocab(), "x")
    warned = ["fall into letters" in str(each.message) for each in said]
    assert warned == ([True] if not lower and trained_on == "small" else [])


def test_weights_that_are_no_numbers(copied: Path) -> None:
    name = "bert.encoder.layer.1.output.dense.bias"
    change_weights(copied, **{name: torch.full((24,), torch.nan)})
    with pytest.raises(probe.ModelError, match="its states are not finite"):
        load(copied)


def test_attention_that_does_not_run(copied: Path) -> None:
    weights = {
        f"bert.encoder.layer.{layer}.attention.output.dense.weight": torch.zeros(24, 24) for layer in range(3)
    }
    change_weights(copied, **weights)
    with pytest.raises(probe.ModelError, match="no state depends on another word"):
        load(copied)


def test_adapters_without_a_language(tmp_path: Path) -> None:
    config = transformers.XmodConfig(**shape(VOCABULARY), languages=["en_XX"], max_position_embeddings=40)
    with pytest.raises(probe.ModelError, match="its adapters need a language"):
        load(save(tmp_path / "none", config))
    config.default_language = "en_XX"
    assert load(save(tmp_path / "one", config)).impact(WORDS).values.any()


def test_positions_that_are_counted_from_the_padding(tmp_path: Path) -> None:
    config = transformers.IBertConfig(**shape(VOCABULARY), max_position_embeddings=40)
    loaded = load(save(tmp_path, config))
    assert loaded.window == 39
    assert loaded.impact(["the"] * 37).values.shape == (37, 37)


def test_bigbird_does_not_depend_on_what_comes_first(tmp_path: Path) -> None:
    config = transformers.BigBirdConfig(**shape(VOCABULARY), block_size=2, num_random_blocks=1)
    folder = save(tmp_path, config)
    long = ["the"] * 40
    fresh, used = load(folder), load(folder)
    used.impact(WORDS)
    used_values, fresh_values = (one.impact(long, perturb="single").values for one in (used, fresh))
    np.testing.assert_array_equal(used_values, fresh_values)


def test_a_padding_index_is_a_piece_like_others(tmp_path: Path) -> None:
    """FlauBERT masks pieces whose id is its pad_index, 2 unless told otherwise; here that is [CLS]."""
    config = transformers.FlaubertConfig(
        vocab_size=VOCABULARY, emb_dim=24, n_layers=3, n_heads=2, max_position_embeddings=40, pad_index=2
    )
    loaded = load(save(tmp_path, config))
    ids = torch.from_numpy(loaded.align(WORDS).ids)[None]
    with torch.inference_mode():
        expected = loaded.model.base_model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0, 1]
    (found,) = word_states(encoder_of(loaded), [WORDS], layers=[3], pieces="first")
    assert not isinstance(found, tuple)
    torch.testing.assert_close(found.states[0][0], expected)


@pytest.mark.parametrize(
    ("entries", "factor", "message"),
    [
        ({"architectures": ["ElectraForPreTraining"]}, 1.0, r"a discriminator, which never saw \[MASK\]"),
        ({}, 0.01, r"hardly trained on \[MASK\]: its embedding has norm"),
        ({}, 100.0, r"hardly trained on \[MASK\]: its embedding has norm"),
    ],
)
def test_a_mask_that_was_never_trained_is_said(
    entries: dict[str, Any], factor: float, message: str, copied: Path
) -> None:
    change(copied, **entries)
    name = "bert.embeddings.word_embeddings.weight"
    weights = load_file(copied / "model.safetensors")[name].clone()
    weights[tiny._wordpiece(tiny._BERT_SPECIALS)["[MASK]"]] *= factor
    change_weights(copied, **{name: weights})
    with pytest.warns(probe.ProbeWarning, match=message):
        loaded = load(copied)
    assert loaded.mask_note is not None and "[MASK]" in loaded.mask_note


def test_makers_may_say_that_the_mask_was_trained(copied: Path) -> None:
    name = "bert.embeddings.word_embeddings.weight"
    weights = load_file(copied / "model.safetensors")[name].clone()
    weights[tiny._wordpiece(tiny._BERT_SPECIALS)["[MASK]"]] *= 0.01
    change_weights(copied, **{name: weights})
    (copied / "probe.json").write_text('{"layer": 1, "pool": "mean", "fills_masks": true}')
    assert load(copied).mask_note is None
    (copied / "probe.json").write_text('{"fills_masks": true}')
    loaded = load(copied)
    assert loaded.mask_note is None and loaded.best == Best(guess=True, fills_masks=True)
    (copied / "probe.json").write_text('{"layer": 1, "pool": "mean", "fills_masks": 1}')
    with pytest.raises(probe.ModelError, match="fills_masks must be true or false"):
        load(copied)


def test_nothing_is_said_of_a_trained_mask(model_folder: ModelFolder, recwarn: Any) -> None:
    assert probe.load("bert", device="cpu").mask_note is None
    assert load(model_folder("bert")).mask_note is None
    assert not [said for said in recwarn if issubclass(said.category, probe.ProbeWarning)]


def test_local_attention_that_does_not_reach_from_end_to_end(tmp_path: Path) -> None:
    config = transformers.LongformerConfig(
        **shape(VOCABULARY), max_position_embeddings=40, attention_window=[4] * 3
    )
    assert load(save(tmp_path, config)).impact(WORDS, metric="kl").values.any()
