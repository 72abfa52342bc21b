"""Encoders with fewer attention heads than their hidden size makes room for, as pruning leaves them.

A plain BERT has heads of hidden size / number of heads; of 12 heads of 32 dimensions 9 cannot be told in its
configuration, and 6 would be of 64. Here the configuration says how many heads are left (``kept_heads``) beside
how many there were, and queries, keys and values are that narrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from probe.errors import OptionError

if TYPE_CHECKING:
    from torch import nn

_PREFIX = "pruned_"
KEPT = "kept_heads"
"""Of a configuration: how many heads of a layer are left. Of an attention that is given biases: which ones."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a kind of encoder has its layers, and a layer its heads and neurons: names of modules.

    Attributes:
        stack: the layers, from the base model on.
        attention: of a layer, what knows the size of a head.
        projections: linear modules whose rows are those of the heads; those that a model lacks are passed over.
        mixing: the one whose columns are.
        into, out: those whose rows, and whose columns, are the neurons.
        neurons: how the configuration calls the number of these.
        bias: of a layer, the module that is given biases of the attention of all heads, those of the whole model;
            "" where there are none.
    """

    stack: str = "encoder.layer"
    attention: str = "attention.self"
    projections: tuple[str, ...] = ("attention.self.query", "attention.self.key", "attention.self.value")
    mixing: str = "attention.output.dense"
    into: str = "intermediate.dense"
    out: str = "output.dense"
    neurons: str = "intermediate_size"
    bias: str = ""

    def layers(self, model: nn.Module) -> Any:
        """The layers of a model or its base model."""
        base: Any = getattr(model, "base_model", model)
        return base.get_submodule(self.stack)

    def head_size(self, layer: nn.Module) -> int:
        """Dimensions of a head."""
        own: Any = layer.get_submodule(self.attention)
        return int(own.attention_head_size)

    def n_heads(self, layer: nn.Module) -> int:
        """Heads that a layer has."""
        query: Any = layer.get_submodule(self.projections[0])
        return int(query.out_features) // self.head_size(layer)

    def n_neurons(self, layer: nn.Module) -> int:
        """Neurons of a layer's feed-forward block."""
        into: Any = layer.get_submodule(self.into)
        return int(into.out_features)


_BERT = Layout()
LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "bert": _BERT,
        "camembert": _BERT,
        "electra": _BERT,
        "ernie": _BERT,
        "nezha": _BERT,
        "roberta": _BERT,
        "xlm-roberta": _BERT,
        "deberta-v2": Layout(
            projections=tuple(
                f"attention.self.{name}_proj" for name in ("query", "key", "value", "pos_key", "pos_query")
            )
        ),
        "distilbert": Layout(
            stack="transformer.layer",
            attention="attention",
            projections=tuple(f"attention.{name}_lin" for name in "qkv"),
            mixing="attention.out_lin",
            into="ffn.lin1",
            out="ffn.lin2",
            neurons="hidden_dim",
        ),
        "mpnet": Layout(
            attention="attention.attn",
            projections=tuple(f"attention.attn.{name}" for name in "qkv"),
            mixing="attention.attn.o",
            bias="attention.attn",
        ),
    }
)
"""The kinds that can be pruned, by their ``model_type``."""


def kind_of(model_type: str) -> str:
    """The kind that a model is of, whether it is pruned or not: ``bert`` of ``pruned_bert``."""
    return model_type.removeprefix(_PREFIX)


def config_class(kind: str) -> Any:
    """The configuration of pruned models of a kind, known to transformers' automatic classes from then on.

    Raises:
        OptionError: it is none of ``LAYOUTS``.
    """
    from transformers import MODEL_FOR_MASKED_LM_MAPPING, MODEL_MAPPING, AutoConfig, AutoModel
    from transformers import AutoModelForMaskedLM as AutoMaskedLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if kind not in LAYOUTS:
        raise OptionError(f"no pruned models of kind {kind!r}: there are {', '.join(LAYOUTS)}")
    name = _PREFIX + kind
    if name not in CONFIG_MAPPING:
        whole = CONFIG_MAPPING[kind]
        fields = {"model_type": name, KEPT: 1, "__annotations__": {KEPT: int}, "__module__": __name__}
        config = type(f"Pruned{whole.__name__}", (whole,), fields)
        AutoConfig.register(name, config)
        AutoModel.register(config, _narrower(MODEL_MAPPING[whole], config, kind))
        AutoMaskedLM.register(config, _narrower(MODEL_FOR_MASKED_LM_MAPPING[whole], config, kind))
    return CONFIG_MAPPING[name]


def register(*kinds: str) -> None:
    """Make transformers' automatic classes know pruned models of these kinds, without arguments of all.

    Raises:
        OptionError: as ``config_class``.
    """
    from probe import nezha

    nezha.register()
    for kind in kinds or LAYOUTS:
        config_class(kind)


def _narrower(whole: Any, config: Any, kind: str) -> Any:
    """A class of models, made with the heads that are left."""

    def init(self: Any, given: Any, **options: Any) -> None:
        whole.__init__(self, given, **options)
        _narrow(self, LAYOUTS[kind], given.kept_heads)

    name = f"Pruned{whole.__name__}"
    return type(name, (whole,), {"config_class": config, "__init__": init, "__module__": __name__})


def _narrow(model: nn.Module, layout: Layout, n_heads: int) -> None:
    """Make the modules of every layer's attention as narrow as its heads."""
    import torch

    for layer in layout.layers(model):
        own: Any = layer.get_submodule(layout.attention)
        size = n_heads * layout.head_size(layer)
        for name in layout.projections:
            _replace(layer, name, rows=size)
        _replace(layer, layout.mixing, columns=size)
        for count in ("num_attention_heads", "n_heads"):
            if hasattr(own, count):
                setattr(own, count, n_heads)
        own.all_head_size = size
        if layout.bias:
            own.register_buffer(KEPT, torch.arange(n_heads))
            own.register_forward_pre_hook(_own_biases)


def _replace(layer: nn.Module, name: str, *, rows: int | None = None, columns: int | None = None) -> None:
    """Put a linear module of another shape in the place of one, if there is one."""
    import torch

    parent, _, last = name.rpartition(".")
    holder = layer.get_submodule(parent)
    old = getattr(holder, last, None)
    if old is not None:
        shape = (columns or old.in_features, rows or old.out_features)
        setattr(holder, last, torch.nn.Linear(*shape, bias=old.bias is not None))


def _own_biases(attention: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """MPNet's attention is given states, mask and the biases of all heads: those of its own."""
    states, mask, biases, *others = given
    kept = biases if biases is None else biases[:, getattr(attention, KEPT)]
    return (states, mask, kept, *others)
