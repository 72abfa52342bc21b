"""Pictures of the README: ``python docs/screenshots.py report.html http://127.0.0.1:7860/ docs/images``.

Takes ``report.png`` of a report and ``explorer.png`` of a running explorer, with Debian's chromium and Selenium
(extra ``dev``).
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

SHOWN = """
    const main = document.querySelector("main");
    return main.ariaBusy === "false" && main.querySelectorAll(".view .arcs svg").length === 2;
"""
"""Whether the explorer has drawn the trees of both methods."""


def main(report: Path, explorer: str, out: Path) -> None:
    """Take both pictures."""
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1000,1300",
    ):
        options.add_argument(flag)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver: Any = webdriver.Chrome(options=options, service=service)
    try:
        driver.get(report.resolve().as_uri())
        driver.execute_script("document.querySelectorAll('#sentences details')[4].open = true")
        for _ in range(2):  # what is scrolled past is laid out late, and moves what is below
            driver.execute_script(
                "document.querySelector('#sentences').scrollIntoView({behavior: 'instant'})"
            )
            time.sleep(1)
        driver.save_screenshot(str(out / "report.png"))
        driver.set_window_size(1400, 1300)
        driver.get(explorer)  # without a sentence it shows its first example, by both methods
        WebDriverWait(driver, 60).until(lambda page: page.execute_script(SHOWN))
        driver.save_screenshot(str(out / "explorer.png"))
    finally:
        driver.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
