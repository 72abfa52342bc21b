"""The explorer in a real browser: what is typed, pointed at, edited and linked to."""

from __future__ import annotations

import json
import shlex
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

import probe
from analyses import parse
from data import parse_conllu
from tests.conftest import ModelFolder

if TYPE_CHECKING:
    from tests.browser import Browser

uvicorn = pytest.importorskip("uvicorn", reason="the extra app is not installed")
pytest.importorskip("starlette", reason="the extra app is not installed")
pytest_plugins = ["tests.browser"]

TEXT = "Nobody remembered who had painted the houses ."
ENTER, LEFT, RIGHT, DOWN, END, TAB = "\ue007", "\ue012", "\ue014", "\ue015", "\ue010", "\ue004"
DONE = "return document.querySelector('main').ariaBusy === 'false' && "


@pytest.fixture(scope="module")
def address(model_folder: ModelFolder) -> Iterator[str]:
    """A running explorer with two models."""
    from analyses.explorer.command import listen
    from analyses.explorer.server import Limits, create_app

    models = {
        name: probe.load(model_folder(name), device="cpu", dtype="float32") for name in ("bert", "albert")
    }
    with listen("127.0.0.1", 0) as listener:
        application = create_app(models, limits=Limits(words=20))
        server = uvicorn.Server(uvicorn.Config(application, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Browser]:
    """The explorer's page; when a test is over, it has asked nobody else and complained of nothing."""
    browser.open(f"{address}?text=Rivers+carry+sand")
    ready(browser)
    browser.wait(f"{DONE}document.querySelectorAll('.view').length === 1")
    yield browser
    assert browser.console() == []
    assert {urlsplit(url).netloc for url in browser.requests()} == {urlsplit(address).netloc}


def ready(page: Browser) -> None:
    page.wait("return document.documentElement.dataset.ready")


def enter(page: Browser, text: str) -> None:
    """Type a sentence over the former one, and wait for what it shows."""
    page.run("document.querySelector('#text').focus(); document.querySelector('#text').select()")
    page.press(text, ENTER)
    page.wait(f"{DONE}document.title.startsWith({json.dumps(text)})")


def choose(page: Browser, fieldset: str, **options: str) -> None:
    """Choose options, each with a request of its own, as a user in a hurry does."""
    for name, value in options.items():
        page.run(
            "const select = document.querySelector(`#${arguments[0]} [name=${arguments[1]}]`);"
            "select.value = arguments[2]; select.dispatchEvent(new Event('change', {bubbles: true}));",
            fieldset,
            name,
            value,
        )
    page.wait(f"{DONE}!document.querySelector('.stale')")


def text_of(page: Browser, selector: str) -> Any:
    return page.run(
        "return [...document.querySelectorAll(arguments[0])].filter((e) => e.offsetParent || e.ownerSVGElement)"
        ".map((e) => e.textContent.trim())",
        selector,
    )


def marked(page: Browser) -> dict[str, str]:
    """Words that the first view's heatmap marks with the words they attach to."""
    pairs: Any = page.run(
        "const table = document.querySelector('.heatmap'); return [...table.querySelectorAll('td.arc')].map("
        "(td) => [td.parentNode.cells[0].textContent, table.rows[0].cells[td.cellIndex].textContent])"
    )
    return dict(pairs)


def test_a_typed_sentence_gives_the_tree_of_the_command_line(
    page: Browser, capsys: pytest.CaptureFixture[str], model_folder: ModelFolder
) -> None:
    enter(page, TEXT)
    assert parse.main(["--format", "conllu", *shlex.split(text_of(page, "pre")[0])[2:]]) == 0
    (sentence,) = parse_conllu(capsys.readouterr().out.splitlines(), name="printed")
    assert sentence.heads is not None
    words = sentence.words
    expected = {words[i]: words[head - 1] for i, head in enumerate(sentence.heads) if head}
    assert marked(page) == expected
    arcs = [title.split(":")[0].split(" → ") for title in text_of(page, ".arcs svg g > title")]
    assert {dependent: head for head, dependent in arcs if head != "ROOT"} == expected
    assert str(model_folder("bert")) in text_of(page, ".settings")[0]


def test_the_keyboard_reaches_every_cell(page: Browser) -> None:
    enter(page, TEXT)
    page.run("document.querySelector('.arcs').focus()")
    page.press(TAB)
    assert text_of(page, ".cell")[0].startswith("“remembered” (2) on “Nobody” (1): ")
    page.press(DOWN, RIGHT, RIGHT)
    assert text_of(page, ".cell")[0].startswith("“had” (4) on “remembered” (2): ")
    page.press(END, DOWN)
    assert text_of(page, ".cell")[0].startswith("“.” (8) on “who” (3): ")
    assert text_of(page, ".heatmap th.on") == [".", "who"]
    page.press(*[LEFT] * 9, *[DOWN] * 9)
    assert text_of(page, ".cell")[0].startswith("“Nobody” (1) on “.” (8): ")


def test_pointing_names_the_pair(page: Browser) -> None:
    from selenium.webdriver import ActionChains

    enter(page, "Rivers carry sand")
    cell = page.driver.find_element("css selector", ".heatmap tbody tr:nth-child(3) td:nth-of-type(1)")
    ActionChains(page.driver, duration=0).move_to_element(cell).perform()
    (said,) = text_of(page, ".cell")
    matrix = page.run(
        "return fetch(document.querySelector('.files a:nth-child(2)').href).then((r) => r.text())"
    )
    value = float(matrix.splitlines()[3].split(",")[1])
    assert said.startswith("“Rivers” (1) on “sand” (3): ")
    assert float(said.split(": ")[1].split(";")[0]) == pytest.approx(value, rel=1e-3)


def test_an_edit_shows_what_changed_and_a_link_restores_it(page: Browser) -> None:
    enter(page, "Rivers carry sand")
    enter(page, "Rivers slowly carry sand")
    assert any(item.startswith("slowly ← ") and "(new word)" in item for item in text_of(page, ".changes li"))
    assert text_of(page, ".arcs text.new") == ["slowly"]
    assert len(text_of(page, ".arcs g.changed > title")) == len(text_of(page, ".changes li"))
    enter(page, "Nobody slept")
    assert text_of(page, ".key, .changes li, .arcs .changed") == []  # no word in common
    enter(page, "Rivers carry sand")
    enter(page, "Rivers slowly carry sand")
    page.run("document.querySelector('#beside').click()")
    choose(
        page,
        "second",
        model=page.run("return document.querySelector('#second [name=model]').options[1].value"),
    )
    choose(page, "first", layer="1", decoder="cle", metric="cos", adjust="offset")
    seen = [
        text_of(page, selector)
        for selector in (".view h2", ".settings", ".key", ".changes li", ".cell", "pre", ".arcs title")
    ]
    assert len(seen[0]) == 2
    link = page.run("return document.querySelector('#link').href")
    assert link == page.run("return location.href")
    assert parse_qs(urlsplit(link).query)["layer"] == ["1"]
    page.driver.get("about:blank")
    page.driver.get(link)
    ready(page)
    page.wait(f"{DONE}document.querySelectorAll('.view').length === 2")
    assert seen == [
        text_of(page, selector)
        for selector in (".view h2", ".settings", ".key", ".changes li", ".cell", "pre", ".arcs title")
    ]
    page.run("history.back()")


def test_a_link_to_what_is_not_here_shows_nothing_else(page: Browser, address: str) -> None:
    second = urlencode({"second": urlencode({"layer": "99"})})
    page.driver.get(f"{address}?text=Rivers+carry+sand&model=no-such-model&metric=tea&{second}")
    ready(page)
    (said,) = text_of(page, "#error")
    assert "the link asks for model no-such-model, metric tea, layer 99, which" in said
    assert text_of(page, ".view") == []
    page.run("document.querySelector('#show').click()")
    page.wait(f"{DONE}document.querySelectorAll('.view').length === 2")
    assert text_of(page, "#error") == []
    assert "no-such-model" not in page.run("return location.href")
    page.run("document.querySelector('#beside').click()")


def test_bad_input_is_said_and_the_page_goes_on(page: Browser) -> None:
    page.run("document.querySelector('#text').focus(); document.querySelector('#text').select()")
    page.press("a " * 25, ENTER)
    page.wait("return !document.querySelector('#error').hidden")
    assert "25 words: up to 20 are taken" in text_of(page, "#error")[0]
    assert any("400" in message for message in page.console())  # chromium's own report of the refusal
    page.run("document.querySelector('#text').select()")
    page.press("   ", ENTER)
    page.wait("return document.querySelector('#error').textContent.includes('found no text')")
    enter(page, "Fine .")
    assert text_of(page, "#error") == []
    page.run("document.querySelector('#spaces').click()")
    page.wait(f"{DONE}!document.querySelector('.stale')")
    for markup in ("<b>x</b>", "<i onclick=x", "</svg><p>", "&lt; x"):  # short: the window is 32 pieces
        enter(page, markup)
        assert text_of(page, ".heatmap tbody th") == markup.split()
        assert text_of(page, ".view :is(b, i, p:not([class]))") == []


def test_it_opens_with_an_example_by_both_methods(
    browser: Browser, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    browser.open(address)
    ready(browser)
    browser.wait(f"{DONE}document.querySelectorAll('.view').length === 2")
    assert text_of(browser, ".view h2") == ["openness", "paper"]
    examples = text_of(browser, "#examples button")
    assert len(examples) == 4
    assert browser.run("return document.querySelector('#text').value") == examples[0]
    browser.run("document.querySelectorAll('#examples button')[2].click()")
    browser.wait(f"{DONE}document.title.startsWith({json.dumps(examples[2])})")
    capsys.readouterr()
    for place, command in enumerate(text_of(browser, "pre")):
        assert parse.main(["--format", "conllu", "--device", "cpu", *shlex.split(command)[2:]]) == 0
        (sentence,) = parse_conllu(capsys.readouterr().out.splitlines(), name="printed")
        assert sentence.heads is not None
        arcs = browser.run(
            "return [...document.querySelectorAll('.arcs')[arguments[0]].querySelectorAll('g > title')]"
            ".map((title) => title.textContent.split(':')[0])",
            place,
        )
        names = ("ROOT", *sentence.words)
        assert sorted(arcs) == sorted(
            f"{names[head]} → {word}" for word, head in zip(sentence.words, sentence.heads, strict=True)
        )
    link = browser.run("return location.href")
    browser.driver.get("about:blank")
    browser.driver.get(link)
    browser.wait(f"{DONE}document.querySelectorAll('.view').length === 2")
    assert text_of(browser, ".view h2") == ["openness", "paper"]
    assert browser.console() == []


def test_a_method_sets_what_can_still_be_changed(page: Browser) -> None:
    values = "return [...document.querySelectorAll('#first details select')].map((one) => one.value)"
    content = "log+offset+symmetric+content+root+summary+early"
    own = ["best", "dist", "mean", "knockout", content, "eisner", "chart-row", "log+symmetric"]
    assert page.run(values) == own
    choose(page, "first", layer="1", method="paper")
    assert page.run(values) == ["-1", "dist", "mean", "pair", "none", "eisner", "mart-released", "none"]
    assert text_of(page, ".view h2") == ["paper"]
    assert "layer 3, dist, mean, pair; tree: none, eisner" in text_of(page, ".settings")[0]
    # A link may combine adjustments in ways that are not listed.
    page.driver.get(
        page.run("return `${location.origin}/?text=Rivers+carry+sand&method=paper&adjust=offset%2Broot`")
    )
    ready(page)
    page.wait(f"{DONE}document.querySelectorAll('.view').length === 1")
    assert text_of(page, ".view h2") == ["paper with another adjustment"]
    assert page.run(values)[4] == "offset+root"
    choose(page, "first", adjust="none")
    choose(page, "first", pool="max", brackets="mart-paper")
    assert text_of(page, ".view h2") == ["paper with another pool, constituents"]
    assert "--method=paper --pool=max --tokenize" in text_of(page, "pre")[0]


def test_the_command_is_copied(page: Browser, address: str) -> None:
    about = {"origin": address, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.driver.execute_cdp_cmd("Browser.grantPermissions", about)
    button = page.driver.find_element("css selector", ".copy")
    button.click()
    page.wait("return document.querySelector('.copy').textContent !== 'Copy'")
    assert button.text == "Copied" and text_of(page, "#status") == ["the command is copied"]
    assert page.run("return navigator.clipboard.readText()") == text_of(page, "pre code")[0]
    # On an address that is not secure there is no clipboard.
    page.run("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.wait("return document.querySelector('.copy').textContent === 'Copy'")
    button.click()
    page.wait("return document.querySelector('.copy').textContent === 'Selected'")
    assert page.run("return String(getSelection())") == text_of(page, "pre code")[0]


def test_unknown_words_and_the_scale_of_colours(page: Browser) -> None:
    page.driver.get(page.run("return `${location.origin}/?text=Rivers+🦊+sand`"))
    ready(page)
    page.wait(f"{DONE}document.querySelector('.heatmap td')")
    assert text_of(page, ".arcs text.unknown") == ["🦊"]
    assert text_of(page, ".heatmap th.unknown") == ["🦊"] * 2
    assert "unknown words 1 of 3" in text_of(page, ".notes")[0]
    matrix = page.run(
        "return fetch(document.querySelector('.files a:nth-child(2)').href).then((r) => r.text())"
    )
    values = [float(cell) for line in matrix.splitlines()[1:] for cell in line.split(",")[1:]]
    least, most = text_of(page, ".least")[0], text_of(page, ".most")[0]
    assert (float(least), float(most)) == (0, pytest.approx(max(values), rel=5e-3))
    assert text_of(page, ".unit") == ["impact (dist), Euclidean distance"]
    choose(page, "first", method="paper", metric="prob")
    assert text_of(page, ".unit") == ["impact (prob), probability lost"]
    if below := text_of(page, ".bar.below"):
        assert float(text_of(page, ".least")[0]) == -float(text_of(page, ".most")[0]) and below == [""]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_serious_fault(browser: Browser, address: str, width: int, scheme: str) -> None:
    browser.look(width=width, height=844, scheme=scheme)
    browser.open(
        f"{address}?text=Rivers+slowly+🦊+carry+sand&since=text%3DRivers+carry+sand&second=method%3Dpaper"
    )
    ready(browser)
    browser.wait(f"{DONE}document.querySelectorAll('.view').length === 2")
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert browser.faults() == []


def test_many_clicks_end_in_the_last_one(page: Browser) -> None:
    enter(page, TEXT)
    for layer in ("0", "1", "2", "3", "0", "2", "1"):
        choose_at_once = "const s = document.querySelector('#first [name=layer]'); s.value = arguments[0];"
        page.run(f"{choose_at_once} s.dispatchEvent(new Event('change', {{bubbles: true}}))", layer)
        page.run("for (let i = 0; i < 5; i++) document.querySelector('#show').click()")
    page.wait(f"{DONE}!document.querySelector('.stale')")
    assert "layer 1," in text_of(page, ".settings")[0]
    assert text_of(page, ".view h2")[0] == "openness with another layer"
    time.sleep(0.2)
    assert text_of(page, "#error") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_is_wide_enough(page: Browser, scheme: str) -> None:
    page.look(width=390, height=844, scheme=scheme)
    page.touch()
    page.driver.refresh()
    ready(page)
    assert text_of(page, ".cell") in ([], ["Tap a cell."])
    enter(page, TEXT)
    assert text_of(page, ".cell") == ["Tap a cell."]
    page.run("document.querySelector('.heatmap tbody tr:nth-child(2) td:nth-of-type(1)').click()")
    assert text_of(page, ".cell")[0].startswith("“Nobody” (1) on “remembered” (2): ")
    assert page.run("return document.documentElement.scrollWidth") == 390
    enter(page, f"See {'W' * 24} .")  # names of rows stay in place, and must not cover the cells
    width = page.run("return document.querySelector('.heatmap tbody tr:nth-child(2) th').offsetWidth")
    assert width < 390 / 2
    unnamed = page.run(
        "return [...document.querySelectorAll('input, select, textarea, button, [tabindex]')]"
        ".filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim())).map((e) => e.outerHTML)"
    )
    assert unnamed == []
