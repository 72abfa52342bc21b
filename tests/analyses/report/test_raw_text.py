"""Reports of raw text: the trees of parse, hints, nothing that needs gold trees."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from analyses.parse import main as parse
from analyses.pictures.arcs_svg import arcs_svg
from analyses.report.command import main
from tests.analyses.report.test_report import PLAIN, drawn_titles, made_titles, open_sentence, run_report
from tests.command import ran
from tests.conftest import ModelFolder

if TYPE_CHECKING:
    from tests.browser import Browser

pytest_plugins = ["tests.browser"]

RAW = ("The gardener watered tulips. Nobody slept.", "Rivers carry sand.")
RAW_WORDS = [
    ["The", "gardener", "watered", "tulips", "."],
    ["Nobody", "slept", "."],
    ["Rivers", "carry", "sand", "."],
]


def records_of(report: Path) -> list[dict[str, Any]]:
    """What the sentences of a page are drawn from."""
    found = re.search(r'id="sentence-data">(.*?)</script>', report.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return list(json.loads(found[1]))


@pytest.mark.parametrize("as_file", [False, True])
def test_running_text_is_split_and_has_the_trees_of_parse(
    as_file: bool, tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raw.txt").write_text("\n".join(RAW), encoding="utf-8")
    text = ["--data", tmp_path / "raw.txt"] if as_file else RAW
    given = ["--model", model_folder("bert"), "--out", tmp_path / "r.html", "--tokenize", *text]
    done = run_report(capsys, *given)
    assert (done.code, done.out, done.err) == (0, "", "")
    records = records_of(tmp_path / "r.html")
    assert [record["words"] for record in records] == RAW_WORDS
    plain = ["--device", "cpu", "--dtype", "float32", "--method", "paper", "--format", "json", "--quiet"]
    parsed = ran(capsys, parse, "--model", model_folder("bert"), *plain, "--tokenize", *RAW)
    trees = [sentence["heads"] for sentence in json.loads(parsed.out)["sentences"]]
    assert [record["methods"][0]["heads"] for record in records] == [{"fair": heads} for heads in trees]
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"{'raw' if as_file else 'text'} has no gold trees" in page
    assert 'id="tables"' not in page and "data-fair=" not in page and "random weights" not in page


def test_text_with_a_stop_in_a_word_gets_a_hint(
    tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run_report(
        capsys, "--model", model_folder("bert"), "--out", tmp_path / "r.html", "Rivers carry sand."
    )
    assert done.code == 0
    assert done.err == "text:1: hint: 'sand.' is read as one word; --tokenize splits words and punctuation\n"
    assert [record["words"] for record in records_of(tmp_path / "r.html")] == [["Rivers", "carry", "sand."]]


def test_text_that_cannot_be_probed_is_no_report(
    tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    long = " ".join(["gardeners"] * 40)
    done = run_report(capsys, "--model", model_folder("bert"), "--out", tmp_path / "r.html", long, "tulips")
    assert done.code == 1 and "1 of 2 sentences could not be probed" in done.err
    assert not (tmp_path / "r.html").exists()


def test_sentences_without_gold_trees_are_drawn(
    browser: Browser, tmp_path: Path, model_folder: ModelFolder
) -> None:
    target = tmp_path / "r.html"
    assert main([*PLAIN, "--model", str(model_folder("bert")), "--out", str(target), *RAW, "--tokenize"]) == 0
    browser.open(target)
    for index, record in enumerate(records_of(target)):
        open_sentence(browser, index)
        picture = arcs_svg(record["words"], record["methods"][0]["heads"]["fair"])
        assert sorted(drawn_titles(browser, index, 0)) == sorted(made_titles(picture))
    headers = (
        "return [...document.querySelectorAll('.words-table')[0].rows[0].cells].map((x) => x.textContent)"
    )
    assert browser.run(headers) == ["#", "word", "head, fair"]
    assert browser.console() == []
