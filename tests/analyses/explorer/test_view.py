"""The explorer's views as values: same trees as the command line, differences, links, files."""

import csv
import json
import shlex
from pathlib import Path
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import numpy as np
import pytest

import probe
from analyses import parse
from analyses.explorer.files import FILES
from analyses.explorer.view import (
    Change,
    Remembering,
    Request,
    View,
    changes,
    choices,
    method_settings,
    read_sentence,
    view,
)
from analyses.trees.decoders import BASELINES, CONSTITUENT_DECODERS, DECODERS
from analyses.trees.induction import Induced, Method, induce
from analyses.trees.methods import METHODS
from data import DataError, parse_conllu
from parsers import Bracketing
from tests.conftest import ModelFolder

TEXT = "Nobody remembered who had painted the houses ."


@pytest.fixture(scope="module")
def model(model_folder: ModelFolder) -> probe.Probe:
    return probe.load(model_folder("bert"), device="cpu", dtype="float32")


def shown(words: str, heads: list[int]) -> View:
    """A view with these heads; its matrix is of no interest."""
    n = len(heads)
    return View(
        request=Request(text=words),
        sentence=read_sentence(Request(text=words)),
        matrix=probe.ImpactMatrix(
            values=np.zeros((n, n)),
            on_cls=np.zeros(n),
            units=tuple(words.split()),
            model="m",
            metric="dist",
            layer=1,
            pool="mean",
            perturb="pair",
        ),
        heads=tuple(heads),
        proper=tuple(range(n)),
        adjust="none",
        bracketing=Bracketing.from_splits(n, lambda start, end: start + 1),
        dtype="float32",
    )


