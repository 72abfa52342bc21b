"""Models that are no masked LMs, as they are loaded: causal, encoders of encoder-decoders, slow tokenizers."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import probe
from probe.fingerprint import tokenizer_sha256
from probe.spaces import WordPieces, split_text
from tests.conftest import ModelFolder
from tests.naive import states_without
from tests.tiny import _BERT_SPECIALS, _SHAPE, LAYERS, WINDOW, _ids, _save, _wordpiece
from tests.tiny_kinds import CAUSAL, ENCODERS, SLOW

WORDS = ("The", "painters", "slept", ".")
PROTEIN = ("M", "K", "L", "V")
FILLER = {"llama": "Ġ", "gpt2": "Ġ", "opt": "Ġ", "esm": "A", "phobert": "the"}


Kind = Callable[[str], probe.Probe]
FLOAT32 = ("canine", "xlnet")
"""Their code in transformers knows no other type."""


@pytest.fixture(scope="module")
def kind(model_folder: ModelFolder) -> Kind:
    """The tiny model of a kind, loaded once: CANINE's tokenizer takes a second."""
    return cache(lambda name: load(model_folder(name)))


def load(folder: Path) -> probe.Probe:
    return probe.load(folder, device="cpu", dtype="float32" if folder.name in FLOAT32 else "float64")


def tolerance(name: str) -> float:
    return 1e-5 if name in FLOAT32 else 1e-10


def words_of(name: str) -> tuple[str, ...]:
    return PROTEIN if name == "esm" else WORDS


def units_of(loaded: probe.Probe, words: tuple[str, ...]) -> tuple[Any, list[list[int]]]:
    """The input of the sentence, and the positions of each word."""
    found = loaded.align(words)
    return found.ids, [found.positions[found.unit_of == unit].tolist() for unit in range(len(words))]


def whole_model(folder: Path, name: str) -> Any:
    """The model by transformers alone; of an encoder-decoder what it says is its encoder."""
    auto: Any = transformers.T5EncoderModel if name == "t5_encoder" else transformers.AutoModel
    model = auto.from_pretrained(folder, dtype=torch.float32 if name in FLOAT32 else torch.float64).eval()
    return model.get_encoder() if name in ENCODERS else model


def states_of(model: Any, ids: Any) -> torch.Tensor:
    """Last states [length, hidden] of one sequence."""
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.from_numpy(np.asarray(ids))[None]).last_hidden_state
    return found[0]


@pytest.mark.parametrize("name", [*CAUSAL, *ENCODERS, "xlnet"])
def test_knockout_is_a_plain_loop(name: str, kind: Kind, model_folder: ModelFolder) -> None:
    loaded, plain = kind(name), whole_model(model_folder(name), name)
    assert loaded.attention.causal == (name in CAUSAL)
    found: Any = loaded.impact(WORDS, perturb="knockout")
    ids, units = units_of(loaded, WORDS)

    def run(own: list[int]) -> torch.Tensor:
        return _xlnet_without(plain, ids, own) if name == "xlnet" else states_without(plain, ids, own)[-1]

    before = run([])
    for j, own in enumerate(units):
        moved = (run(own) - before).norm(dim=-1)
        for i, at in enumerate(units):
            expected = 0 if i == j else float(moved[at].mean())
            assert found.values[i, j] == pytest.approx(expected, abs=tolerance(name))
            assert found.values[i, j] > 1e-6 or i == j or (name in CAUSAL and i < j)


