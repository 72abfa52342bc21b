"""Sentences to arrays of pieces, one safetensors file a shard, made once and reused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from pretraining.config import TrainConfig
from pretraining.corpus import read_sentences, sha256
from pretraining.tokenizer import load_tokenizer, pretrained_tokenizer, train_tokenizer

_TOKENIZER_SENTENCES = 1_500_000
"""How many sentences the tokenizer is trained on; more changes few pieces."""


@dataclass(frozen=True)
class Pieces:
    """The pieces of a corpus, without special tokens.

    Shapes:
        ids: uint16 [pieces]
        sentences: int64 [sentences + 1], offsets into ``ids``
        documents: int64 [documents + 1], offsets into ``sentences``
    """

    ids: NDArray[np.uint16]
    sentences: NDArray[np.int64]
    documents: NDArray[np.int64]


def shard_path(corpora: Path, name: str) -> Path:
    """Path of a shard.

    Raises:
        FileNotFoundError: there is no such shard; says what was looked for.
    """
    path = corpora / f"{name}.txt.xz"
    if not path.is_file():
        raise FileNotFoundError(f"no shard {path}: expected xz-compressed text of that name")
    return path


def prepare_tokenizer(config: TrainConfig, corpora: Path, out: Path) -> Tokenizer:
    """The tokenizer of a run: ``out/tokenizer.json``, that of ``model.init``, or trained if it is not there yet.

    Raises:
        ValueError: the one that is there has more pieces than the configured model, or is not that of
            ``model.init``; names the file.
    """
    path = out / "tokenizer.json"
    if config.model.init:
        tokenizer = pretrained_tokenizer(config.model)
        if not path.is_file():
            _save(tokenizer, path)
        if load_tokenizer(path).to_str() != tokenizer.to_str():
            raise ValueError(f"{path}: not the tokenizer of {config.model.init}: use a new folder")
        return tokenizer
    if not path.is_file():
        print(f"training a tokenizer of {config.model.vocab_size:,} pieces", file=sys.stderr)
        _save(train_tokenizer(_sample(config, corpora), vocab_size=config.model.vocab_size), path)
    tokenizer = load_tokenizer(path)
    if (size := tokenizer.get_vocab_size()) > config.model.vocab_size:
        raise ValueError(
            f"{path}: {size:,} pieces, expected model.vocab_size = {config.model.vocab_size:,} at most"
        )
    return tokenizer


def _save(tokenizer: Tokenizer, path: Path) -> None:
    partial = path.with_suffix(".partial")
    tokenizer.save(str(partial))
    partial.replace(path)


def _sample(config: TrainConfig, corpora: Path) -> Iterator[str]:
    # An equal part of each shard: the shards differ in kind (articles, books).
    quota = _TOKENIZER_SENTENCES // len(config.data.shards)
    for name in config.data.shards:
        taken = 0
        for document in read_sentences(shard_path(corpora, name)):
            yield from document
            taken += len(document)
            if taken >= quota:
                break


def prepare_shard(path: Path, tokenizer: Tokenizer, out: Path) -> Pieces:
    """The pieces of one shard, from ``out`` if they were made of this file by this tokenizer."""
    target = out / f"{path.name.removesuffix('.txt.xz')}.pieces.safetensors"
    made_of = {"source": sha256(path), "tokenizer": sha256(out / "tokenizer.json")}
    if target.is_file():
        with safe_open(str(target), framework="numpy") as file:
            if file.metadata() == made_of:
                return Pieces(*(file.get_tensor(key) for key in ("ids", "sentences", "documents")))
    print(f"tokenizing {path.name}", file=sys.stderr)
    pieces = tokenize(read_sentences(path), tokenizer)
    partial = target.with_suffix(".partial")
    save_file(vars(pieces), str(partial), metadata=made_of)
    partial.replace(target)
    return pieces


def tokenize(documents: Iterator[list[str]], tokenizer: Tokenizer) -> Pieces:
    """Tokenise documents of sentences; sentences without pieces are left out."""
    tokenizer.encode_special_tokens = True  # "[MASK]" in the text is text
    ids: list[NDArray[np.uint16]] = []
    lengths: list[int] = []
    ends: list[int] = []
    for document in documents:
        for encoding in tokenizer.encode_batch_fast(document, add_special_tokens=False):
            if encoding.ids:
                ids.append(np.array(encoding.ids, dtype=np.uint16))
                lengths.append(len(encoding.ids))
        ends.append(len(lengths))
    return Pieces(
        ids=np.concatenate(ids) if ids else np.zeros(0, np.uint16),
        sentences=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        documents=np.array([0, *ends], dtype=np.int64),
    )


def join(parts: list[Pieces]) -> Pieces:
    """Several shards as one corpus."""
    ids_before = np.cumsum([0] + [len(p.ids) for p in parts[:-1]])
    sentences_before = np.cumsum([0] + [len(p.sentences) - 1 for p in parts[:-1]])
    return Pieces(
        ids=np.concatenate([p.ids for p in parts]),
        sentences=np.concatenate(
            [[0], *(p.sentences[1:] + before for p, before in zip(parts, ids_before, strict=True))]
        ).astype(np.int64),
        documents=np.concatenate(
            [[0], *(p.documents[1:] + before for p, before in zip(parts, sentences_before, strict=True))]
        ).astype(np.int64),
    )
