"""The registries of perturbations and metrics: what their entries say, and entries of a user's own."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import probe
from probe import run
from probe.alignment import Alignment
from probe.metrics import METRICS, Metric
from probe.perturbation import Indices, Inputs, Perturbation, Subject, replaced
from probe.perturbations import PERTURBATIONS, against_the_sentence, n_passes, singles
from probe.plan import make_plan
from probe.store import Store
from tests.conftest import ModelFolder
from tests.naive import Naive

WORDS = ("The", "painters", "slept", ".")


def city_block(before: Tensor, after: Tensor) -> Tensor:
    """L1 norm of the difference. Shapes: [reads, hidden] twice -> [reads]."""
    return (before - after).abs().sum(-1)


def unknown(subject: Subject, alignment: Alignment, variants: Indices) -> Inputs:
    """The pieces of the units of each row replaced by piece 1, [UNK]."""
    assert subject.mask_id != 1
    return Inputs(replaced(alignment, variants, 1))


@pytest.fixture
def own_entries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A metric and a perturbation as a user registers them; taken out again."""
    for registry in (METRICS, PERTURBATIONS):
        list(registry)  # entry points are loaded before the copy
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))  # type: ignore[attr-defined]
    METRICS.register(Metric(name="l1", reads="states", measure=city_block))
    PERTURBATIONS.register(
        Perturbation(
            name="unknown",
            needs=frozenset(),
            variants=singles,
            reads=against_the_sentence,
            inputs=unknown,
        )
    )
    yield


@pytest.mark.parametrize("n", [1, 2, 5])
def test_passes_are_counted(n: int) -> None:
    pairs, alone = n * (n - 1) // 2 + n + 1, n + 1
    assert PERTURBATIONS["pair"].passes(n) == n_passes(n, ["pair"]) == pairs
    assert PERTURBATIONS["single"].passes(n) == n_passes(n, ["single"]) == alone
    assert n_passes(n, ["single", "pair"]) == n_passes(n, ["pair", "single"]) == pairs


def test_aliases_that_people_try() -> None:
    assert METRICS["l2"] is METRICS["euclidean"] is METRICS["dist"]
    assert METRICS["cosine"] is METRICS["cos"]
    assert PERTURBATIONS["mask-pair"] is PERTURBATIONS["pair"]


def test_an_alias_is_accepted_where_a_name_is(model_folder: ModelFolder) -> None:
    loaded = probe.load(str(model_folder("bert")), device="cpu", dtype="float64")
    found = loaded.impact(WORDS, metric="l2", perturb="mask-single")
    assert isinstance(found, probe.ImpactMatrix) and (found.metric, found.perturb) == ("dist", "single")


def test_only_pairs_are_read_at_few_places() -> None:
    assert {name for name, entry in PERTURBATIONS.items() if entry.is_sparse} == {"pair", "piece"}


def test_only_prob_can_be_negative() -> None:
    assert [name for name, entry in METRICS.items() if entry.can_be_negative] == ["prob"]


def test_pair_and_single_share_their_passes() -> None:
    alignment = Alignment(
        ids=np.arange(5), positions=np.arange(1, 4), unit_of=np.array([0, 1, 1]), units=("a", "b"), cls=0
    )
    plan = make_plan(alignment, ["single", "pair"])
    assert [variants.tolist() for variants in plan.variants] == [[[-1, -1], [0, -1], [1, -1], [0, 1]]]
    of_single, of_pair = plan.lanes[0].reads(2)
    assert of_single.base.tolist() == [0, 0, 0] and of_pair.base.tolist() == [1, 2, 0]
    assert of_pair.changed[0, 1, 0] == of_pair.changed[1, 0, 0] == 3


@pytest.mark.usefixtures("own_entries")
def test_entries_of_ones_own_give_what_they_say(model_folder: ModelFolder) -> None:
    loaded = probe.load(str(model_folder("bert")), device="cpu", dtype="float64")
    found = loaded.impact(WORDS, metric="l1", perturb="unknown", layer=2, pool="mean")
    assert isinstance(found, probe.ImpactMatrix)
    naive = Naive(model_folder("bert"), dtype=torch.float64)
    alignment = loaded.align(WORDS)
    before = naive.run(tuple(alignment.ids.tolist()), frozenset())[0][2]
    for j in range(len(WORDS)):
        ids = alignment.ids.copy()
        ids[alignment.positions[alignment.unit_of == j]] = 1
        after = naive.run(tuple(ids.tolist()), frozenset())[0][2]
        moved = (before - after).abs().sum(-1)
        for i in range(len(WORDS)):
            own = alignment.positions[alignment.unit_of == i]
            assert found.values[i, j] == pytest.approx(0 if i == j else moved[own].mean().item(), abs=1e-10)
        assert found.on_cls[j] == pytest.approx(moved[0].item(), abs=1e-10)


@pytest.mark.usefixtures("own_entries")
def test_entries_of_ones_own_in_stores_and_commands(model_folder: ModelFolder, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(" ".join(WORDS) + "\n", encoding="utf-8")
    folder = str(model_folder("bert"))
    options = ["--metric", "dist", "l1", "--perturb", "unknown", "pair", "--device", "cpu", "--quiet"]
    where = ["--data", str(tmp_path / "in.txt"), "--out", str(tmp_path / "out"), "--model", folder]
    assert run.main([*where, *options]) == 0
    (found,) = Store.open(tmp_path / "out").matrices(metric="l1", perturb="unknown")
    assert isinstance(found, probe.ImpactMatrix)
    expected = probe.load(folder, device="cpu").impact(WORDS, metric="l1", perturb="unknown")
    np.testing.assert_allclose(found.values, expected.values, atol=1e-4)
