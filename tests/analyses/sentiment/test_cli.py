"""``probe sentiment``: tables, checkpoints, predictions, errors."""

import csv
import io
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyses.sentiment import checkpoints
from analyses.sentiment.command import main
from analyses.sentiment.corpus import FILES
from analyses.sentiment.figure import read_scores
from analyses.sentiment.tables import PUBLISHED
from analyses.sentiment.training import train
from data.absa import read_aspects
from data.vectors import WordVectors, write_vectors
from tests.analyses.sentiment.short import options, refused, short_items, to_seg
from tests.command import Done, names, ran
from tests.conftest import ModelFolder
from tests.data.test_absa import XML
from tests.forks import forked, posix, printed
from tests.locks import held

Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command on 12 training and 6 test items, with small networks."""
    items = short_items(18)
    (tmp_path / "train.seg").write_text(to_seg(items[:12]), encoding="utf-8")
    (tmp_path / "test.seg").write_text(to_seg(items[12:]), encoding="utf-8")
    words = sorted({word.lower() for item in items for word in item.words} - {"dim"})
    values = np.random.default_rng(0).normal(size=(len(words), 5)).astype(np.float32)
    write_vectors(tmp_path / "vectors.txt", WordVectors(tuple(words), values))

    def command(*args: object, files: bool = True, vectors: bool = True) -> Done:
        return ran(capsys, main, *options(tmp_path, *args, files=files, vectors=vectors))

    return command


def rows_of(table: dict[str, Any]) -> dict[str, Any]:
    return {row["name"]: row for row in table["rows"]}


def test_a_table_of_the_model_and_its_cache(
    run: Run, model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = (
        "--model",
        model_folder("bert"),
        "--trees",
        "eisner",
        "cle",
        "position",
        "lstm",
        "--format",
        "json",
    )
    done = run(*args, vectors=False)
    assert (done.code, done.err) == (0, "")
    table, *others = json.loads(done.out)
    rows = rows_of(table)
    assert list(rows) == ["lstm", "position", "eisner", "cle"]
    assert [row["kind"] for row in rows.values()] == ["baseline", "baseline", "model", "model"]
    assert table["columns"] == ["Accuracy", "Accuracy sd", "Macro-F1", "Macro-F1 sd"]
    (signature,) = rows["eisner"]["signatures"]
    assert "protocol:fair | decoder:eisner" in signature and "seeds:0-1" in signature
    assert [row["name"] for each in others for row in each["rows"]] in ([], ["lstm", "eisner", "cle"])
    assert len(names(tmp_path / "run" / "networks")) == 8
    # The second run loads no model and trains no network.
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "train", None)
        patched.setattr("analyses.sentiment.inputs.load", None)
        assert run(*args, vectors=False).out == done.out
    # Other weights in the same place are another model.
    model_folder("bert").joinpath("model.safetensors").touch()
    with monkeypatch.context() as patched:
        patched.setattr("analyses.sentiment.inputs.load", None)
        with pytest.raises(TypeError):
            run(*args, vectors=False)


def test_chains_are_trained_once(run: Run, tmp_path: Path) -> None:
    done = run(
        "--trees",
        "position",
        "left-chain",
        "right-chain",
        "random",
        "--format",
        "json",
        "--out",
        tmp_path / "out",
    )
    assert done.code == 0
    (table,) = json.loads(done.out)
    rows = rows_of(table)
    assert rows["position"]["cells"] == rows["left-chain"]["cells"] == rows["right-chain"]["cells"]
    assert len(names(tmp_path / "run" / "networks")) == 4
    assert any("the same distances, so one experiment" in note for note in table["notes"])
    assert any("a word without one has zeros" in note and "(9" in note for note in table["notes"])
    stem = "sentiment-train-fair"
    assert names(tmp_path / "out") == sorted(
        f"{stem}{end}"
        for end in (".csv .json .md .tex .txt -seeds.csv -seeds.pdf -seeds.png -seeds.svg").split()
    )
    scores = read_scores(tmp_path / "out" / f"{stem}-seeds.csv")
    assert len(scores) == 8 and {score.seed for score in scores} == {0, 1}
    mean = np.mean([score.accuracy for score in scores if score.row == "random"])
    assert rows["random"]["cells"]["Accuracy"]["value"] == pytest.approx(mean)


def test_published_distances_are_a_row(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("train.seg", "test.seg"):
        lines = []
        for item in read_aspects(tmp_path / name):
            start, end = item.aspect
            lines.append(" ".join([*item.words[:start], "$T$", *item.words[end:]]))
            lines.append(" ".join(["2.0"] * len(item.words)))
        (tmp_path / "mine" / f"{name}.dist").write_text("\n".join(lines), encoding="utf-8")
    args = ("--trees", "position", "--distances", tmp_path / "mine")
    done = run(*args, "--protocol", "wu2020", "fair", "--format", "json")
    assert done.code == 0
    assert [list(rows_of(table)) for table in json.loads(done.out)] == [["position", "mine"]] * 2
    lines[-1] = "1 2"
    (tmp_path / "mine" / "test.seg.dist").write_text("\n".join(lines), encoding="utf-8")
    refused(run(*args), 1, f"test.seg.dist:12: item 6 ({tmp_path / 'test.seg'}:16): ")


def test_xml_and_a_sentence_that_cannot_be_probed(
    run: Run, model_folder: ModelFolder, tmp_path: Path
) -> None:
    xml = XML.replace("tie wasn't.", "tie wasn't" + " so" * 40)
    (tmp_path / "a.xml").write_text(xml, encoding="utf-8")
    done = run(
        *("--train", tmp_path / "train.seg", "--test", tmp_path / "a.xml", "--trees", "eisner"),
        *("--model", model_folder("bert"), "--format", "csv"),
        files=False,
    )
    assert done.code == 1 and done.err.count("item skipped") == 2
    assert "the model's window" in done.err and f"{tmp_path / 'a.xml'}:6: item skipped" in done.err
    assert "eisner,model,Accuracy," in done.out


def test_trees_by_a_method_are_signed_and_adjusted(run: Run, model_folder: ModelFolder) -> None:
    args = ("--model", model_folder("bert"), "--trees", "eisner", "--layer", 1, "--format", "json")
    (paper,) = json.loads(run(*args, "--method", "paper").out)
    done = run(*args, "--method", "openness")
    assert done.code == 0
    (openness,) = json.loads(done.out)
    settings = [rows_of(one)["eisner"]["signature"]["settings"] for one in (paper, openness)]
    assert [one["perturb"] for one in settings] == ["pair", "knockout"]
    assert [one.get("adjust") for one in settings] == [
        None,
        "log+offset+symmetric+content+root+summary+early",
    ]
    assert run(*args, "--method", "openness").out == done.out  # from the cache


def test_a_prediction(run: Run, model_folder: ModelFolder) -> None:
    text = "The lid is solid but the screen is dim"
    asked = ("--predict", text, "--aspect", "Screen", "--model", model_folder("bert"))
    found = json.loads(run(*asked, "--trees", "eisner", "--format", "json").out)
    assert found["words"][slice(*found["aspect"])] == ["screen"]
    assert len(found["heads"]) == len(found["weights"]) == 9 and found["heads"].count(0) == 1
    assert found["weights"][6] == 0 and 0 < max(found["weights"]) <= 1
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    assert found["class"] == max(found["probabilities"], key=found["probabilities"].get)
    assert found["unknown"] == ["but", "dim"]
    shown = run(*asked, "--trees", "eisner").out.splitlines()
    assert shown[6].startswith("aspect  7 screen") and "ROOT" in "".join(shown)
    assert shown[10].startswith(f"screen: {found['class']} (negative ")
    assert "eisner, trained on train, protocol fair, seed 0" in shown[-1]
    assert json.loads(run(*asked, "--trees", "position", "--format", "json").out)["heads"] is None
    assert json.loads(run(*asked, "--trees", "lstm", "--format", "json").out)["weights"] is None
    refused(run("--predict", text, "--aspect", "battery", "--trees", "position"), 2, "found 'battery' beside")
    refused(run("--predict", text, "--trees", "position"), 2, "--aspect is expected")
    refused(run("--predict", text, "--aspect", "lid", "--trees", "lstm", "position"), 2, "one of --trees")


def test_predictions_that_no_option_fits(run: Run, tmp_path: Path) -> None:
    asked = ("--predict", "The lid is solid", "--aspect", "lid", "--trees", "position")
    for wrong in (("--format", "csv"), ("--out", tmp_path / "out")):
        refused(run(*asked, *wrong), 2, "it makes no table")
    refused(run("--aspect", "lid", "--trees", "position"), 2, "--predict is expected")
    for text, aspect in (("", "lid"), ("The lid", ""), ("The lids", "lid")):
        refused(run(*asked, "--predict", text, "--aspect", aspect), 2, "--aspect: an aspect out of the words")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("form", ["table", "json"])
def test_predictions_of_any_text_on_any_terminal(
    run: Run, form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdout", ascii_only := io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    text = "<b>The</b> “hard\u00a0drive” of the cafe\u0301 👍 is $x_1$ "
    asked = ("--trees", "position", "--aspect", "hard drive", "--format", form)
    assert main(options(tmp_path, *asked, "--predict", text)) == 0
    ascii_only.flush()
    shown = ascii_only.buffer.getvalue().decode("utf-8")
    if form == "json":
        found = json.loads(shown)
        assert found["words"][slice(*found["aspect"])] == ["hard", "drive"]
        assert found["words"][-6:] == ["cafe\u0301", "👍", "is", "$", "x_1", "$"]
    assert "cafe\u0301" in shown and "position, trained on train" in shown
    for option in ("--predict", "--aspect"):
        refused(run(*asked, "--predict", text, option, "not \udcff UTF-8"), 2, "text in UTF-8 is expected")


def test_a_prediction_by_default_is_by_eisner(run: Run, model_folder: ModelFolder) -> None:
    asked = ("--aspect", "solid lid", "--model", model_folder("bert"))
    done = run("--predict", "Solid lid", *asked)
    first, second, *rest = done.out.splitlines()
    # No context: every weight is that of the aspect.
    assert first.startswith("aspect") and second.startswith("aspect") and "eisner, trained on" in rest[-1]
    # A sentence that cannot be probed is told before a network is trained.
    long = "solid lid" + " so" * 60
    refused(run("--predict", long, *asked, "--networks", "1", "--hidden", "5"), 1, "the model's window")


def test_an_interrupted_run_goes_on(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ("--trees", "lstm", "position", "--format", "csv")
    calls = []

    def stopped(*given: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*given, **options)

    monkeypatch.setattr(checkpoints, "train", stopped)
    done = run(*args)
    assert (done.code, done.out) == (130, "")
    told = "2 of 4 networks are trained; the same command goes on from there"
    assert done.err == f"probe sentiment: error: interrupted: {told}\n"
    resumed = run(*args)
    assert resumed.code == 0 and len(calls) == 5
    assert [row[0] for row in csv.reader(resumed.out.splitlines())][1::4] == ["lstm", "position"]


def killed(asked: list[str]) -> int:
    """The command, killed after the second of three epochs of the third network."""
    train, networks = checkpoints.train, []

    def dying(*given: Any, on_epoch: Any, **options: Any) -> Any:
        networks.append(1)

        def epoch(number: int) -> None:
            if (len(networks), number) == (3, 2):
                os.kill(os.getpid(), signal.SIGKILL)

        return train(*given, on_epoch=epoch, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoints, "train", dying)
        return main(asked)


@posix
def test_a_run_that_was_killed_ends_as_an_undisturbed_one(run: Run, tmp_path: Path) -> None:
    args = ("--trees", "position", "random", "--epochs", "3", "--format", "json")
    whole = run(*args, "--run", tmp_path / "whole")
    with forked(lambda: killed(options(tmp_path, *args)), tmp_path) as process:
        pass
    assert (process.exitcode, printed(tmp_path)[0]) == (-signal.SIGKILL, ""), printed(tmp_path)[1]
    folder = tmp_path / "run" / "networks"
    before = {path.name: path.stat() for path in folder.iterdir()}
    assert len(before) == 2
    done = run(*args)
    assert (done.code, done.out, done.err) == (0, whole.out, "")
    after = {path.name: path for path in folder.iterdir()}
    # What was finished was neither trained nor written again.
    assert all(
        (state.st_ino, state.st_mtime_ns) == (after[name].stat().st_ino, after[name].stat().st_mtime_ns)
        for name, state in before.items()
    )
    expected = {path.name: path.read_bytes() for path in (tmp_path / "whole" / "networks").iterdir()}
    assert {name: path.read_bytes() for name, path in after.items()} == expected and len(expected) == 4


def test_bad_embeddings(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyses.sentiment.inputs.load", None)  # found before a model is loaded
    path = tmp_path / "bad.txt"
    for text, message in (
        ("the 1 nan\n", "bad.txt:1: a word and 2 numbers are expected, found 'nan'"),
        ("", "found none"),
        ("zebra 1 2\n", "found none"),
    ):
        path.write_text(text, encoding="utf-8")
        done = run("--trees", "eisner", "--embeddings", path, vectors=False)
        refused(done, 1, message)
    refused(
        run("--trees", "position", "--embeddings", tmp_path / "no.txt", vectors=False), 2, "there is none"
    )


def test_wrong_use(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROBE_DATA", raising=False)
    refused(run(files=False), 2, "--data is expected")
    refused(run("--train", tmp_path / "train.seg", files=False), 2, "--train and --test go together")
    refused(run("--dataset", "laptop"), 2, "in place of --dataset")
    refused(run("--data", tmp_path, files=False), 2, "Laptops_Train.xml.seg: a file is expected")
    for folders in (["lstm"], ["a/mine", "b/mine"]):
        refused(run("--distances", *folders), 2, "--distances: folders with names of their own")


def test_all_of_table_5(
    run: Run, model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = short_items(18)
    folder = tmp_path / "absa"
    (folder / "dist-spacy").mkdir(parents=True)  # the other row of published distances is left out
    for names_of in FILES.values():
        for name, part in zip(names_of, (items[:12], items[12:]), strict=True):
            (folder / name).write_text(to_seg(part), encoding="utf-8")
            lines = [line for item in part for line in (to_seg([item]).split("\n")[0], "1 0 1 2 3")]
            (folder / "dist-spacy" / f"{name}.dist").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("PROBE_DATA", str(tmp_path))
    done = run("--table", "--model", model_folder("bert"), "--networks", "1", "--format", "json", files=False)
    assert (done.code, done.err) == (0, "")
    tables = json.loads(done.out)
    own = ["lstm", "position", "right-chain", "left-chain", "random", "dist-spacy", "eisner", "cle"]
    for table, (dataset, protocol) in zip(tables, product(FILES, ("wu2020", "fair")), strict=True):
        assert f"on {dataset}, protocol {protocol}," in table["title"]
        published = list(PUBLISHED) if protocol == "wu2020" else []
        assert list(rows_of(table)) == [*published, *own]
        selection = "Selection on the test set" if protocol == "wu2020" else "the test set is read once"
        assert any(selection in note for note in table["notes"])
        assert any("distance of position, percent: random " in note for note in table["notes"])
        assert any("dist-spacy 100.0, eisner " in note for note in table["notes"])


def test_forged_caches_are_made_anew(run: Run, model_folder: ModelFolder, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    args = ("--model", model_folder("bert"), "--trees", "eisner", "--networks", "1")
    whole = run(*args, vectors=False)
    assert whole.code == 0
    kept = [*(tmp_path / "run").glob("inputs-*.safetensors"), *(tmp_path / "run").glob("vectors-*")]
    assert len(kept) == 2
    for path in kept:
        tensors = load_file(path)
        wrong: dict[str, Any] = {name: value[:-1] for name, value in tensors.items()}
        forged: list[tuple[dict[str, Any], dict[str, str] | None]] = [
            (tensors, None),
            *((tensors, {"analyses.sentiment": text}) for text in ("", "[1]", "{}", 100_000 * "[")),
            (wrong, {"analyses.sentiment": '{"name": "x", "covered": 1, "failed": [], "settings": {}}'}),
        ]
        for content, metadata in forged:
            save_file(content, path, metadata=metadata)
            if path.name.startswith("vectors"):
                next((tmp_path / "run").glob("inputs-*.safetensors")).unlink(missing_ok=True)
            assert run(*args, vectors=False) == whole


def test_two_runs_in_one_folder(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with held(folder / ".lock"):
        refused(run("--trees", "lstm"), 2, "run: another process is filling this directory")
    assert run("--trees", "lstm", "--networks", "1").code == 0


def test_unknown_words_stand_beside_every_score(run: Run, model_folder: ModelFolder, tmp_path: Path) -> None:
    items = short_items(18)
    bad = replace(items[0], words=("The", "猫", "is", "犬", "."))
    (tmp_path / "test.seg").write_text(to_seg([bad, *items[13:]]), encoding="utf-8")
    args = ("--model", model_folder("bert"), "--trees", "eisner", "lstm", "--format", "json")
    for _ in range(2):  # the second time from the inputs that were kept
        (table,) = json.loads(run(*args).out)
        found = {row["name"]: row.get("unknown_words") for row in table["rows"]}
        assert found["lstm"] is None and found["eisner"][0] == 2 and found["eisner"][1] > 5
        assert any(note.endswith(f": unknown words 2 of {found['eisner'][1]}.") for note in table["notes"])
