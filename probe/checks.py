"""What is looked at before a model is asked: refused is what would give wrong numbers without a word."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe.errors import ModelError, quoted, warn
from probe.json_text import parse_json
from probe.spaces import WordPieces

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_NOT_READ = re.compile(r"pooler|position_ids|token_type_ids|inv_freq|masked_bias|\.attn\.bias$")
"""Weights of an encoder that a file may have and no state depends on."""
_CAPITALS = 0.02
"""The share of a vocabulary with capitals above which it is one of cased text."""
_CODES = 0.002
"""The share up to which pieces with capitals are codes, as those of languages (``en_XX``), not words."""
_NO_WORD = re.compile(r"\[unused|<0x[0-9A-F]{2}>$")
_TRIED = ["the", "a", "in", "is", "it", "of", "to", "and"]
_OWN_CODE = ("trust_remote_code", "custom code")
_PACKAGE = re.compile(r"install (\S+) to use|requires the (\S+) library")
_UNKNOWN_KIND = re.compile(r"model type `([^`]+)`|Unrecognized model|should have a `model_type` key")


def check_source(source: str, name: str) -> None:
    """Refuse a directory whose model is of no architecture of transformers, and says how to run its own.

    Raises:
        ModelError: it needs code of its own, which is never run, or is unknown to this transformers.
    """
    path = Path(source) / "config.json"
    try:
        config = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return  # of the hub, or damaged: transformers says which
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type") if isinstance(config, dict) else None
    if isinstance(kind, str) and kind not in CONFIG_MAPPING:
        raise own_code(name) if "auto_map" in config else unknown_kind(name, kind)


def own_code(name: str) -> ModelError:
    """What is said of a model that brings code."""
    return ModelError(f"{name}: needs code of its own, which is never run")


def unknown_kind(name: str, kind: str) -> ModelError:
    """What is said of an architecture that transformers lacks."""
    import transformers

    return ModelError(
        f"{name}: its architecture, {kind!r}, is unknown to this transformers ({transformers.__version__})"
    )


def of_transformers(name: str, error: Exception) -> ModelError | None:
    """What an error of transformers says of a model's architecture; None where it is about something else."""
    text = str(error)
    if any(words in text for words in _OWN_CODE):
        return own_code(name)
    if found := _UNKNOWN_KIND.search(text):
        return unknown_kind(name, found[1]) if found[1] else None
    return None


def missing_package(name: str, error: Exception) -> ModelError | None:
    """What is said of a tokenizer that needs a package; None where the error is about something else."""
    if not isinstance(error, ImportError):  # others have a name, too: NameError, AttributeError
        return None
    found = _PACKAGE.search(str(error))
    package = found[1] or found[2] if found else error.name
    return (
        None
        if package is None
        else ModelError(f"{name}: needs the package {package}, which is not installed")
    )


def check_weights(model: PreTrainedModel, info: dict[str, Any], name: str) -> None:
    """Refuse weights of the encoder that the file lacks, or that it has and the architecture does not read.

    Raises:
        ModelError: names one of them.
    """
    base = _base_prefix(model)
    missing = sorted(
        key
        for key in info["missing_keys"]
        if key.startswith(base) and "pooler" not in key and not _is_computed(model, key)
    )
    if missing:
        raise ModelError(
            f"{name}: its weights lack {missing[0]} and {len(missing) - 1} more: the file is incomplete"
        )
    parts = {f"{part}." for part, _ in model.base_model.named_children()}
    ignored = sorted(
        key
        for key in info["unexpected_keys"]
        if (key.startswith(base) or any(key.startswith(part) for part in parts))
        and not _is_unread(model, key)
    )
    if ignored:
        raise ModelError(
            f"{name}: its file has weights that this architecture ignores, {ignored[0]} and "
            f"{len(ignored) - 1} more: its config.json is of another model, or transformers reads it no more"
        )


def _base_prefix(model: PreTrainedModel) -> str:
    return f"{model.base_model_prefix}." if model.base_model is not model else ""


