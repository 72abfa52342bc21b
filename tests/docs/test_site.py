"""The documentation builds as a site without a warning, and the site needs no other server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser import Browser

pytest_plugins = ["tests.browser"]

ROOT = Path(__file__).parents[2]
NEEDED = ("mkdocs", "material", "mkdocstrings", "mkdocs_jupyter")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        pytest.skip(f"{', '.join(missing)} not installed: the extra docs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served: the search of a page that is opened as a file does not begin."""
    handler = partial(Silent, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Silent(SimpleHTTPRequestHandler):
    """Says nothing of what it is asked for."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_every_page_is_there(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").is_file()
    card = (site / "model-card.html").read_text(encoding="utf-8")
    assert "Model card" in card
    assert 'href="model-card.html"' in (site / "pretraining.html").read_text(encoding="utf-8")


def test_the_api_is_there(site: Path) -> None:
    api = (site / "api.html").read_text(encoding="utf-8")
    for name in (
        "probe.loading.load",
        "probe.model.Probe.impact",
        "parsers._eisner.eisner",
        "data.conllu.to_conllu",
    ):
        assert f'id="{name}"' in api
    assert "<s>" not in api  # a docstring that names this piece without quotes strikes out the rest


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=\"?([^\" >]+)", text)
        loaded += re.findall(r"<link\b(?![^>]*rel=\"?canonical)[^>]*\bhref=\"?([^\" >]+)", text)
        assert [url for url in loaded if re.match(r"(https?:)?//", url)] == []
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(https?:)?//", style.read_text(encoding="utf-8"))


def test_the_notebook_is_there_with_its_outputs(site: Path) -> None:
    notebook = (site / "example.html").read_text(encoding="utf-8")
    assert notebook.count("<svg") > 3 and "data:image/png;base64" in notebook and "dataframe" in notebook


@pytest.mark.parametrize("scheme", ["default", "slate"])
@pytest.mark.parametrize("page", ["index", "gallery", "example", "matrices"])  # code, links in it, tables
def test_axe_finds_no_serious_fault(browser: Browser, address: str, page: str, scheme: str) -> None:
    browser.open(f"{address}/{page}.html")
    browser.run("document.body.dataset.mdColorScheme = arguments[0]", scheme)
    assert browser.faults() == []
