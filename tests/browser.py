"""A real browser for tests: Debian's chromium, headless, driven by Selenium.

A test module asks for it with ``pytest_plugins = ["tests.browser"]`` and the fixture ``browser``. Without
chromium, chromedriver or selenium such tests are skipped, with the reason.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
)


class Browser:
    """A page in chromium; ``driver`` is Selenium's own, for what is not here."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: str | Path) -> None:
        """Load a URL or a file; what an earlier page wrote to the console is forgotten."""
        self.console(), self.requests()
        self.driver.get(page.resolve().as_uri() if isinstance(page, Path) else page)

    def console(self) -> list[str]:
        """What the console was told since the last call: errors, warnings, refusals of the content policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """URLs asked for since the last call, but ``data:`` and ``blob:`` ones and chromium's own."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return [url for url in found if not url.startswith(("data:", "blob:", "chrome"))]

    def look(self, *, width: int = 1280, height: int = 800, scheme: str = "light") -> None:
        """Size of the page in CSS pixels (390 x 844: a phone) and the preferred colour scheme."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *args: object) -> Any:
        """The value of ``return ...`` in the page."""
        return self.driver.execute_script(script, *args)

    def wait(self, script: str, *, seconds: float = 10) -> None:
        """Until the script returns something true; raises TimeoutException after so many seconds."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(lambda _: self.run(script))

    def press(self, *keys: str) -> None:
        """Keys, one after the other, for the element that has the focus (``selenium.webdriver.Keys``)."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver, duration=10).send_keys(*keys).perform()

    def faults(self, within: str = "html") -> list[str]:
        """What axe-core finds wrong for users of keyboard and screen reader, a line each, the worst kinds first.

        Only what it calls serious or critical. The environment variable ``AXE`` names another axe.min.js than that
        of the package ``axe-core-python``; without either the test is skipped.

        Args:
            within: CSS selector of the part that is checked.
        """
        # Colours on their way from one scheme to another are nobody's to judge.
        self.run(
            "document.head.append(Object.assign(document.createElement('style'), "
            "{textContent: '*, ::before, ::after { transition: none !important }'}))"
        )
        self.run(_axe())
        found = self.driver.execute_async_script(
            "axe.run(arguments[0], {resultTypes: ['violations']}).then((found) => arguments[1](found.violations))",
            within,
        )
        worst = sorted(
            (fault for fault in found if fault["impact"] in ("critical", "serious")),
            key=lambda one: one["impact"],
        )
        return [
            f"{fault['impact']}: {fault['id']}: {node['html'][:200]} ({node['failureSummary']})"
            for fault in worst
            for node in fault["nodes"]
        ]

    def touch(self, enabled: bool = True) -> None:
        """Whether the screen is touched, as a phone's is, in place of a mouse."""
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": enabled})

    def screenshot(self, path: Path) -> None:
        """What is seen, as PNG."""
        self.driver.save_screenshot(str(path))


def _axe() -> str:
    """The text of axe-core; the calling test is skipped where there is none."""
    if path := os.environ.get("AXE"):
        return Path(path).read_text(encoding="utf-8")
    package = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    return Path(package.__path__[0], "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def _chromium() -> Iterator[Browser]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    try:
        yield Browser(chrome)
    finally:
        chrome.quit()


@pytest.fixture
def browser(_chromium: Browser) -> Browser:
    """The browser on an empty page, desktop size, light."""
    _chromium.open("about:blank")
    _chromium.look()
    _chromium.touch(False)
    return _chromium
