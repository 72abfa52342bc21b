"""A masked LM with fewer layers, heads and neurons.

>>> from analyses.compression.pruning import kept_layers
>>> kept_layers(12, 0.5)  # from 0; the last one stays
(1, 3, 5, 7, 9, 11)
>>> kept_layers(12, 0.75)
(0, 1, 3, 4, 5, 7, 8, 9, 11)
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probe.errors import ModelError
from probe.files import whole_file
from probe.options import Best

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from analyses.compression.importance import Importance
    from probe.model import Probe
    from probe.pruned import Layout

Places = NDArray[np.int64]
_SLACK = 1e-9
"""Shares such as .1 are not what they seem."""


@dataclass(frozen=True, order=True)
class Cell:
    """A place in the grid: the shares of heads and neurons, and of layers, that stay."""

    width: float
    depth: float

    def __str__(self) -> str:
        """``width 0.5, depth 0.75``."""
        return f"width {self.width:g}, depth {self.depth:g}"

    @property
    def stem(self) -> str:
        """``width-0.5-depth-0.75``, of files."""
        return f"width-{self.width:g}-depth-{self.depth:g}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """What stays of a model, counted from 0 in ascending order.

    Attributes:
        layers: the layers.
        heads, neurons: those of each of them.
    """

    layers: tuple[int, ...]
    heads: tuple[Places, ...]
    neurons: tuple[Places, ...]


def layout_of(probe: Probe) -> Layout:
    """Where a model has its layers, heads and neurons.

    Raises:
        ModelError: it is of no kind that can be pruned here, or has no masked-LM head.
    """
    from probe.pruned import LAYOUTS, kind_of

    kind = kind_of(probe.model.config.model_type)
    if kind not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        raise ModelError(
            f"{probe.name}: expected a masked LM of a kind that can be cut ({known}), found {kind}"
        )
    if not probe.has_head:
        raise ModelError(f"{probe.name}: a masked-LM head is expected, the file has none")
    return LAYOUTS[kind]


def kept_layers(n_layers: int, depth: float) -> tuple[int, ...]:
    """The layers that stay, counted from 0: DynaBERT drops layer d, counted from 1, where d + 1 is a multiple of
    1 / (1 - depth), rounded down where that is no whole number (Hou et al. 2020, section 2.2). One stays at least.
    """
    dropped = 1 - depth
    found = [
        d - 1
        for d in range(1, n_layers + 1)
        if math.floor((d + 1) * dropped + _SLACK) == math.floor(d * dropped + _SLACK)
    ]
    return tuple(found) or (n_layers - 1,)


def most_important(values: ArrayLike, width: float) -> Places:
    """The places of the highest values, a share of ``width`` of them, one at least, in ascending order."""
    found = np.asarray(values)
    count = max(1, round(width * len(found)))
    return np.sort(np.argsort(-found, kind="stable")[:count])


def choose(importance: Importance, cell: Cell) -> Kept:
    """What stays in a cell of the grid: of every layer as many heads and neurons, the most important ones."""
    layers = kept_layers(len(importance.heads), cell.depth)
    return Kept(
        layers=layers,
        heads=tuple(most_important(importance.heads[at], cell.width) for at in layers),
        neurons=tuple(most_important(importance.neurons[at], cell.width) for at in layers),
    )


def prune(probe: Probe, kept: Kept, *, name: str) -> Probe:
    """The model with what stays and nothing else; its own weights are left as they are.

    It is a plain model of its kind where all heads stay, else one of ``probe.pruned``. Its best layers are the
    last that stayed of those up to the best ones of the model.

    Args:
        probe: of a kind of ``probe.pruned.LAYOUTS``, with a head.
        kept: as many heads and neurons in every layer.
        name: of the smaller model.

    Raises:
        ModelError: as ``layout_of``.
    """
    from probe.model import Probe, placed

    layout = layout_of(probe)
    model = _smaller(probe.model, layout, kept)
    fitted = model.load_state_dict(_weights(probe.model, layout, kept), strict=False)
    assert not fitted.unexpected_keys and all("position_ids" in key for key in fitted.missing_keys)
    best = probe.best
    return Probe(
        name=name,
        model=placed(model, probe.device, probe.dtype),
        tokenizer=probe.tokenizer,
        window=probe.window,
        has_head=True,
        best=Best(
            _moved(best.layer, kept, probe.n_layers),
            best.pool,
            {perturb: _moved(layer, kept, probe.n_layers) for perturb, layer in best.layers.items()},
            guess=best.guess,
            fills_masks=best.fills_masks,
        ),
    )


def _moved(layer: int, kept: Kept, n_layers: int) -> int:
    """Where a layer, 0 = embeddings, is in the smaller model: as many as stayed of it and those below."""
    if not layer % (n_layers + 1):
        return 0
    return max(1, sum(each < layer % (n_layers + 1) for each in kept.layers))


def _smaller(model: PreTrainedModel, layout: Layout, kept: Kept) -> Any:
    """A model of the shape of what stays, with weights of any kind."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    from probe.pruned import KEPT, config_class, kind_of

    kind = kind_of(model.config.model_type)
    fields = copy.deepcopy(model.config.to_dict())
    for field in ("model_type", "architectures", KEPT):
        fields.pop(field, None)
    whole = len(kept.heads[0]) == model.config.num_attention_heads
    config = (CONFIG_MAPPING[kind] if whole else config_class(kind))(**fields)
    config.num_hidden_layers = len(kept.layers)
    setattr(config, layout.neurons, len(kept.neurons[0]))
    if not whole:
        setattr(config, KEPT, len(kept.heads[0]))
    made: Any = MODEL_FOR_MASKED_LM_MAPPING[type(config)]
    return made(config)


