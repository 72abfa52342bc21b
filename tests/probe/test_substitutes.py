"""Substitution and other pieces than the mask token, against plain loops over a tiny model."""

from typing import Any

import numpy as np
import pytest
import torch

import probe
from probe.perturbations import PERTURBATIONS, n_passes
from tests.conftest import ModelFolder
from tests.naive import Naive

WORDS = ("The", "painters", "slept", ".")


@pytest.fixture(scope="module")
def bert(model_folder: ModelFolder) -> probe.Probe:
    """A tiny BERT in float64."""
    return probe.load(str(model_folder("bert")), device="cpu", dtype="float64")


@pytest.fixture(scope="module")
def naive(model_folder: ModelFolder) -> Naive:
    """The same model, one pass at a time."""
    return Naive(model_folder("bert"), dtype=torch.float64)


def moved(naive: Naive, before: Any, after: Any, layer: int) -> torch.Tensor:
    """How far every state moves from one input to another: [length]."""
    first, second = (naive.run(tuple(ids.tolist()), frozenset())[0][layer] for ids in (before, after))
    return (first - second).square().sum(-1).sqrt()


def best(naive: Naive, ids: Any, own: list[int], k: int) -> list[list[int]]:
    """The k most probable pieces at each masked position but the true one and special ones."""
    logs = naive.run(tuple(ids.tolist()), frozenset(own))[1][-1]
    special = set(naive.tokenizer.all_special_ids)
    return [
        [p for p in logs[at].argsort(descending=True).tolist() if p not in special and p != ids[at]][:k]
        for at in own
    ]


@pytest.mark.parametrize("spans", [None, ((0, 2), (3, 4))], ids=["words", "spans"])
def test_the_models_own_best(bert: probe.Probe, naive: Naive, spans: Any) -> None:
    passes: list[int] = []
    if spans is None:
        found: Any = next(bert.impact_many([WORDS], perturb="substitute:3", layer=2, on_passes=passes.append))
        assert sum(passes) == n_passes(len(WORDS), ["substitute:3"]) == 1 + 3 * len(WORDS) + len(WORDS)
    else:
        found = bert.impact_spans(WORDS, spans, perturb="substitute:3", layer=2)
    assert found.perturb == "substitute:3"
    alignment = bert.align(WORDS, spans)
    units = [alignment.positions[alignment.unit_of == u].tolist() for u in range(len(alignment.units))]
    for j, own in enumerate(units):
        impacts = []
        for pieces in zip(*best(naive, alignment.ids, own, 3), strict=True):
            ids = alignment.ids.copy()
            ids[own] = pieces
            impacts.append(moved(naive, alignment.ids, ids, 2))
        mean = torch.stack(impacts).mean(0)
        for i, at in enumerate(units):
            assert found.values[i, j] == pytest.approx(0 if i == j else float(mean[at].mean()), abs=1e-10)
        assert found.on_cls[j] == pytest.approx(float(mean[0]), abs=1e-10)


@pytest.mark.parametrize("pool", ["max", "state"])
def test_pools_are_taken_of_means_over_alternatives(bert: probe.Probe, naive: Naive, pool: Any) -> None:
    found: Any = bert.impact(WORDS, perturb="substitute:2", layer=3, pool=pool, metric=["dist", "cos"])
    alignment = bert.align(WORDS)
    units = [alignment.positions[alignment.unit_of == u].tolist() for u in range(len(alignment.units))]
    before = naive.run(tuple(alignment.ids.tolist()), frozenset())[0][3]
    for j, own in enumerate(units):
        afters = []
        for pieces in zip(*best(naive, alignment.ids, own, 2), strict=True):
            ids = alignment.ids.copy()
            ids[own] = pieces
            afters.append(naive.run(tuple(ids.tolist()), frozenset())[0][3])
        for i, at in enumerate(units):
            if i == j:
                continue
            if pool == "max":
                norms = torch.stack([(after - before)[at].norm(dim=-1) for after in afters])
                expected = float(norms.mean(0).max())
            else:
                expected = float(np.mean([float((after - before)[at].mean(0).norm()) for after in afters]))
            assert found.select(metric="dist").values[i, j] == pytest.approx(expected, abs=1e-10)


