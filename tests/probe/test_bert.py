"""BERT-like encoders run for many variants give the states of the model's own passes."""

import copy
from typing import Any

import pytest
import torch

import probe
from probe.bert import BertEncoder
from tests import tiny
from tests.conftest import ModelFolder

BERT_LIKE = ("bert", "electra", "ernie", "roberta", "xlm_roberta")
LAYERS = range(tiny.LAYERS + 1)


def variants(base: Any, *, sentences: int, copies: int, seed: int = 0) -> torch.Tensor:
    """Copies of a few sequences in which a few pieces are another one."""
    drawn = torch.Generator().manual_seed(seed)
    pieces = torch.tensor([at for at in range(5, 60) if at != base.config.pad_token_id])
    ids = pieces[torch.randint(len(pieces), (sentences, 9), generator=drawn)]
    ids = ids.repeat_interleave(copies, dim=0)
    ids[torch.rand(ids.shape, generator=drawn) < 0.2] = 4
    return ids


@pytest.mark.parametrize("name", BERT_LIKE)
@pytest.mark.parametrize(("sentences", "copies"), [(1, 1), (1, 20), (2, 20), (6, 1)])
@torch.inference_mode()
def test_states_are_those_of_the_model(
    name: str, sentences: int, copies: int, model_folder: ModelFolder
) -> None:
    base: Any = probe.load(model_folder(name), device="cpu", dtype="float64").model.base_model
    encoder = BertEncoder.of(base)
    assert encoder is not None
    ids = variants(base, sentences=sentences, copies=copies)
    whole = base(input_ids=ids, output_hidden_states=True).hidden_states
    for layers in ([0], [tiny.LAYERS], list(LAYERS)):
        found = encoder.states(ids, layers)
        assert sorted(found) == layers
        for layer in layers:
            torch.testing.assert_close(found[layer], whole[layer], atol=1e-10, rtol=0)


@pytest.mark.parametrize("part", [1, 20, 179])
@torch.inference_mode()
def test_parts_of_a_feed_forward_block(
    part: int, model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    base: Any = probe.load(model_folder("bert"), device="cpu", dtype="float64").model.base_model
    encoder = BertEncoder.of(base)
    assert encoder is not None
    ids = variants(base, sentences=1, copies=20)
    whole = base(input_ids=ids).last_hidden_state
    monkeypatch.setattr("probe.bert._PART", part)
    torch.testing.assert_close(encoder.states(ids, [tiny.LAYERS])[tiny.LAYERS], whole, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", BERT_LIKE)
@torch.inference_mode()
def test_only_what_is_seen_moves_states(name: str, model_folder: ModelFolder) -> None:
    p = probe.load(model_folder(name), device="cpu", dtype="float64")
    base: Any = p.model.base_model
    encoder = BertEncoder.of(base)
    assert encoder is not None
    ids = variants(base, sentences=1, copies=12)
    sees = torch.rand((len(ids), 9, 9), generator=torch.Generator().manual_seed(1)) < 0.5
    sees |= torch.eye(9, dtype=torch.bool)
    want = p.attention.run(ids, sees, output_hidden_states=True).hidden_states
    found = encoder.states(ids, LAYERS, sees)
    for layer in LAYERS:
        torch.testing.assert_close(found[layer], want[layer], atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["bert", "roberta"])
@torch.inference_mode()
def test_padding_among_the_pieces(name: str, model_folder: ModelFolder) -> None:
    """A RoBERTa counts positions without padding, so that it moves what follows."""
    base: Any = probe.load(model_folder(name), device="cpu", dtype="float64").model.base_model
    encoder = BertEncoder.of(base)
    assert encoder is not None
    ids = variants(base, sentences=1, copies=12)
    ids[3, 4] = ids[7, 2] = base.config.pad_token_id
    # The mask is what the engine gives too: without it padding is hidden.
    want = base(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    torch.testing.assert_close(encoder.states(ids, [tiny.LAYERS])[tiny.LAYERS], want, atol=1e-10, rtol=0)


@torch.inference_mode()
def test_first_layer_is_shared(model_folder: ModelFolder) -> None:
    """Of 20 copies, the embeddings see only as many as hold each piece at each of its positions."""
    base: Any = probe.load(model_folder("bert"), device="cpu", dtype="float64").model.base_model
    encoder = BertEncoder.of(base)
    assert encoder is not None
    ids = variants(base, sentences=1, copies=20)
    rows: list[int] = []
    hook = base.embeddings.register_forward_hook(lambda module, given, made: rows.append(len(made)))
    encoder.states(ids, [tiny.LAYERS])
    hook.remove()
    assert rows == [2]


def test_unknown_layers_are_left_alone(model_folder: ModelFolder) -> None:
    """Also layers of a known name that come with a model's own code."""
    for name in sorted(set(tiny.MASKED_LMS) - set(BERT_LIKE)):
        base: Any = probe.load(model_folder(name), device="cpu", dtype="float64").model.base_model
        assert BertEncoder.of(base) is None
    base = copy.deepcopy(probe.load(model_folder("bert"), device="cpu").model.base_model)
    layer = base.encoder.layer[0]
    layer.__class__ = type("BertLayer", (type(layer),), {"__module__": "somebody.modeling"})
    assert BertEncoder.of(base) is None
