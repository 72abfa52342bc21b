"""Masks made of trees, against plain loops; runs along trees."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import probe
from parsers.baselines import random_projective
from probe import estimate
from probe import run as command
from probe.store import Store
from probe.structure import Structure, is_structure, mask_of, relation_name, tree_distances
from tests.command import Done, ran
from tests.conftest import ModelFolder

HEADS = [2, 3, 0, 5, 3]
SENTENCES = (("The", "painters", "slept", "well", "."), ("Nobody", "slept"))
TREES = ((2, 3, 0, 3, 3), (2, 0))


def distance(heads: list[int], a: int, b: int) -> float:
    """Arcs between two words, from their ways to the root."""

    def above(word: int) -> list[int]:
        way = [word]
        while heads[way[-1]]:
            way.append(heads[way[-1]] - 1)
        return way

    mine, its = above(a), above(b)
    shared = [word for word in mine if word in its]
    return mine.index(shared[0]) + its.index(shared[0]) if shared else np.inf


@settings(deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 1000), k=st.integers(1, 5))
def test_masks_are_those_of_plain_loops(n: int, seed: int, k: int) -> None:
    heads = random_projective(n, seed=seed).tolist()
    words = range(n)
    far = [[distance(heads, a, b) for b in words] for a in words]
    np.testing.assert_array_equal(tree_distances(heads), far)
    sees = {
        "parent": lambda a, b: heads[a] == b + 1,
        "children": lambda a, b: heads[b] == a + 1,
        "siblings": lambda a, b: heads[a] == heads[b] != 0,
        f"distance:{k}": lambda a, b: far[a][b] <= k,
        f"nearest:{k}": lambda a, b: b in sorted(words, key=lambda c: (far[a][c], abs(c - a), c))[: k + 1],
    }
    for name, rule in sees.items():
        expected = [[a == b or rule(a, b) for b in words] for a in words]
        np.testing.assert_array_equal(mask_of(heads, name), expected)
    joined = mask_of(heads, "parent") | mask_of(heads, f"distance:{k}")
    np.testing.assert_array_equal(mask_of(heads, f"parent+distance:{k}"), joined)
    assert set(mask_of(heads, f"nearest:{k}").sum(1)) == {min(n, k + 1)}


def test_words_of_different_trees_are_at_no_distance() -> None:
    assert tree_distances([0, 1, 0])[0, 2] == np.inf
    assert not mask_of([0, 1, 0], "distance:9")[0, 2] and mask_of([0, 1, 0], "nearest:2")[0, 2]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("parents", "did you mean 'parent'"),
        ("distance:0", "from 1 is expected"),
        ("distance", "from 1"),
        ("", ""),
    ],
)
def test_unknown_relations_are_refused(name: str, said: str) -> None:
    with pytest.raises(probe.OptionError, match=said):
        relation_name(name)
    with pytest.raises(probe.OptionError):
        mask_of(HEADS, name)


@pytest.mark.parametrize("heads", [[3, 0], [-1, 0], [1, 0]])
def test_heads_that_are_none_are_refused(heads: list[int]) -> None:
    with pytest.raises(ValueError, match="tree 2: "):
        Structure("parent", [HEADS, heads])


def test_a_name_tells_trees_apart() -> None:
    mine, other = Structure("parent", TREES), Structure("parent", TREES[::-1])
    assert is_structure(mine.name) and mine.name != other.name
    assert mine.part(range(1)).name == mine.name and len(mine.part(range(1))) == 1
    assert not is_structure("prefix:3")
    with pytest.raises(probe.OptionError):
        is_structure("tree:paren@0123456789ab")


@pytest.fixture(scope="module")
def model(model_folder: ModelFolder) -> probe.Probe:
    """A tiny BERT."""
    return probe.load(model_folder("bert"), device="cpu", dtype="float32")


def test_impacts_along_trees_are_those_under_their_masks(model: probe.Probe, tmp_path: Path) -> None:
    trees = Structure("parent+children", TREES)
    expected = [
        model.impact(words, perturb="knockout", attention=mask_of(heads, "parent+children"))
        for words, heads in zip(SENTENCES, TREES, strict=True)
    ]
    found = list(model.impact_many(SENTENCES, perturb="knockout", attention=trees, batch_tokens=1))
    store = Store.fill(
        tmp_path / "run", model, SENTENCES, perturb="knockout", attention=trees, shard_sentences=1
    )
    stored = list(store.impact_many(SENTENCES, perturb="knockout", attention=trees.name))
    for one, mine, its in zip(expected, found, stored, strict=True):
        assert isinstance(its, probe.ImpactMatrix)
        assert mine.attention == its.attention == trees.name
        np.testing.assert_allclose(mine.values, one.values, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(its.values, mine.values)
    mine.save(tmp_path / "m.safetensors")
    assert probe.ImpactMatrix.load(tmp_path / "m.safetensors").attention == trees.name


def test_what_is_not_of_these_sentences_is_refused(model: probe.Probe, tmp_path: Path) -> None:
    with pytest.raises(probe.OptionError, match="the trees themselves are expected"):
        model.impact(SENTENCES[0], attention=Structure("parent", TREES).name)
    with pytest.raises(probe.OptionError, match="a tree for each of 1 sentences is expected, found 2"):
        Store.fill(tmp_path / "run", model, SENTENCES[:1], attention=Structure("parent", TREES))
    with pytest.raises(probe.SentenceError, match="found bool"):
        list(model.impact_many(SENTENCES[::-1], attention=Structure("parent", TREES)))
    assert not (tmp_path / "run").exists()


# --- the command


Run = Callable[..., Done]


@pytest.fixture
def run(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """``probe run`` in this process."""

    def call(*args: object) -> Done:
        model_folder("bert")
        capsys.readouterr()
        common = ("--model", model_folder("bert"), "--device", "cpu", "--out", tmp_path / "run")
        return ran(capsys, command.main, *map(str, (*common, *args)))

    return call


def conllu(sentences: tuple[tuple[str, ...], ...] = SENTENCES) -> str:
    blocks = []
    for words, heads in zip(sentences, TREES, strict=False):
        rows = [
            f"{at}\t{word}\t_\t_\t_\t_\t{head}\t_\t_\t_"
            for at, (word, head) in enumerate(zip(words, heads, strict=False), start=1)
        ]
        blocks.append("\n".join(rows) + "\n")
    return "\n".join(blocks)


def test_a_run_along_trees(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "trees.conllu"
    path.write_text(conllu(), encoding="utf-8")
    options = ("--data", path, "--structure", path, "--perturb", "knockout")
    assert run(*options, "--limit", 1).code == 0
    done = run(*options)  # the same trees, more of them
    assert done.code == 0, done.err
    name = Structure("parent+children", TREES).name
    assert Store.open(tmp_path / "run").configuration.attention == name
    again = run(*options, "--structure-relation", "parent+distance:2")
    assert again.code == 2 and f"attention: {name} there, tree:parent+distance:2@" in again.err


def test_a_run_along_trees_by_processes_and_its_estimate(
    run: Run,
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "trees.conllu"
    path.write_text(conllu(), encoding="utf-8")
    options = ("--data", path, "--structure", path, "--perturb", "knockout", "--shard-sentences", 1)
    monkeypatch.setattr(estimate, "_SECONDS", 0.0)
    assert run(*options).code == 0
    shards = {each.name: each.read_bytes() for each in (tmp_path / "run").glob("shard-*")}
    assert len(shards) == 2
    shutil.rmtree(tmp_path / "run")
    done = run(*options, "--device", "auto", "--devices", "cpu,cpu")
    assert done.code == 0, done.err
    assert {each.name: each.read_bytes() for each in (tmp_path / "run").glob("shard-*")} == shards
    told = ran(capsys, estimate.main, "--model", model_folder("bert"), *options, "--format", "json")
    assert told.code == 0, told.err
    assert json.loads(told.out)["passes"] == sum(len(words) + 1 for words in SENTENCES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            conllu().replace("well", "badly"),
            r"trees.conllu:1: sentence 1: word 4: 'well' is expected .*'badly'",
        ),
        (conllu((SENTENCES[0], ("Nobody",))), r"trees.conllu:7: HEAD in 0..1 expected, found 2"),
        (conllu(SENTENCES[:1]), "a tree for each of 2 sentences is expected, found 1"),
        (conllu() + "\n" + conllu(SENTENCES[:1]), "a tree for each of 2 sentences is expected, found 3"),
        ("", "no sentences"),
    ],
)
def test_trees_of_other_sentences_are_refused(run: Run, tmp_path: Path, text: str, said: str) -> None:
    data, trees = tmp_path / "data.conllu", tmp_path / "trees.conllu"
    data.write_text(conllu(), encoding="utf-8")
    trees.write_text(text, encoding="utf-8")
    done = run("--data", data, "--structure", trees)
    assert done.code != 0 and len(done.err.splitlines()) == 1
    assert re.search(said, done.err), done.err
    assert not (tmp_path / "run").exists()


def test_options_that_do_not_go_together(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "trees.conllu"
    path.write_text(conllu(), encoding="utf-8")
    for options, said in (
        (("--structure-relation", "parent"), "--structure-relation is of --structure"),
        (("--structure", path, "--attention", "causal"), "--structure does not go with --attention causal"),
    ):
        done = run("--data", path, *options)
        assert done.code == 2 and said in done.err
        assert not (tmp_path / "run").exists()