# --- the tree


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"words": "spaces"},
        {"method": "paper"},
        {"method": "paper", "layer": 1, "adjust": "offset+symmetric", "metric": "prob"},
        {"decoder": "cle", "metric": "cos", "pool": "max"},
        {"layer": -2, "perturb": "single", "pool": "first"},
        *({"decoder": name} for name in BASELINES),
    ],
    ids=str,
)
def test_the_command_of_a_view_gives_its_tree(
    model: probe.Probe, options: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    found = view(model, Request(text=f"  {TEXT}\n", **options))  # type: ignore[arg-type]
    command = shlex.split(found.command)
    assert command[:2] == ["probe", "parse"]
    assert parse.main(["--format", "conllu", "--device", "cpu", *command[2:]]) == 0
    printed = capsys.readouterr().out
    assert [sentence.heads for sentence in parse_conllu(printed.splitlines(), name="printed")] == [
        found.heads
    ]
    assert FILES["tree.conllu"].make(found).decode() == printed


def test_matrix_and_brackets_are_those_of_the_library(model: probe.Probe) -> None:
    matrix = model.impact(TEXT.split(), layer=2, pool="first", metric="cos")
    for name, decoder in CONSTITUENT_DECODERS.items():
        request = Request(text=TEXT, method="paper", layer=2, pool="first", metric="cos", brackets=name)
        found = view(model, request)
        np.testing.assert_array_equal(found.matrix.values, matrix.values)
        assert (found.matrix.layer, found.matrix.pool) == (2, "first")
        # The full stop is no constituent.
        assert found.constituents == tuple(TEXT.split()[:-1])
        assert [found.bracketing] == decoder.decode([matrix.values[:-1, :-1].astype(np.float64)])


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_that_of_the_library(model: probe.Probe, method: str) -> None:
    """Trees and settings are those that the registry of methods names."""
    settings = METHODS[method].settings()
    own = Method(**settings)  # type: ignore[arg-type]
    found = view(model, Request(text=TEXT, method=method))
    (expected,) = induce([read_sentence(Request(text=TEXT))], model, own)
    assert isinstance(expected, Induced)
    assert found.heads == tuple(expected.heads.tolist())
    assert found.command == f"probe parse --model={model.name} --method={method} --tokenize -- '{TEXT}'"
    assert method_settings(method) | {"layer": 0} == Request(text="a", method=method, layer=0).settings


def test_a_changed_setting_is_named(model: probe.Probe) -> None:
    found = view(model, Request(text=TEXT, method="paper", layer=1, brackets="chart-row"))
    assert found.as_dict()["changed"] == ["layer", "brackets"]
    assert "--method=paper --layer=1 --tokenize" in found.command


def test_a_model_without_predictions(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """It gets what of the method it can do, the page says so, and the command gives the same tree."""
    blank = probe.load(model_folder("bert_without_head"), device="cpu", dtype="float32")
    for source in (blank, Remembering(blank)):
        found = view(source, Request(text=TEXT))
        assert found.adjust == "log+offset+symmetric+root+early"
        assert "predicts no masked words: the tree is made with log+offset" in found.notes[-1]
    capsys.readouterr()
    assert parse.main(["--format", "conllu", "--device", "cpu", *shlex.split(found.command)[2:]]) == 0
    (sentence,) = parse_conllu(capsys.readouterr().out.splitlines(), name="printed")
    assert sentence.heads == found.heads
    with pytest.raises(probe.ProbeError):
        view(blank, Request(text=TEXT, adjust="content"))


def test_unknown_words_are_named(model: probe.Probe) -> None:
    found = view(model, Request(text="Nobody slept \U0001f98a"))
    assert found.as_dict()["unknown"] == (2,)
    assert any("unknown words 1 of 3" in note for note in found.notes)


def test_one_word(model: probe.Probe) -> None:
    found = view(model, Request(text="Tulips"))
    assert (found.heads, found.as_dict()["brackets"]) == ((0,), "(X Tulips)")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (" \t ", DataError, "no sentences"),
        ("a\0b", DataError, r"U\+0000"),
        ("word " * 60, probe.SentenceError, "32"),
    ],
)
def test_bad_sentences_are_refused(
    model: probe.Probe, text: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        view(model, Request(text=text))


def test_a_note_on_glued_punctuation(model: probe.Probe) -> None:
    assert view(model, Request(text="The cat sat.", words="spaces")).notes == (
        "“sat.” is read as one word: write “sat .” to part them, or take words: tokenize.",
    )
    assert view(model, Request(text="Mr. Cat sat ...", words="spaces")).notes == ()


def test_running_text_is_tokenised(model: probe.Probe) -> None:
    found = view(model, Request(text="The cat\ndidn't sit."))
    assert found.sentence.words == ("The", "cat", "did", "n't", "sit", ".")
    assert found.notes == ()
    assert found.command.endswith("--tokenize -- 'The cat didn'\"'\"'t sit.'")
    with pytest.raises(DataError, match="one sentence is expected, found 2"):
        view(model, Request(text="The cat sat. It slept."))


# --- what changed


@pytest.mark.parametrize(
    ("words", "heads", "expected"),
    [
        ("the cat slept", [2, 3, 0], "same:cat same:slept same:ROOT"),
        ("the cat slept", [3, 3, 0], "head:cat same:slept same:ROOT"),
        ("the cat slept", [2, 0, 2], "same:cat head:slept head:ROOT"),
        ("the old cat slept", [3, 3, 4, 0], "same:cat word: same:slept same:ROOT"),
        ("the dog slept", [2, 3, 0], "head:cat word: same:ROOT"),
        ("slept", [0], "same:ROOT"),
        ("dogs bark", [2, 0], "word: word:"),
    ],
)
def test_changes(words: str, heads: list[int], expected: str) -> None:
    found = changes(shown("the cat slept", [2, 3, 0]), words.split(), heads)
    assert " ".join(f"{change.kind}:{change.former}" for change in found) == expected


def test_a_view_says_what_changed(model: probe.Probe) -> None:
    former = view(model, Request(text=TEXT))
    assert former.changes == ()
    same = view(model, Request(text=TEXT), former=former)
    names = ["ROOT", *TEXT.split()]
    assert same.changes == tuple(Change("same", names[head]) for head in former.heads)
    assert view(model, Request(text=f"Indeed {TEXT}"), former=former).changes[0] == Change("word", "")


# --- links


def test_a_query_string_restores_a_request() -> None:
    full = Request(
        text="a & b = ü\u00a0c + 1",
        model="some/model",
        method="paper",
        layer=-3,
        metric="kl",
        pool="first",
        perturb="single",
        adjust="offset+symmetric",
        decoder="random",
        brackets="chart-row",
        adjust_brackets="symmetric",
        words="spaces",
    )
    assert Request.from_query(full.query()) == full
    assert dict(parse_qsl(Request(text="a").query())) == {"text": "a"}
    assert Request.from_query("text=a&layer=best") == Request(text="a")
    assert Request.from_query("text=a&method=paper&layer=-1&pool=mean") == Request(text="a", method="paper")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "found no text"),
        ("text=+", "found no text"),
        ("text=a&metric=dits", "did you mean 'dist'"),
        ("text=a&layer=middle", "unknown layer 'middle'"),
        ("text=a&layer=12345678901", "unknown layer"),
        ("text=a&layers=3", "did you mean 'layer'"),
        ("text=a&brackets=mart", "unknown brackets"),
        ("text=a&method=papers", "did you mean 'paper'"),
        ("text=a&adjust=ofset", "did you mean 'offset'"),
        ("text=a&adjust_brackets=content", "made of impacts alone"),
    ],
)
def test_bad_queries_are_refused(query: str, message: str) -> None:
    with pytest.raises(probe.OptionError, match=message):
        Request.from_query(query)


