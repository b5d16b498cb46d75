"""Who can use the page: by keyboard, by ear, on a phone, with any voices, behind a key; safely."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from motet.engine.opening import load
from tests.page.conftest import OUTPUT, USER, Read, scripted_server, thought
from tests.page.reader import Reader
from tests.server.front.conftest import Served, start

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>"
ATTACK = "<b>x</b><script>alert(1)</script>"

CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const pixels = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (rgb) => {
    const [r, g, b] = [...rgb].slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (pixels(colour)[3] === 255) return pixels(colour);
    }
    return [255, 255, 255];
  };
  const weak = [];
  let numSeen = 0;
  for (const node of document.body.querySelectorAll("*")) {
    const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!hasText || !node.checkVisibility() || node.matches(":disabled, .sr, .skip")) continue;
    numSeen += 1;
    const [a, b] = [light(pixels(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${node.className || node.tagName} ${ratio.toFixed(2)}`);
  }
  return [numSeen, weak];
}"""


@pytest.fixture(scope="module")
def one_voice() -> Iterator[Served]:
    server = scripted_server({"Output": "......" + ATTACK + "$"}, OUTPUT)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def many_voices() -> Iterator[Served]:
    says = {"Output": "......" + ATTACK + "$", HOSTILE: "....<i>y</i>$"}
    thoughts = [
        thought(name) for name in (HOSTILE, "T2", "T3", "T4", "T5", "a very long name of a voice")
    ]
    server = scripted_server(says, USER, OUTPUT, *thoughts)
    yield server
    server.stop()


def names_of_everything(page: Page) -> list[dict[str, Any]]:
    """Nodes of the accessibility tree: role and name."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    return [
        {"role": node["role"]["value"], "name": node.get("name", {}).get("value", "")}
        for node in tree["nodes"]
        if not node["ignored"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_a_name_and_enough_contrast(read: Read, served: Served, scheme: str) -> None:
    reader = read(served.url, color_scheme=scheme).open()
    page = reader.page
    reader.say("What is 6 times 7?")
    reader.turn_is_over()
    page.click("#toggle-sampling")
    for dialog in (None, "#open-sessions", "#open-help"):
        if dialog is not None:
            page.click(dialog)
        num_seen, weak = page.evaluate(CONTRAST)
        assert num_seen > 20
        assert weak == []
        nodes = names_of_everything(page)
        acting = (
            "button",
            "textbox",
            "combobox",
            "slider",
            "spinbutton",
            "checkbox",
            "link",
            "dialog",
        )
        assert [node for node in nodes if node["role"] in acting and not node["name"]] == []
        if dialog is not None:
            page.keyboard.press("Escape")
    roles = [node["role"] for node in names_of_everything(page)]
    assert {"banner", "main", "navigation", "complementary", "log", "status"} <= set(roles)
    assert roles.count("main") == 1
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map((node) => +node.tagName[1])"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_theme_switches_and_stays(reader: Reader) -> None:
    def paper() -> str:
        return str(reader.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = paper()
    reader.page.keyboard.press("Alt+T")
    reader.page.keyboard.press("Alt+T")
    expect(reader.page.locator("#theme")).to_have_text("Dark")
    assert paper() != light
    reader.page.reload()
    reader.is_connected()
    expect(reader.page.locator("#theme")).to_have_text("Dark")


def test_whole_conversation_by_keyboard(reader: Reader) -> None:
    page = reader.page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#composer-text")).to_be_focused()
    page.keyboard.type("What is 6 times 7?")
    page.keyboard.press("Enter")
    reader.turn_is_over()
    page.keyboard.press("Shift+Tab")  # to the voices that can be spoken as
    expect(page.locator("#aim")).to_be_focused()
    order: list[str] = []
    for _ in range(9):
        page.keyboard.press("Shift+Tab")
        order.append(page.evaluate("document.activeElement.id"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", order[-1]
    assert "score-body" in order
    assert "open-sessions" in order
    page.focus("#score-body")
    page.keyboard.press("End")
    said = page.get_attribute("#score-body", "aria-valuetext") or ""
    assert re.fullmatch(r"Row \d+: User .*, Output .*, Think .*, Skeptical .*", said)
    page.keyboard.press("Alt+Slash")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


def test_reply_is_announced_and_thoughts_are_not(reader: Reader) -> None:
    reader.say("What is 6 times 7?")
    reader.turn_is_over()
    spoken = reader.page.locator("#spoken")
    expect(spoken).to_have_attribute("aria-live", "polite")
    expect(spoken).to_have_text(reader.words("Output").strip())
    reader.page.reload()
    reader.until(lambda: reader.num_rows() > 1, "the old rows")
    expect(spoken).to_have_text("")  # what was said before is not read again


def test_phone_has_no_sideways_scroll(read: Read, many_voices: Served) -> None:
    reader = read(many_voices.url, viewport={"width": 375, "height": 740}, has_touch=True).open()
    page = reader.page
    reader.say("hi " + "w" * 120)
    reader.turn_is_over()
    for press in (None, "#toggle-sampling", "#close-sampling", "#open-sessions"):
        if press:
            page.click(press)
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        assert page.evaluate("document.querySelector('main').scrollWidth <= 375")
    page.keyboard.press("Escape")
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select")]
          .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height < 44)
          .map((node) => node.id || node.textContent)"""
    )
    assert small == []
    page.set_viewport_size({"width": 375, "height": 420})  # a keyboard is up
    box = page.locator("#composer-text").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 420


def test_hostile_words_and_names_stay_words(read: Read, many_voices: Served) -> None:
    reader = read(many_voices.url).open()
    dialogs: list[str] = []
    reader.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    reader.say(ATTACK)
    reader.turn_is_over()
    assert reader.words("User") == ATTACK
    assert reader.words("Output") == ATTACK
    names = reader.page.locator(".part .name").all_inner_texts()
    assert HOSTILE in names
    reader.page.keyboard.press("Alt+L")
    expect(reader.page.locator("#session-list")).to_contain_text(ATTACK)
    reader.page.keyboard.press("Escape")
    reader.page.click("#toggle-sampling")
    assert reader.page.locator("main img, .libretto b, main script, aside img").count() == 0
    assert dialogs == []


def test_model_of_one_voice_is_an_ordinary_chat(read: Read, one_voice: Served) -> None:
    reader = read(one_voice.url).open()
    reader.say("hi")
    reader.turn_is_over()
    assert ATTACK in reader.all_words("Output")
    expect(reader.page.locator("#aim-label")).to_be_hidden()
    expect(reader.page.locator(".part")).to_have_count(1)


def test_server_with_a_key_asks_for_it(read: Read) -> None:
    server = start(load(), api_keys=("s3cret-key-of-the-test",), drain_s=0.5)
    try:
        reader = read(server.url)
        reader.expects_refusals = True
        reader.page.goto(server.url)
        expect(reader.page.locator("#key")).to_be_visible()
        reader.page.fill("#key-text", "wrong")
        reader.page.keyboard.press("Enter")
        expect(reader.page.locator("#key-note")).to_contain_text("does not know")
        reader.page.fill("#key-text", "s3cret-key-of-the-test")
        reader.page.keyboard.press("Enter")
        reader.is_connected()
        reader.say("What is 6 times 7?")
        reader.turn_is_over()
        stored = reader.page.evaluate("JSON.stringify(localStorage) + location.href")
        assert "s3cret" not in stored
    finally:
        server.stop()
