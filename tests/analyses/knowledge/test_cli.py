"""The command: tables of all corpora, the list of facts left out, and one clear line where it cannot run."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from analyses.knowledge import published
from analyses.knowledge.command import main
from tests.conftest import ModelFolder
from tests.lama_files import TEMPLATES, write_lama, write_lines

WORDS = ("the", "and", "of", "to", "violinists")


@pytest.fixture
def lama(tmp_path: Path) -> Path:
    folder = write_lama(tmp_path / "lama", words=WORDS)
    patterns = [{"pattern": text} for text in ("[X] sleeps near the [Y].", "The [Y] is near [X] .")]
    write_lines(folder / "pararel-patterns" / "P1.jsonl", patterns)
    return folder


@pytest.fixture
def options(lama: Path, model_folder: ModelFolder) -> list[str]:
    return ["--model", str(model_folder("bert")), "--data", str(lama), "--device", "cpu"]


def tables(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert main([*args, "--format", "json"]) == 0
    return {table["title"]: table for table in json.loads(capsys.readouterr().out)}


def refused(capsys: pytest.CaptureFixture[str], message: str, *args: str, code: int = 2) -> None:
    try:
        found: object = main(list(args))
    except SystemExit as ended:
        found = ended.code
    written = capsys.readouterr()
    assert (found, written.out) == (code, "")
    last = written.err.splitlines()[-1]
    assert last.startswith("probe knowledge: error: ")
    assert message in last


def test_tables_of_all_corpora(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    found = tables(capsys, *options)
    assert list(found) == [
        "Google-RE: mean over 3 relations, in percent",
        f"Google-RE: {options[1]} by relation, in percent (in brackets: facts)",
        "T-REx: mean over 2 relations, in percent",
        "T-REx: P@1 by type of relation, mean over relations, in percent",
        f"T-REx: {options[1]} by relation, in percent (in brackets: facts)",
        "ConceptNet: mean over 2 relations, in percent",
        f"ConceptNet: {options[1]} by relation, in percent (in brackets: facts)",
        "SQuAD: mean over 1 relation, in percent",
    ]
    rows = {row["name"]: row for row in found["T-REx: mean over 2 relations, in percent"]["rows"]}
    assert [row["kind"] for row in rows.values()] == ["published"] * 2 + ["baseline"] * 3 + ["model"]
    assert rows["BERT-base-cased"]["cells"]["P@1"]["value"] == published.P_AT_1["BERT-base-cased"]["T-REx"]
    # P1 has "and" in two of three facts (one is a repetition), P2 "the" in two of three.
    cells = rows["most frequent object"]["cells"]
    assert cells["P@1"]["value"] == pytest.approx(100 * (1 / 3 + 2 / 3) / 2)
    assert cells["P@1 of all facts"]["value"] == pytest.approx(100 * 3 / 6)
    assert cells["P@1 filtered"] is None
    (line,) = rows[options[1]]["signatures"]
    for part in ("T-REx@", "n:6", "protocol:lama", "dtype:float32", "candidates:4 of 5@", "case:lower"):
        assert part in line
    squad = found["SQuAD: mean over 1 relation, in percent"]
    assert [row["name"] for row in squad["rows"] if "subject masked" in row["name"]] == []
    assert squad["notes"][0] == "3 facts: 2 asked; 1 left out: its object is several pieces."
    concepts = {row["name"]: row for row in found["ConceptNet: mean over 2 relations, in percent"]["rows"]}
    for name, figure in (("BERT-base-cased", 15.6), ("BERT-large-cased", 19.2)):
        assert concepts[name]["cells"]["P@1"] is None
        assert concepts[name]["cells"]["P@1 of all facts"]["value"] == figure
    for title, table in found.items():
        published_rows = [row for row in table["rows"] if row["kind"] == "published"]
        assert bool(published_rows) == ("mean over" in title and "by type" not in title)
        assert any(note.startswith("Published: Petroni") for note in table["notes"]) == bool(published_rows)
    assert (
        "Not the published data: the published figures are of 1 relation, 305 facts (SQuAD), "
        "the others of 1 relation, 2 facts."
    ) in squad["notes"]


def test_every_fact_that_is_left_out_has_a_reason(
    capsys: pytest.CaptureFixture[str], options: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main([*options, "--out", str(out), "--max-pieces", "2", "--quiet"]) == 0
    assert "T-REx: objects of 1 to 2 pieces, mean over 2 relations" in capsys.readouterr().out
    pieces = json.loads((out / "knowledge-t-rex-pieces.json").read_text(encoding="utf-8"))["rows"]
    assert [row["kind"] for row in pieces] == ["baseline", "baseline", "baseline", "model"]
    assert pieces[2]["name"].endswith("random weights")
    with (out / "excluded.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    single = [row for row in rows if row["asked by"] == "one mask"]
    assert [(row["relation"], row["line"], row["id"]) for row in single] == [
        ("P1", "4", "a3"),
        ("P1", "5", "a4"),
        ("SQuAD", "3", "s3"),
    ]
    assert single[0]["reason"].startswith("subject and object of ")
    assert single[1]["reason"] == "its object is several pieces"
    assert {
        row["reason"] for row in rows if row["asked by"] == "several pieces" and row["object"] == "violins"
    }
    for stem in ("knowledge-t-rex", "knowledge-t-rex-by-type", "knowledge-squad", "knowledge-t-rex-pieces"):
        assert sorted(path.suffix for path in out.glob(f"{stem}.*")) == [
            ".csv",
            ".json",
            ".md",
            ".tex",
            ".txt",
        ]


def test_everything_else_that_can_be_asked(
    capsys: pytest.CaptureFixture[str], options: list[str], model_folder: ModelFolder
) -> None:
    extra = ["--relations", "P1", "P2", "--paraphrases", "--prompts", "--words", "2", "--seeds", "0"]
    found = tables(capsys, *options, *extra, "--vocabulary", "model")
    titles = list(found)
    assert f"Paraphrases: {options[1]}, in percent" in titles
    assert f"Paraphrases: {options[1]} by pattern, in percent" in titles
    rows = [row for table in found.values() for row in table["rows"]]
    assert not any("random weights" in row["name"] for row in rows)


def test_a_right_answer_is_explained(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    words = Path(options[3]) / "one.txt"
    words.write_text("the\n", encoding="utf-8")  # the only candidate is always right
    asked = [*options, "--relations", "P1", "--vocabulary", str(words), "--seeds", "0", "--words"]
    capsys.readouterr()  # what making the model wrote
    assert main([*asked, "9", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert main([*asked, "9"]) == 0
    assert "right answers of" in capsys.readouterr().err
    found = tables(capsys, *asked, "3")
    explained = [title for title in found if "[MASK] . -> the (" in title]
    assert explained == [
        next(title for title in found if ": The fox sleeps near the [MASK] . -> the (" in title)
    ]
    assert [row["name"] for row in found[explained[0]]["rows"]] == [
        "The",
        "fox",
        "sleeps",
        "near",
        "the",
        ".",
    ]


def test_without_data_it_runs_on_its_own_facts(
    capsys: pytest.CaptureFixture[str], model_folder: ModelFolder, lama: Path
) -> None:
    words = lama / "letters.txt"
    words.write_text("january\nred\nrome\n", encoding="utf-8")
    model = str(model_folder("bert"))
    refused(capsys, "none of the 3 words is one piece", "--model", model, "--vocabulary", str(words))
    refused(capsys, "none of the 40 facts has an object among", "--model", model)


def test_two_models_have_files_of_their_own(
    options: list[str], model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--model", str(model_folder("bert")), str(model_folder("roberta")), *options[2:]]
    assert main([*both, "--vocabulary", "model", "--relations", "P2", "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").glob("*.txt")} == {
        "knowledge-t-rex-bert.txt",
        "knowledge-t-rex-by-type-bert.txt",
        "knowledge-t-rex-roberta.txt",
        "knowledge-t-rex-by-type-roberta.txt",
    }


def test_facts_that_fail(capsys: pytest.CaptureFixture[str], options: list[str], lama: Path) -> None:
    subjects = ("A cat " * 30, "A cat")
    write_lines(lama / "TREx" / "P1.jsonl", [{"sub_label": each, "obj_label": "the"} for each in subjects])
    assert main([*options, "--relations", "P1"]) == 1
    written = capsys.readouterr()
    assert "P1.jsonl:1: fact 1 skipped: " in written.err
    assert "2 facts: 1 asked; 1 left out: more pieces than the model's window." in written.out


def test_relations_without_a_file_are_named(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert main([*options, "--seeds", "0"]) == 0
    assert "knowledge: no facts of P9 in " in capsys.readouterr().err


def test_refusals(capsys: pytest.CaptureFixture[str], options: list[str], lama: Path, tmp_path: Path) -> None:
    refused(capsys, "a folder in the layout of LAMA is expected", "--data", str(tmp_path / "nowhere"))
    refused(capsys, "no facts of relation P7", *options, "--relations", "P7")
    refused(capsys, "a whole number from 0", *options, "--max-pieces", "x")
    (lama / "common_vocab_cased.txt").unlink()
    refused(capsys, "the word list of LAMA is expected, there is none", *options)
    refused(
        capsys, "a file of patterns", *options, "--vocabulary", "model", "--relations", "P2", "--paraphrases"
    )
    write_lines(lama / "relations.jsonl", [{**TEMPLATES[0], "template": "[X] sleeps ."}])
    refused(capsys, "relations.jsonl:1: a template with [Y] once is expected", *options, code=1)


def test_malformed_facts_show_before_a_model_is_loaded(
    capsys: pytest.CaptureFixture[str], lama: Path
) -> None:
    with (lama / "Squad" / "test.jsonl").open("a", encoding="utf-8") as file:
        file.write("{\n")
    message = "test.jsonl:4: JSON is expected, found Expecting property name"
    refused(capsys, message, "--model", "no/such/model", "--data", str(lama), code=1)


def test_a_relation_without_facts(capsys: pytest.CaptureFixture[str], options: list[str], lama: Path) -> None:
    write_lines(lama / "TREx" / "P1.jsonl", [])
    refused(capsys, "P1.jsonl: no facts", *options, code=1)
