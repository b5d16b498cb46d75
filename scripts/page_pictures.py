"""Draw docs/page-*.png: the page in a real browser, with the embedded model behind it.

.venv/bin/python scripts/page_pictures.py     (needs Playwright and an installed Chromium)
"""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

import motet
from motet.server.config import ServerConfig
from motet.server.running import LiveServer, listen, url_of

QUESTION = (
    "Mia has 84 cards and shares them equally with 3 friends. How many cards does each friend get?"
)
DOCS = Path(__file__).parent.parent / "docs"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 740}


def main() -> None:
    """Serve the embedded model and take the pictures."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if path is None:
        sys.exit("page_pictures: expected an installed chromium, found none")
    config = ServerConfig(port=0, drain_s=0.5)
    bound = listen(config)
    server = LiveServer(config, motet.load(), bound)
    is_ready = threading.Event()
    thread = threading.Thread(target=server.run_until_stopped, args=[is_ready.set])
    thread.start()
    is_ready.wait()
    try:
        _take(path, url_of(bound))
    finally:
        server.stop()
        thread.join()


def _take(browser_path: str, url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        _beginning(_page(browser, url, "light", DESKTOP))
        _conversation(_page(browser, url, "light", DESKTOP), _page(browser, url, "dark", DESKTOP))
        _knobs(_page(browser, url, "light", DESKTOP))
        _phone(_page(browser, url, "light", PHONE))
        browser.close()


def _page(browser: Browser, url: str, scheme: str, size: dict[str, int]) -> Page:
    context = browser.new_context(
        viewport=size, color_scheme=scheme, device_scale_factor=1.5, reduced_motion="reduce"
    )  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    page.get_by_text("connected", exact=True).wait_for(state="attached")
    page.evaluate("document.fonts.ready")
    return page


def _beginning(page: Page) -> None:
    page.wait_for_timeout(300)
    page.screenshot(path=DOCS / "page-beginning.png")


def _conversation(light: Page, dark: Page) -> None:
    """Two messages, the second while the model still answers the first; stopped in mid-sentence."""
    for page, name in ((light, "page-light.png"), (dark, "page-dark.png")):
        _pace(page, 10)
        _say(page, QUESTION)
        page.locator("[data-role=output] .read").first.wait_for()
        _pause(page)
        _say(page, "What is 6 times 7?")
        page.fill("#composer-text", "Spell cat backwards.")
        page.wait_for_timeout(300)
        page.screenshot(path=DOCS / name)


def _knobs(page: Page) -> None:
    _say(page, QUESTION)
    page.locator(".ending").last.get_by_text("rows in").wait_for()
    page.click("#toggle-sampling")
    page.focus("#score-body")
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    page.screenshot(path=DOCS / "page-sampling.png")


def _phone(page: Page) -> None:
    _pace(page, 10)
    _say(page, QUESTION)
    page.locator("[data-role=output] .read").first.wait_for()
    _pause(page)
    page.wait_for_timeout(300)
    page.screenshot(path=DOCS / "page-phone.png")


def _pause(page: Page) -> None:
    page.keyboard.press("Alt+P")
    page.locator("#pause", has_text="Continue").wait_for()


def _say(page: Page, text: str) -> None:
    page.fill("#composer-text", text)
    page.press("#composer-text", "Enter")


def _pace(page: Page, rows_per_s: int) -> None:
    page.click("#toggle-sampling")
    page.get_by_label("Pace, exactly").fill(str(rows_per_s))
    page.keyboard.press("Tab")
    page.wait_for_selector("#knobs:not([aria-busy])")
    page.click("#close-sampling")


if __name__ == "__main__":
    main()
