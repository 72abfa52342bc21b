"""WordPiece tokenizer (Schuster and Nakajima 2012; Devlin et al. 2019): trained here, or taken over."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

from pretraining.config import ModelConfig

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Padding, unknown, first, last, mask: in the order of their ids, 0 to 4, in a tokenizer trained here."""

_MPNET = ("<pad>", "[UNK]", "<s>", "</s>", "<mask>")
"""The same of MPNet, whose vocabulary has BERT's among its unused pieces."""


def train_tokenizer(sentences: Iterable[str], *, vocab_size: int) -> Tokenizer:
    """A lower-casing, accent-stripping WordPiece tokenizer in BERT's form."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, special_tokens=list(SPECIAL_TOKENS), limit_alphabet=300, show_progress=False
    )
    tokenizer.train_from_iterator(sentences, trainer)
    ids = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    return tokenizer


def special_tokens(tokenizer: Tokenizer) -> tuple[str, str, str, str, str]:
    """Padding, unknown, first, last, mask of a WordPiece tokenizer of BERT's or MPNet's.

    Raises:
        ValueError: it has neither; names what it lacks of BERT's.
    """
    if all(tokenizer.token_to_id(token) is not None for token in _MPNET):
        return _MPNET
    if lacking := [token for token in SPECIAL_TOKENS if tokenizer.token_to_id(token) is None]:
        raise ValueError(f"the tokenizer has no {', '.join(lacking)}")
    return SPECIAL_TOKENS


def load_tokenizer(path: Path) -> Tokenizer:
    """Read ``tokenizer.json``."""
    return Tokenizer.from_file(str(path))


def find_init(name: str) -> str:
    """What ``transformers`` is to load: a directory, the model folder of an installed package, or else a hub id.

    A package is not imported. Its model folder is ``model`` or the package's own folder, whichever holds a
    ``config.json``.

    Raises:
        ValueError: a package of that name is installed and has no model folder.
    """
    if Path(name).is_dir():
        return name
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        return name
    package = Path(spec.submodule_search_locations[0])
    for folder in (package / "model", package):
        if (folder / "config.json").is_file():
            return str(folder)
    raise ValueError(f"model.init: package {name} has no config.json in {package} or its folder model")


def pretrained_tokenizer(config: ModelConfig) -> Tokenizer:
    """The tokenizer of ``config.init``, without truncation and padding.

    Raises:
        ValueError: it lacks a special token, or has more pieces than 16 bits can hold.
    """
    loaded = AutoTokenizer.from_pretrained(find_init(config.init))
    tokenizer = Tokenizer.from_str(loaded.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    try:
        special_tokens(tokenizer)
    except ValueError as error:
        raise ValueError(f"model.init: {config.init}: {error}") from error
    if (size := tokenizer.get_vocab_size()) > 65_536:
        raise ValueError(
            f"model.init: {size:,} pieces, expected 65,536 at most: pieces are stored in 16 bits"
        )
    return tokenizer
