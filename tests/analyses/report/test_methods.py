"""``probe report --method``: the trees of one method or of several, signed and side by side."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from analyses.experiment import Settings
from analyses.report.command import build_parser, main
from analyses.report.sections import Section, by_method
from data.sources import PUD, SCIDTB, STS
from tests.browser import Browser
from tests.command import ran
from tests.conftest import ModelFolder

pytest_plugins = ["tests.browser"]


@pytest.mark.parametrize(
    ("method", "signed"),
    [
        ("paper", {"perturb:pair"}),
        (
            "openness",
            {
                "perturb:knockout",
                "adjust:log+symmetric",
                "adjust:log+offset+symmetric+content+root+summary+early",
            },
        ),
    ],
)
def test_a_method_makes_the_trees(
    method: str,
    signed: set[str],
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "report.html"
    args = ["--model", model_folder("bert"), "--parts", "trees", "--limit", 2, "--seeds", 0, "--out", out]
    assert ran(capsys, main, *args, "--method", method).code == 0
    page = out.read_text(encoding="utf-8")
    assert all(f"{setting} |" in page for setting in signed)
    assert ("adjust:" in page) == (method == "openness")


@pytest.fixture(scope="module")
def both(model_folder: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of both methods, made once."""
    out = tmp_path_factory.mktemp("both") / "report.html"
    args = ["--model", str(model_folder("bert")), "--parts", "trees", "--limit", "2", "--seeds", "1"]
    assert main([*args, "--quiet", "--out", str(out), "--method", "paper", "openness"]) == 0
    return out


def _records(path: Path) -> list[dict[str, Any]]:
    found = re.search(r'id="sentence-data">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    records: list[dict[str, Any]] = json.loads(found[1])
    return records


def test_both_methods_show_what_each_shows_alone(
    both: Path, model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = _records(both)
    for place, method in enumerate(("paper", "openness")):
        out = tmp_path / f"{method}.html"
        args = ["--model", model_folder("bert"), "--parts", "trees", "--limit", 2, "--seeds", 0, "--out", out]
        assert ran(capsys, main, *args, "--method", method).code == 0
        for record, own in zip(records, _records(out), strict=True):
            assert {**record, "methods": [record["methods"][place]]} == own


def test_differences_say_how_much_the_later_method_has_more(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    args = [
        "--model",
        str(model_folder("bert")),
        "--parts",
        "trees",
        "--limit",
        "14",
        "--seeds",
        "0",
        "--quiet",
    ]
    assert main([*args, "--out", str(out), "--method", "paper", "openness"]) in (0, 1)
    page = out.read_text(encoding="utf-8")
    assert len(re.findall(r'<td class="text">pair, unadjusted</td><td>[+-]', page)) == 2, "one a protocol"


def test_tables_have_rows_of_both_methods_and_of_random_weights(both: Path) -> None:
    page = both.read_text(encoding="utf-8")
    adjusted = re.escape("log+offset+symmetric+content+root+summary+early")
    own = rf"eisner\+dist, layer \d, mean(?:, knockout, {adjusted})?"
    rows = set(re.findall(rf"(?:random weights )?{own}(?=<)", page))
    assert len(rows) == 4
    assert "Differences: too few to test." in page
    assert "<li>Method paper: eisner+dist" in page and "<li>Method openness: eisner+dist" in page


def test_scores_of_each_method_stand_in_the_list(both: Path) -> None:
    page = both.read_text(encoding="utf-8")
    assert "data-fair=" in page and "data-fair-2=" in page
    assert '<option value="wu2020-2">openness, wu2020</option>' in page
    assert "(paper, fair)" in page and "(openness, fair)" in page


def test_an_option_beside_the_methods_counts_for_both() -> None:
    args = build_parser().parse_args(["--out", "r", "--decoder", "cle", "--method", "openness", "paper"])
    assert list(args.method_each) == ["openness", "paper"]
    assert {own.decoder for own in args.method_each.values()} == {"cle"}
    assert [own.perturb for own in args.method_each.values()] == [["knockout"], ["pair"]]


def test_a_matrix_for_each_kind_of_impacts(both: Path, browser: Browser) -> None:
    """Methods whose impacts are the same share a picture; these two have one each."""
    heats = [[one["heat"] for one in record["methods"]] for record in _records(both)]
    place = next(at for at, (first, second) in enumerate(heats) if first != second)
    browser.open(both)
    browser.run("document.querySelectorAll('details.sentence')[arguments[0]].open = true", place)
    browser.wait("return document.querySelector('.heat')")
    captions = browser.run(
        "return [...document.querySelectorAll('details[open].sentence figcaption')].map((x) => x.textContent)"
    )
    assert [caption.split(":")[0].split(" (")[0] for caption in captions] == [
        "Arcs, method paper, protocol fair",
        "Arcs, method openness, protocol fair",
        "Arcs, method paper, protocol wu2020",
        "Arcs, method openness, protocol wu2020",
        "Brackets, method paper, decoder mart-paper",
        "Brackets, method openness, decoder mart-paper",
        "Impact matrix",
        "Impact matrix",
    ]
    order = "const f = document.forms.filters.elements.order; f.value = 'gain';"
    browser.run(order + "f.dispatchEvent(new Event('input', { bubbles: true }))")
    scores = browser.run(
        "return [...document.querySelectorAll('details.sentence')]"
        ".map((x) => [Number(x.dataset.fair), Number(x.dataset['fair-2'])])"
        ".filter((x) => !x.some(Number.isNaN)).map(([a, b]) => a - b)"
    )
    assert scores == sorted(scores)
    assert browser.console() == []


def test_sections_are_made_once_for_each_method_that_they_take() -> None:
    found = {PUD.name: Path("pud.conllu"), SCIDTB.name: Path("scidtb"), STS.name: Path("sts")}
    settings = Settings(model="bert")

    def titles(kind: str, *methods: str | None) -> list[tuple[str, str | None]]:
        made = by_method(Section(kind=kind, title=kind, found=found), settings, methods)
        return [(section.title, own.method) for section, own in made]

    both = [("paper", "paper"), ("openness", "openness")]
    for kind in ("layers", "discourse"):
        assert titles(kind, "paper", "openness") == [(f"{kind}, method {name}", own) for name, own in both]
        assert titles(kind, "openness") == [(kind, "openness")]
        assert titles(kind, None) == [(kind, None)]
    assert [title for title, _ in titles("geometry", "paper", "openness")] == ["geometry"]
