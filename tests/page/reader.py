"""Somebody at the page: opens it, types, presses keys, reads what stands there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, expect

WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


class Reader:
    """One browser context with the page in it; `troubles` are errors of scripts and policy."""

    def __init__(self, browser: Browser, url: str, **context: Any) -> None:
        self.url = url
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, **context}
        )
        self.context.set_default_timeout(8000)
        self.context.add_init_script(WATCH)
        self.page: Page = self.context.new_page()
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", self._hear_console)
        self.expects_refusals = False

    def _hear_console(self, message: ConsoleMessage) -> None:
        is_refusal = "Failed to load resource" in message.text or "WebSocket" in message.text
        if message.type in ("error", "warning") and not (self.expects_refusals and is_refusal):
            self.troubles.append(message.text)

    def open(self, path: str = "/") -> Reader:
        """Go to the page and wait until it is connected."""
        self.page.goto(self.url + path)
        self.is_connected()
        return self

    def is_connected(self) -> None:
        expect(self.page.locator("#connection")).to_have_text("connected")

    def close(self) -> None:
        """Leave; whatever the browser complained about is an error of the page."""
        violations = self.page.evaluate("window.violations")
        self.context.close()
        assert violations == []
        assert self.troubles == []

    def say(self, text: str, key: str = "Enter") -> None:
        self.page.fill("#composer-text", text)
        self.page.press("#composer-text", key)

    def set_knob(self, label: str, value: float) -> None:
        """Set a knob by its number field and wait until the server's echo shows it."""
        if self.page.locator("#sampling").is_hidden():
            self.page.click("#toggle-sampling")
        self.page.get_by_label(f"{label}, exactly").fill(f"{value:g}")
        self.page.keyboard.press("Tab")
        expect(self.page.locator("#knobs")).not_to_have_attribute("aria-busy", "true")
        self.page.click("#close-sampling")

    def words(self, voice: str, turn: int = -1) -> str:
        """What a voice has said in a turn (the last one), without what is queued."""
        part = self.page.locator(f'.system:not(.waiting) .part[aria-label="{voice}"]').nth(turn)
        spans = part.locator(".words span:not(.queued):not(.leaving)")
        return "".join(spans.all_inner_texts())

    def all_words(self, voice: str) -> str:
        parts = self.page.locator(f'.part[aria-label="{voice}"] .words').all_inner_texts()
        return "\n".join(parts)

    def num_rows(self) -> int:
        """Rows that the score shows."""
        return int(self.page.get_attribute("#score-body", "aria-valuemax") or 0) + 1

    def turn_is_over(self) -> None:
        expect(self.page.locator("#stop")).to_be_disabled(timeout=15000)
        expect(self.page.locator(".system .ending").last).not_to_be_empty()

    def until(self, condition: Callable[[], bool], what: str, timeout_s: float = 8) -> None:
        """Wait for something that is no state of one element."""
        for _ in range(int(timeout_s / 0.03)):
            if condition():
                return
            self.page.wait_for_timeout(30)
        raise AssertionError(f"never came: {what}")
