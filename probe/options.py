"""The settings of an impact matrix: metric, layer, pool, perturbation, attention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from operator import index
from typing import Any, Literal, TypeAlias, TypedDict, get_args

from probe.errors import OptionError, quoted
from probe.metrics import METRICS
from probe.patterns import FULL, setting_of
from probe.perturbations import PERTURBATIONS
from probe.registry import check_name

Pool: TypeAlias = Literal["first", "mean", "max", "state"]
"""How the pieces of a unit make one number: of the per-piece impacts, or (``state``) of their mean state."""
PoolChoice: TypeAlias = Pool | Literal["best"]
"""A pool, or the one that served the model best on development data (``Best``)."""
LayerChoice: TypeAlias = int | Literal["best"]
"""A layer index (0 = embeddings, -1 = last), or the one that served the model best on development data."""
Layers: TypeAlias = LayerChoice | Sequence[int] | Literal["all"]
"""One layer, several, or all of them."""

POOLS: tuple[Pool, ...] = get_args(Pool)


class ImpactKeywords(TypedDict):
    """The settings of one matrix as keyword arguments of ``Probe.impact``, ``impact_many`` and ``resolve``."""

    metric: str
    layer: LayerChoice
    pool: PoolChoice
    perturb: str
    attention: str


@dataclass(frozen=True, kw_only=True)
class ImpactChoice:
    """The settings of one matrix as they are chosen, before a model resolves them: see ``Probe.impact``."""

    metric: str = "dist"
    layer: LayerChoice = "best"
    pool: PoolChoice = "best"
    perturb: str = "pair"
    attention: str = FULL

    @property
    def impact(self) -> ImpactKeywords:
        """The settings as keyword arguments."""
        return {
            "metric": self.metric,
            "layer": self.layer,
            "pool": self.pool,
            "perturb": self.perturb,
            "attention": self.attention,
        }


@dataclass(frozen=True)
class Best:
    """What "best" stands for: the layer and pool that a model's makers chose on development data, for ``dist``.

    The last layer and ``mean`` stand for a model of which nothing is known, and for ``prob`` and ``kl``, since the
    head is made for the last layer. ``layers`` has the layers of perturbations that are read best elsewhere.
    ``guess`` says that nobody chose: no ``probe.json`` with a layer came with the model. ``fills_masks`` says that
    its mask token was trained, by its makers' word.
    """

    layer: int = -1
    pool: Pool = "mean"
    layers: Mapping[str, int] = field(default_factory=dict)
    guess: bool = False
    fills_masks: bool = False

    def layer_of(self, perturbs: Sequence[str]) -> int:
        """The layer for one perturbation; for several, which are compared, that of the paper's."""
        return self.layers.get(perturbs[0], self.layer) if len(perturbs) == 1 else self.layer


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one pass computes; ``layers`` are resolved to 0 ... number of layers.

    ``several`` tells whether more than one matrix a sentence was asked for, by a list or by "all".
    ``attention`` is who sees whom in every pass: a pattern, the name of a ``Structure``, or "given" where each
    sentence has its own matrix.
    """

    metrics: tuple[str, ...]
    layers: tuple[int, ...]
    pools: tuple[Pool, ...]
    perturbs: tuple[str, ...]
    several: bool
    attention: str = FULL

    def combinations(self) -> list[tuple[str, int, Pool, str]]:
        """Every defined combination; ``state`` has no true piece, so it goes with metrics of states only."""
        return [
            combination
            for combination in product(self.metrics, self.layers, self.pools, self.perturbs)
            if is_defined(combination[0], combination[2])
        ]


def is_defined(metric: str, pool: Pool) -> bool:
    """Whether the metric can be read off the mean-pooled state."""
    return pool != "state" or METRICS[metric].reads == "states"


def resolve(
    *,
    metric: str | Sequence[str],
    layer: Layers,
    pool: str | Sequence[str],
    perturb: str | Sequence[str],
    attention: object = FULL,
    n_layers: int,
    best: Best = Best(),
) -> Settings:
    """Check the options of a call against a model of ``n_layers`` layers above the embeddings.

    "best" is the model's own choice, for a layer and for a pool.

    Raises:
        OptionError: an unknown name (with the nearest known one), a layer the model does not have, an empty
            list, or a metric and a pool that do not go together.
    """
    metrics = tuple(dict.fromkeys(map(METRICS.resolve, _listed(metric))))
    if any(METRICS[name].reads == "head" for name in metrics):
        best = Best()
    perturbs = tuple(dict.fromkeys(map(PERTURBATIONS.resolve, _listed(perturb))))
    chosen = best.layer_of(perturbs) if isinstance(layer, str) and layer == "best" else layer
    layers, one_layer = _layers(chosen, n_layers)
    pools = [best.pool if name == "best" else check_name("pool", name, POOLS) for name in _listed(pool)]
    settings = Settings(
        metrics=metrics,
        layers=layers,
        pools=tuple(dict.fromkeys(pools)),
        perturbs=perturbs,
        several=not (one_layer and all(isinstance(o, str) for o in (metric, pool, perturb))),
        attention=setting_of(attention),
    )
    if not all((settings.metrics, settings.layers, settings.pools, settings.perturbs)):
        raise OptionError("metric, layer, pool and perturb must each name at least one value")
    if not settings.combinations():
        of_states = [name for name, entry in METRICS.items() if entry.reads == "states"]
        raise OptionError(
            f"pool 'state' goes with metrics {' and '.join(map(repr, of_states))} only: "
            "a mean state has no true piece"
        )
    return settings


def _listed(option: str | Sequence[str]) -> list[str]:
    return [option] if isinstance(option, str) else list(dict.fromkeys(option))


def _layers(layer: Layers, n_layers: int) -> tuple[tuple[int, ...], bool]:
    """The layers, from 0 on, and whether one was named, not a list."""
    if isinstance(layer, str):
        check_name("layer", layer, ["all", "best"])
        return tuple(range(n_layers + 1)), False
    is_one = not isinstance(layer, Iterable) or getattr(layer, "ndim", 1) == 0
    listed: Any = [layer] if is_one else layer
    wanted = [_index(found) for found in listed]
    for number in wanted:
        if not -n_layers - 1 <= number <= n_layers:
            raise OptionError(f"layer {number}: the model has layers 0 (embeddings) to {n_layers}")
    return tuple(dict.fromkeys(number % (n_layers + 1) for number in wanted)), is_one


def _index(layer: Any) -> int:
    try:
        if not isinstance(layer, bool):
            return index(layer)
    except TypeError:
        pass
    raise OptionError(f"layer: an index, a list of them, all or best is expected, found {quoted(layer)}")
