"""Tiny, seeded, randomly initialised models of every supported architecture.

Each builder writes an ordinary directory that `AutoTokenizer` and `AutoModelForMaskedLM` can load. The
tokenizers are trained on SENTENCES with vocabularies too small for most words, so that words have several
pieces, and the weights are drawn wide (INITIALIZER_RANGE), so that masking a word moves the states of the
others visibly.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

WINDOW = 32
INITIALIZER_RANGE = 0.3
SENTENCES = (
    "The gardener watered seventeen yellow tulips yesterday .",
    "Nobody remembered who had painted the houses so unhappily .",
    "Quick foxes were sleeping near the winding river .",
    "My sister reads old letters whenever the evenings are rainy .",
    "A careless waiter spilled tea over both violinists .",
    "Although it was snowing , the children walked to school .",
    "Every museum in this town closes at five on Mondays .",
    "The mechanic who repaired our car never sent a bill .",
    "Please put the heavier boxes underneath the wooden table .",
    "Have you already answered the question about the lighthouse ?",
    "Three sailors counted the stars above the silent harbour .",
    "They were arguing loudly , but the neighbours did not listen .",
    "Fresh bread smells wonderful on a frozen morning .",
    "Her grandfather built violins from maple and spruce .",
    "The storm had broken most of the greenhouse windows .",
    "We finally found the missing keys inside a teapot .",
    "Some painters prefer working by the light of candles .",
    "His unfinished novel describes a journey across the desert .",
    "Which of these mushrooms are safe to eat ?",
    "The committee rejected seven proposals without reading them .",
    "An owl called twice from the darkness behind the barn .",
    "Tomorrow the painters will be walking across the bridge .",
    "Rivers carry sand and stones down to the sea .",
    "The teacher smiled because everyone had understood the puzzle .",
)
LAYERS = 3
_SHAPE: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": INITIALIZER_RANGE,
}
_BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_MPNET_SPECIALS = ("<s>", "<pad>", "</s>", "[UNK]", "<mask>")


def _train(
    pre_tokenizer: Any,
    *,
    size: int,
    specials: Sequence[str] = (),
    alphabet: Sequence[str] = (),
    lower: bool = False,
) -> tuple[list[str], Any]:
    """Pieces, in the order of their ids, and merges of a BPE trained on SENTENCES.

    All vocabularies come from the BPE trainer: those of WordPiece and Unigram differ from run to run.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if lower:
        tokenizer.normalizer = normalizers.Lowercase()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(specials), initial_alphabet=list(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].__getitem__), model["merges"]


@cache
def _wordpiece(specials: tuple[str, ...]) -> dict[str, int]:
    pieces, _ = _train(pre_tokenizers.BertPreTokenizer(), size=80, lower=True)
    return {piece: at for at, piece in enumerate([*specials, *pieces, *(f"##{piece}" for piece in pieces)])}


@cache
def _byte_level(specials: tuple[str, ...]) -> tuple[dict[str, int], Any]:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces, merges = _train(
        pre_tokenizers.ByteLevel(add_prefix_space=True), size=340, specials=specials, alphabet=alphabet
    )
    return {piece: at for at, piece in enumerate(pieces)}, [tuple(merge) for merge in merges]


@cache
def _unigram(specials: tuple[str, ...], *, lower: bool = False) -> list[tuple[str, float]]:
    """Special tokens with score 0, as in published vocabularies; the fewest pieces win among the others."""
    words = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    pieces, _ = _train(words, size=120, lower=lower)
    return [*((special, 0.0) for special in specials), *((piece, -10.0) for piece in pieces)]


def _save(folder: Path, model_class: Any, config: Any, tokenizer: Any, *, seed: int) -> Path:
    """Write the tokenizer and a freshly initialised model to `folder`."""
    torch.manual_seed(seed)
    model = model_class(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # biases start at 0, where a wrong one would go unnoticed
            torch.nn.init.normal_(parameter, std=INITIALIZER_RANGE)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # Else every command would say that its layer is a guess.
    (folder / "probe.json").write_text('{"layer": -1, "pool": "mean"}', encoding="utf-8")
    return folder


def _ids(tokenizer: Any) -> dict[str, Any]:
    """The entries of a configuration that depend on the tokenizer."""
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }


def bert(folder: Path, *, seed: int = 0) -> Path:
    """BERT: WordPiece, absolute positions, segments."""
    tokenizer = transformers.BertTokenizer(vocab=_wordpiece(_BERT_SPECIALS), model_max_length=WINDOW)
    config = transformers.BertConfig(**_SHAPE, **_ids(tokenizer), max_position_embeddings=WINDOW)
    return _save(folder, transformers.BertForMaskedLM, config, tokenizer, seed=seed)


def bert_without_head(folder: Path, *, seed: int = 0) -> Path:
    """A BERT encoder saved without a masked-language-model head."""
    tokenizer = transformers.BertTokenizer(vocab=_wordpiece(_BERT_SPECIALS), model_max_length=WINDOW)
    config = transformers.BertConfig(**_SHAPE, **_ids(tokenizer), max_position_embeddings=WINDOW)
    return _save(folder, transformers.BertModel, config, tokenizer, seed=seed)


def distilbert(folder: Path, *, seed: int = 0) -> Path:
    """DistilBERT: WordPiece, no segments, its own names for the sizes."""
    tokenizer = transformers.DistilBertTokenizer(vocab=_wordpiece(_BERT_SPECIALS), model_max_length=WINDOW)
    config = transformers.DistilBertConfig(
        dim=24,
        n_layers=LAYERS,
        n_heads=2,
        hidden_dim=32,
        initializer_range=INITIALIZER_RANGE,
        max_position_embeddings=WINDOW,
        **_ids(tokenizer),
    )
    return _save(folder, transformers.DistilBertForMaskedLM, config, tokenizer, seed=seed)


def electra(folder: Path, *, seed: int = 0) -> Path:
    """ELECTRA generator: WordPiece, embeddings smaller than the hidden states."""
    tokenizer = transformers.BertTokenizer(vocab=_wordpiece(_BERT_SPECIALS), model_max_length=WINDOW)
    config = transformers.ElectraConfig(
        **_SHAPE, **_ids(tokenizer), embedding_size=16, max_position_embeddings=WINDOW
    )
    return _save(folder, transformers.ElectraForMaskedLM, config, tokenizer, seed=seed)


def ernie(folder: Path, *, seed: int = 0) -> Path:
    """ERNIE 2: WordPiece, with task embeddings."""
    tokenizer = transformers.BertTokenizer(vocab=_wordpiece(_BERT_SPECIALS), model_max_length=WINDOW)
    config = transformers.ErnieConfig(
        **_SHAPE, **_ids(tokenizer), max_position_embeddings=WINDOW, use_task_id=True, task_type_vocab_size=3
    )
    return _save(folder, transformers.ErnieForMaskedLM, config, tokenizer, seed=seed)


def mpnet(folder: Path, *, seed: int = 0) -> Path:
    """MPNet: WordPiece with RoBERTa's special tokens and position offset, relative positions."""
    tokenizer = transformers.MPNetTokenizer(vocab=_wordpiece(_MPNET_SPECIALS), model_max_length=WINDOW)
    config = transformers.MPNetConfig(**_SHAPE, **_ids(tokenizer), max_position_embeddings=WINDOW + 2)
    return _save(folder, transformers.MPNetForMaskedLM, config, tokenizer, seed=seed)


def roberta(folder: Path, *, seed: int = 0) -> Path:
    """RoBERTa: byte-level BPE, positions that start at pad + 1; the tokenizer does not give the window."""
    vocab, merges = _byte_level(_ROBERTA_SPECIALS)
    tokenizer = transformers.RobertaTokenizer(vocab=vocab, merges=merges)
    config = transformers.RobertaConfig(
        **_SHAPE, **_ids(tokenizer), max_position_embeddings=WINDOW + 2, type_vocab_size=1
    )
    return _save(folder, transformers.RobertaForMaskedLM, config, tokenizer, seed=seed)


