"""``probe report``: what is in the file, and what the page does in a real browser."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import probe
from analyses.dependency.command import main as dependency
from analyses.pictures.arcs_svg import arcs_svg
from analyses.pictures.brackets_svg import brackets_svg
from analyses.report.command import main
from parsers import Bracketing
from tests.analyses.report.page import count, drawn_titles, fill, made_titles, open_sentence
from tests.command import Done, conllu, ran
from tests.conftest import ModelFolder

if TYPE_CHECKING:
    from tests.browser import Browser

pytest_plugins = ["tests.browser"]

MARKUP = "</script><b>"
TREEBANK = conllu(
    ("The gardener watered tulips .", [2, 3, 0, 3, 3]),
    ("Nobody slept .", [2, 0, 2]),
    ("Rivers carry sand .", [2, 0, 2, 2]),
    (f"Rivers {MARKUP} .", [0, 1, 1]),
    ('Nobody <!-- & "b" .', [0, 1, 1, 1, 1]),
    ("שלום 🦊👩‍👧 e\u0301 \u202eabc", [2, 0, 2, 3]),
)
TREES = """\
(S (NP (DT The) (NN waiter)) (VP (VBD spilled) (NP (NN tea))) (. .))
(S (NP (NNS Rivers)) (VP (VBP carry) (NP (NN sand) (CC and) (NNS stones))) (. .))
"""

PLAIN = ("--device", "cpu", "--dtype", "float32", "--quiet", "--parts", "trees")
"""The other sections are those of test_report_inputs.py."""


def run_report(capsys: pytest.CaptureFixture[str], *args: object) -> Done:
    """Run the command on the CPU in float32."""
    return ran(capsys, main, *PLAIN, *args)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model_folder: ModelFolder) -> Path:
    """A model with a card, a treebank of each kind, and the report on them."""
    made = tmp_path_factory.mktemp("report")
    model = model_folder("bert")
    (model / "README.md").write_text("# Card\n\nA <b>tiny</b> model.\n", encoding="utf-8")
    (made / "data").mkdir()
    (made / "data" / "toy.conllu").write_text(TREEBANK, encoding="utf-8")
    (made / "data" / "toy.mrg").write_text(TREES, encoding="utf-8")
    given = ["--model", str(model), "--data", str(made / "data"), "--out", str(made / "report.html")]
    assert main([*PLAIN, "--seeds", "0", *given]) == 0
    return made


class Reader(HTMLParser):
    """Elements of a page, what its scripts hold, and the text that is seen."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        (self.scripts if self.elements and self.elements[-1][0] == "script" else self.texts).append(data)


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def records(html: str) -> list[dict[str, Any]]:
    found = re.search(r'id="sentence-data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return list(json.loads(found[1]))


# --- the file


def test_page_asks_for_nothing(html: str) -> None:
    for tag, attributes in Reader(html).elements:
        assert tag not in ("img", "iframe", "object", "embed", "base", "video", "audio")
        for name in ("src", "href", "action", "poster", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in html and "url(" not in html
    assert "default-src 'none'" in html and "form-action 'none'" in html
    assert "<li></li>" not in html


def test_words_are_never_markup(html: str, records: list[dict[str, Any]]) -> None:
    reader = Reader(html)
    assert sum(tag == "script" for tag, _ in reader.elements) == 2
    assert "<!--" not in html
    text = "".join(reader.texts)
    assert f"Rivers {MARKUP} ." in text and 'Nobody <!-- & "b" .' in text
    assert "שלום 🦊👩‍👧 e\u0301 \u202eabc" in text
    assert any(MARKUP in record["words"] for record in records)
    assert "A <b>tiny</b> model." in text
    assert "b" not in {tag for tag, _ in reader.elements}


def test_figures_are_those_of_the_table_command(
    html: str, folder: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    given = ["--model", str(model_folder("bert")), "--data", str(folder / "data" / "toy.conllu")]
    chosen = ["--decoder", "eisner", "--metric", "dist", "--seeds", "0", "--by", "length", "--quiet"]
    assert dependency([*given, *chosen, "--device", "cpu", "--dtype", "float32", "--format", "json"]) == 0
    text = "".join(Reader(html).texts)
    tables = json.loads(capsys.readouterr().out)
    assert len(tables) == 4
    for table in tables:
        assert table["title"] in text
        for row in table["rows"]:
            assert row["name"] in text
            parts = [part for signature in row["signatures"] for part in signature.split(" | ")]
            assert all(part in text for part in parts if not part.startswith(("decoder:", "model:")))
            for cell in row["cells"].values():
                low, high = cell["interval"] or (None, None)
                interval = "" if low is None else f" [{low:.1f}, {high:.1f}]"
                assert f"{cell['value']:.1f}{interval}" in text


def proper(record: dict[str, Any]) -> list[str]:
    """The words that brackets stand over."""
    words: list[str] = record["words"]
    return [words[place] for place in record.get("kept", range(len(words)))]


def test_records_are_matrices_and_trees_of_the_model(
    records: list[dict[str, Any]], model_folder: ModelFolder
) -> None:
    model = probe.load(model_folder("bert"), device="cpu", dtype="float32")
    assert len(records) == 8
    for record in records:
        values = model.impact(record["words"]).values
        n = len(record["words"])
        (own,) = record["methods"]
        heat = np.frombuffer(base64.b64decode(own["heat"]), dtype=np.uint8).reshape(n, n)
        assert np.abs(heat * own["largest"] / 255 - values).max() <= own["largest"] / 500
        Bracketing(len(proper(record)), frozenset(map(tuple, own["spans"])))
        assert own["scale"] == "impact (dist), Euclidean distance"
    assert proper(records[0]) == ["The", "gardener", "watered", "tulips"]
    assert records[0]["gold"] == [2, 3, 0, 3, 3]
    assert records[0]["scored"]["fair"] == [1, 1, 1, 1, 0]
    assert [2, 4, "VP"] in records[6]["gold_spans"]


def test_repeats_and_describes(html: str, folder: Path) -> None:
    text = "".join(Reader(html).texts)
    assert f"--out {folder / 'report.html'}" in text
    assert re.search(r"weights, SHA-256[0-9a-f]{64}", text)


def test_the_same_bytes_again(
    tmp_path: Path, model_folder: ModelFolder, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    treebank, target = folder / "data" / "toy.conllu", tmp_path / "r.html"
    given = ["--model", model_folder("bert"), "--data", treebank, "--limit", 2, "--seeds", 1, "--out", target]
    pages = []
    for _ in range(2):
        done = run_report(capsys, *given)
        assert (done.code, done.out, done.err) == (0, "", "")
        pages.append(target.read_bytes())
    assert pages[0] == pages[1]
    assert b"random weights eisner+dist" in pages[0]


def test_a_sentence_that_is_too_long_is_named(
    tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    long = " ".join(["gardeners"] * 40)
    treebank = conllu(("Nobody slept .", [2, 0, 2]), (long, list(range(40))))
    (tmp_path / "a.conllu").write_text(treebank, encoding="utf-8")
    given = ["--data", tmp_path / "a.conllu", "--seeds", 0, "--out", tmp_path / "r.html"]
    done = run_report(capsys, "--model", model_folder("bert"), *given)
    assert done.code == 1 and "a.conllu:5: sentence 2 skipped" in done.err
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "a.conllu:5: sentence 2 skipped" in text
    assert text.count('<details class="sentence"') == 1


def test_without_tags_there_is_one_protocol(
    tmp_path: Path, model_folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    untagged = re.sub("NOUN|PUNCT", "_", conllu(("Nobody slept .", [2, 0, 2])))
    (tmp_path / "a.conllu").write_text(untagged, encoding="utf-8")
    given = ["--data", tmp_path / "a.conllu", "--seeds", 0, "--out", tmp_path / "r.html"]
    assert run_report(capsys, "--model", model_folder("bert"), *given).code == 0
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "a has no scores under protocol fair" in text
    assert "data-wu2020=" in text and "data-fair=" not in text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--quiet", "Rivers carry sand", "--data", "a.conllu"], "both as text and with --data"),
        (["--data", "a.conllu", "--tokenize"], "--tokenize: text is expected"),
        (["--tokenize"], "--tokenize: text is expected"),
        (["--data", "no.txt"], "--data no.txt: no such file or folder"),
        (["--data", "no.conllu"], "--data no.conllu: no such file or folder"),
        (["--data", "folder"], "--data folder: expected are .conllu, .txt, .mrg"),
        (["--data", "empty.conllu"], "empty.conllu: "),
        (["--data", "a.seg"], "--data a.seg: aspect sentiment is trained"),
        (["--parts", "discourse"], "--parts discourse: the data allow none of these"),
        (["--parts", "tea"], "invalid choice"),
        (["--out", "nowhere/r.html"], "a file in a folder that is there is expected"),
        (["--out", "."], "a file in a folder that is there is expected"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--matrices", "m"], "one corpus of dependency trees"),
    ],
)
def test_wrong_use_is_one_line(
    args: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "LICENSE.txt").write_text("Words.", encoding="utf-8")
    (tmp_path / "a.conllu").write_text(TREEBANK, encoding="utf-8")
    if {"empty.conllu", "a.seg"} & set(args):
        Path(args[1]).write_text("", encoding="utf-8")
    if "--matrices" in args:
        (tmp_path / "a.mrg").write_text(TREES, encoding="utf-8")
        args = [*args, "--data", "a.mrg"]
    given = args if "--out" in args else [*args, "--out", "r.html"]
    done = run_report(capsys, *given)
    # What is in a file may be wrong although the command is used as it should be.
    code = 1 if "empty.conllu" in args else 2
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
    assert message in done.err
    assert not (tmp_path / "r.html").exists()


# --- the page in a browser


def test_page_is_quiet_and_draws_what_python_draws(
    browser: Browser, folder: Path, records: list[dict[str, Any]]
) -> None:
    browser.open(folder / "report.html")
    for index, record in enumerate(records):
        open_sentence(browser, index)
        (own,) = record["methods"]
        words, heads = record["words"], own["heads"]
        brackets = Bracketing(len(proper(record)), frozenset(map(tuple, own["spans"])))
        if not heads:
            gold = {(start, end) for start, end, _ in record["gold_spans"]} | {(0, len(words))}
            expected = [brackets_svg(words, brackets, gold=gold)]
        else:
            trees = [heads[protocol] for protocol in ("fair", "wu2020")]
            expected = [arcs_svg(words, tree, gold=record["gold"]) for tree in trees]
            expected.append(brackets_svg(proper(record), brackets))
        for place, picture in enumerate(expected):
            # XML has no place for control characters; the page needs no XML.
            assert sorted(drawn_titles(browser, index, place)) == sorted(made_titles(picture))
    assert browser.run("return document.scripts.length") == 2
    assert browser.console() == []
    assert [url for url in browser.requests() if not url.startswith("file:")] == []


def test_filters_filter(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    assert count(browser) == "8 of 8 sentences"
    for name, value, expected in [
        ("search", "RIVERS", 3),
        ("search", "</SCRIPT>", 1),
        ("search", "שלום", 1),
        ("corpus", "2", 2),
        ("longest", "3", 2),
        ("shortest", "5", 3),
        ("label", "VP", 2),
        ("label", "root", 6),
    ]:
        fill(browser, name, value)
        assert count(browser) == f"{expected} of 8 sentences", (name, value)
        visible = "return [...document.querySelectorAll('details.sentence')].filter((x) => x.offsetHeight)"
        assert len(browser.run(visible)) == expected
        fill(browser, name, "")
    fill(browser, "highest", "50")
    scores = browser.run(
        "return [...document.querySelectorAll('details.sentence:not([hidden])')].map((x) => x.dataset.fair)"
    )
    assert all(float(score) <= 50 for score in scores) and count(browser) == f"{len(scores)} of 8 sentences"
    browser.run("document.querySelector('button[type=reset]').click()")
    browser.wait("return document.getElementById('count').textContent === '8 of 8 sentences'")
    for order, key in (("worst", "fair"), ("short", "n")):
        fill(browser, "order", order)
        found = browser.run(
            "return [...document.querySelectorAll('details.sentence')].map((x) => x.dataset[arguments[0]])",
            key,
        )
        values = [float(value) for value in found if value is not None]
        assert values == sorted(values)
    assert browser.console() == []


def test_keyboard_reaches_everything(browser: Browser, folder: Path, records: list[dict[str, Any]]) -> None:
    keys = pytest.importorskip("selenium.webdriver").Keys
    browser.open(folder / "report.html")
    browser.press(keys.TAB)
    assert browser.run("return document.activeElement.textContent") == "Skip to the sentences"
    browser.press(keys.ENTER)
    browser.press(keys.TAB)
    assert browser.run("return document.activeElement.name") == "search"
    browser.press("sand")
    assert count(browser) == "2 of 8 sentences"
    browser.run("document.querySelector('details.sentence:not([hidden]) summary').focus()")
    browser.press(keys.ENTER)
    browser.wait("return document.querySelector('details[open] .heat')")
    browser.run("document.querySelector('.heat td[tabindex=\"0\"]').focus()")
    browser.press(keys.ARROW_RIGHT, keys.ARROW_DOWN, keys.ARROW_RIGHT)
    words = records[2]["words"]
    assert browser.run("return document.querySelector('output.pair').textContent").startswith(
        f"{words[2]} → {words[1]}: "
    )
    assert browser.run("return document.querySelectorAll('.heat td[tabindex=\"0\"]').length") == 1


def test_everything_has_a_name_and_fits_a_phone(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    open_sentence(browser, 0)
    unnamed = """
        const fields = [...document.querySelectorAll("input, select, button")];
        const pictures = [...document.querySelectorAll("svg")];
        const tables = [...document.querySelectorAll("table")];
        return [
          ...fields.filter((field) => !field.labels?.length && !field.textContent),
          ...pictures.filter((picture) => picture.firstElementChild?.tagName !== "title"),
          ...tables.filter((table) => !table.caption && !table.ariaLabel),
          ...document.querySelectorAll("th:not([scope])"),
        ].length;
    """
    assert browser.run(unnamed) == 0
    for scheme in ("light", "dark"):
        browser.look(width=390, height=844, scheme=scheme)
        assert browser.run("return document.documentElement.scrollWidth") <= 390
    background = "return getComputedStyle(document.documentElement).colorScheme"
    assert browser.run(background) == "light dark"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_serious_fault(browser: Browser, folder: Path, width: int, scheme: str) -> None:
    browser.look(width=width, height=844, scheme=scheme)
    browser.open(folder / "report.html")
    for index in (0, 6):  # of dependencies and of constituents
        open_sentence(browser, index)
    assert browser.faults() == []
