"""How much the loss would change without a head or a neuron: the importance of DynaBERT.

Hou et al. (NeurIPS 2020), "DynaBERT: Dynamic BERT with Adaptive Width and Depth", section 2.1: the change of the
loss to first order. Of a head with output h it is |dL/dh h|; of a neuron of the feed-forward block, whose weights
in and out are w, |sum of dL/dw w|. Both are computed as derivatives of the loss by factors at 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from probe.errors import ProbeError

if TYPE_CHECKING:
    from torch import Tensor

    from probe.model import Probe
    from probe.pruned import Layout

Floats = NDArray[np.float64]
MASKED = 0.15
"""Share of the pieces that are masked, each by the mask token; one of a sentence at least."""
_ROWS = 16
"""Sentences of a batch, whose absolute changes are averaged."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Importance:
    """How important each head and each neuron of every layer is.

    Shapes:
        heads: float64 [layers, heads]
        neurons: float64 [layers, neurons]
    """

    heads: Floats
    neurons: Floats


def importance(
    probe: Probe,
    sentences: Sequence[Sequence[str]],
    *,
    seed: int = 0,
    on_sentences: Callable[[int], object] = lambda count: None,
) -> Importance:
    """Rank heads and neurons of a model by the loss of its masked-LM head on some text.

    Args:
        probe: of a kind that can be pruned, see ``analyses.compression.pruning.layout_of``.
        sentences: held-out text, each a sequence of words; those that the model cannot take are left out.
        seed: of the draws of masked pieces.
        on_sentences: called with the number of sentences after each batch.

    Raises:
        ModelError: as ``layout_of``.
        ProbeError: the model can take none of the sentences.
    """
    import torch

    from analyses.compression.pruning import layout_of
    from probe.word_states import PieceTable, encoder_of

    table = PieceTable(encoder_of(probe), sentences)
    usable = np.flatnonzero(table.usable)
    if not len(usable):
        raise ProbeError("no sentence of the text to rank by could be read by the model")
    rng = np.random.default_rng(seed)
    order = usable[np.argsort(table.lengths[usable], kind="stable")]
    layout = layout_of(probe)
    layers = layout.layers(probe.model)
    heads = np.zeros((len(layers), layout.n_heads(layers[0])))
    neurons = np.zeros((len(layers), layout.n_neurons(layers[0])))
    masked = 0
    for places in _batches(order, table.lengths):
        batch = table.batch(places)
        ids, labels = _masked(batch.ids, batch.at, int(probe.tokenizer.mask_token_id or 0), rng)
        count = int((labels >= 0).sum())
        with _factors(layers, layout) as factors, torch.enable_grad():
            inputs = torch.from_numpy(ids).to(probe.device)
            logits = probe.model(input_ids=inputs, attention_mask=torch.ones_like(inputs)).logits
            wanted = torch.from_numpy(labels).to(probe.device).flatten()
            flat = logits.flatten(0, 1)
            exact = flat.to(torch.promote_types(flat.dtype, torch.float32))
            loss = torch.nn.functional.cross_entropy(exact, wanted)
            changes = torch.autograd.grad(loss, [each for of_layer in factors for each in of_layer])
        found = [each.double().numpy(force=True) for each in changes]
        heads += count * np.abs(found[::3])
        neurons += count * np.abs(np.array(found[1::3]) + found[2::3])
        masked += count
        on_sentences(len(places))
    return Importance(heads=heads / masked, neurons=neurons / masked)


def _batches(order: NDArray[np.int64], lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Places of sentences of one length in pieces, some at a time."""
    for length in np.unique(lengths[order]):
        group = order[lengths[order] == length]
        for begin in range(0, len(group), _ROWS):
            yield group[begin : begin + _ROWS]


def _masked(
    ids: NDArray[np.int64], at: NDArray[np.int64], mask: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pieces with some masked, and what stood there; -100 elsewhere.

    Shapes: ids int64 [sentences, length]; at int64 [pieces of words], laid out flat; returns twice the first
    """
    flat, labels = ids.reshape(-1).copy(), np.full(ids.size, -100, dtype=np.int64)
    row = at // ids.shape[1]
    for sentence in range(len(ids)):
        own = at[row == sentence]
        drawn = rng.choice(own, size=max(1, round(MASKED * len(own))), replace=False)
        labels[drawn], flat[drawn] = flat[drawn], mask
    return flat.reshape(ids.shape), labels.reshape(ids.shape)


@contextmanager
def _factors(layers: Any, layout: Layout) -> Iterator[list[tuple[Tensor, Tensor, Tensor]]]:
    """Factors of 1 at every head's output, and at every neuron's weights in and out, for the time of the block."""
    import torch

    hooks, found = [], []
    for layer in layers:
        like = layer.get_submodule(layout.into).weight
        heads, into, out = (
            torch.ones(count, device=like.device, dtype=like.dtype, requires_grad=True)
            for count in (layout.n_heads(layer), len(like), len(like))
        )
        mixing, feed_out = (layer.get_submodule(name) for name in (layout.mixing, layout.out))
        hooks += [
            mixing.register_forward_pre_hook(_times(heads, layout.head_size(layer))),
            layer.get_submodule(layout.into).register_forward_hook(_weights_times(into)),
            feed_out.register_forward_pre_hook(_times(out, 1)),
        ]
        found.append((heads, into, out))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _times(factor: Tensor, size: int) -> Callable[[Any, tuple[Tensor]], tuple[Tensor]]:
    """Multiply what comes in, each factor for so many dimensions."""
    return lambda module, given: (given[0] * factor.repeat_interleave(size),)


def _weights_times(factor: Tensor) -> Callable[[Any, Any, Tensor], Tensor]:
    """Multiply what the weights of a linear layer give, without its bias."""
    return lambda module, given, out: (out - module.bias) * factor + module.bias
