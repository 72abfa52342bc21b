"""NEZHA (Wei et al. 2019, "NEZHA: Neural Contextualized Representation for Chinese Language Understanding").

BERT without positions in its embeddings: every layer adds, to keys and to values, a fixed vector of sines and
cosines for the distance of the two positions (section 2.2). The vectors are computed, not read; files that hold
them are loaded without them. transformers 5 has the class no more.
"""

# The classes of transformers have types for hardly any of their methods.
# mypy: disable-error-code="no-untyped-call, override, assignment, misc"
from __future__ import annotations

import math
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, BertConfig
from transformers.modeling_outputs import MaskedLMOutput
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.bert.modeling_bert import (
    BertEncoder,
    BertLayer,
    BertModel,
    BertOnlyMLMHead,
    BertPooler,
    BertPreTrainedModel,
    BertSelfAttention,
)

_NAME = "nezha"
_PREFIXES = {r"^bert\.": "nezha."}
"""Of the weights: those of the authors' files are BERT's, those of transformers 4 are ours."""


class NezhaConfig(BertConfig):
    """BERT's configuration, and ``max_relative_position``: distances beyond it count as it."""

    model_type = _NAME

    vocab_size: int = 21_128
    max_relative_position: int = 64
    bos_token_id: int | None = 2
    eos_token_id: int | list[int] | None = 3


def relative_positions(length: int, size: int, reach: int) -> Tensor:
    """The vector of every query and key position, by their distance (Wei et al. 2019, eq. 5 and 6).

    The distance of key j from query i, j - i, is cut off at ``reach`` on both sides and counted from 0 by adding
    it: p. Element 2k of the vector is sin(p / 10000^(2k / size)), element 2k + 1 the cosine.

    Returns:
        float64 [length, length, size]: query, key.
    """
    at = torch.arange(length)
    place = (at[None, :] - at[:, None]).clamp(-reach, reach) + reach
    rate = torch.exp(torch.arange(0, size, 2, dtype=torch.float64) * (-math.log(10_000.0) / size))
    angle = place[..., None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)[..., :size]


class NezhaEmbeddings(nn.Module):
    """Pieces and segments, no positions."""

    def __init__(self, config: NezhaConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(
            config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id
        )
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor | None = None, **_: Any) -> Tensor:
        """Shapes: int64 [sequences, length], segments the same (0 without) -> [sequences, length, hidden]."""
        segments = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        embedded: Tensor = self.word_embeddings(input_ids) + self.token_type_embeddings(segments)
        normed: Tensor = self.dropout(self.LayerNorm(embedded))
        return normed


class NezhaSelfAttention(BertSelfAttention):
    """BERT's attention with relative positions in keys and values."""

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """Shapes: [sequences, length, hidden], a mask that is added [sequences, 1, query, key] -> the states, and
        the attention [sequences, heads, query, key]."""
        shape = (*hidden_states.shape[:2], self.num_attention_heads, self.attention_head_size)
        query, key, value = (
            project(hidden_states).view(shape).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        reach = self.config.max_relative_position
        place = relative_positions(shape[1], self.attention_head_size, reach).to(query)
        scores = query @ key.transpose(-1, -2) + torch.einsum("shqd,qkd->shqk", query, place)
        scores = scores * self.scaling
        if attention_mask is not None:
            scores = scores + attention_mask
        attention = self.dropout(scores.softmax(dim=-1))
        mixed = attention @ value + torch.einsum("shqk,qkd->shqd", attention, place)
        return mixed.transpose(1, 2).flatten(2), attention


class NezhaLayer(BertLayer):
    """BERT's layer with NEZHA's attention."""

    def __init__(self, config: NezhaConfig, layer_idx: int | None = None) -> None:
        super().__init__(config, layer_idx)
        self.attention.self = NezhaSelfAttention(config, layer_idx=layer_idx)


class NezhaEncoder(BertEncoder):
    """The stack of layers."""

    def __init__(self, config: NezhaConfig) -> None:
        super().__init__(config)
        self.layer = nn.ModuleList([NezhaLayer(config, at) for at in range(config.num_hidden_layers)])


class NezhaPreTrainedModel(BertPreTrainedModel):
    """What the classes have in common."""

    config_class = NezhaConfig
    base_model_prefix = _NAME
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = _supports_attention_backend = False
    _can_record_outputs = {"hidden_states": NezhaLayer, "attentions": NezhaSelfAttention}  # noqa: RUF012
    _keys_to_ignore_on_load_unexpected = (  # the vectors are computed
        r"relative_positions_encoding\.positions_encoding$",
        r"embeddings\.position_ids$",
    )

    @classmethod
    def from_pretrained(cls, *args: Any, **options: Any) -> Self:
        """As of other models, for weights under BERT's names, too."""
        found: Self = super().from_pretrained(*args, **{"key_mapping": _PREFIXES, **options})
        return found


class NezhaModel(NezhaPreTrainedModel, BertModel):
    """The encoder."""

    def __init__(self, config: NezhaConfig, add_pooling_layer: bool = True) -> None:
        NezhaPreTrainedModel.__init__(self, config)
        self.embeddings = NezhaEmbeddings(config)
        self.encoder = NezhaEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None
        self.post_init()


class NezhaForMaskedLM(NezhaPreTrainedModel):
    """The encoder and BERT's head."""

    _tied_weights_keys = {  # noqa: RUF012
        "cls.predictions.decoder.weight": "nezha.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    }

    def __init__(self, config: NezhaConfig) -> None:
        super().__init__(config)
        self.nezha = NezhaModel(config, add_pooling_layer=False)
        self.cls = BertOnlyMLMHead(config)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        """The layer whose weights are those of the embeddings."""
        found: nn.Module = self.cls.predictions.decoder
        return found

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **options: Any) -> Any:
        """Shapes: int64 [sequences, length] -> logits [sequences, length, vocabulary]."""
        output = self.nezha(input_ids=input_ids, attention_mask=attention_mask, **options)
        logits = self.cls(output.last_hidden_state)
        return MaskedLMOutput(logits=logits, hidden_states=getattr(output, "hidden_states", None))


def register() -> None:
    """Make transformers' automatic classes know NEZHA, where they do not."""
    if _NAME not in CONFIG_MAPPING:
        AutoConfig.register(_NAME, NezhaConfig)
        AutoModel.register(NezhaConfig, NezhaModel)
        AutoModelForMaskedLM.register(NezhaConfig, NezhaForMaskedLM)
