"""Tiny, seeded models that are no masked LMs: causal ones, encoders of encoder-decoders, and slow tokenizers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers

from tests.tiny import (
    _ROBERTA_SPECIALS,
    _SHAPE,
    INITIALIZER_RANGE,
    LAYERS,
    WINDOW,
    _byte_level,
    _ids,
    _save,
    _unigram,
)

_CODER: dict[str, Any] = {
    "d_model": 24,
    "encoder_layers": LAYERS,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": WINDOW,
    "init_std": INITIALIZER_RANGE,
}


def _gpt2_tokenizer() -> Any:
    vocab, merges = _byte_level(("<|endoftext|>",))
    return transformers.GPT2Tokenizer(vocab=vocab, merges=merges, model_max_length=WINDOW)


def llama(folder: Path, *, seed: int = 0) -> Path:
    """Llama: causal, rotary positions, one head of keys, a head of its own."""
    tokenizer = _gpt2_tokenizer()
    config = transformers.LlamaConfig(
        **_SHAPE, vocab_size=len(tokenizer), num_key_value_heads=1, tie_word_embeddings=False
    )
    return _save(folder, transformers.LlamaForCausalLM, config, tokenizer, seed=seed)


def opt(folder: Path, *, seed: int = 0) -> Path:
    """OPT: causal, learned positions with an offset, `</s>` before the text."""
    vocab, merges = _byte_level(_ROBERTA_SPECIALS)
    tokenizer = transformers.GPT2Tokenizer(
        vocab=vocab, merges=merges, bos_token="</s>", eos_token="</s>", unk_token="</s>", pad_token="<pad>"
    )
    config = transformers.OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        word_embed_proj_dim=24,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        ffn_dim=32,
        init_std=INITIALIZER_RANGE,
        max_position_embeddings=WINDOW,
        pad_token_id=1,
        bos_token_id=2,
        eos_token_id=2,
    )
    return _save(folder, transformers.OPTForCausalLM, config, tokenizer, seed=seed)


def xlnet(folder: Path, *, seed: int = 0) -> Path:
    """XLNet: sees both sides, special tokens at the end, relative positions."""
    specials = ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>")
    tokenizer = transformers.XLNetTokenizer(vocab=_unigram(specials), model_max_length=WINDOW)
    config = transformers.XLNetConfig(
        vocab_size=len(tokenizer),
        d_model=24,
        n_layer=LAYERS,
        n_head=2,
        d_inner=32,
        initializer_range=INITIALIZER_RANGE,
    )
    return _save(folder, transformers.XLNetLMHeadModel, config, tokenizer, seed=seed)


def t5(folder: Path, *, seed: int = 0, model: Any = transformers.T5ForConditionalGeneration) -> Path:
    """T5: an encoder-decoder with sentinels and without a mask token, relative positions."""
    specials = ("<pad>", "</s>", "<unk>")
    vocabulary = [*_unigram(specials), *((f"<extra_id_{at}>", 0.0) for at in range(2))]
    tokenizer = transformers.T5Tokenizer(vocab=vocabulary, extra_ids=2, model_max_length=WINDOW)
    config = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=24,
        d_kv=12,
        d_ff=32,
        num_layers=LAYERS,
        num_heads=2,
        pad_token_id=0,
    )
    return _save(folder, model, config, tokenizer, seed=seed)


def t5_encoder(folder: Path, *, seed: int = 0) -> Path:
    """T5 without its decoder, as sentence encoders are published."""
    return t5(folder, seed=seed, model=transformers.T5EncoderModel)


def bart(folder: Path, *, seed: int = 0) -> Path:
    """BART: an encoder-decoder with a mask token."""
    vocab, merges = _byte_level(_ROBERTA_SPECIALS)
    tokenizer = transformers.RobertaTokenizer(vocab=vocab, merges=merges, model_max_length=WINDOW)
    config = transformers.BartConfig(**_CODER, **_ids(tokenizer))
    return _save(folder, transformers.BartForConditionalGeneration, config, tokenizer, seed=seed)


def mbart(folder: Path, *, seed: int = 0) -> Path:
    """mBART: as BART, with norms before its blocks and one at the end."""
    vocab, merges = _byte_level(_ROBERTA_SPECIALS)
    tokenizer = transformers.RobertaTokenizer(vocab=vocab, merges=merges, model_max_length=WINDOW)
    config = transformers.MBartConfig(**_CODER, **_ids(tokenizer))
    return _save(folder, transformers.MBartForConditionalGeneration, config, tokenizer, seed=seed)


def marian(folder: Path, *, seed: int = 0) -> Path:
    """Marian: an encoder-decoder whose positions are sines, which its files do not hold."""
    vocab, merges = _byte_level(_ROBERTA_SPECIALS)
    tokenizer = transformers.RobertaTokenizer(vocab=vocab, merges=merges, model_max_length=WINDOW)
    config = transformers.MarianConfig(**_CODER, **_ids(tokenizer), decoder_vocab_size=len(tokenizer))
    return _save(folder, transformers.MarianMTModel, config, tokenizer, seed=seed)


def canine(folder: Path, *, seed: int = 0) -> Path:
    """CANINE: characters, no vocabulary, a slow tokenizer, convolutions around its attention."""
    config = transformers.CanineConfig(
        **_SHAPE,
        max_position_embeddings=WINDOW,
        num_hash_buckets=64,
        num_hash_functions=2,
        local_transformer_stride=16,
    )
    tokenizer = transformers.CanineTokenizer(model_max_length=WINDOW)
    return _save(folder, transformers.CanineModel, config, tokenizer, seed=seed)


def esm(folder: Path, *, seed: int = 0) -> Path:
    """ESM: a masked LM of proteins, whose tokenizer is slow; one letter is a word."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWC", "<mask>"]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    tokenizer = transformers.EsmTokenizer(str(folder / "vocab.txt"), model_max_length=WINDOW)
    config = transformers.EsmConfig(
        **_SHAPE,
        vocab_size=len(pieces),
        pad_token_id=1,
        mask_token_id=tokenizer.mask_token_id,
        max_position_embeddings=WINDOW + 2,
        position_embedding_type="rotary",
    )
    return _save(folder, transformers.EsmForMaskedLM, config, tokenizer, seed=seed)


