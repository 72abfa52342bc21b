"""``probe discourse``: Table 4 of the paper, its quirks and the fair protocol."""

import json
import os
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import data
import probe
from analyses import NO_HEAD, baseline_documents, count_documents, decode_document, document_impacts
from analyses.discourse.command import main
from analyses.discourse.protocols import DISTANCES, align_document, document_openness, human_documents
from analyses.trees.decoders import DECODERS
from analyses.trees.protocols import ProtocolName
from analyses.trees.variants import Variant
from data import DataError
from probe.perturbations import n_passes
from tests.analyses.discourse.documents import document, write
from tests.command import Done, ran
from tests.conftest import ModelFolder
from tests.table_rows import rows_of

needs_data = pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")

EDUS = ("We saw the owl", "that slept", "in the barn .")
Run = Callable[..., Done]


@pytest.fixture
def run(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command with a tiny BERT, whose window is 32 pieces, and one random-weight model."""

    def command(*args: object) -> Done:
        folder = model_folder("bert")
        capsys.readouterr()
        given = ["--seeds", "1", "--device", "cpu", "--dtype", "float32", "--quiet", "--format", "json"]
        if "--matrices" not in args:
            given += ["--model", str(folder)]
        return ran(capsys, main, *given, *args)

    return command


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A document with three EDUs, one with a single EDU, one without a head of EDU 1."""
    folder = tmp_path / "gold"
    write(folder, "A", (0, 1, 2), EDUS)
    write(folder, "B", (0,), EDUS[:1])
    write(folder, "C", (-1, 0, 2), EDUS)
    return folder


@needs_data
def test_chains_have_the_published_figures() -> None:
    documents = list(data.read_scidtb(Path(os.environ["PROBE_DATA"]) / "scidtb" / "test"))

    def score(protocol: Any, name: Any) -> tuple[float, float]:
        trees = baseline_documents(documents, protocol=protocol, name=name)
        counts = count_documents(documents, trees, protocol=protocol)
        assert (len(counts.total), counts.total.sum()) == (152, 2118)
        at = counts.correct_at.sum(axis=0) / counts.total_at.sum(axis=0)
        return round(100 * counts.correct.sum() / counts.total.sum(), 2), round(100 * at[0], 1)

    assert score("wu2020", "left-chain") == (41.45, 79.5)
    assert score("wu2020", "right-chain") == (10.67, 20.5)
    assert score("fair", "left-chain")[0] == 47.69
    assert score("fair", "right-chain")[0] == 10.67


@needs_data
def test_the_second_annotator_has_the_same_documents() -> None:
    folder = Path(os.environ["PROBE_DATA"]) / "scidtb"
    documents = list(data.read_scidtb(folder / "test"))
    second = {each.id: each for each in data.read_scidtb(folder / "test-second-annotator")}
    trees = human_documents(documents, second, protocol="fair")
    counts = count_documents(documents, trees, protocol="fair")
    assert round(100 * counts.correct.sum() / counts.total.sum(), 1) == 80.2


@pytest.mark.parametrize("name", ["bert", "roberta", "modernbert"])
def test_impacts_between_edus_are_those_of_impact_spans(model_folder: ModelFolder, name: str) -> None:
    model = probe.load(str(model_folder(name)), device="cpu", dtype="float32")
    text = document((0, 1, 2), ("We saw it", "that slept", "there ."))
    chosen = [
        Variant("dist", 3, "state", "pair"),
        Variant("dist", 1, "mean", "pair"),
        Variant("cos", 3, "max", "pair"),
    ]
    (found,) = document_impacts(model, [text], chosen)
    for variant in chosen:
        expected = model.impact_spans(
            text.words, text.spans, metric=variant.metric, layer=variant.layer, pool=variant.pool
        )
        assert found[variant].shape == (4, 4)
        np.testing.assert_allclose(found[variant][1:, 1:], expected.values, atol=1e-5)


@pytest.mark.parametrize("perturbs", [("pair",), ("knockout",), ("pair", "single"), ("substitute:2",)])
def test_a_document_takes_the_passes_that_the_registry_counts(
    model_folder: ModelFolder, perturbs: tuple[str, ...]
) -> None:
    model = probe.load(str(model_folder("bert")), device="cpu", dtype="float32")
    done: list[int] = []
    chosen = [Variant("dist", 3, "state", name) for name in perturbs]
    list(document_impacts(model, [document((0, 1, 2), EDUS)], chosen, on_passes=done.append))
    assert sum(done) == n_passes(1 + len(EDUS), perturbs)


def test_cls_is_masked_like_any_other_unit(model_folder: ModelFolder) -> None:
    model = probe.load(str(model_folder("bert")), device="cpu", dtype="float32")
    text = document((0, 1, 2), EDUS)
    (found,) = document_impacts(model, [text], [Variant("dist", 3, "state", "pair")])
    ids: list[int] = [model.tokenizer.cls_token_id]
    units = [[0]]
    for edu in EDUS:  # each tokenised alone, as published
        pieces = model.tokenizer(edu, add_special_tokens=False)["input_ids"]
        units.append(list(range(len(ids), len(ids) + len(pieces))))
        ids += pieces
    ids.append(model.tokenizer.sep_token_id)

    def state(unit: int, *masked: int) -> torch.Tensor:
        copy = torch.tensor([ids])
        copy[0, [position for each in masked for position in units[each]]] = model.tokenizer.mask_token_id
        with torch.no_grad():
            states = model.model.base_model(input_ids=copy).last_hidden_state[0]
        return torch.as_tensor(states[units[unit]].mean(dim=0))

    (values,) = found.values()
    for i, j in product(range(4), repeat=2):
        expected = float((state(i, i) - state(i, i, j)).norm()) if i != j else 0.0
        assert values[i, j] == pytest.approx(expected, abs=1e-4)


def test_alignment_puts_cls_in_front(model_folder: ModelFolder) -> None:
    model = probe.load(str(model_folder("bert")), device="cpu", dtype="float32")
    alignment = align_document(model, document((0, 1, 2), EDUS))
    assert alignment.units == ("[CLS]", *EDUS)
    assert (alignment.positions[0], alignment.unit_of[0], alignment.unit_of[1]) == (0, 0, 1)
    assert alignment.positions.tolist() == list(range(len(alignment.ids) - 1))


def test_counts_under_both_protocols() -> None:
    # Two roots, an EDU without a head, and arcs of distance 0 (EDU 2), 1 (EDU 4) and 0 (EDU 6, the last).
    text = document((0, 1, 0, 2, -1, 5))
    heads = [0, 1, 0, 2, -1, 5]
    fair = count_documents([text], [heads], protocol="fair")
    assert (fair.correct.tolist(), fair.total.tolist()) == ([5], [6])
    assert DISTANCES == (0, 1, 2, 5)
    assert (fair.correct_at.tolist(), fair.total_at.tolist()) == ([[2, 1, 0, 0]], [[2, 1, 0, 0]])
    wu2020 = count_documents([text], [[*heads[:-1], NO_HEAD]], protocol="wu2020")
    # Without the given root (EDU 1) and the last EDU; the second root counts.
    assert (wu2020.correct.tolist(), wu2020.total.tolist()) == ([3], [6])
    assert (wu2020.correct_at.tolist(), wu2020.total_at.tolist()) == ([[1, 1, 0, 0]], [[1, 1, 0, 0]])
    none = count_documents([text], [[NO_HEAD] * 6], protocol="fair")
    assert none.correct.tolist() == [0]


def test_counting_refuses_trees_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="expected 1 trees, one a document, found 0"):
        count_documents([document((0, 1))], [], protocol="fair")
    with pytest.raises(ValueError, match=r"D14-1: expected 2 heads.*found an array of shape \[1\]"):
        count_documents([document((0, 1))], [[0]], protocol="fair")
    empty = count_documents([], [], protocol="fair")
    assert (empty.correct.shape, empty.correct_at.shape) == ((0,), (0, 4))


