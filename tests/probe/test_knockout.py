"""Attention knockout against plain loops with masks that are built another way, and by what it must not do."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForMaskedLM

import probe
from probe.alignment import Alignment
from probe.perturbations import hidden
from tests.conftest import ModelFolder
from tests.naive import states_without
from tests.tiny import LAYERS, MASKED_LMS

WORDS = ("The", "painters", "slept", ".")
SPANS = ((0, 2), (3, 4))
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}

LoadProbe = Callable[[str, str], probe.Probe]


@pytest.fixture(scope="module")
def load_probe(model_folder: ModelFolder) -> LoadProbe:
    """The engine for a tiny model and a dtype."""
    return cache(lambda name, dtype: probe.load(str(model_folder(name)), device="cpu", dtype=dtype))


def units_of(alignment: Alignment) -> list[list[int]]:
    """The positions of every unit."""
    return [alignment.positions[alignment.unit_of == unit].tolist() for unit in range(len(alignment.units))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MASKED_LMS)
@pytest.mark.parametrize("spans", [None, SPANS], ids=["words", "spans"])
def test_is_a_plain_loop_over_units(
    name: str, dtype: str, spans: Any, load_probe: LoadProbe, model_folder: ModelFolder
) -> None:
    loaded = load_probe(name, dtype)
    alignment = loaded.align(WORDS, spans)
    plain: Any = AutoModelForMaskedLM.from_pretrained(model_folder(name), dtype=getattr(torch, dtype)).eval()
    before = states_without(plain, alignment.ids, [])
    units = units_of(alignment)
    for layer in (1, LAYERS):
        if spans is None:
            found: Any = loaded.impact(WORDS, perturb="knockout", layer=layer, pool="mean")
        else:
            found = loaded.impact_spans(WORDS, spans, perturb="knockout", layer=layer, pool="mean")
        for j, own in enumerate(units):
            moved = (states_without(plain, alignment.ids, own) - before)[layer].square().sum(-1).sqrt()
            scale = TOLERANCE[dtype] * max(1, float(moved.max()))
            for i, at in enumerate(units):
                expected = 0 if i == j else float(moved[at].mean())
                assert found.values[i, j] == pytest.approx(expected, abs=scale)
            assert found.on_cls[j] == pytest.approx(float(moved[0]), abs=scale)


def bert_by_hand(model: Any, ids: NDArray[np.int64], own: list[int]) -> list[Tensor]:
    """BERT's equations (Vaswani et al. 2017; Devlin et al. 2019), one query at a time; states of every layer."""
    weights = {name: tensor.double() for name, tensor in model.bert.state_dict().items()}
    config = model.config

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, unbiased=False, keepdim=True)
        scaled = (x - mean) / (variance + config.layer_norm_eps).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    at = "embeddings"
    x = weights[f"{at}.word_embeddings.weight"][ids] + weights[f"{at}.token_type_embeddings.weight"][0]
    x = norm(x + weights[f"{at}.position_embeddings.weight"][: len(ids)], f"{at}.LayerNorm")
    states, size = [x], config.hidden_size // config.num_attention_heads
    for layer in range(config.num_hidden_layers):
        at = f"encoder.layer.{layer}"
        query, key, value = (linear(x, f"{at}.attention.self.{part}") for part in ("query", "key", "value"))
        mixed = torch.zeros_like(x)
        for q in range(len(ids)):
            seen = [k for k in range(len(ids)) if k not in own or q in own]
            for head in range(config.num_attention_heads):
                part = slice(head * size, (head + 1) * size)
                weight = (key[seen, part] @ query[q, part] / size**0.5).exp()
                mixed[q, part] = (weight / weight.sum()) @ value[seen, part]
        x = norm(x + linear(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
        inner = linear(x, f"{at}.intermediate.dense")
        inner = inner * (1 + (inner / 2**0.5).erf()) / 2
        x = norm(x + linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        states.append(x)
    return states


def test_is_berts_attention_computed_by_hand(load_probe: LoadProbe) -> None:
    loaded = load_probe("bert", "float64")
    alignment = loaded.align(WORDS)
    units = units_of(alignment)
    before = bert_by_hand(loaded.model, alignment.ids, [])
    found: Any = loaded.impact(WORDS, perturb="knockout", layer="all", pool="first")
    for j, own in enumerate(units):
        after = bert_by_hand(loaded.model, alignment.ids, own)
        for layer, matrix in enumerate(found):
            for i, at in enumerate(units):
                moved = float((after[layer][at[0]] - before[layer][at[0]]).norm())
                assert matrix.values[i, j] == pytest.approx(0 if i == j else moved, abs=1e-10)


@pytest.mark.parametrize("name", MASKED_LMS)
def test_what_is_hidden_cannot_be_told(name: str, load_probe: LoadProbe) -> None:
    """With unit j knocked out, another piece in its place moves no other state."""
    loaded = load_probe(name, "float64")
    alignment = loaded.align(WORDS)
    for j, own in enumerate(units_of(alignment)):
        sees = hidden(None, alignment, np.array([[j, -1]])).sees  # type: ignore[arg-type]
        assert sees is not None
        changed = alignment.ids.copy()
        changed[own] = alignment.ids[alignment.positions[alignment.unit_of != j][0]]
        assert not np.array_equal(changed, alignment.ids)
        first, second = (
            loaded.attention.run(torch.from_numpy(ids)[None], torch.from_numpy(sees)).last_hidden_state[0]
            for ids in (alignment.ids, changed)
        )
        others = [at for at in range(len(changed)) if at not in own]
        assert float((first - second)[others].abs().max()) < 1e-12
        assert float((first - second)[own].abs().max()) > 1e-3


def test_units_are_seen_by_their_own_pieces_only() -> None:
    alignment = Alignment(
        ids=np.arange(5), positions=np.arange(1, 4), unit_of=np.array([0, 1, 1]), units=("a", "b"), cls=0
    )
    given = hidden(None, alignment, np.array([[-1, -1], [1, -1]]))  # type: ignore[arg-type]
    assert given.ids.tolist() == [[0, 1, 2, 3, 4]] * 2
    assert given.sees is not None and given.sees[0].all()
    assert given.sees[1].astype(int).tolist() == [
        [1, 1, 0, 0, 1],
        [1, 1, 0, 0, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 0, 0, 1],
    ]


def test_costs_one_pass_a_word_and_one(load_probe: LoadProbe) -> None:
    passes: list[int] = []
    list(load_probe("bert", "float32").impact_many([WORDS], perturb="knockout", on_passes=passes.append))
    assert sum(passes) == len(WORDS) + 1


def test_goes_with_other_perturbations(load_probe: LoadProbe) -> None:
    loaded = load_probe("modernbert", "float64")
    both: Any = loaded.impact(WORDS, perturb=["pair", "knockout"], metric=["dist", "kl"])
    for perturb in ("pair", "knockout"):
        for metric in ("dist", "kl"):
            one = loaded.impact(WORDS, perturb=perturb, metric=metric)
            found = both.select(perturb=perturb, metric=metric)
            np.testing.assert_allclose(found.values, one.values, atol=1e-10)
            np.testing.assert_allclose(found.on_cls, one.on_cls, atol=1e-10)