def phobert(folder: Path, *, seed: int = 0) -> Path:
    """PhoBERT: RoBERTa's model with a slow tokenizer by pairs of characters."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz.T"
    pieces = [*(f"{letter}@@" for letter in letters), *letters, "th@@", "the</w>", "the"]
    (folder / "vocab.txt").write_text("".join(f"{piece} 1\n" for piece in pieces), encoding="utf-8")
    (folder / "bpe.codes").write_text("t h 9\nth e</w> 8\n", encoding="utf-8")
    tokenizer = transformers.PhobertTokenizer(
        str(folder / "vocab.txt"), str(folder / "bpe.codes"), model_max_length=WINDOW
    )
    config = transformers.RobertaConfig(
        **_SHAPE, **_ids(tokenizer), max_position_embeddings=WINDOW + 2, type_vocab_size=1
    )
    config.tokenizer_class = "PhobertTokenizer"
    return _save(folder, transformers.RobertaForMaskedLM, config, tokenizer, seed=seed)


CAUSAL = ("gpt2", "llama", "opt")
ENCODERS = ("t5", "t5_encoder", "bart", "mbart", "marian")
SLOW = ("canine", "esm", "phobert")
BUILDERS: dict[str, Callable[..., Path]] = {
    "bart": bart,
    "canine": canine,
    "esm": esm,
    "llama": llama,
    "marian": marian,
    "mbart": mbart,
    "opt": opt,
    "phobert": phobert,
    "t5": t5,
    "t5_encoder": t5_encoder,
    "xlnet": xlnet,
}
