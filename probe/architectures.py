"""Which class of transformers a model is loaded by, and what of it can be asked.

Tried in this order: the encoder of an encoder-decoder, without its decoder and head; a masked LM; a causal LM; a
model without a head. The head of a causal LM that sees both sides (XLNet) is not asked: it was trained on another
stream of states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch

from probe.checks import check_configuration, check_weights
from probe.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Kind: TypeAlias = Literal["masked", "encoder", "causal", "base"]
"""A masked LM, the encoder of an encoder-decoder, a causal LM, or a model that is loaded without a head."""

_TRIED = 8
"""Pieces on which a head is tried."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Architecture:
    """A model and what it is.

    Attributes:
        model: as it is asked; of an encoder-decoder its encoder.
        kind: what it was loaded as.
        has_head: whether the file has a head, and it can be run by itself.
    """

    model: PreTrainedModel
    kind: Kind
    has_head: bool

    @property
    def lacks_head(self) -> bool:
        """Whether a head should be there, and is not."""
        return self.kind != "encoder" and not self.has_head


def load_architecture(source: str, name: str, *, dtype: torch.dtype, local: bool) -> Architecture:
    """Load the weights of a directory or a hub id.

    Args:
        source: directory or hub id.
        name: what errors call it.
        dtype: of the weights.
        local: whether the hub is not to be asked.

    Raises:
        ModelError: weights that the file lacks, or a configuration that makes it another model. What transformers
            raises goes through.
    """
    import transformers

    # Without this option transformers would ask on the terminal whether to run a model's own code.
    options: dict[str, Any] = {"local_files_only": local, "trust_remote_code": False}
    config = transformers.AutoConfig.from_pretrained(source, **options)
    kind = kind_of(config)
    auto: Any = {
        "masked": transformers.AutoModelForMaskedLM,
        "causal": transformers.AutoModelForCausalLM,
    }.get(kind, transformers.AutoModel)
    model, info = auto.from_pretrained(source, dtype=dtype, output_loading_info=True, **options)
    if {"encoder", "decoder"} <= {part for part, _ in model.named_children()}:
        if not isinstance(model.encoder, transformers.PreTrainedModel):
            raise ModelError(f"{name}: its encoder, {type(model.encoder).__name__}, is no model by itself")
        model, info, kind = model.encoder, _of_encoder(info), "encoder"
    check_weights(model, info, name)
    check_configuration(model, name, is_decoder=kind == "causal")
    if kind == "causal":
        return _causal(model, info)
    base = f"{model.base_model_prefix}."
    has_head = kind == "masked" and all(key.startswith(base) for key in info["missing_keys"])
    return Architecture(model=model, kind=kind, has_head=has_head)


def kind_of(config: Any) -> Kind:
    """What a model of this configuration is loaded as."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    if config.is_encoder_decoder:
        return "encoder"
    if type(config) in MODEL_FOR_MASKED_LM_MAPPING:
        return "masked"
    return "causal" if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING else "base"


def _of_encoder(info: dict[str, Any]) -> dict[str, Any]:
    """What loading an encoder-decoder says of the weights of its encoder."""
    inside = {
        key: {
            name.partition("encoder.")[2] for name in info[key] if name.startswith(("encoder.", "model.enc"))
        }
        for key in ("missing_keys", "unexpected_keys")
    }
    shared = {name for name in info["missing_keys"] if name.startswith("shared.")}
    return {**inside, "missing_keys": inside["missing_keys"] | shared}


def _causal(model: PreTrainedModel, info: dict[str, Any]) -> Architecture:
    """A causal LM; its head is used where it reads nothing but the states of its base model."""
    model.config.use_cache = False  # nothing is generated
    base = f"{model.base_model_prefix}."
    complete = all(key.startswith(base) for key in info["missing_keys"])
    return Architecture(model=model, kind="causal", has_head=complete and _head_reads_states(model))


@torch.inference_mode()
def _head_reads_states(model: Any) -> bool:
    """Whether the head by itself predicts, for the base model's states, what the whole model predicts."""
    from probe.forward import inputs_of
    from probe.head import Head

    model.train(False)
    ids = torch.arange(_TRIED, device=model.device)[None] % model.get_input_embeddings().num_embeddings
    try:
        whole = model(**inputs_of(model, ids)).logits[0]
        states = model.base_model(**inputs_of(model.base_model, ids)).last_hidden_state[0]
        alone = Head(model).log_probabilities(states)
    except (AttributeError, ModelError, RuntimeError, TypeError):
        return False
    own = whole.to(alone.dtype).log_softmax(-1)
    return own.shape == alone.shape and torch.allclose(own, alone, atol=1e-2, rtol=1e-2)