def _is_unread(model: PreTrainedModel, key: str) -> bool:
    rotary = getattr(model.config, "position_embedding_type", None) == "rotary"
    return _NOT_READ.search(key) is not None or (rotary and key.endswith("position_embeddings.weight"))


def _is_computed(model: PreTrainedModel, key: str) -> bool:
    """Whether a weight is a table that its module computes, and has: the sines of the positions of Marian."""
    import torch

    module: Any = model.get_submodule(key.rpartition(".")[0])
    return hasattr(module, "create_weight") and torch.equal(module.weight.cpu(), module.create_weight())


def check_configuration(model: PreTrainedModel, name: str, *, is_decoder: bool = False) -> None:
    """Refuse what a configuration says that would make the model another one.

    Args:
        model: what was loaded.
        name: what errors call it.
        is_decoder: whether it is meant to be one.

    Raises:
        ModelError: no layers, an encoder that is told to be a decoder, or adapters without a language.
    """
    config = model.config
    if not isinstance(getattr(config, "num_hidden_layers", None), int):
        raise ModelError(f"{name}: {config.model_type!r} has no single stack of layers over a text")
    if not is_decoder and getattr(config, "is_decoder", False):
        raise ModelError(f"{name}: config.json says is_decoder, so each piece sees those before it only")
    if config.model_type == "xmod" and getattr(config, "default_language", None) is None:
        raise ModelError(f"{name}: its adapters need a language: config.json gives no default_language")
    if getattr(config, "attention_type", None) == "block_sparse":
        # BigBird would choose by its first input, for good: exact attention whatever comes first.
        base: Any = model.base_model
        base.set_attention_type("original_full")
        config.attention_type = "original_full"


def check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Refuse a tokenizer that is not the model's; without its files transformers makes an empty one.

    Raises:
        ModelError: it has no vocabulary, ids beyond the embeddings, or a case that its vocabulary has not.
    """
    vocabulary = tokenizer.get_vocab()
    if len(vocabulary) <= len(tokenizer.all_special_ids):
        raise ModelError(f"{name}: its tokenizer has no vocabulary: the files of the tokenizer are missing")
    embedded = _embeddings(model)
    if embedded is None:  # ids are hashed (CANINE): there is none that it could lack
        return
    if (largest := max(vocabulary.values())) >= len(embedded):
        raise ModelError(
            f"{name}: its tokenizer has ids up to {largest}, but the model has only {len(embedded)} pieces"
        )
    check_case(WordPieces(tokenizer), vocabulary, name)


def _embeddings(model: PreTrainedModel) -> Tensor | None:
    """The table of the pieces' embeddings, [pieces, size]; None where there is none."""
    try:
        table: Any = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    return getattr(table, "weight", None)


def check_case(pieces: WordPieces, vocabulary: Collection[str], name: str) -> None:
    """Refuse a tokenizer that makes small letters of capitals over a vocabulary with capitals, or the reverse.

    Where capitals are there as single letters or bytes only, words with one fall into letters: warned of.

    Raises:
        ModelError: says which of the two, and what tokenizer_config.json is to say.
    """
    special = set(pieces.tokenizer.all_special_tokens)
    words = [piece for piece in vocabulary if piece not in special and not _NO_WORD.match(piece)]
    several = [word for word in words if re.search("[A-Za-z]{2}", word)]
    # Vocabularies have letters of both kinds, whatever the text they were made of.
    latin = several or [word for word in words if re.search("[A-Za-z]", word)]
    # Not str.lower(): marks of bytes, such as that of a space, are capitals of other alphabets.
    capitals = sum(re.search("[A-Z]", word) is not None for word in latin)
    if pieces.lowercases and capitals > _CAPITALS * len(latin):
        having = sum(re.search("[A-Z]", word) is not None for word in words)
        raise ModelError(
            f"{name}: its tokenizer makes small letters of capitals, but {having} pieces of its vocabulary have "
            "capitals: tokenizer_config.json is to say do_lower_case: false"
        )
    if pieces.lowercases or not latin or capitals > _CODES * len(latin):
        return
    if any(pieces.is_unknown(found) for found in pieces(["THE"])):
        raise ModelError(
            f"{name}: its tokenizer keeps capitals, but no piece of its vocabulary has any: tokenizer_config.json "
            "is to say do_lower_case: true"
        )
    if several:
        warn(
            f"{name}: its tokenizer keeps capitals, but no piece of several letters has any: words with a capital "
            "fall into letters; perhaps tokenizer_config.json is to say do_lower_case: true"
        )


