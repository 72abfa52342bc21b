"""``Probe.parse`` and ``pipe``: the trees of the command, from text, words and records, as they are asked for."""

import json
import warnings
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import probe
from analyses import DependencyTree, tree_frame
from analyses.parse import main
from data import load_sample, parse_raw_text
from tests.command import TOO_LONG
from tests.conftest import ModelFolder
from tests.tiny import SENTENCES

SHORT = [" ".join(sentence.split()[:4]) for sentence in SENTENCES]
"""For the window of a tiny model."""


@pytest.fixture(scope="module")
def model(model_folder: ModelFolder) -> probe.Probe:
    return probe.load(model_folder("bert"), device="cpu", dtype="float32")


def heads_of_command(capsys: pytest.CaptureFixture[str], *args: str) -> list[tuple[int, ...]]:
    """Heads as ``probe parse`` prints them."""
    assert main([*args, "--format", "json", "--quiet"]) == 0
    return [tuple(sentence["heads"]) for sentence in json.loads(capsys.readouterr().out)["sentences"]]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "paper"},
        {"method": "paper", "decoder": "cle", "layer": 1},
        {"method": "openness", "adjust": "log+symmetric", "pool": "max"},
        {"metric": "prob"},
        {"perturb": "single", "attention": "causal", "adjust": "none"},
        {"decoder": "right-chain"},
        {"decoder": "random"},
    ],
)
def test_the_trees_are_those_of_the_command(
    options: dict[str, Any],
    model: probe.Probe,
    model_folder: ModelFolder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    expected = heads_of_command(capsys, "--model", str(model_folder("bert")), *flags, *SHORT)
    trees = list(model.pipe([sentence.split() for sentence in SHORT], **options))
    assert [tree.heads for tree in trees] == expected
    assert model.parse(SHORT[0].split(), **options).heads == expected[0]


def test_text_is_split_as_by_tokenize(
    model: probe.Probe, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Nobody (really) didn't\nsleep."
    expected = heads_of_command(
        capsys, "--model", str(model_folder("bert")), "--tokenize", " ".join(text.split())
    )
    tree = model.parse(text)
    assert tree.words == ("Nobody", "(", "really", ")", "did", "n't", "sleep", ".")
    assert [tree.heads] == expected
    assert tree.sentence.text == "Nobody (really) didn't sleep."
    assert model.parse(["Nobody", "didn't", "sleep."]).words == ("Nobody", "didn't", "sleep.")


def test_records_keep_what_they_know(model: probe.Probe) -> None:
    sample = [one for one in load_sample() if len(one.words) < 6][:3]
    trees = list(model.pipe(sample))
    assert [tree.sentence for tree in trees] == sample
    frame = tree_frame(trees)
    assert list(frame.columns) == ["sentence", "id", "form", "upos", "head", "gold_head"]
    assert len(frame) == sum(len(one.words) for one in sample)
    assert frame["gold_head"].tolist() == [head for one in sample for head in one.heads or ()]
    assert frame["head"].tolist() == [head for tree in trees for head in tree.heads]
    assert frame["sentence"].unique().tolist() == [one.id for one in sample]
    text = tree_frame(model.pipe(parse_raw_text(["A cat slept. The birds sang."], name="text")))
    assert text.groupby("sentence")["form"].agg(" ".join).tolist() == ["A cat slept .", "The birds sang ."]
    assert text["gold_head"].isna().all() and text["upos"].isna().all()


def test_sentences_are_taken_as_they_are_needed(model: probe.Probe) -> None:
    taken: list[int] = []

    def endless() -> Iterator[str]:
        for number in count():
            taken.append(number)
            yield "" if number % 3 == 2 else SHORT[number % len(SHORT)]

    assert model.pipe(endless(), errors="return") is not None and taken == []
    found = list(islice(model.pipe(endless(), errors="return"), 4))
    assert [isinstance(one, DependencyTree) for one in found] == [True, True, False, True]
    assert [one.sentence.id for one in found if isinstance(one, DependencyTree)] == ["1", "2", "4"]
    assert len(taken) < 2_000


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("", "no sentences"),
        ("  \n ", "no sentences"),
        ("One slept. Two went.", "one sentence is expected, found 2"),
        ("a\x1bb", "U\\+001B"),
        ([], "no words"),
        (["a", " "], "word"),
        (TOO_LONG, "window"),
    ],
)
def test_what_cannot_be_parsed(sentence: Any, message: str, model: probe.Probe) -> None:
    with pytest.raises(probe.SentenceError, match=message):
        model.parse(sentence)
    before, error, after = model.pipe(["Nobody slept.", sentence, "Nobody slept."], errors="return")
    assert isinstance(error, probe.SentenceError)
    assert isinstance(before, DependencyTree) and isinstance(after, DependencyTree)
    assert before.heads == after.heads
    with pytest.raises(probe.SentenceError, match=message):
        list(model.pipe(["Nobody slept.", sentence]))


def test_wrong_use(model: probe.Probe) -> None:
    with pytest.raises(TypeError, match="many sentences are expected, found one text"):
        model.pipe("Nobody slept.")
    wrong: Any = [["Nobody", "slept"], ["I", "too"]]
    with pytest.raises(TypeError, match="a text or its words are expected"):
        model.parse(wrong)
    for options, hint in (
        ({"method": "opennes"}, "did you mean 'openness'"),
        ({"decoder": "eisnr"}, "did you mean 'eisner'"),
        ({"metric": "dits"}, "did you mean 'dist'"),
        ({"adjust": "symetric"}, "did you mean 'symmetric'"),
        ({"layer": 99}, "layer 99"),
    ):
        with pytest.raises(probe.OptionError, match=hint):
            model.pipe([], **options)  # type: ignore[arg-type]


def test_a_model_that_predicts_nothing_is_read_without_openness(model_folder: ModelFolder) -> None:
    model = probe.load(model_folder("bert_without_head"), device="cpu")
    with pytest.warns(probe.ProbeWarning, match="trees without adjustment content, summary"):
        tree = model.parse(["a", "b"])
    assert "adjust = log+offset+symmetric+root+early" in tree.made_by
    with pytest.raises(probe.ModelError, match="no masked-LM head"):
        model.parse(["a", "b"], method="openness")


def test_a_layer_that_nobody_chose_is_said_to_be_a_guess(
    model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = probe.load(model_folder("bert"), device="cpu")
    monkeypatch.setattr(model, "best", probe.options.Best(guess=True))
    with pytest.warns(probe.ProbeWarning, match="no probe.json says which layer is best: the last, 3"):
        model.parse(["a", "b"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.parse(["a", "b"], layer=3)
        model.parse(["a", "b"], decoder="adjacent")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(words=st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4))
def test_any_words_give_a_tree_or_an_error(words: list[str], model: probe.Probe) -> None:
    (found,) = model.pipe([words], errors="return", method="paper")
    if isinstance(found, DependencyTree):
        assert found.words == tuple(words)
        assert sum(head == 0 for head in found.heads) == 1
        assert found.to_frame()["form"].tolist() == words
        assert found.to_networkx().number_of_nodes() == len(words) + 1
        assert str(found) and found._repr_html_() and found.to_conllu()
