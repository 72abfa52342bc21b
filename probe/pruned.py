"""BERT with fewer attention heads than its hidden size makes room for, as pruning leaves it.

A plain BERT has heads of hidden size / number of heads; of 12 heads of 32 dimensions 9 cannot be told in its
configuration, and 6 would be of 64. Here the size of a head is said, and queries, keys and values are that narrow.
"""

# The classes of transformers have types for hardly any of their methods.
# mypy: disable-error-code="no-untyped-call, override, assignment, misc"
from __future__ import annotations

import copy
from typing import Any

from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, BertConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.bert.modeling_bert import (
    BertEmbeddings,
    BertEncoder,
    BertForMaskedLM,
    BertModel,
    BertOnlyMLMHead,
    BertPooler,
    BertPreTrainedModel,
    BertSelfAttention,
)

_NAME = "pruned_bert"


class PrunedBertConfig(BertConfig):
    """BERT's configuration, and ``head_size``: dimensions of each of the ``num_attention_heads``."""

    model_type = _NAME

    head_size: int = 64


class PrunedSelfAttention(BertSelfAttention):
    """BERT's attention with heads of any number."""

    def __init__(self, config: PrunedBertConfig, layer_idx: int | None = None) -> None:
        size = config.num_attention_heads * config.head_size
        narrow = copy.copy(config)
        narrow.hidden_size = size
        super().__init__(narrow, layer_idx=layer_idx)
        self.config = config
        self.query, self.key, self.value = (nn.Linear(config.hidden_size, size) for _ in range(3))


class PrunedBertEncoder(BertEncoder):
    """The stack of layers; its layers are BERT's but for the attention."""

    def __init__(self, config: PrunedBertConfig) -> None:
        one_head = copy.copy(config)  # divides any hidden size
        one_head.num_attention_heads = 1
        super().__init__(one_head)
        self.config = config
        layers: Any = self.layer
        for at, layer in enumerate(layers):
            layer.attention.self = PrunedSelfAttention(config, layer_idx=at)
            size = config.num_attention_heads * config.head_size
            layer.attention.output.dense = nn.Linear(size, config.hidden_size)


class PrunedBertModel(BertModel):
    """The encoder."""

    config_class = PrunedBertConfig

    def __init__(self, config: PrunedBertConfig, add_pooling_layer: bool = True) -> None:
        BertPreTrainedModel.__init__(self, config)
        self.embeddings = BertEmbeddings(config)
        self.encoder = PrunedBertEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None
        self.post_init()


class PrunedBertForMaskedLM(BertForMaskedLM):
    """The encoder and BERT's head."""

    config_class = PrunedBertConfig

    def __init__(self, config: PrunedBertConfig) -> None:
        BertPreTrainedModel.__init__(self, config)
        self.bert = PrunedBertModel(config, add_pooling_layer=False)
        self.cls = BertOnlyMLMHead(config)
        self.post_init()


def register() -> None:
    """Make transformers' automatic classes know pruned BERT, where they do not."""
    if _NAME not in CONFIG_MAPPING:
        AutoConfig.register(_NAME, PrunedBertConfig)
        AutoModel.register(PrunedBertConfig, PrunedBertModel)
        AutoModelForMaskedLM.register(PrunedBertConfig, PrunedBertForMaskedLM)
