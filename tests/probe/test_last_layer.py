"""The last layer at the positions that are read equals the whole last layer."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

import probe
from probe.last_layer import LastLayer
from tests import tiny
from tests.conftest import ModelFolder

BERT_LIKE = ("bert", "electra", "ernie", "roberta", "xlm_roberta")
KNOWN = (*BERT_LIKE, "modernbert", "modernbert_split")
WORDS = "Nobody remembered the violinists .".split()


@pytest.mark.parametrize("name", KNOWN)
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


@pytest.mark.parametrize("name", [*BERT_LIKE, "mpnet"])
@pytest.mark.parametrize("perturb", ["pair", "knockout", "substitute:2"])
@pytest.mark.parametrize("layer", range(tiny.LAYERS))
def test_layers_above_the_one_that_is_read_do_not_run(
    name: str, perturb: str, layer: int, model_folder: ModelFolder
) -> None:
    p = probe.load(model_folder(name), device="cpu", dtype="float64")
    metrics: Any = ["dist", "kl"]
    whole: Any = p.impact(WORDS, metric=metrics, layer="all", pool="mean", perturb=perturb)
    base: Any = p.model.base_model
    assert p.attention.refusal is None  # the trial of ways runs the whole model, too
    ran: list[str] = []
    hook = base.encoder.layer[layer].register_forward_hook(lambda *_: ran.append("above"))
    cut: Any = p.impact(WORDS, metric=metrics, layer=layer, pool="mean", perturb=perturb)
    hook.remove()
    assert not ran or perturb == "substitute:2"  # what asks for the best pieces runs the whole model
    for matrix in cut:
        other = whole.select(metric=matrix.metric, layer=layer)
        np.testing.assert_allclose(matrix.values, other.values, atol=1e-10)
        np.testing.assert_allclose(matrix.on_cls, other.on_cls, atol=1e-10)


@pytest.mark.parametrize("name", sorted(set(tiny.MASKED_LMS) - set(KNOWN)))
def test_other_architectures_run_the_whole_layer(name: str, model_folder: ModelFolder) -> None:
    p = probe.load(model_folder(name), device="cpu", dtype="float64")
    assert LastLayer.of(p.model.base_model) is None


def test_local_attention_runs_the_whole_layer(model_folder: ModelFolder) -> None:
    base: Any = probe.load(model_folder("modernbert"), device="cpu", dtype="float64").model.base_model
    assert base.layers[1].attention_type == "sliding_attention"
    base.layers = base.layers[:2]
    assert LastLayer.of(base) is None


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_modernbert_states(
    model_folder: ModelFolder, dtype: str, tolerance: float, bias: bool, layers: int
) -> None:
    """With and without biases, and where the only layer is the first one, which has no norm before it."""
    p = probe.load(model_folder("modernbert"), device="cpu", dtype=dtype)
    config: Any = copy.deepcopy(p.model.config)
    config.attention_bias = config.mlp_bias = config.norm_bias = bias
    config.num_hidden_layers, config.layer_types = layers, ["full_attention"] * layers
    torch.manual_seed(1)
    model: Any = type(p.model)(config)
    base = model.to(p.dtype).train(False).base_model
    for parameter in base.parameters():  # as in tests.tiny: fresh biases are 0 and fresh norms are 1
        torch.nn.init.normal_(parameter, std=tiny.INITIALIZER_RANGE)
    reader = LastLayer.of(base)
    assert reader is not None
    inputs = torch.randint(5, 300, (4, 9))
    wanted = np.random.default_rng(1).random((4, 9)) < 0.3
    wanted[0], wanted[1] = True, False
    with torch.inference_mode():
        whole, states = base(input_ids=inputs).last_hidden_state, reader(inputs, wanted)
    torch.testing.assert_close(states[wanted], whole[torch.from_numpy(wanted)], atol=tolerance, rtol=0)


def test_the_model_is_left_as_it_was(model_folder: ModelFolder) -> None:
    p = probe.load(model_folder("bert"), device="cpu", dtype="float64")
    base: Any = p.model.base_model
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
