"""``probe dependency``: Tables 1 and 2 of the paper."""

import argparse
import csv
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import data
import probe
from analyses import decode, evaluate
from analyses.dependency.command import main
from analyses.dependency.drawings import draw_by_layer
from analyses.dependency.tables import Treebank, tables
from analyses.figures.command import Job
from analyses.figures.command import build_parser as figures_parser
from analyses.tables.results import Ran
from analyses.trees.decoders import BASELINES
from analyses.trees.methods import METHODS
from data import Sentence, load_sample
from data.dp import wsj10
from probe.options import Best
from probe.store import Store
from tests.command import GOLD, Done, conllu, ran
from tests.conftest import ModelFolder

ROWS = ["Right-chain", "Left-chain", "Random BERT", "Eisner+Dist", "Eisner+Prob", "CLE+Dist"]
DP = "Sales\tNNS\t2\nrose\tVBD\t0\n.\t.\t2\n\n" + "So\tRB\t2\nbe\tVB\t0\nit\tPRP\t2\n\n" + "!\t.\t0\n\n"
LONG = "".join(f"w{i}\tNN\t{i - 1}\n" for i in range(1, 12))

Run = Callable[..., Done]


@pytest.fixture
def run(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command with a tiny BERT, whose window is 32 pieces, and one random-weight model."""

    def command(*args: object) -> Done:
        given = [str(arg) for arg in args]
        if "--model" not in given and "--matrices" not in given:
            given = ["--model", str(model_folder("bert")), *given]
        if "--seeds" not in given:
            given = ["--seeds", "1", *given]
        return ran(capsys, main, "--device", "cpu", "--dtype", "float32", "--quiet", *given)

    return command


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Three short sentences with gold heads, named as if they were PUD."""
    path = tmp_path / "en_pud-toy.conllu"
    path.write_text(GOLD, encoding="utf-8")
    return path


@pytest.fixture
def wsj(tmp_path: Path) -> Path:
    """A folder with two sentences of WSJ10, one of punctuation only and one that is too long."""
    (tmp_path / "wsj").mkdir()
    (tmp_path / "wsj" / "wsj_0001.dp").write_text(DP + LONG, encoding="utf-8")
    return tmp_path / "wsj"


EISNER = ("--protocol", "fair", "--metric", "dist", "--decoder", "eisner", "--format", "json")


def rows_of(table: dict[str, Any], kind: str) -> dict[str, list[float | None]]:
    """Names and figures of the rows of a kind."""
    return {
        row["name"]: [cell and cell["value"] for cell in row["cells"].values()]
        for row in table["rows"]
        if row["kind"] == kind
    }


def test_tables_of_both_protocols(run: Run, gold: Path, model_folder: ModelFolder) -> None:
    done = run("--data", gold, "--format", "json")
    assert (done.code, done.err) == (0, "")
    wu2020, fair = json.loads(done.out)
    assert wu2020["columns"] == ["UAS", "UUAS", "NED"]
    name = model_folder("bert")
    ways = ["eisner+dist", "eisner+prob", "cle+dist"]
    assert list(rows_of(wu2020, "published")) == ROWS
    assert any(note.startswith("Not the published data: ") for note in wu2020["notes"])
    assert rows_of(fair, "published") == {}
    assert list(rows_of(wu2020, "model")) == [f"{name} {way}, layer 3, mean" for way in ways]
    assert list(rows_of(fair, "model")) == [f"{name} {way}, layer 3, mean" for way in [*ways, "cle+prob"]]
    blank = [f"{name} random weights {way}, layer 3, mean" for way in ways]
    assert list(rows_of(wu2020, "baseline")) == [*BASELINES, *blank]
    assert all(
        row["signatures"] for table in (wu2020, fair) for row in table["rows"] if row["kind"] != "published"
    )


@pytest.mark.parametrize("protocol", ["wu2020", "fair"])
@pytest.mark.parametrize("decoder", ["eisner", "cle"])
def test_figures_are_those_of_decode_and_evaluate(
    run: Run, gold: Path, model_folder: ModelFolder, protocol: Any, decoder: Any
) -> None:
    done = run(
        *[
            "--data",
            gold,
            "--protocol",
            protocol,
            "--decoder",
            decoder,
            "--metric",
            "cos",
            "--layer",
            "1",
            "2",
        ],
        *["--pool", "max", "--seeds", "0", "--format", "json"],
    )
    (table,) = json.loads(done.out)
    sentences = list(data.read_conllu(gold))
    roots = data_roots(sentences) if protocol == "wu2020" else None
    model = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    for layer, found in zip((1, 2), rows_of(table, "model").values(), strict=True):
        impacts = [model.impact(s.words, metric="cos", layer=layer, pool="max") for s in sentences]
        trees = decode(impacts, protocol=protocol, decoder=decoder, roots=roots)
        expected = evaluate(
            sentences,
            trees,
            name="",
            data="",
            version="",
            protocol=protocol,
            root="gold" if roots else "predicted",
        )
        assert found == [score.value for score in expected.scores]


def data_roots(sentences: list[Sentence]) -> list[int]:
    return [data.root(sentence) for sentence in sentences]


def test_random_weights_are_the_mean_over_seeds(run: Run, gold: Path) -> None:
    args = ["--data", gold, *EISNER]
    (table,) = json.loads(run(*args, "--seeds", "3").out)
    (name,) = [name for name in rows_of(table, "baseline") if "random weights" in name]
    (uas, _, _) = rows_of(table, "baseline")[name]
    (note,) = [note for note in table["notes"] if "seeds" in note]
    low, high = map(float, re.findall(r"(\d+\.\d) to (\d+\.\d)", note)[0])
    assert uas is not None and low - 0.05 <= uas <= high + 0.05 and low < high
    (line,) = [row["signatures"][0] for row in table["rows"] if row["name"] == name]
    assert "(random weights, seeds 0 to 2)" in line
    (single,) = json.loads(run(*args, "--seeds", "0").out)
    assert list(rows_of(single, "baseline")) == list(BASELINES)
    assert rows_of(single, "model") == rows_of(table, "model")


def test_differences_are_a_table_of_their_own(run: Run, tmp_path: Path) -> None:
    many = tmp_path / "many.conllu"
    many.write_text(4 * GOLD, encoding="utf-8")
    table, differences = json.loads(
        run("--data", many, "--protocol", "fair", "--metric", "dist", "--format", "json").out
    )
    assert differences["labels"] == ["to"] and all(row["kind"] == "model" for row in differences["rows"])
    for name, values in rows_of(table, "model").items():
        for place, measure in enumerate(("UAS", "UUAS", "NED")):
            best = max(other[place] or 0.0 for other in rows_of(table, "baseline").values())
            found = [
                (row["cells"][measure], row["cells"][f"p of {measure}"])
                for row in differences["rows"]
                if row["name"] == name and row["cells"][measure] is not None
            ]
            ((difference, p),) = found
            assert difference["value"] == pytest.approx((values[place] or 0.0) - best)
            assert difference["interval"][0] <= difference["value"] <= difference["interval"][1]
            assert 0 < p["value"] <= 1


def test_a_failed_sentence_is_left_out_of_every_row(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "some.conllu"
    long = ("word " * 40).split()
    path.write_text(GOLD + conllu((" ".join(long), [0, *range(1, 40)])), encoding="utf-8")
    done = run("--data", path, "--protocol", "fair", "--metric", "dist", "--format", "json")
    assert done.code == 1
    assert done.err.startswith(f"{path}:") and "sentence 4 skipped" in done.err and done.err.count("\n") == 1
    (table,) = json.loads(done.out)
    assert table["notes"][0].startswith("3 sentences, ")
    assert "Left out of every row, since a model could not probe them: 1 of 4 sentences." in table["notes"]
    short = tmp_path / "short.conllu"
    short.write_text(GOLD, encoding="utf-8")
    (other,) = json.loads(
        run("--data", short, "--protocol", "fair", "--metric", "dist", "--format", "json").out
    )
    assert [row["cells"] for row in table["rows"]] == [row["cells"] for row in other["rows"]]


def test_nothing_left_to_score(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "long.conllu"
    path.write_text(conllu((("word " * 40).strip(), [0, *range(1, 40)])), encoding="utf-8")
    done = run("--data", path, "--metric", "dist")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(
        "probe dependency: error: no sentence with words to score could be probed, so there is nothing to score\n"
    )


def test_recall_tables(run: Run, gold: Path) -> None:
    done = run("--data", gold, *EISNER, "--by", "relation", "length", "sentence-length")
    _, relation, length, size = json.loads(done.out)
    assert relation["columns"][0] in ("left-chain", "right-chain")
    assert len(relation["columns"]) == 2
    assert [row["name"] for row in relation["rows"]] == ["dep (6)", "root (3)"]
    assert [row["name"] for row in length["rows"]] == ["root (3)", "1 (6)"]
    assert [row["name"] for row in size["rows"]] == ["1-10 (9)"]


def test_files(run: Run, gold: Path, tmp_path: Path) -> None:
    run("--data", gold, "--metric", "dist", "--by", "length", "--out", tmp_path / "out")
    stems = [f"dependency-en_pud-toy-{p}{by}" for p in ("wu2020", "fair") for by in ("", "-by-length")]
    names = {f"{stem}.{suffix}" for stem in stems for suffix in ("txt", "json", "csv", "md", "tex")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    with (tmp_path / "out" / f"{stems[0]}.csv").open(encoding="utf-8") as file:
        kinds = {line["kind"] for line in csv.DictReader(file)}
    assert kinds == {"published", "baseline", "model"}


def test_without_data_the_sample_is_used(run: Run) -> None:
    (table,) = json.loads(
        run("--limit", "4", "--protocol", "fair", "--metric", "dist", "--format", "json").out
    )
    assert "sample" in table["title"]
    assert table["notes"][0].startswith("3 sentences")
    assert "Left out of every row, since a model could not probe them: 1 of 4 sentences." in table["notes"]
    assert any(note.startswith("Data: the bundled sample") for note in table["notes"])
    assert len(load_sample()) > 4


def test_wsj10(run: Run, wsj: Path) -> None:
    found = list(wsj10(wsj))
    assert [(s.words, s.heads) for s in found] == [
        (("Sales", "rose"), (2, 0)),
        (("So", "be", "it"), (2, 0, 2)),
    ]
    tables = json.loads(run("--wsj", wsj, "--metric", "dist", "--format", "json").out)
    assert [list(rows_of(table, "published")) for table in tables] == [ROWS, []]
    assert rows_of(tables[0], "published")["Eisner+Dist"] == [58.6, None, None]
    assert all(any("a tenth of the treebank" in note for note in table["notes"]) for table in tables)


def test_both_corpora_and_models(run: Run, gold: Path, wsj: Path, model_folder: ModelFolder) -> None:
    models = [str(model_folder(name)) for name in ("bert", "roberta")]
    done = run(
        *["--data", gold, "--wsj", wsj, "--model", *models, "--protocol", "fair", "--decoder", "eisner"],
        *["--metric", "dist", "--layer", "all", "--seeds", "0", "--format", "json"],
    )
    pud, short = json.loads(done.out)
    expected = [f"{model} eisner+dist, layer {layer}, mean" for model in models for layer in range(4)]
    assert list(rows_of(pud, "model")) == list(rows_of(short, "model")) == expected


def test_stored_matrices(run: Run, gold: Path, tmp_path: Path, model_folder: ModelFolder) -> None:
    model = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    model.best = Best(2, "first")
    sentences = [sentence.words for sentence in data.read_conllu(gold)]
    Store.fill(tmp_path / "store", model, sentences, metric=["dist"])
    stored = run("--data", gold, "--matrices", tmp_path / "store", "--format", "json")
    assert stored.code == 0
    direct = run(
        *["--data", gold, "--metric", "dist", "--layer", "2", "--pool", "first", "--seeds", "0"],
        *["--format", "json"],
    )
    for one, other in zip(json.loads(stored.out), json.loads(direct.out), strict=True):
        assert rows_of(one, "model") == rows_of(other, "model")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--data", "missing.conllu"], "missing.conllu"),
        (["--by", "relation", "--wsj", "WSJ"], "has no relations"),
        (
            ["--data", "GOLD", "--matrices", "x", "--openness-from", "bert"],
            "--openness-from does not go with",
        ),
        (["--data", "GOLD", "--wsj", "WSJ", "--matrices", "x"], "--matrices are those of one corpus"),
        (["--layer", "all", "1"], "all and best stand alone"),
        (["--layer", "99"], "layers 0 (embeddings) to 3"),
        (["--data", "NOPOS"], "expected a UPOS tag for every word"),
        (["--decoder", "mst"], "unknown decoder 'mst'"),
    ],
    ids=str,
)
def test_wrong_use_is_one_line(
    run: Run, gold: Path, wsj: Path, tmp_path: Path, args: list[str], message: str
) -> None:
    (tmp_path / "nopos.conllu").write_text(GOLD.replace("NOUN", "_").replace("PUNCT", "_"), encoding="utf-8")
    places = {"WSJ": str(wsj), "GOLD": str(gold), "NOPOS": str(tmp_path / "nopos.conllu")}
    done = run(*[places.get(arg, arg) for arg in args])
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("probe dependency: error: ") and done.err.count("\n") == 1
    assert message in done.err


def test_gold_that_is_no_tree(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.conllu"
    path.write_text(conllu(("Rivers carry sand", [2, 1, 2])), encoding="utf-8")
    done = run("--data", path)
    assert (done.code, done.out) == (1, "")
    assert f"{path}:1: sentence 1: one root is expected, found 0" in done.err


def test_a_model_without_head_needs_metric_dist(run: Run, gold: Path, model_folder: ModelFolder) -> None:
    folder = model_folder("bert_without_head")
    done = run("--data", gold, "--model", folder)
    assert done.code == 2 and "metric prob needs: use dist or cos" in done.err
    assert run("--data", gold, "--model", folder, "--metric", "dist").code == 0


def test_what_the_model_lacks_is_not_said_of_a_copy(run: Run, gold: Path) -> None:
    done = run("--data", gold, "--perturb", "piece:nosuch", "--seeds", 1)
    assert done.code == 2 and "'nosuch' is no piece of" in done.err
    assert "random weights" not in done.err


def test_an_interrupted_run_says_so(run: Run, gold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("probe.model.Probe.impact_many", interrupted)
    done = run("--data", gold)
    assert (done.code, done.out, done.err) == (130, "", "probe dependency: error: interrupted\n")


@pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")
def test_published_chains_come_out() -> None:
    folder = Path(os.environ["PROBE_DATA"])
    pud = Treebank(name="pud", items=tuple(data.read_conllu(folder / "ud" / "en_pud-wu2020.conllu")))
    wsj = Treebank(name="wsj10", items=tuple(wsj10(folder / "wsj-sample" / "dependencies")))
    found = {}
    for corpus in (pud, wsj):
        ((_, table),) = tables(corpus, [], "wu2020")
        found[corpus.name] = {row.name: round(row.cells[0].value, 2) for row in table.rows if row.cells[0]}
        words = {"pud": "1,000 sentences, 21,176", "wsj10": "555 sentences, 3,856"}[corpus.name]
        assert table.notes[0] == f"{words} scored words."
    assert (found["pud"]["right-chain"], found["pud"]["left-chain"]) == (35.04, 10.74)
    assert (found["wsj10"]["right-chain"], found["wsj10"]["left-chain"]) == (48.96, 32.57)


def test_figures_without_results_go_by_the_method(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[argparse.Namespace] = []

    def run_as_asked(args: argparse.Namespace) -> Ran:
        asked.append(args)
        return Ran()

    monkeypatch.setattr("analyses.dependency.command.run", run_as_asked)
    given = ["uas-by-layer", "--method", "openness", "--openness-from", "bert", "--out", "figures"]
    assert list(draw_by_layer(Job(figures_parser().parse_args(given)))) == []
    assert asked[0].adjust == [METHODS["openness"].adjust]
    assert (asked[0].perturb, asked[0].openness_from, asked[0].layers) == (["knockout"], "bert", ["all"])