def test_luke_reads_words_by_its_word_head(tmp_path: Path) -> None:
    """Its file has a head of entities, too: words are read by that of words, and no entity is given."""
    tokenizer = transformers.BertTokenizer(vocab=_wordpiece(_BERT_SPECIALS), model_max_length=WINDOW)
    config = transformers.LukeConfig(
        **_SHAPE,
        **_ids(tokenizer),
        entity_vocab_size=20,
        entity_emb_size=12,
        max_position_embeddings=WINDOW + 2,
    )
    folder = _save(tmp_path / "luke", transformers.LukeForMaskedLM, config, tokenizer, seed=0)
    loaded = load(folder)
    plain = transformers.LukeForMaskedLM.from_pretrained(folder, dtype=torch.float64).eval()
    ids, units = units_of(loaded, WORDS)
    found = {
        metric: loaded.impact(WORDS, metric=metric, layer=LAYERS, pool="mean").values
        for metric in ("dist", "prob")
    }

    def run(*masked: int) -> tuple[torch.Tensor, torch.Tensor]:
        given = torch.from_numpy(ids.copy())
        for unit in masked:
            given[units[unit]] = tokenizer.mask_token_id
        with torch.no_grad():
            out = plain(input_ids=given[None], output_hidden_states=True)
        return out.hidden_states[-1][0], out.logits[0].softmax(dim=-1)

    for i, at in enumerate(units):
        states, probabilities = run(i)
        for j in set(range(len(units))) - {i}:
            others, left = run(i, j)
            moved = (states[at] - others[at]).norm(dim=-1).mean()
            lost = (probabilities[at, ids[at]] - left[at, ids[at]]).mean()
            assert found["dist"][i, j] == pytest.approx(float(moved), abs=1e-6)
            assert found["prob"][i, j] == pytest.approx(float(lost), abs=1e-7)


@pytest.mark.parametrize("words", [("a", "b"), ("ab", "c"), ("a", "b", "c"), ("The", "cat", "sat")])
def test_canine_on_sentences_of_few_characters(
    words: tuple[str, ...], kind: Kind, model_folder: ModelFolder
) -> None:
    """Four positions become one in its middle: lengths that four does not divide, alone and beside others."""
    loaded, plain = kind("canine"), whole_model(model_folder("canine"), "canine")
    ids, units = units_of(loaded, words)
    alone: Any = loaded.impact(words, pool="mean")
    _, beside = loaded.impact_many([("The", "painters"), words], pool="mean")

    def run(*masked: int) -> torch.Tensor:
        given = ids.copy()
        for unit in masked:
            given[units[unit]] = loaded.tokenizer.mask_token_id
        return states_of(plain, given)

    for i, at in enumerate(units):
        for j in set(range(len(units))) - {i}:
            expected = float((run(i) - run(i, j))[at].norm(dim=-1).mean())
            assert alone.values[i, j] == pytest.approx(expected, abs=1e-5)
            assert beside.values[i, j] == pytest.approx(expected, abs=1e-5)


def test_canine_on_fewer_positions_than_it_makes_one_of(kind: Kind) -> None:
    loaded = kind("canine")
    with pytest.raises(
        probe.SentenceError, match=r"^3 pieces are fewer than the 4 that the model takes at least$"
    ):
        loaded.impact(split_text("a"))


def _xlnet_without(model: Any, ids: Any, own: list[int]) -> torch.Tensor:
    """By its own mask: its code takes no softmax over [query, key]."""
    hidden = torch.zeros(1, len(ids), len(ids), dtype=torch.float32)
    for query in set(range(len(ids))) - set(own):
        hidden[0, query, own] = 1
    with torch.no_grad():
        found: torch.Tensor = model(torch.from_numpy(ids)[None], perm_mask=hidden).last_hidden_state
    return found[0]


@pytest.mark.parametrize("name", [*CAUSAL, *ENCODERS, *SLOW, "xlnet"])
def test_another_piece_is_a_plain_loop(name: str, kind: Kind, model_folder: ModelFolder) -> None:
    loaded, plain = kind(name), whole_model(model_folder(name), name)
    words = words_of(name)
    piece = FILLER.get(name, "z" if name == "canine" else loaded.tokenizer.unk_token)
    filler = loaded.tokenizer.convert_tokens_to_ids(piece)
    found: Any = loaded.impact(words, perturb=f"piece:{piece}")
    ids, units = units_of(loaded, words)

    def run(*masked: int) -> torch.Tensor:
        changed = ids.copy()
        for unit in masked:
            changed[units[unit]] = filler
        return states_of(plain, changed)

    for i, at in enumerate(units):
        for j in range(len(units)):
            expected = 0 if i == j else float((run(i) - run(i, j))[at].norm(dim=-1).mean())
            assert found.values[i, j] == pytest.approx(expected, abs=tolerance(name))


