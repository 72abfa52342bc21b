"""Impacts under patterns of attention against plain loops in which attention weights themselves are set to 0."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

import probe
from probe.alignment import Alignment
from probe.patterns import attention_name, reach, seen_by
from probe.store import Store, StoreError
from tests import tiny
from tests.conftest import ModelFolder
from tests.naive import HEADS, states_hiding

WORDS = ("The", "painters", "slept", "there", ".")
SPANS = ((0, 2), (3, 5))
ARROWS = ((0, 1), (1, 2), (2, 0), (4, 3), (3, 4))
"""Who sees whom beside oneself: the first three words in a ring, the last two each other."""
TREE = np.eye(5, dtype=bool)
TREE[tuple(zip(*ARROWS, strict=True))] = True
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
KINDS = ("bert", "roberta", "deberta_v2", "modernbert", "mpnet")

LoadProbe = Callable[[str, str], probe.Probe]


@pytest.fixture(scope="module")
def load_probe(model_folder: ModelFolder) -> LoadProbe:
    """The engine for a tiny model and a dtype."""
    return cache(lambda name, dtype: probe.load(str(model_folder(name)), device="cpu", dtype=dtype))


def word_of(loaded: probe.Probe) -> list[int]:
    """The word at every position, -1 before the words and 5 after them."""
    found = loaded.align(WORDS)
    first, last = found.positions[0], found.positions[-1]
    own = dict(zip(found.positions.tolist(), found.unit_of.tolist(), strict=True))
    return [-1 if at < first else 5 if at > last else own[at] for at in range(len(found.ids))]


def hidden_pairs(words: list[int], attention: Any) -> list[tuple[int, int]]:
    """The pairs (query, key) that a pattern hides, one by one."""
    pairs = []
    for query, of_query in enumerate(words):
        for key, of_key in enumerate(words):
            if isinstance(attention, str):
                n = min(5, int(attention.removeprefix("prefix:"))) if attention != "causal" else -1
                sees = key <= query or (of_query < n and of_key < n)
            elif of_key in (-1, 5):
                sees = True
            else:
                sees = of_query == of_key or (of_query, of_key) in ARROWS
            if not sees:
                pairs.append((query, key))
    return pairs


def units_of(alignment: Alignment) -> list[list[int]]:
    """The positions of every unit."""
    return [alignment.positions[alignment.unit_of == unit].tolist() for unit in range(len(alignment.units))]


class Loop:
    """Impacts one variant a pass, from the whole model with pairs hidden."""

    def __init__(self, loaded: probe.Probe, attention: Any, spans: Any = None) -> None:
        self.loaded, self.alignment = loaded, loaded.align(WORDS, spans)
        self.units, self.pairs = units_of(self.alignment), hidden_pairs(word_of(loaded), attention)
        self._states = cache(self._run)

    def _run(self, replaced: tuple[tuple[int, int], ...], out: tuple[int, ...]) -> Tensor:
        ids = self.alignment.ids.copy()
        for at, piece in replaced:
            ids[at] = piece
        more = [(query, key) for query in range(len(ids)) for key in out if query not in out]
        return states_hiding(self.loaded.model, ids, self.pairs + more)

    def states(self, perturb: str, *units: int) -> Tensor:
        """States of all layers where some units are perturbed."""
        own = tuple(at for unit in units for at in self.units[unit])
        if perturb == "knockout":
            return self._states((), own)
        mask = self.loaded.tokenizer.mask_token_id
        piece = mask if perturb in ("pair", "single") else self.loaded.tokenizer.unk_token_id
        return self._states(tuple((at, piece) for at in own), ())

    def compared(self, perturb: str, i: int, j: int) -> tuple[Tensor, Tensor]:
        """States before and after, for the impact of j on i."""
        base = (i,) if perturb in ("pair", "piece") else ()
        return self.states(perturb, *base), self.states(perturb, *base, j)

    def impact(self, perturb: str, i: int, j: int, *, layer: int) -> float:
        """The impact of j on i, the mean over the pieces of i."""
        if i == j:
            return 0.0
        before, after = self.compared(perturb, i, j)
        return float((after - before)[layer, self.units[i]].norm(dim=-1).mean())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "attention",
    ["causal", "prefix:1", "prefix:3", "prefix:9", TREE],
    ids=lambda one: one if isinstance(one, str) else "tree",
)
@pytest.mark.parametrize("name", KINDS)
def test_is_a_plain_loop(name: str, attention: Any, dtype: str, load_probe: LoadProbe) -> None:
    loaded = load_probe(name, dtype)
    perturbs = ["pair", "single", "knockout", "piece"]
    loop = Loop(loaded, attention)
    found: Any = loaded.impact(WORDS, perturb=perturbs, layer="all", pool="mean", attention=attention)
    for perturb in perturbs:
        for layer in (1, tiny.LAYERS):
            values = found.select(perturb=perturb, layer=layer).values
            expected = [[loop.impact(perturb, i, j, layer=layer) for j in range(5)] for i in range(5)]
            np.testing.assert_allclose(
                values, expected, atol=TOLERANCE[dtype] * max(1, np.max(expected)), rtol=0
            )


@pytest.mark.parametrize("attention", ["prefix:2", TREE], ids=["prefix", "tree"])
@pytest.mark.parametrize("name", ["bert", "modernbert"])
def test_spans_and_one_layer_are_a_plain_loop(name: str, attention: Any, load_probe: LoadProbe) -> None:
    loaded = load_probe(name, "float64")
    loop = Loop(loaded, attention, SPANS)
    for layer in (1, tiny.LAYERS):
        for perturb in ("pair", "knockout"):
            found = loaded.impact_spans(
                WORDS, SPANS, layer=layer, pool="mean", perturb=perturb, attention=attention
            )
            for i, j in ((0, 1), (1, 0)):
                expected = loop.impact(perturb, i, j, layer=layer)
                assert found.values[i, j] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("attention", ["causal", "prefix:2"])
def test_the_head_reads_the_masked_position_itself(attention: str, load_probe: LoadProbe) -> None:
    loaded = load_probe("bert", "float64")
    loop, head = Loop(loaded, attention), HEADS["bert"]
    found: Any = loaded.impact(WORDS, metric=["prob", "kl"], pool="first", attention=attention)
    for i, at in enumerate(loop.units):
        for j in set(range(5)) - {i}:
            with torch.no_grad():
                before, after = (
                    torch.log_softmax(head(loaded.model, states[-1, at[0]]), -1)
                    for states in loop.compared("pair", i, j)
                )
            true = int(loop.alignment.ids[at[0]])
            lost = float(before[true].exp() - after[true].exp())
            assert found.select(metric="prob").values[i, j] == pytest.approx(lost, abs=1e-10)
            divergence = float((before.exp() * (before - after)).sum())
            assert found.select(metric="kl").values[i, j] == pytest.approx(divergence, abs=1e-10)


@pytest.mark.parametrize("perturb", ["pair", "single", "knockout", "substitute:2", "piece"])
@pytest.mark.parametrize("name", ["bert", "deberta_v2", "modernbert"])
def test_later_words_have_no_impact_at_all(name: str, perturb: str, load_probe: LoadProbe) -> None:
    loaded = load_probe(name, "float32")
    options: Any = {"perturb": perturb, "metric": ["dist", "cos", "prob", "kl"], "pool": ["mean", "max"]}
    for matrix in loaded.impact(WORDS, attention="causal", **options):
        assert not np.triu(matrix.values).any()
        assert not matrix.on_cls.any()  # [CLS] sees itself only
        assert (matrix.values[np.tril_indices(5, k=-1)] != 0).any()
    for matrix in loaded.impact(WORDS, attention="prefix:3", **options):
        assert not matrix.values[:3, 3:].any() and not matrix.values[3, 4:].any()
        assert matrix.values[0, 2] and not matrix.on_cls[3:].any() and matrix.on_cls[:3].all()


def test_a_piece_of_a_later_word_does_not_see_the_next_piece(load_probe: LoadProbe) -> None:
    loaded = load_probe("bert", "float64")
    words = word_of(loaded)
    ends = np.flatnonzero(np.diff([*words, 9])) + 1
    for attention, both in (("causal", False), ("prefix:2", True), ("prefix:1", False), (TREE, True)):
        sees = seen_by(attention, ends[:-1], len(words))
        assert sees is not None and words.count(1) > 1
        expected = np.ones_like(sees)
        for pair in hidden_pairs(words, attention):
            expected[pair] = False
        np.testing.assert_array_equal(sees, expected)
        assert sees[words.index(1), words.index(1) + 1] == both


def test_nothing_passes_but_along_the_matrix(load_probe: LoadProbe) -> None:
    loaded = load_probe("bert", "float32")
    found: Any = loaded.impact(WORDS, perturb="knockout", attention=TREE)
    assert found.attention == "given" and not found.on_cls.any()
    assert not found.values[:3, 3:].any() and not found.values[3:, :3].any()
    assert found.values[0, 2] and found.values[3, 4]  # word 0 sees word 2 through word 1


def test_reach_follows_every_path() -> None:
    chain = np.eye(6, k=1, dtype=bool)
    np.testing.assert_array_equal(reach(chain), np.triu(np.ones((6, 6), dtype=bool)))


def test_a_matrix_for_each_sentence(load_probe: LoadProbe) -> None:
    loaded = load_probe("bert", "float64")
    sentences = [WORDS, WORDS, ("Nobody", "slept")]
    masks = [TREE, np.ones((5, 5), dtype=bool), np.eye(2, dtype=bool)]
    found: Any = list(loaded.impact_many(sentences, perturb="knockout", attention=masks))
    for matrix, words, mask in zip(found, sentences, masks, strict=True):
        alone = loaded.impact(words, perturb="knockout", attention=mask)
        np.testing.assert_allclose(matrix.values, alone.values, atol=1e-10)
    assert not np.allclose(found[0].values, found[1].values)
    with pytest.raises(probe.OptionError, match="a matrix for each sentence is expected"):
        list(loaded.impact_many(sentences, attention=masks[:2]))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((4, 4), dtype=bool), r"bool \[5, 5\] is expected for 5 words, found bool \[4, 4\]"),
        (np.ones((5, 5)), "found float64"),
        (~np.eye(5, dtype=bool), "word 1 does not see itself"),
    ],
)
def test_a_matrix_of_something_else_is_refused(mask: Any, message: str, load_probe: LoadProbe) -> None:
    with pytest.raises(probe.SentenceError, match=message):
        load_probe("bert", "float32").impact(WORDS, attention=mask)


@pytest.mark.parametrize(
    "name", ["prefix:N", "prefix:0", "prefix:", "prefix:-1", "prefix:1_0", "cuasal", "given"]
)
def test_unknown_patterns_are_refused(name: str) -> None:
    with pytest.raises(probe.OptionError, match="attention"):
        attention_name(name)


def test_full_gives_no_mask(load_probe: LoadProbe) -> None:
    loaded = load_probe("bert", "float32")
    assert loaded.align(WORDS, None, "full").sees is None
    plain = loaded.impact(WORDS)
    found = loaded.impact(WORDS, attention="full")
    np.testing.assert_array_equal(found.values, plain.values)
    assert "attention" not in repr(found)


# --- openness and alternatives


def test_openness_is_read_under_the_same_attention(load_probe: LoadProbe) -> None:
    loaded = load_probe("bert", "float64")
    loop, head = Loop(loaded, "prefix:2"), HEADS["bert"]
    for batch_tokens in (1, 4_096):
        (found,) = loaded.impact_many(
            [WORDS], perturb="knockout", openness=True, attention="prefix:2", batch_tokens=batch_tokens
        )
        assert found.openness is not None and found.cues is not None
        for i, at in enumerate(loop.units):
            with torch.no_grad():
                masked = torch.log_softmax(head(loaded.model, loop.states("single", i)[-1, at]), -1)
                plain = torch.log_softmax(head(loaded.model, loop.states("single")[-1, at]), -1)
            entropy = -(masked.exp() * masked).sum(-1).mean()
            assert found.openness[i] == pytest.approx(float(entropy), abs=1e-10)
            assert found.cues[1, i] == pytest.approx(float(-(plain.exp() * plain).sum(-1).mean()), abs=1e-10)
            moved = (loop.states("single", i) - loop.states("single"))[-1, 0].norm()
            assert found.cues[3, i] == (pytest.approx(float(moved), abs=1e-10) if i < 2 else 0)


def test_substitutes_are_what_the_model_expects_under_the_same_attention(load_probe: LoadProbe) -> None:
    loaded = load_probe("bert", "float64")
    loop, head = Loop(loaded, "causal"), HEADS["bert"]
    found = loaded.impact(WORDS, perturb="substitute:2", pool="first", attention="causal")
    own = loop.units[1]
    with torch.no_grad():
        logits = head(loaded.model, loop.states("single", 1)[-1, own])
    logits[:, loaded.tokenizer.all_special_ids] = -torch.inf
    logits[range(len(own)), loop.alignment.ids[own]] = -torch.inf
    best = logits.topk(2, dim=-1).indices
    before, at = loop.states("single")[-1], loop.units[3][0]
    moved = [
        loop._run(tuple(zip(own, best[:, k].tolist(), strict=True)), ())[-1, at] - before[at] for k in (0, 1)
    ]
    expected = float(torch.stack(moved).norm(dim=-1).mean())
    assert found.values[3, 1] == pytest.approx(expected, abs=1e-10)


# --- models


def test_a_causal_model_is_causal_anyway(load_probe: LoadProbe) -> None:
    loaded = load_probe("llama", "float64")
    plain: Any = loaded.impact(WORDS, perturb="knockout", metric=["dist", "kl"])
    for attention in ("causal", np.ones((5, 5), dtype=bool)):
        found: Any = loaded.impact(WORDS, perturb="knockout", metric=["dist", "kl"], attention=attention)
        for mine, its in zip(found, plain, strict=True):
            np.testing.assert_allclose(mine.values, its.values, atol=1e-12)
    assert loaded.resolve(attention="causal") == loaded.resolve()
    with pytest.raises(probe.ModelError, match=r"prefix:2 needs .* the model is causal"):
        loaded.impact(WORDS, perturb="knockout", attention="prefix:2")


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt"])
def test_a_matrix_hides_more_in_a_causal_model(name: str, load_probe: LoadProbe) -> None:
    loaded = load_probe(name, "float64")
    loop = Loop(loaded, TREE)
    found: Any = loaded.impact(WORDS, perturb="knockout", pool="mean", attention=TREE)
    expected = [[loop.impact("knockout", i, j, layer=-1) for j in range(5)] for i in range(5)]
    np.testing.assert_allclose(found.values, expected, atol=1e-10)


def test_xlnet_and_encoders(load_probe: LoadProbe) -> None:
    """What stands for the sentence in XLNet comes after all words, and sees them."""
    found = load_probe("xlnet", "float32").impact(WORDS, perturb="knockout", attention="causal")
    assert not np.triu(found.values).any() and found.values[4, 0] and found.on_cls.all()
    t5 = load_probe("t5", "float64").impact(WORDS, perturb="knockout", attention="prefix:2")
    assert not t5.values[0, 2:].any() and t5.values[0, 1]


def test_masks_that_all_positions_can_tell_are_refused(tmp_path: Path) -> None:
    """ESM divides its embeddings by the share of masks."""
    from tests.tiny_kinds import esm

    folder = esm(tmp_path / "esm")
    config = transformers.AutoConfig.from_pretrained(folder)
    config.token_dropout = True
    config.save_pretrained(folder)
    loaded = probe.load(folder, device="cpu", dtype="float64")
    words = list("LAGVS")
    with pytest.raises(probe.ModelError, match=r"mask.*moves all of its states, so not with pair"):
        loaded.impact(words, attention="causal")
    with pytest.raises(probe.ModelError, match="so not with openness"):
        loaded.impact(words, perturb="knockout", openness=True, attention="causal")
    assert not np.triu(loaded.impact(words, perturb="knockout", attention="causal").values).any()


# --- what is kept


def test_a_file_says_which(load_probe: LoadProbe, tmp_path: Path) -> None:
    loaded = load_probe("bert", "float32")
    for attention in ("prefix:2", TREE):
        matrix = loaded.impact(WORDS, attention=attention)
        matrix.save(tmp_path / "m.safetensors")
        found = probe.ImpactMatrix.load(tmp_path / "m.safetensors")
        assert found.attention == matrix.attention and f"attention {found.attention}" in repr(found)


def test_a_run_directory_is_of_one_attention(load_probe: LoadProbe, tmp_path: Path) -> None:
    loaded, sentences = load_probe("bert", "float32"), [list(WORDS)]
    Store.fill(tmp_path / "plain", loaded, sentences)
    assert '"attention"' not in (tmp_path / "plain" / "manifest.json").read_text(encoding="utf-8")
    Store.fill(tmp_path / "run", loaded, sentences, attention="prefix:2")
    store = Store.open(tmp_path / "run")
    (matrix,) = store.impact_many(sentences, attention="prefix:2")
    assert isinstance(matrix, probe.ImpactMatrix) and matrix.attention == "prefix:2"
    np.testing.assert_array_equal(matrix.values, loaded.impact(WORDS, attention="prefix:2").values)
    with pytest.raises(probe.OptionError, match="no matrices with attention full; there are prefix:2"):
        store.matrices()
    with pytest.raises(StoreError, match="another configuration: attention: prefix:2 there, full here"):
        Store.fill(tmp_path / "run", loaded, sentences)
