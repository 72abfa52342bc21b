"""What is read and done on the page of a report in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.dom import minidom

if TYPE_CHECKING:
    from tests.browser import Browser


def drawn_titles(browser: Browser, index: int, place: int) -> list[str]:
    """Names of the parts of the ``place``-th picture of a sentence, counted from 0."""
    script = """
        const body = document.querySelectorAll("details.sentence")[arguments[0]].querySelector(".body");
        const pictures = body.querySelectorAll("svg");
        return [...pictures[arguments[1]].querySelectorAll("g > title")].map((title) => title.textContent);
    """
    return list(browser.run(script, index, place))


def made_titles(picture: str) -> list[str]:
    found = minidom.parseString(picture).getElementsByTagName("title")[1:]
    return ["".join(child.data for child in node.childNodes) for node in found]


def open_sentence(browser: Browser, index: int) -> None:
    browser.run("document.querySelectorAll('details.sentence')[arguments[0]].open = true", index)
    browser.wait(f"return document.querySelectorAll('details.sentence')[{index}].querySelector('.heat')")


def count(browser: Browser) -> str:
    return str(browser.run("return document.getElementById('count').textContent"))


def fill(browser: Browser, name: str, value: str | bool) -> None:
    """Set a field of the filters as its user would."""
    script = """
        const field = document.forms.filters.elements[arguments[0]];
        if (field.type === "checkbox") field.checked = arguments[1]; else field.value = arguments[1];
        field.dispatchEvent(new Event("input", { bubbles: true }));
    """
    browser.run(script, name, value)