def test_baselines_under_wu2020_have_the_root_and_no_last_head() -> None:
    texts = [document((2, 0, 2, 3)), document((0,))]
    left, single = baseline_documents(texts, protocol="wu2020", name="left-chain")
    assert (left.tolist(), single.tolist()) == ([0, 0, 2, NO_HEAD], [NO_HEAD])
    assert baseline_documents(texts, protocol="fair", name="left-chain")[0].tolist() == [0, 1, 2, 3]


def test_human_trees_are_found_by_id() -> None:
    texts = [document((0, 1), name="A"), document((2, 0), name="B")]
    other = {"B": document((0, 1), name="B"), "A": document((2, 0), name="A")}
    assert [tree.tolist() for tree in human_documents(texts, other, protocol="fair")] == [[2, 0], [0, 1]]
    assert human_documents(texts, other, protocol="wu2020")[0].tolist() == [2, NO_HEAD]
    with pytest.raises(DataError, match="B: a second annotation of B is expected, found none"):
        human_documents(texts, {"A": other["A"]}, protocol="fair")
    with pytest.raises(DataError, match="B: 2 EDUs are expected, found 1"):
        human_documents(texts, other | {"B": document((0,), name="B")}, protocol="fair")


def test_tables_of_both_protocols(run: Run, corpus: Path) -> None:
    done = run("--data", corpus, "--human", corpus)
    assert (done.code, done.err) == (0, "")
    wu2020, fair = json.loads(done.out)
    assert list(rows_of(wu2020, "published")) == [
        "Right-chain",
        "Left-chain",
        "Random BERT",
        "Eisner+Dist",
        "CLE+Dist",
    ]
    assert rows_of(wu2020, "published")["Eisner+Dist"]["distance 5"] == 12.8
    assert rows_of(fair, "published") == {}
    for table in (wu2020, fair):
        assert table["columns"] == ["UAS", "distance 0", "distance 1", "distance 2", "distance 5"]
        names = list(rows_of(table, "baseline"))
        assert names[:4] == ["left-chain", "right-chain", "adjacent", "random"]
        assert len(names) == 6 and list(rows_of(table, "human")) == ["second annotator"]
        models = list(rows_of(table, "model"))
        assert [name.split()[-4:] for name in models] == [
            [f"{decoder}+dist,", "layer", "3,", "state"] for decoder in DECODERS
        ]
        assert table["notes"][0].startswith("3 documents, 7 EDUs.")
        assert any("C: a head of EDU 1 is expected, found none annotated" in note for note in table["notes"])
        assert all("| n:3 |" in row["signatures"][0] for row in table["rows"] if row["kind"] != "published")
    # The same annotation once more: all but the missing head, and under wu2020 but roots and last EDUs.
    assert rows_of(fair, "human")["second annotator"]["UAS"] == pytest.approx(100 * 6 / 7)
    assert rows_of(wu2020, "human")["second annotator"]["UAS"] == pytest.approx(100 * 1 / 7)


