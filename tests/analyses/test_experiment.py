"""What the commands of the paper's tables share, and the published figures."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import probe
from analyses import Interval, PairedResult, paired_bootstrap, published
from analyses.intervals import p_text
from analyses.options import add_options, finish, load_models, load_sources, show
from analyses.scores.paired import Counted, paired
from analyses.tables.results import Ran
from analyses.tables.signature import Settings
from analyses.tables.table import FORMATS, SUFFIXES, Cell, Row, Table
from analyses.trees.variants import Variant, matrices, random_weights, variants
from probe import OptionError, Probe, SentenceError, progress
from probe.command_line import Parser, UsageError, exit_code
from probe.options import Best
from probe.spaces import SpacedWords
from probe.store import Store, StoreError
from tests.conftest import ModelFolder
from tests.tiny import SENTENCES

WORDS = [sentence.split()[:6] for sentence in SENTENCES[:3]]
TABLE = Table(
    title="Scores",
    columns=("UAS",),
    rows=(
        Row(name="paper", kind="published", cells=(Cell(41.7),)),
        Row(name="bert", kind="model", cells=(Cell(40.0, Interval(39.0, 41.0)),), signature="toy | n:3"),
    ),
)


def options(*args: object) -> argparse.Namespace:
    """Parsed options, on the CPU in float32."""
    parser = Parser(prog="experiment")
    add_options(parser, metrics=("dist", "prob"))
    return parser.parse_args(["--device", "cpu", "--dtype", "float32", "--quiet", *map(str, args)])


@pytest.fixture(scope="module")
def model(model_folder: ModelFolder) -> Probe:
    """A tiny BERT whose makers chose layer 2 and the first piece."""
    loaded = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    loaded.best = Best(2, "first")
    return loaded


def test_best_is_resolved_metric_by_metric(model: Probe) -> None:
    assert variants(model, options()) == (
        Variant("dist", 2, "first", "pair"),
        Variant("prob", 3, "mean", "pair"),
    )


@pytest.mark.parametrize(
    ("args", "count"),
    [
        (["--metric", "dist", "--layer", "all"], 4),
        (["--metric", "dist", "--layer", "0", "-1", "3"], 2),
        (["--metric", "dist", "kl", "--pool", "state", "max"], 3),
        (["--metric", "cos", "--perturb", "pair", "single"], 2),
        (["--metric", "cos", "cos", "--pool", "best", "first"], 1),
    ],
    ids=str,
)
def test_every_defined_combination_is_there_once(model: Probe, args: list[str], count: int) -> None:
    found = variants(model, options(*args))
    assert len(found) == len(set(found)) == count


def test_layers_refused(model: Probe) -> None:
    with pytest.raises(UsageError, match="all and best stand alone"):
        variants(model, options("--layer", "all", "1"))
    with pytest.raises(OptionError, match=r"layers 0 \(embeddings\) to 3"):
        variants(model, options("--layer", "9"))


def test_names_of_variants() -> None:
    assert str(Variant("dist", 12, "mean", "pair")) == "dist, layer 12, mean"
    assert str(Variant("cos", 0, "max", "single")) == "cos, layer 0, max, single"


def test_matrices_are_those_of_the_model(model: Probe) -> None:
    args = options("--perturb", "pair", "single")
    chosen = variants(model, args)
    found = list(matrices(model, [*WORDS, ["word"] * 60], chosen, args, label=""))
    assert isinstance(found[-1], SentenceError)
    for words, row in zip(WORDS, found, strict=False):
        assert not isinstance(row, SentenceError)
        for variant, matrix in zip(chosen, row, strict=True):
            alone = model.impact(
                words,
                metric=variant.metric,
                layer=variant.layer,
                pool=variant.pool,
                perturb=variant.perturb,
            )
            np.testing.assert_allclose(matrix.values, alone.values, atol=1e-5)
            assert matrix.units == tuple(words)


def test_overflown_impacts_are_a_failure(model: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    args = options("--metric", "dist")
    (good,) = model.impact_many(WORDS[:1], metric=["dist"], layer=[2], pool=["first"], perturb=["pair"])
    next(iter(good)).values[0, 1] = np.inf  # type: ignore[arg-type]
    monkeypatch.setattr(model, "impact_many", lambda *args, **kwargs: iter([good]))
    (found,) = matrices(model, WORDS[:1], variants(model, args), args, label="")
    assert isinstance(found, SentenceError)
    assert "try dtype float32" in str(found)


def test_models_are_loaded_and_randomised(model_folder: ModelFolder, tmp_path: Path) -> None:
    args = options(
        "--model", model_folder("bert"), model_folder("roberta"), "--seeds", 2, "--out", tmp_path / "o"
    )
    models = load_models(args)
    assert [each.name for each in models] == list(args.model)
    assert (tmp_path / "o").is_dir()
    blanks = list(random_weights(models[0], args))
    assert len(blanks) == 2
    first, second = (blank.impact(WORDS[0]).values for blank in blanks)
    assert not np.allclose(first, second)
    assert not list(random_weights(models[0], options("--seeds", 0)))
    with pytest.raises(UsageError, match="each model once"):
        load_models(options("--model", "bert", "bert"))


def test_stored_matrices_stand_in_for_the_model(model: Probe, tmp_path: Path) -> None:
    Store.fill(tmp_path, model, WORDS, metric=["dist"], layer=[1, 2], pool=["first"])
    args = options("--matrices", tmp_path, "--layer", "1")
    (store,) = load_sources(args)
    chosen = variants(store, args)
    assert chosen == (Variant("dist", 1, "first", "pair"),)
    for words, row in zip(WORDS, matrices(store, WORDS, chosen, args, label=""), strict=True):
        assert not isinstance(row, SentenceError)
        np.testing.assert_allclose(
            row[0].values, model.impact(words, layer=1, pool="first").values, atol=1e-5
        )
    assert not list(random_weights(store, args))
    with pytest.raises(StoreError, match="sentence 1 differs"):
        list(matrices(store, WORDS[1:], chosen, args, label=""))
    with pytest.raises(UsageError, match="--model does not go with --matrices"):
        load_sources(options("--matrices", tmp_path, "--model", "bert"))
    with pytest.raises(UsageError, match="are of float32"):
        load_sources(options("--matrices", tmp_path, "--dtype", "float16"))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    args = options("--out", tmp_path / "file")
    assert exit_code("command", lambda: len(load_models(args))) == 2
    assert capsys.readouterr().err == f"command: error: {tmp_path / 'file'}: File exists\n"


def test_text_is_as_wide_as_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = tuple(f"column {number}" for number in range(30))
    table = Table(title="Wide", columns=columns, rows=(Row(name="r", kind="model", cells=(Cell(1.0),) * 30),))

    def widest() -> int:
        show([table], "table")
        return max(map(len, capsys.readouterr().out.splitlines()))

    monkeypatch.setenv("COLUMNS", "120")
    assert 70 < widest() <= 80, "a pipe"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert 110 < widest() <= 120


def test_a_row_is_compared_with_the_strongest_baseline() -> None:
    total = [4, 4, 4, 4] * 3
    row = Counted(name="bert", correct=[4, 3, 2, 4] * 3, total=total)
    weak = Counted(name="left", correct=[0, 0, 0, 1] * 3, total=total)
    # Ten random trees: 50% of the arcs, which is more than the other baseline has.
    strong = Counted(name="random", correct=[20, 20, 10, 30] * 3, total=[40] * 12)
    result = paired_bootstrap(row.correct, [2, 2, 1, 3] * 3, total, seed=5)
    interval = Interval(100 * result.interval.low, 100 * result.interval.high)
    assert result.p_value == 1 / 1001
    assert paired(row, [weak, strong], seed=5) == ("random", PairedResult(31.25, interval, result.p_value))


def test_trees_of_models_are_named_by_what_differs() -> None:
    def counted(**made: Any) -> Counted:
        settings = Settings(model="m", decoder="eisner", metric="dist", layer=2, pool="mean")
        return Counted(name="whole name", correct=[1], total=[1], settings=replace(settings, **made))

    def to(own: Counted, other: Counted) -> str:
        return paired(own, [other], seed=0)[0]

    own = counted(adjust="openness")
    assert to(own, counted(adjust="openness", random_weights=3)) == "random weights"
    assert to(own, counted(decoder="cle", random_weights=3)) == "random weights, cle+dist, unadjusted"
    assert to(own, counted()) == "unadjusted" and to(counted(), own) == "openness"
    assert to(own, counted(model="n", layer=3, adjust="openness")) == "n, layer 3"
    assert to(own, replace(own, settings=Settings(decoder="left-chain"))) == "whole name"


def test_few_sentences_are_not_tested() -> None:
    row = Counted(name="bert", correct=[4, 3, 0], total=[4, 4, 0])
    found = paired(row, [Counted(name="left", correct=[0, 1, 0], total=[4, 4, 0])], seed=5)
    assert found == ("left", 75.0)


def test_no_p_value_is_rounded_to_what_it_is_not() -> None:
    assert [p_text(p) for p in (1 / 1001, 2 / 1001, 0.0499, 1.0)] == [
        "p < 0.001",
        "p = 0.002",
        "p = 0.050",
        "p = 1.000",
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_finish_prints_every_format(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    finish(Ran(tables=(("one", TABLE), ("two", TABLE))), options("--format", form))
    printed = capsys.readouterr().out
    assert printed.count("41.7") == 2
    assert (printed.count("toy | n:3") == 2) == (form in ("table", "md", "json"))
    if form == "json":
        assert [each["title"] for each in json.loads(printed)] == ["Scores", "Scores"]


def test_finish_writes_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(Ran(tables=(("one", TABLE), ("two", TABLE))), options("--out", tmp_path))
    names = {f"{stem}.{suffix}" for stem in ("one", "two") for suffix in SUFFIXES.values()}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert capsys.readouterr().out.startswith("Scores\n")


def test_what_stood_beside_earlier_scores_goes(tmp_path: Path) -> None:
    earlier = ["one-differences", "one-by-upos", "one-by-pos-MEV-matched", "one-by-length", "two-by-type"]
    others = ["one-by-relation-bert", "three-differences", "one-differences-of-mine"]
    first = [*earlier, *others, "one", "two", "two-by-relation"]
    finish(Ran(tables=tuple((stem, TABLE) for stem in first)), options("--out", tmp_path, "--quiet"))
    (tmp_path / "one-differences.svg").touch()
    kept = ["one", "two", "two-by-relation"]
    finish(Ran(tables=tuple((stem, TABLE) for stem in kept)), options("--out", tmp_path, "--quiet"))
    names = {f"{stem}.{suffix}" for stem in (*kept, *others) for suffix in SUFFIXES.values()}
    assert {path.name for path in tmp_path.iterdir()} == {*names, "one-differences.svg"}


@pytest.mark.parametrize(
    "args",
    [["--seeds", "-1"], ["--layer", "top"], ["--metric", "dits"], ["--limit", "0"], ["--format", "xml"]],
)
def test_wrong_options_are_one_line(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options(*args)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("experiment: error: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("table", "columns", "rows"),
    [
        (published.TABLE1, 2, 6),
        (published.TABLE2, 3, 2),
        (published.TABLE3, 7, 9),
        (published.TABLE4, 5, 5),
    ],
)
def test_published_tables(table: Table, columns: int, rows: int) -> None:
    assert (len(table.columns), len(table.rows)) == (columns, rows)
    assert {row.kind for row in table.rows} == {"published"}
    assert not any(cell.interval for row in table.rows for cell in row.cells if cell)


def test_published_dependency_rows() -> None:
    def values(rows: tuple[Row, ...]) -> dict[str, list[float | None]]:
        return {row.name: [cell.value if cell else None for cell in row.cells] for row in rows}

    pud = values(published.dependency_rows("PUD"))
    assert pud["Eisner+Dist"] == [41.7, 52.1, 69.6]
    assert pud["Left-chain"] == [10.7, None, None]
    wsj = values(published.dependency_rows("WSJ10-U"))
    assert wsj["Eisner+Dist"] == [58.6, None, None]
    assert list(wsj) == list(pud)


def test_each_text_has_matrices_of_its_own(model_folder: ModelFolder) -> None:
    sees = probe.load(model_folder("roberta"), device="cpu", dtype="float32")
    words = SpacedWords(("the", "cat", "sat", "."), (True, True, False, False))
    args = options("--metric", "dist", "--layer", "1")
    (spaced,) = variants(sees, args)
    running = replace(spaced, text="running")
    ((first, second, third),) = matrices(sees, [words], [running, spaced, running], args, label="")  # type: ignore[misc]
    of_text, of_words = (sees.impact(given, layer=1).values for given in (words, words.words))
    assert not np.allclose(of_text, of_words, atol=1e-5)
    np.testing.assert_allclose(first.values, of_text, atol=1e-5)
    np.testing.assert_allclose(second.values, of_words, atol=1e-5)
    assert third is first


def test_wordpiece_serves_both_texts_from_one_pass(model: Probe) -> None:
    passes: list[int] = []
    given = model.impact_many

    def counted(sentences: Any, **options: Any) -> Any:
        passes.append(1)
        return given(sentences, **options)

    args = options("--metric", "dist", "--layer", "1")
    chosen = [replace(each, text=text) for each in variants(model, args) for text in ("running", "spaced")]
    words = SpacedWords(("a", "cat", "."), (True, False, False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "impact_many", counted)
        ((first, second),) = matrices(model, [words], chosen, args, label="")  # type: ignore[misc]
    assert passes == [1] and (first.values == second.values).all()


def test_the_bar_counts_what_runs_whatever_comes_of_it(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence too long for the window takes no pass; one whose impacts are not finite has taken its passes."""
    loaded = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    embeddings: Any = loaded.model.get_input_embeddings()
    embeddings.weight.data[loaded.align(["Nobody"]).ids[1]] = float("nan")
    expected, passes = [], []

    class Counted(progress.Progress):
        def __init__(self, **options: Any) -> None:
            expected.append(options["passes"])
            super().__init__(**options)

        def passes(self, count: int) -> None:
            passes.append(count)

        def sentence(self, expected: int, *, ran: bool) -> None:
            assert ran

    monkeypatch.setattr(progress, "Progress", Counted)
    sentences = [["Rivers", "carry", "sand"], ["Nobody", "slept"], ["a"] * 60]
    for adjustment in ("none", "openness"):
        args = options("--metric", "dist", "--perturb", "knockout", "single", "--adjust", adjustment)
        found = list(matrices(loaded, sentences, variants(loaded, args), args, label="test"))
        assert all(isinstance(one, SentenceError) for one in found[1:])
        assert expected.pop() == sum(passes)
        passes.clear()
