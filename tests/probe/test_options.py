"""The settings of an impact matrix: what is accepted, what is refused, and how it is said."""

from typing import Any

import numpy as np
import pytest

from probe import OptionError
from probe.metrics import METRICS
from probe.options import POOLS, Best, Settings, check_name, is_defined, resolve


def settings(**changes: Any) -> Settings:
    """The default settings of a model of 4 layers, but for some."""
    default: dict[str, Any] = {"metric": "dist", "layer": -1, "pool": "mean", "perturb": "pair"}
    return resolve(**{**default, "n_layers": 4, **changes})


def test_defaults() -> None:
    found = settings()
    assert (found.metrics, found.layers, found.pools, found.perturbs) == (
        ("dist",),
        (4,),
        ("mean",),
        ("pair",),
    )
    assert found.combinations() == [("dist", 4, "mean", "pair")]
    assert not found.several


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (0, (0,)),
        (4, (4,)),
        (-1, (4,)),
        (-5, (0,)),
        ([0, 2], (0, 2)),
        ([4, -1, 0], (4, 0)),
        ("all", (0, 1, 2, 3, 4)),
        (np.int64(2), (2,)),
        (np.array(2), (2,)),
        (np.arange(2), (0, 1)),
        (range(3), (0, 1, 2)),
    ],
)
def test_layers_count_from_the_embeddings(layer: Any, expected: tuple[int, ...]) -> None:
    assert settings(layer=layer).layers == expected


@pytest.mark.parametrize("layer", [1.0, True, None, [1.5], [True], np.array([1.0]), [[1]]])
def test_a_layer_that_is_no_index(layer: Any) -> None:
    with pytest.raises(OptionError, match="layer: an index, a list of them, all or best is expected, found"):
        settings(layer=layer)


def test_a_number_of_numpy_is_one_layer() -> None:
    assert not settings(layer=np.int64(2)).several
    assert settings(layer=np.arange(1)).several


@pytest.mark.parametrize("layer", [5, -6, [0, 5]])
def test_a_layer_the_model_does_not_have(layer: Any) -> None:
    with pytest.raises(OptionError, match=r"the model has layers 0 \(embeddings\) to 4"):
        settings(layer=layer)


@pytest.mark.parametrize(
    "option",
    [{"layer": "all"}, {"layer": [1]}, {"metric": ["dist"]}, {"pool": ["max"]}, {"perturb": ["pair"]}],
)
def test_a_list_asks_for_a_set_even_of_one(option: dict[str, Any]) -> None:
    assert settings(**option).several


def test_best_is_the_models_own_choice() -> None:
    found = settings(layer="best", pool="best", best=Best(2, "max"))
    assert found.combinations() == [("dist", 2, "max", "pair")]
    assert not found.several
    assert settings(layer="best", pool="best").combinations() == [("dist", 4, "mean", "pair")]
    assert settings(layer="best", pool=["best", "first", "max"], best=Best(2, "max")).pools == (
        "max",
        "first",
    )


@pytest.mark.parametrize("metric", ["prob", ["dist", "kl"]])
def test_best_is_the_last_layer_where_the_head_is_read(metric: Any) -> None:
    found = settings(metric=metric, layer="best", pool="best", best=Best(2, "state"))
    assert (found.layers, found.pools) == ((4,), ("mean",))


def test_names_given_twice_count_once() -> None:
    found = settings(metric=["kl", "dist", "kl"], pool=["max", "max"])
    assert (found.metrics, found.pools) == (("kl", "dist"), ("max",))


def test_every_combination_but_the_undefined() -> None:
    found = settings(metric=METRICS, layer=[0, 4], pool=POOLS, perturb=("pair", "single")).combinations()
    assert len(found) == len(set(found)) == (4 * 4 - 2) * 2 * 2
    assert not [c for c in found if c[0] in ("prob", "kl") and c[2] == "state"]
    assert is_defined("cos", "state") and is_defined("prob", "mean") and not is_defined("kl", "state")


@pytest.mark.parametrize("metric", ["prob", "kl", ["prob", "kl"]])
def test_a_mean_state_has_no_true_piece(metric: Any) -> None:
    with pytest.raises(OptionError, match="pool 'state' goes with metrics 'dist' and 'cos' only"):
        settings(metric=metric, pool="state")


@pytest.mark.parametrize("option", ["metric", "layer", "pool", "perturb"])
def test_an_empty_list_is_refused(option: str) -> None:
    with pytest.raises(OptionError, match="at least one value"):
        settings(**{option: []})


@pytest.mark.parametrize(
    ("option", "name", "near"),
    [
        ("metric", "dits", "dist"),
        ("pool", "fist", "first"),
        ("perturb", "singel", "single"),
        ("layer", "al", "all"),
    ],
)
def test_a_misspelt_name_suggests_the_near_one(option: str, name: str, near: str) -> None:
    with pytest.raises(OptionError, match=f"unknown {option} '{name}': did you mean '{near}'"):
        settings(**{option: name})


def test_a_strange_name_lists_the_known_ones() -> None:
    with pytest.raises(OptionError) as caught:
        check_name("metric", "xyz", METRICS)
    assert str(caught.value) == "unknown metric 'xyz': known are dist, cos, prob, kl"


def test_option_errors_are_value_errors() -> None:
    with pytest.raises(ValueError):
        check_name("pool", "", POOLS)