def test_a_document_that_does_not_fit_is_left_out_of_every_row(run: Run, corpus: Path) -> None:
    write(corpus, "L", (0, 1), ("seventeen yellow tulips " * 9, "slept"))
    done = run("--data", corpus, "--protocol", "fair")
    assert done.code == 1
    assert "L.edu.txt.dep: document skipped: " in done.err and "window of 32" in done.err
    (table,) = json.loads(done.out)
    assert any(
        note.startswith("1 more documents could not be probed") and note.endswith("row: L.")
        for note in table["notes"]
    )
    assert all("| n:3 |" in row["signatures"][0] for row in table["rows"])


def test_settings_vary_in_one_pass(run: Run, corpus: Path) -> None:
    args = ("--layer", "all", "--metric", "dist", "prob", "--pool", "mean", "--seeds", 0, "--limit", 1)
    done = run("--data", corpus, *args)
    assert done.code == 0
    wu2020, fair = json.loads(done.out)
    assert len(rows_of(fair, "model")) == 16
    assert len(rows_of(wu2020, "model")) == 12  # the published CLE multiplies, and prob can be negative


def test_wrong_use(run: Run, corpus: Path, tmp_path: Path) -> None:
    def refused(message: str, code: int, *args: object) -> None:
        done = run(*args)
        assert (done.code, done.out) == (code, "")
        assert message in done.err and done.err.count("\n") == 1

    refused("EDUs need --model", 2, "--data", corpus, "--matrices", tmp_path)
    refused("--data", 2)
    write(tmp_path / "bad", "A", (-1, 1), EDUS[:2])
    refused("a root is expected, since protocol wu2020 gives it", 1, "--data", tmp_path / "bad")
    refused("a second annotation of A is expected", 1, "--data", corpus, "--human", corpus / "B.edu.txt.dep")