def modernbert(folder: Path, *, seed: int = 0, split: bool = False) -> Path:
    """ModernBERT: byte-level BPE in a bare `tokenizer.json`, rotary positions, local layers, a final norm."""
    vocab, merges = _byte_level(_BERT_SPECIALS)
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not split)
    if split:
        pattern = Regex(r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+")
        steps = [pre_tokenizers.Split(pattern, behavior="isolated"), backend.pre_tokenizer]
        backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    )
    fast: Any = transformers.PreTrainedTokenizerFast
    tokenizer = fast(
        tokenizer_object=backend,
        model_max_length=WINDOW,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    config = transformers.ModernBertConfig(
        **_SHAPE,
        **_ids(tokenizer),
        cls_token_id=tokenizer.cls_token_id,
        sep_token_id=tokenizer.sep_token_id,
        max_position_embeddings=WINDOW,
        layer_types=["full_attention", "sliding_attention", "full_attention"],
        local_attention=6,
    )
    return _save(folder, transformers.ModernBertForMaskedLM, config, tokenizer, seed=seed)


def modernbert_split(folder: Path, *, seed: int = 0) -> Path:
    """ModernBERT with a byte-level tokenizer that splits by its own regular expression, as EuroBERT."""
    return modernbert(folder, seed=seed, split=True)


def albert(folder: Path, *, seed: int = 0) -> Path:
    """ALBERT: Unigram, layers that share their weights, small embeddings."""
    specials = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
    tokenizer = transformers.AlbertTokenizer(vocab=_unigram(specials, lower=True), model_max_length=WINDOW)
    config = transformers.AlbertConfig(
        **_SHAPE, **_ids(tokenizer), embedding_size=16, max_position_embeddings=WINDOW
    )
    return _save(folder, transformers.AlbertForMaskedLM, config, tokenizer, seed=seed)


def deberta_v2(folder: Path, *, seed: int = 0, legacy: bool = True) -> Path:
    """DeBERTa: Unigram, disentangled attention with bucketed relative positions; the legacy head."""
    specials = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")
    tokenizer = transformers.DebertaV2Tokenizer(vocab=_unigram(specials), model_max_length=WINDOW)
    disentangled: dict[str, Any] = {
        "relative_attention": True,
        "position_buckets": 8,
        "pos_att_type": ["p2c", "c2p"],
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "position_biased_input": False,
    }
    config = transformers.DebertaV2Config(
        **_SHAPE,
        **_ids(tokenizer),
        **disentangled,
        max_position_embeddings=WINDOW,
        type_vocab_size=0,
        legacy=legacy,
    )
    return _save(folder, transformers.DebertaV2ForMaskedLM, config, tokenizer, seed=seed)


def deberta_v3(folder: Path, *, seed: int = 0) -> Path:
    """DeBERTa with the head of version 3, which reads the word embeddings."""
    return deberta_v2(folder, seed=seed, legacy=False)


def xlm_roberta(folder: Path, *, seed: int = 0) -> Path:
    """XLM-R: Unigram, positions that start at pad + 1; the tokenizer does not give the window."""
    specials = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    tokenizer = transformers.XLMRobertaTokenizer(vocab=_unigram(specials))
    config = transformers.XLMRobertaConfig(
        **_SHAPE, **_ids(tokenizer), max_position_embeddings=WINDOW + 2, type_vocab_size=1
    )
    return _save(folder, transformers.XLMRobertaForMaskedLM, config, tokenizer, seed=seed)


def gpt2(folder: Path, *, seed: int = 0) -> Path:
    """GPT-2: a causal model, without a mask token."""
    vocab, merges = _byte_level(("<|endoftext|>",))
    tokenizer = transformers.GPT2Tokenizer(vocab=vocab, merges=merges, model_max_length=WINDOW)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=WINDOW,
        n_embd=24,
        n_layer=LAYERS,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    return _save(folder, transformers.GPT2LMHeadModel, config, tokenizer, seed=seed)


BUILDERS: dict[str, Callable[..., Path]] = {
    "albert": albert,
    "bert": bert,
    "bert_without_head": bert_without_head,
    "deberta_v2": deberta_v2,
    "deberta_v3": deberta_v3,
    "distilbert": distilbert,
    "electra": electra,
    "ernie": ernie,
    "gpt2": gpt2,
    "modernbert": modernbert,
    "modernbert_split": modernbert_split,
    "mpnet": mpnet,
    "roberta": roberta,
    "xlm_roberta": xlm_roberta,
}
MASKED_LMS = tuple(name for name in BUILDERS if name not in ("bert_without_head", "gpt2"))