@pytest.mark.parametrize("name", CAUSAL)
def test_a_causal_head_is_that_of_the_whole_model(name: str, kind: Kind, model_folder: ModelFolder) -> None:
    """`prob` and `kl` read what the whole model predicts at the position before; nothing stands for [CLS]."""
    loaded = kind(name)
    plain: Any = transformers.AutoModelForCausalLM.from_pretrained(model_folder(name), dtype=torch.float64)
    found: Any = loaded.impact(WORDS, perturb="piece:Ġ", metric=["prob", "kl"], pool="first")
    ids, units = units_of(loaded, WORDS)
    filler = loaded.tokenizer.convert_tokens_to_ids("Ġ")

    def logs(*masked: int) -> torch.Tensor:
        changed = ids.copy()
        for unit in masked:
            changed[units[unit]] = filler
        with torch.no_grad():
            states = plain.eval()(input_ids=torch.from_numpy(changed)[None]).logits[0]
        return states.log_softmax(-1)  # type: ignore[no-any-return]

    for i, at in enumerate(units):
        for j in range(len(units)):
            lost = divergence = 0.0
            if j < i:
                before, after = logs(i)[at[0] - 1], logs(i, j)[at[0] - 1]
                lost = float(before[ids[at[0]]].exp() - after[ids[at[0]]].exp())
                divergence = float((before.exp() * (before - after)).sum())
            assert found.select(metric="prob").values[i, j] == pytest.approx(lost, abs=1e-10)
            assert found.select(metric="kl").values[i, j] == pytest.approx(max(divergence, 0), abs=1e-10)
    assert all(np.isnan(one.on_cls).all() for one in found)


@pytest.mark.parametrize(
    ("name", "has_head"),
    [*((name, True) for name in CAUSAL), *((name, False) for name in (*ENCODERS, "xlnet", "canine"))],
)
def test_what_each_kind_has(name: str, has_head: bool, kind: Kind) -> None:
    loaded = kind(name)
    assert (loaded.has_head, loaded.n_layers, loaded.window) == (has_head, LAYERS, WINDOW)
    assert not any("decoder" in key for key in loaded.model.state_dict() if name in ENCODERS)


@pytest.mark.parametrize("name", ["llama", "t5", "bart", "xlnet", "canine", "esm"])
def test_random_weights_of_each_kind(name: str, kind: Kind) -> None:
    loaded = kind(name)
    blank, again = (loaded.with_random_weights(seed=1) for _ in range(2))
    words, perturb = words_of(name), "piece:z" if name == "canine" else "piece"
    values = [one.impact(words, perturb=perturb).values for one in (loaded, blank, again)]
    assert not np.allclose(values[0], values[1])
    assert np.array_equal(values[1], values[2])


def test_the_sentence_of_xlnet_stands_at_its_end(kind: Kind, model_folder: ModelFolder) -> None:
    loaded = kind("xlnet")
    alignment = loaded.align(WORDS)
    assert alignment.ids[alignment.cls or 0] == loaded.tokenizer.cls_token_id
    plain, ids = whole_model(model_folder("xlnet"), "xlnet"), alignment.ids.copy()
    ids[alignment.positions[alignment.unit_of == 1]] = loaded.tokenizer.mask_token_id
    expected = (states_of(plain, ids) - states_of(plain, alignment.ids))[-1].norm()
    found: Any = loaded.impact(WORDS, perturb="single")
    assert found.on_cls[1] == pytest.approx(float(expected), abs=1e-5)


# --- what each kind is asked for and lacks


def test_what_a_model_lacks_is_said_with_what_it_can_do(kind: Kind) -> None:
    gpt2, t5, canine = (kind(name) for name in ("gpt2", "t5", "canine"))
    for loaded in (gpt2, t5):
        with pytest.raises(
            probe.ModelError, match=r"no mask token, which perturbation pair needs: use knock"
        ):
            loaded.impact(WORDS)
    with pytest.raises(probe.ModelError, match="no masked-LM head, which metric kl needs: use dist or cos"):
        t5.impact(WORDS, perturb="knockout", metric="kl")
    with pytest.raises(probe.ModelError, match="knockout needs attention that a mask controls, but it takes"):
        canine.impact(WORDS, perturb="knockout")
    for ask in (gpt2.openness, lambda words: gpt2.impact(words, perturb="substitute")):
        with pytest.raises(probe.ModelError, match="has no mask token"):
            ask(WORDS)