def test_every_method_is_made_of_choices() -> None:
    known = choices()
    for name, values in known.items():
        assert len(set(values)) == len(values)
        for method in METHODS:
            own = method_settings(method).get(name, values[0])
            assert own in values or name == "layer"
    for name in ("method", "words"):
        assert getattr(Request(text="a"), name) == known[name][0]
    assert set(known["decoder"]) == {*DECODERS, *BASELINES}


# --- remembering


def test_remembered_matrices_cost_no_pass(model: probe.Probe) -> None:
    passes: list[int] = []
    source = Remembering(model, size=2)

    def run(text: str, layer: int = 3) -> View:
        passes.clear()
        return view(source, Request(text=text, method="paper", layer=layer), on_passes=passes.append)

    first = run("The cat sat")
    assert sum(passes) == 7
    again = view(
        source, Request(text="The cat sat", method="paper", decoder="cle", layer=-1), on_passes=passes.append
    )
    assert sum(passes) == 7
    assert (again.matrix.values == first.matrix.values).all()
    run("The cat sat", layer=1)
    assert sum(passes) == 7
    run("Two")
    assert sum(passes) > 0
    run("The cat sat", layer=3)  # two others have been used since
    assert sum(passes) == 7
    assert (source.name, source.n_layers, source.dtype) == (model.name, model.n_layers, model.dtype)


def test_an_exception_ends_the_passes(model: probe.Probe) -> None:
    def stop(count: int) -> None:
        raise InterruptedError

    source = Remembering(model)
    with pytest.raises(InterruptedError):
        view(source, Request(text=TEXT), on_passes=stop)
    assert view(source, Request(text=TEXT)).heads == view(model, Request(text=TEXT)).heads


# --- files


def test_files(model: probe.Probe, tmp_path: Path) -> None:
    found = view(model, Request(text='He said " <b>hi</b> , " &amp; left'))
    made = {name: kind.make(found) for name, kind in FILES.items()}
    (tmp_path / "m.safetensors").write_bytes(made["matrix.safetensors"])
    loaded = probe.ImpactMatrix.load(tmp_path / "m.safetensors")
    assert loaded.units == found.sentence.words
    assert (loaded.values == found.matrix.values).all()
    rows = list(csv.reader(made["matrix.csv"].decode().splitlines()))
    assert tuple(rows[0][1:]) == found.sentence.words == tuple(row[0] for row in rows[1:])
    assert (np.array([row[1:] for row in rows[1:]], dtype=np.float32) == found.matrix.values).all()
    for name in ("arcs.svg", "heatmap.svg", "brackets.svg"):
        drawn = ElementTree.fromstring(made[name])
        texts = {node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")}
        assert set(found.constituents if name == "brackets.svg" else found.sentence.words) <= texts
        assert name != "heatmap.svg" or "impact (dist), Euclidean distance" in texts


def test_a_view_is_json(model: probe.Probe) -> None:
    found = view(model, Request(text="a\u00a0b c", words="spaces"))
    read = json.loads(json.dumps(found.as_dict()))
    assert read["words"] == ["a\u00a0b", "c"]
    assert read["brackets"] == "(X a_b c)"
    assert np.array(read["values"]).shape == (2, 2)
    assert Request.from_query(read["query"]) == found.request