def test_every_other_letter_of_an_alphabet(bert: probe.Probe, naive: Naive) -> None:
    words, letters = ("a", "b", "c", "a"), "abc"
    found: Any = bert.impact(words, perturb=f"substitute:{letters}", layer=3)
    alignment = bert.align(words)
    assert len(alignment.positions) == 4
    number = bert.tokenizer.convert_tokens_to_ids
    for j in range(4):
        impacts = []
        for letter in set(letters) - {words[j]}:
            ids = alignment.ids.copy()
            ids[1 + j] = number(letter)
            impacts.append(moved(naive, alignment.ids, ids, 3))
        mean = torch.stack(impacts).mean(0)
        for i in range(4):
            assert found.values[i, j] == pytest.approx(0 if i == j else float(mean[1 + i]), abs=1e-10)
    assert PERTURBATIONS["substitute:abc"].passes(4) == 1 + 2 * 4
    assert PERTURBATIONS["substitute:a,b,c"].passes(4) == 1 + 2 * 4


def test_a_word_outside_the_alphabet_fails_its_sentence(bert: probe.Probe) -> None:
    first, second = bert.impact_many([("a", "b"), ("a", "m")], perturb="substitute:a,b", errors="return")
    assert isinstance(first, probe.ImpactMatrix)
    assert isinstance(second, probe.SentenceError)
    assert str(second) == "unit 2 ('m') is not made of the letters a b"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "substitute:0",
            "a number of alternatives from 1 to 999999 is expected, without zeros in front, found '0'",
        ),
        ("substitute:0000005", "without zeros in front, found '0000005'"),
        ("substitute:1234567", "from 1 to 999999 is expected, without zeros in front, found '1234567'"),
        ("substitute:a", "a number of alternatives or the letters of an alphabet are expected, found 'a'"),
        ("substitute:aa", "found 'aa'"),
        ("substitute:", "found ''"),
        ("pair:3", "perturb 'pair' takes no argument, found 'pair:3'"),
        ("substitut:3", "did you mean 'substitute'"),
    ],
)
def test_arguments_are_checked(name: str, message: str) -> None:
    with pytest.raises(probe.OptionError, match=message):
        PERTURBATIONS.resolve(name)
    assert PERTURBATIONS.resolve("jacobian:4") == "substitute:4"


def test_pieces_that_the_model_has_not(bert: probe.Probe) -> None:
    with pytest.raises(probe.OptionError, match=r"'<extra_id_0>' is no piece of"):
        bert.impact(WORDS, perturb="piece:<extra_id_0>")
    with pytest.raises(probe.OptionError, match=r"'漢' is no piece of"):
        bert.impact(WORDS, perturb="substitute:a漢")
    with pytest.raises(probe.OptionError, match=r"100000 alternatives are more than"):
        bert.impact(WORDS, perturb="substitute:100000")


@pytest.mark.parametrize(("name", "piece"), [("piece", "[UNK]"), ("piece:[UNK]", "[UNK]"), ("piece:e", "e")])
def test_another_piece_than_the_mask_token(bert: probe.Probe, naive: Naive, name: str, piece: str) -> None:
    found: Any = bert.impact(WORDS, perturb=name, layer=3, pool="first")
    alignment = bert.align(WORDS)
    units = [alignment.positions[alignment.unit_of == u].tolist() for u in range(len(alignment.units))]
    other = bert.tokenizer.convert_tokens_to_ids(piece)
    for i, first in enumerate(units):
        before = alignment.ids.copy()
        before[first] = other
        for j, second in enumerate(units):
            after = before.copy()
            after[second] = other
            expected = 0 if i == j else float(moved(naive, before, after, 3)[first[0]])
            assert found.values[i, j] == pytest.approx(expected, abs=1e-10)


def test_a_store_keeps_the_argument(bert: probe.Probe, tmp_path: Any) -> None:
    names = ["substitute:2", "pair"]
    store = probe.Store.fill(tmp_path / "run", bert, [WORDS], perturb=names)
    assert store.configuration.perturb == ("pair", "substitute:2")
    (found,) = store.matrices(perturb="substitute:2")
    expected: Any = bert.impact(WORDS, perturb="substitute:2")
    np.testing.assert_allclose(found.values, expected.values, atol=1e-10)  # type: ignore[union-attr]
