"""The last layer at the positions that are read equals the whole last layer."""

from typing import Any

import numpy as np
import pytest
import torch

import probe
from probe.last_layer import LastLayer
from tests import tiny
from tests.conftest import ModelFolder

BERT_LIKE = ("bert", "electra", "ernie", "roberta", "xlm_roberta")
WORDS = "Nobody remembered the violinists .".split()


@pytest.mark.parametrize("name", BERT_LIKE)
def test_impacts_are_those_of_the_whole_layer(name: str, model_folder: ModelFolder) -> None:
    p = probe.load(model_folder(name), device="cpu", dtype="float64")
    assert LastLayer.of(p.model.base_model) is not None
    options: Any = {"metric": ["dist", "kl"], "pool": ["mean", "state"]}
    for batch_tokens in (1, 60, 4_096):
        (reduced,) = p.impact_many([WORDS], layer=[tiny.LAYERS], batch_tokens=batch_tokens, **options)
        whole = p.impact(WORDS, layer="all", **options)
        assert isinstance(reduced, probe.ImpactSet) and isinstance(whole, probe.ImpactSet)
        for matrix in reduced:
            other = whole.select(metric=matrix.metric, layer=matrix.layer, pool=matrix.pool)
            np.testing.assert_allclose(matrix.values, other.values, atol=1e-10)
            np.testing.assert_allclose(matrix.on_cls, other.on_cls, atol=1e-10)


@pytest.mark.parametrize("name", sorted(set(tiny.MASKED_LMS) - set(BERT_LIKE)))
def test_other_architectures_run_the_whole_layer(name: str, model_folder: ModelFolder) -> None:
    p = probe.load(model_folder(name), device="cpu", dtype="float64")
    assert LastLayer.of(p.model.base_model) is None


def test_the_model_is_left_as_it_was(model_folder: ModelFolder) -> None:
    p = probe.load(model_folder("bert"), device="cpu", dtype="float64")
    base = p.model.base_model
    inputs = torch.tensor([[2, 7, 8, 9, 3], [2, 9, 8, 7, 3]])
    before = base(input_ids=inputs).last_hidden_state
    reader = LastLayer.of(base)
    assert reader is not None
    wanted = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0]], dtype=bool)
    with torch.inference_mode():
        states = reader(inputs, wanted)
    torch.testing.assert_close(states[wanted], before[torch.from_numpy(wanted)].detach())
    torch.testing.assert_close(base(input_ids=inputs).last_hidden_state, before)
    assert len(base.encoder.layer) == tiny.LAYERS