def test_a_causal_model_fills_no_masks(model_folder: ModelFolder, tmp_path: Path) -> None:
    """One with a mask token and a head, which would predict from the wrong place."""
    folder = Path(shutil.copytree(model_folder("opt"), tmp_path / "opt"))
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mask_token": "<mask>"}))
    loaded = load(folder)
    assert isinstance(loaded.impact(WORDS), probe.ImpactMatrix)
    with pytest.raises(probe.ModelError, match="is causal: it predicts from what comes before"):
        loaded.openness(WORDS)


def test_an_encoder_that_lacks_a_layer(kind: Kind, model_folder: ModelFolder, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_folder("bart"), tmp_path / "bart"))
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "encoder.layers.1." not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(probe.ModelError, match=r"its weights lack layers\.1\..* the file is incomplete"):
        load(folder)
    without_decoder = {name: tensor for name, tensor in weights.items() if "decoder." not in name}
    save_file(without_decoder, folder / "model.safetensors", metadata={"format": "pt"})
    expected = kind("bart").impact(WORDS).values
    assert np.array_equal(load(folder).impact(WORDS).values, expected)


def test_positions_that_are_computed_may_still_be_missing_no_other(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    weights = load_file(model_folder("marian") / "model.safetensors")
    assert not [name for name in weights if "embed_positions" in name]
    folder = Path(shutil.copytree(model_folder("marian"), tmp_path / "marian"))
    kept = {name: tensor for name, tensor in weights.items() if "encoder.layers.1.fc1" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(probe.ModelError, match=r"its weights lack layers\.1\.fc1\.bias and 1 more"):
        load(folder)


def test_an_encoder_that_is_no_model_by_itself(model_folder: ModelFolder, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_folder("bart"), tmp_path / "fsmt"))
    config = transformers.FSMTConfig(
        src_vocab_size=60, tgt_vocab_size=60, d_model=24, encoder_layers=1, decoder_layers=1,
        encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2,
        max_position_embeddings=WINDOW,
    )  # fmt: skip
    transformers.FSMTForConditionalGeneration(config).save_pretrained(folder)
    with pytest.raises(probe.ModelError, match="its encoder, FSMTEncoder, is no model by itself"):
        load(folder)


# --- slow tokenizers


@pytest.mark.parametrize("name", SLOW)
def test_words_of_a_slow_tokenizer(name: str, kind: Kind) -> None:
    loaded = kind(name)
    assert not loaded.tokenizer.is_fast
    words = words_of(name)
    alignment = loaded.align(words)
    pieces: Any = loaded.tokenizer
    for unit, word in enumerate(words):
        own = alignment.ids[alignment.positions[alignment.unit_of == unit]].tolist()
        text = f" {word}" if name == "canine" else word  # the space is a character, too
        assert own == pieces(text, add_special_tokens=False)["input_ids"]
    assert isinstance(loaded.impact(words), probe.ImpactMatrix)


def test_the_fingerprint_of_a_slow_tokenizer(model_folder: ModelFolder, tmp_path: Path) -> None:
    folder = model_folder("phobert")
    copied = Path(shutil.copytree(folder, tmp_path / "phobert"))
    found = tokenizer_sha256(load(folder).tokenizer)
    assert tokenizer_sha256(load(copied).tokenizer) == found
    (copied / "bpe.codes").write_text("t h 9\n", encoding="utf-8")
    assert tokenizer_sha256(load(copied).tokenizer) != found


@pytest.mark.parametrize(
    ("kind", "package"), [("XLMTokenizer", "sacremoses"), ("BertJapaneseTokenizer", "fugashi")]
)
def test_a_package_that_a_tokenizer_needs(
    kind: str, package: str, model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    folder = Path(shutil.copytree(model_folder("bert"), tmp_path / "model"))
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n", encoding="utf-8")
    (folder / "vocab.json").write_text('{"a": 0, "<unk>": 1}', encoding="utf-8")
    (folder / "merges.txt").write_text("", encoding="utf-8")
    options = {"tokenizer_class": kind, "word_tokenizer_type": "mecab", "subword_tokenizer_type": "wordpiece"}
    (folder / "tokenizer_config.json").write_text(json.dumps(options), encoding="utf-8")
    with pytest.raises(probe.ModelError, match=f"needs the package {package}, which is not installed"):
        load(folder)


def test_special_tokens_are_found_by_a_slow_tokenizer(kind: Kind) -> None:
    pieces = WordPieces(kind("esm").tokenizer)
    assert (pieces.before, pieces.after, pieces.cls(6)) == ([0], [2], 0)