def _weights(model: PreTrainedModel, layout: Layout, kept: Kept) -> Mapping[str, Tensor]:
    """The weights of what stays, by their names in the smaller model."""
    import torch

    from probe.pruned import KEPT

    stack = f"{model.base_model_prefix}.{layout.stack}."
    size = layout.head_size(layout.layers(model)[0])
    found = {key: value for key, value in model.state_dict().items() if not key.startswith(stack)}
    for at, layer in enumerate(kept.layers):
        old: Any = layout.layers(model)[layer]
        heads, neurons = kept.heads[at], kept.neurons[at]
        rows = (heads[:, None] * size + np.arange(size)).reshape(-1)
        cut = {
            **{f"{name}.{part}": (0, rows) for name in layout.projections for part in ("weight", "bias")},
            f"{layout.mixing}.weight": (1, rows),
            **{f"{layout.into}.{part}": (0, neurons) for part in ("weight", "bias")},
            f"{layout.out}.weight": (1, neurons),
        }
        values = dict(old.state_dict())
        if layout.bias and len(heads) < model.config.num_attention_heads:
            # Of the heads of the whole model: their biases are those of all layers.
            own = f"{layout.bias}.{KEPT}"
            cut[own] = (0, heads)
            values.setdefault(own, torch.arange(model.config.num_attention_heads))
        for name, value in values.items():
            dimension, places = cut.get(name, (0, None))
            if places is not None:
                value = value.index_select(dimension, torch.from_numpy(places).to(value.device))
            found[f"{stack}{at}.{name}"] = value
    return found


def save(probe: Probe, folder: Path, *, chosen: str) -> None:
    """Write a model directory that ``probe.load`` takes, in float16 where that loses nothing.

    Args:
        probe: of ``prune``.
        folder: is made where it is missing.
        chosen: how the best layers were chosen, for ``probe.json``.

    Raises:
        OSError: a file cannot be written.
    """
    import torch

    from probe.loading import quiet_transformers

    model = copy.deepcopy(probe.model)
    values = [each for each in model.state_dict().values() if each.is_floating_point()]
    if all(torch.equal(each, each.half().to(each.dtype)) for each in values):
        model = model.half()  # type: ignore[no-untyped-call]
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_transformers():
        model.save_pretrained(folder)
        probe.tokenizer.save_pretrained(folder)
    best = probe.best
    about = {
        "layer": best.layer,
        "layers": dict(best.layers),
        "pool": best.pool,
        "fills_masks": best.fills_masks,
        "chosen": chosen,
    }
    with whole_file(folder / "probe.json") as file:
        json.dump(about, file, indent=1)
        file.write("\n")


def encoder_parameters(probe: Probe) -> int:
    """Weights of the layers, without embeddings and head.

    Raises:
        ModelError: as ``layout_of``.
    """
    layers = layout_of(probe).layers(probe.model)
    return sum(each.numel() for each in layers.parameters())


def random_importance(importance: Importance, rng: np.random.Generator) -> Importance:
    """Importances drawn at random, of the same shapes: the baseline."""
    from analyses.compression.importance import Importance

    return Importance(heads=rng.random(importance.heads.shape), neurons=rng.random(importance.neurons.shape))


def grid(widths: Sequence[float], depths: Sequence[float]) -> list[Cell]:
    """All cells, the whole model last."""
    return sorted({Cell(width, depth) for width in widths for depth in depths})
