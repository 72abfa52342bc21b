"""NEZHA: a checkpoint in the published layout, its equations by hand, pair and knockout against plain loops."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import probe
from probe.nezha import relative_positions
from tests.conftest import ModelFolder
from tests.pruned_models import check_pruned
from tests.tiny import LAYERS

WORDS = ("The", "painters", "slept", ".")
REACH, HIDDEN, HEADS, INNER, LENGTH = 3, 24, 2, 32, 32
SIZE = HIDDEN // HEADS


def vector(distance: int) -> Tensor:
    """Of a distance, element by element (Wei et al. 2019, section 2.2)."""
    place = max(-REACH, min(REACH, distance)) + REACH
    angles = [place / 10_000 ** (2 * (k // 2) / SIZE) for k in range(SIZE)]
    return torch.tensor(
        [math.sin(a) if k % 2 == 0 else math.cos(a) for k, a in enumerate(angles)], dtype=torch.float64
    )


def weights_of(vocabulary: int) -> dict[str, Tensor]:
    """Weights of the encoder and head by BERT's names, without the buffers."""
    drawn = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (vocabulary, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
        "pooler.dense.weight": (HIDDEN, HIDDEN),
        "pooler.dense.bias": (HIDDEN,),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{at}.attention.{part}.weight"] = (HIDDEN, HIDDEN)
            shapes[f"{at}.attention.{part}.bias"] = (HIDDEN,)
        shapes[f"{at}.intermediate.dense.weight"], shapes[f"{at}.intermediate.dense.bias"] = (
            (INNER, HIDDEN),
            (INNER,),
        )
        shapes[f"{at}.output.dense.weight"], shapes[f"{at}.output.dense.bias"] = (HIDDEN, INNER), (HIDDEN,)
        for norm in ("attention.output", "output"):
            for kind in ("weight", "bias"):
                shapes[f"{at}.{norm}.LayerNorm.{kind}"] = (HIDDEN,)
    return {name: torch.randn(shape, generator=drawn) * 0.4 for name, shape in shapes.items()}


def write(folder: Path, tokenizer: Any, prefix: str) -> dict[str, Tensor]:
    """A checkpoint in the layout of transformers 4 (``nezha.``) or of the authors (``bert.``)."""
    encoder = weights_of(len(tokenizer))
    kept = {f"{prefix}.{name}": tensor for name, tensor in encoder.items()}
    table = torch.stack([torch.stack([vector(k - q) for k in range(LENGTH)]) for q in range(LENGTH)]).float()
    for layer in range(LAYERS):
        own = f"{prefix}.encoder.layer.{layer}.attention.self.relative_positions_encoding"
        kept[f"{own}.positions_encoding"] = table.clone()
    head = "cls.predictions"
    kept[f"{head}.bias"] = torch.randn(len(tokenizer), generator=torch.Generator().manual_seed(1))
    kept[f"{head}.decoder.weight"] = encoder["embeddings.word_embeddings.weight"].clone()
    kept[f"{head}.decoder.bias"] = kept[f"{head}.bias"].clone()
    kept[f"{head}.transform.dense.weight"] = torch.eye(HIDDEN)
    kept[f"{head}.transform.dense.bias"] = torch.zeros(HIDDEN)
    kept[f"{head}.transform.LayerNorm.weight"] = torch.ones(HIDDEN)
    kept[f"{head}.transform.LayerNorm.bias"] = torch.zeros(HIDDEN)
    kept["cls.seq_relationship.weight"], kept["cls.seq_relationship.bias"] = (
        torch.zeros(2, HIDDEN),
        torch.zeros(2),
    )
    tokenizer.save_pretrained(folder)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["NezhaForMaskedLM"],
        "model_type": "nezha",
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "max_position_embeddings": LENGTH,
        "max_relative_position": REACH,
        "type_vocab_size": 2,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "probe.json").write_text('{"layer": -1, "pool": "mean"}', encoding="utf-8")
    return encoder


@pytest.fixture(scope="module", params=["nezha", "bert"])
def nezha(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_folder: ModelFolder
) -> tuple[probe.Probe, dict[str, Tensor]]:
    """The model as it is loaded, in float64, and its weights."""
    folder = tmp_path_factory.mktemp("nezha")
    tokenizer = probe.load(model_folder("bert"), device="cpu").tokenizer
    weights = write(folder, tokenizer, request.param)
    return probe.load(folder, device="cpu", dtype="float64"), weights