def test_unknown_words_stand_beside_every_score(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "gold"
    write(folder, "A", (0, 1, 2), ("We saw 猫", "that slept", "in the barn ."))
    write(folder, "B", (0, 1), ("猫 猫", "犬"))
    done = run("--data", folder, "--protocol", "fair", "--decoder", "eisner")
    assert done.code == 1 and "B.edu.txt.dep: document skipped: " in done.err
    assert "unknown words 3 of 3: the model's vocabulary has none of them" in done.err
    (table,) = json.loads(done.out)
    found = {row["kind"]: row.get("unknown_words") for row in table["rows"] if "dist" in row["name"]}
    assert found == {"baseline": [1, 9], "model": [1, 9]}
    assert any(note.endswith(": unknown words 1 of 9.") for note in table["notes"])


class TestMethods:
    def test_adjustments_change_the_trees_that_they_sign(self, run: Run, tmp_path: Path) -> None:
        write(tmp_path / "data", "D14-1", (0, 1, 2), EDUS)
        args = ("--data", tmp_path / "data", "--layer", 1, "--seeds", 0, "--format", "json")
        done = run(*args, "--method", "openness", "--protocol", "fair")
        assert done.code == 0
        (table,) = json.loads(done.out)
        row = next(row for row in table["rows"] if row["kind"] == "model")
        assert "knockout, log+offset+symmetric+content+root+summary+early" in row["name"]

    @pytest.mark.parametrize("protocol", ["fair", "wu2020"])
    def test_openness_makes_the_open_edu_the_head(self, protocol: ProtocolName) -> None:
        text = document((2, 0, 2, 2))
        impact = np.ones((5, 5)) - np.eye(5)
        heads = decode_document(
            impact,
            text,
            protocol=protocol,
            decoder="eisner",
            adjustment="symmetric+openness",
            openness=[0.0, 9.0, 0.0, 0.0],
        )
        assert heads[0] == 2 and heads[2] == 2

    def test_openness_is_missed(self) -> None:
        with pytest.raises(probe.OptionError, match="openness of each word, which these matrices lack"):
            decode_document(
                np.ones((4, 4)), document((0, 1, 1)), protocol="fair", decoder="eisner", adjustment="openness"
            )

    def test_openness_of_edus_is_that_of_masking_them_whole(self, model_folder: ModelFolder) -> None:
        model = probe.load(str(model_folder("bert")))
        text = document((0, 1, 2), EDUS)
        (found,) = document_openness(model, [text])
        alignment = model.align(text.words, text.spans)
        for edu in range(3):
            ids = alignment.ids.copy()
            own = alignment.positions[alignment.unit_of == edu]
            ids[own] = model.tokenizer.mask_token_id
            with torch.inference_mode():
                logits = model.model(input_ids=torch.from_numpy(ids)[None]).logits[0, own]
            entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
            assert found[0, edu] == pytest.approx(float(entropy), abs=1e-4)
