"""Hashes that say which model, tokenizer and words a result comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from probe.spaces import SpacedWords

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# What the configuration of a model says about the file it came from, not about what the model computes.
_NOT_COMPUTED = frozenset({"_name_or_path", "architectures", "dtype", "transformers_version"})


def weights_sha256(model: PreTrainedModel) -> str:
    """SHA-256 of a model: its class, its configuration, and every tensor in the dtype it computes in.

    A pooler is left out: it plays no part, and where a file has none its weights are drawn at every load.
    """
    import torch

    config: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=False))
    about = {key: value for key, value in config.items() if key not in _NOT_COMPUTED}
    sha = hashlib.sha256(_line([type(model).__name__, about]))
    for name, tensor in sorted(model.state_dict().items()):
        if "pooler" in name:
            continue
        sha.update(_line([name, str(tensor.dtype), list(tensor.shape)]))
        sha.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return sha.hexdigest()


def tokenizer_sha256(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of a tokenizer: its whole pipeline with the vocabulary, and its special tokens.

    Of a slow one, whose pipeline is code: its class, its options and the files of its vocabulary.
    """
    about = _pipeline(tokenizer) if tokenizer.is_fast else _files(tokenizer)
    return hashlib.sha256(_line([about, tokenizer.all_special_tokens, tokenizer.mask_token])).hexdigest()


def _pipeline(tokenizer: Any) -> dict[str, Any]:
    pipeline: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    for changing in ("padding", "truncation"):  # every call of the tokenizer sets them anew
        pipeline.pop(changing, None)
    return pipeline


def _files(tokenizer: Any) -> list[Any]:
    places = {"name_or_path", *tokenizer.vocab_files_names}
    options = {key: value for key, value in tokenizer.init_kwargs.items() if _is_option(key, value, places)}
    with TemporaryDirectory() as folder:
        written = sorted(map(Path, tokenizer.save_vocabulary(folder, None) or ()))
        files = [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in written]
    return [type(tokenizer).__name__, options, files]


def _is_option(key: str, value: object, places: set[str]) -> bool:
    return key not in places and not key.endswith("_file") and isinstance(value, str | int | float | bool)


def words_sha256(sentences: Iterable[Sequence[str]]) -> str:
    """SHA-256 of the words of sentences, in their order: one JSON array and a line end for each sentence.

    Of words whose spaces are known, an array of the words and of what is known.
    """
    sha = hashlib.sha256()
    for words in sentences:
        listed: object = list(words)
        if isinstance(words, SpacedWords):
            listed = [listed, words.spaces, words.leading]
        sha.update(_line(listed))
    return sha.hexdigest()


def _line(value: object) -> bytes:
    # What is no text is no word, and its sentence a failure; it must not end the run.
    return json.dumps(value, sort_keys=True, default=repr).encode() + b"\n"