def check_mask(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Refuse a mask token that stands for unknown words, too.

    Raises:
        ModelError: it does.
    """
    if tokenizer.mask_token_id is not None and tokenizer.mask_token_id == tokenizer.unk_token_id:
        raise ModelError(
            f"{name}: its mask token is its unknown token ({tokenizer.mask_token}), so unknown words of a text "
            "would stand there as masks"
        )


def check_maximum(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Refuse a longest sequence that is none.

    Raises:
        ModelError: the tokenizer says no whole number above 0.
    """
    said: object = tokenizer.model_max_length
    # Those without a maximum say 1e30; infinity is no whole number.
    if isinstance(said, bool) or not isinstance(said, int | float) or said < 1 or said != said // 1:
        raise ModelError(
            f"{name}: tokenizer_config.json gives model_max_length {quoted(said)}, "
            "a whole number above 0 is expected"
        )


def check_states(model: PreTrainedModel, pieces: WordPieces, name: str) -> None:
    """Mask one word of a short text, or put another there, and refuse a model whose states do not answer.

    Raises:
        ModelError: it cannot be run, its states are not finite, or no state depends on another word.
    """
    import torch

    from probe.forward import inputs_of

    base: Any = model.base_model
    inside = pieces.some(_TRIED)
    ids = torch.tensor([[*pieces.before, *inside, *pieces.after]] * 3, device=model.device)
    first, last = len(pieces.before), len(pieces.before) + len(inside) - 1
    other = pieces.tokenizer.mask_token_id
    if other is None:
        known = sorted(
            set(pieces.tokenizer.get_vocab().values()) - {*inside, *pieces.tokenizer.all_special_ids}
        )
        other = next(iter(known), inside[-1])
    ids[1, first], ids[2, last] = other, other
    try:
        with torch.inference_mode():
            output = base(**inputs_of(base, ids))
            states: Tensor = output.last_hidden_state
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{name}: cannot be run on words alone ({reason[:160]})") from error
    if not torch.isfinite(states).all():
        raise ModelError(f"{name}: its states are not finite: damaged weights, or a dtype that overflows")
    if states.shape[:2] != ids.shape and _embeddings(model) is None:
        raise ModelError(f"{name}: does not give one state a piece")
    if states.shape[:2] != ids.shape or last == first:
        return  # said where layers are read
    others = torch.ones(ids.shape[1], dtype=torch.bool, device=ids.device)
    others[[first, last]] = False
    if not (states[0] != states[1:]).any(-1)[:, others].any():
        raise ModelError(f"{name}: no state depends on another word: its attention does not run here")


def mask_note(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, expects_head: bool
) -> str | None:
    """Why the mask token was probably never trained; None where nothing speaks for it, or there is none.

    Args:
        model: its embeddings and configuration are looked at.
        tokenizer: of the model.
        expects_head: whether its file should have a head that fills masks, and has none.
    """
    import torch

    name = tokenizer.mask_token
    if name is None:
        return None
    name = name if name.isprintable() else ascii(name)
    made_as = " ".join(model.config.architectures or ())
    if "ElectraForPreTraining" in made_as:
        return f"a discriminator, which never saw {name} in its training"
    if (embeddings := _embeddings(model)) is not None:
        norms = embeddings.float().norm(dim=-1)
        low, high = torch.quantile(norms[:50_000], torch.tensor([0.01, 0.99], device=norms.device)).tolist()
        own = float(norms[tokenizer.mask_token_id])
        if not low / 2 <= own <= 2 * high:
            others = f"{low:.3g} to {high:.3g}"
            return f"hardly trained on {name}: its embedding has norm {own:.3g}, the others {others}"
    return f"its file has no masked-LM head, so {name} was perhaps never trained" if expects_head else None
