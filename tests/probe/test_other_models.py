"""Causal models, encoders of encoder-decoders, and models in which information passes around attention."""

from typing import Any

import numpy as np
import pytest
import torch
import transformers

import probe
from probe.options import Best
from tests import tiny
from tests.conftest import ModelFolder
from tests.naive import states_without

WORDS = ("The", "painters", "slept", ".")
SIZES: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def wrapped(model: Any, tokenizer: Any, *, has_head: bool) -> probe.Probe:
    """A model as a loaded one, in float64."""
    return probe.Probe(
        name="tiny",
        model=model.double().eval(),
        tokenizer=tokenizer,
        window=tiny.WINDOW,
        has_head=has_head,
        best=Best(),
    )


def build(name: str, model_folder: ModelFolder) -> probe.Probe:
    """A model of its own kind with the vocabulary of another."""
    folder = model_folder("gpt2" if name in ("gpt2", "llama") else "bert")
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    vocabulary: Any = {"vocab_size": len(tokenizer), "initializer_range": tiny.INITIALIZER_RANGE}
    if name == "gpt2":
        return wrapped(transformers.GPT2LMHeadModel.from_pretrained(folder), tokenizer, has_head=True)
    if name == "llama":
        config: Any = transformers.LlamaConfig(**SIZES, **vocabulary, num_key_value_heads=1)
        return wrapped(transformers.LlamaForCausalLM(config), tokenizer, has_head=True)
    if name == "t5":
        config = transformers.T5Config(
            vocab_size=len(tokenizer), d_model=24, d_kv=12, d_ff=32, num_layers=3, num_heads=2
        )
        return wrapped(transformers.T5EncoderModel(config), tokenizer, has_head=False)
    if name == "convbert":
        config = transformers.ConvBertConfig(**SIZES, **vocabulary, embedding_size=16, conv_kernel_size=3)
        return wrapped(transformers.ConvBertForMaskedLM(config), tokenizer, has_head=True)
    config = transformers.FNetConfig(
        hidden_size=24, num_hidden_layers=3, intermediate_size=32, max_position_embeddings=32, **vocabulary
    )
    return wrapped(transformers.FNetForMaskedLM(config), tokenizer, has_head=True)


def units_of(loaded: probe.Probe) -> tuple[Any, list[list[int]]]:
    """The input of the sentence, and the positions of each word."""
    found = loaded.align(WORDS)
    return found.ids, [found.positions[found.unit_of == unit].tolist() for unit in range(len(WORDS))]


@pytest.mark.parametrize("layer", [1, 3])
@pytest.mark.parametrize("name", ["gpt2", "llama", "t5"])
def test_knockout_is_a_plain_loop(name: str, layer: int, model_folder: ModelFolder) -> None:
    loaded = build(name, model_folder)
    assert loaded.attention.causal == (name != "t5")
    found: Any = loaded.impact(WORDS, perturb="knockout", layer=layer)
    ids, units = units_of(loaded)
    before = states_without(loaded.model, ids, [])
    for j, own in enumerate(units):
        moved = (states_without(loaded.model, ids, own) - before)[layer].norm(dim=-1)
        for i, at in enumerate(units):
            expected = 0 if i == j else float(moved[at].mean())
            assert found.values[i, j] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("perturb", ["knockout", "piece:Ġ", "substitute:Ġa,Ġb"])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_later_words_of_a_causal_model_have_no_impact(
    name: str, perturb: str, model_folder: ModelFolder
) -> None:
    loaded = build(name, model_folder)
    words = ["a", "b", "a", "b"] if perturb.startswith("substitute") else WORDS
    for metric in ("dist", "cos", "prob", "kl"):
        found: Any = loaded.impact(words, perturb=perturb, metric=metric)
        for i in range(4):
            assert found.values[i, i:].tolist() == [0] * (4 - i)
        if metric == "dist":
            assert (found.values[2, :2] > 1e-6).all()


@pytest.mark.parametrize("perturb", ["knockout", "piece:Ġ"])
def test_a_causal_head_predicts_from_the_position_before(perturb: str, model_folder: ModelFolder) -> None:
    loaded = build("gpt2", model_folder)
    ids, units = units_of(loaded)
    found: Any = loaded.impact(WORDS, perturb=perturb, metric=["dist", "prob", "kl"], pool="first")
    filler = loaded.tokenizer.convert_tokens_to_ids("Ġ")

    def logs(masked: list[int], hidden: list[int]) -> torch.Tensor:
        changed = ids.copy()
        changed[masked] = filler
        with torch.no_grad():
            head: Any = loaded.model.lm_head
            states = states_without(loaded.model, changed, hidden)[-1]
            return torch.log_softmax(head(states), -1)  # type: ignore[no-any-return]

    for i, at in enumerate(units):
        for j, own in enumerate(units[:i]):
            base = at if perturb != "knockout" else []
            before = logs(base, [])[at[0] - 1]
            after = logs(base + own, [])[at[0] - 1] if base else logs([], own)[at[0] - 1]
            lost = float(before[ids[at[0]]].exp() - after[ids[at[0]]].exp())
            assert found.select(metric="prob").values[i, j] == pytest.approx(lost, abs=1e-10)
            divergence = float((before.exp() * (before - after)).sum())
            assert found.select(metric="kl").values[i, j] == pytest.approx(max(divergence, 0), abs=1e-10)


@pytest.mark.parametrize("name", ["convbert", "fnet"])
def test_what_leaks_around_attention_is_refused(name: str, model_folder: ModelFolder) -> None:
    loaded = build(name, model_folder)
    with pytest.raises(
        probe.ModelError,
        match="knockout needs attention that a mask controls, but information passes around its attention",
    ):
        loaded.impact(WORDS, perturb="knockout")
    assert isinstance(loaded.impact(WORDS, perturb="pair"), probe.ImpactMatrix)
    for attention in ("causal", np.tri(4, dtype=bool)):
        with pytest.raises(
            probe.ModelError,
            match=r"attention (causal|given) needs attention that a mask controls, but information passes around",
        ):
            loaded.impact(WORDS, attention=attention)


def test_what_needs_a_mask_token_or_a_head_says_what_does_not(
    model_folder: ModelFolder,
) -> None:
    gpt2, t5 = build("gpt2", model_folder), build("t5", model_folder)
    with pytest.raises(probe.ModelError, match=r"no mask token.*pair needs: use knockout or piece"):
        gpt2.impact(WORDS)
    with pytest.raises(probe.ModelError, match="no masked-LM head, which perturbation substitute needs"):
        t5.impact(WORDS, perturb="substitute")
    with pytest.raises(probe.ModelError, match="which metric prob needs: use dist or cos"):
        t5.impact(WORDS, metric="prob")
    with pytest.raises(probe.ModelError, match="no mask token"):
        gpt2.openness(WORDS)


def test_local_layers_stay_local_beyond_their_window(model_folder: ModelFolder) -> None:
    """A sentence much longer than a local layer sees: the given mask must not widen it."""
    loaded = probe.load(str(model_folder("modernbert")), device="cpu", dtype="float64")
    assert loaded.model.config.sliding_window == 3
    words = ("a", "b", "c") * 6
    ids = loaded.align(words).ids
    everything = torch.ones(1, len(ids), len(ids), dtype=torch.bool)
    given = torch.from_numpy(ids)[None]
    masked = loaded.attention.run(given, everything).last_hidden_state
    plain = loaded.model.base_model(input_ids=given).last_hidden_state
    torch.testing.assert_close(masked, plain, atol=1e-12, rtol=0)