def by_hand(weights: dict[str, Tensor], ids: Any, own: list[int]) -> list[Tensor]:
    """The equations, one query at a time, where no other position sees those of ``own``; states of every layer."""
    w = {name: tensor.double() for name, tensor in weights.items()}

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        scaled = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-12).sqrt()
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, "embeddings.LayerNorm")
    states = [x]
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query, key, value = (linear(x, f"{at}.attention.self.{part}") for part in ("query", "key", "value"))
        mixed = torch.zeros_like(x)
        for q in range(len(ids)):
            seen = [k for k in range(len(ids)) if k not in own or q in own]
            place = torch.stack([vector(k - q) for k in seen])
            for head in range(HEADS):
                part = slice(head * SIZE, (head + 1) * SIZE)
                scores = (key[seen, part] + place) @ query[q, part] / SIZE**0.5
                mixed[q, part] = scores.softmax(-1) @ (value[seen, part] + place)
        x = norm(linear(mixed, f"{at}.attention.output.dense") + x, f"{at}.attention.output.LayerNorm")
        inner = torch.nn.functional.gelu(linear(x, f"{at}.intermediate.dense"))
        x = norm(linear(inner, f"{at}.output.dense") + x, f"{at}.output.LayerNorm")
        states.append(x)
    return states


def test_relative_positions_are_sines_and_cosines_of_distances() -> None:
    found = relative_positions(9, SIZE, REACH)
    for q in range(9):
        for k in range(9):
            torch.testing.assert_close(found[q, k], vector(k - q), atol=1e-12, rtol=0)


def test_its_states_are_those_of_the_equations(nezha: tuple[probe.Probe, dict[str, Tensor]]) -> None:
    loaded, weights = nezha
    ids = loaded.align(WORDS).ids
    output = loaded.model.base_model(input_ids=torch.from_numpy(ids)[None], output_hidden_states=True)
    assert len(output.hidden_states) == LAYERS + 1
    for found, expected in zip(output.hidden_states, by_hand(weights, ids, []), strict=True):
        torch.testing.assert_close(found[0], expected, atol=1e-10, rtol=0)
    assert loaded.has_head and loaded.mask_note is None


@pytest.mark.parametrize("layer", [1, LAYERS])
def test_pair_and_knockout_are_plain_loops(nezha: tuple[probe.Probe, dict[str, Tensor]], layer: int) -> None:
    loaded, weights = nezha
    alignment = loaded.align(WORDS)
    units = [alignment.positions[alignment.unit_of == unit].tolist() for unit in range(len(WORDS))]
    pair = loaded.impact(WORDS, layer=layer, pool="mean").values
    knockout = loaded.impact(WORDS, layer=layer, pool="mean", perturb="knockout").values

    def masked(*which: int) -> Tensor:
        ids = alignment.ids.copy()
        for unit in which:
            ids[units[unit]] = loaded.tokenizer.mask_token_id
        return by_hand(weights, ids, [])[layer]

    plain = by_hand(weights, alignment.ids, [])[layer]
    for j, own in enumerate(units):
        without = by_hand(weights, alignment.ids, own)[layer]
        for i, at in enumerate(units):
            if i == j:
                continue
            moved = (masked(i) - masked(i, j))[at].norm(dim=-1).mean()
            assert pair[i, j] == pytest.approx(float(moved), abs=1e-10)
            hidden = (plain - without)[at].norm(dim=-1).mean()
            assert knockout[i, j] == pytest.approx(float(hidden), abs=1e-10)


def test_what_needs_the_head_and_random_weights(nezha: tuple[probe.Probe, dict[str, Tensor]]) -> None:
    loaded, _ = nezha
    assert loaded.impact(WORDS, metric="kl").values.max() > 0
    other = loaded.with_random_weights(seed=1).impact(WORDS)
    assert (other.values != loaded.impact(WORDS).values).any()


def test_it_can_be_cut(nezha: tuple[probe.Probe, dict[str, Tensor]], tmp_path: Path) -> None:
    check_pruned(nezha[0], list(WORDS), tmp_path / "small")
