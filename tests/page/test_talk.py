"""Everything a person can do at the page, in a real browser with the embedded model."""

from __future__ import annotations

import random
import re
import string

import pytest
from playwright.sync_api import expect

from tests.page.conftest import OUTPUT, USER, Read, scripted_server, thought
from tests.page.reader import Reader
from tests.page.scissors import wire_to
from tests.server.front.conftest import Served

pytestmark = pytest.mark.slow

QUESTION = "Tom has 47 apples. He buys 38 more. How many apples does Tom have now?"


def test_question_is_read_thought_about_and_answered(reader: Reader) -> None:
    reader.say(QUESTION)
    reader.turn_is_over()
    assert reader.words("User") == QUESTION
    for voice in ("Output", "Think", "Skeptical"):
        assert reader.words(voice).strip()
    expect(reader.page.locator("#spoken p").first).to_have_text(re.compile(r"\w"))
    expect(reader.page.locator("#figures")).to_have_text(re.compile(r"\d+ of [\d,]+ rows"))
    assert reader.page.locator("#overture").is_hidden()


def test_typed_queued_and_read_words_look_different(reader: Reader) -> None:
    reader.set_knob("Pace", 20)
    reader.say(QUESTION)
    queued = reader.page.locator(".part .queued")
    expect(queued).to_be_visible()
    before = queued.inner_text()
    reader.page.fill("#composer-text", "And")  # typed while it reads and speaks
    reader.until(lambda: len(reader.words("User")) > len("Tom has 47"), "words that were read")
    reader.page.keyboard.press("Alt+P")
    expect(reader.page.locator("#pause")).to_have_text("Continue")
    rest = queued.inner_text()
    assert 0 < len(rest) < len(before)
    assert before.endswith(rest)
    assert (reader.words("User") + rest).replace(" ", "") == QUESTION.replace(" ", "")
    looks = reader.page.evaluate(
        """() => [".queued", ".read", "#composer-text"].map((selector) => {
            const style = getComputedStyle(document.querySelector(selector));
            return [style.color, style.fontStyle, style.textDecorationStyle].join();
        })"""
    )
    assert len(set(looks)) == 3
    reader.say("And what is 2 + 3?")
    expect(reader.page.locator(".waiting .queued")).to_have_text("And what is 2 + 3?\n")
    reader.page.click(".drop")
    expect(reader.page.locator(".waiting")).to_have_count(0)


def test_stop_ends_the_turn_and_drops_what_waits(reader: Reader) -> None:
    reader.set_knob("Pace", 20)
    reader.say(QUESTION)
    reader.until(lambda: reader.words("User") != "", "the first word")
    reader.page.keyboard.press("Escape")
    expect(reader.page.locator(".ending")).to_contain_text("interrupted")
    expect(reader.page.locator("main .queued")).to_have_count(0)
    assert len(reader.words("User")) < len(QUESTION)


def test_interrupting_with_words_starts_them_at_once(reader: Reader) -> None:
    reader.set_knob("Pace", 40)
    reader.say(QUESTION)
    reader.until(lambda: reader.words("User") != "", "the first word")
    reader.say("What is 6 times 7?", "Control+Enter")
    expect(reader.page.locator(".system")).to_have_count(2)
    reader.turn_is_over()
    assert reader.words("User") == "What is 6 times 7?"
    assert QUESTION not in reader.all_words("User")


def test_pause_step_and_go_on(reader: Reader) -> None:
    reader.set_knob("Pace", 30)
    reader.say(QUESTION)
    reader.until(lambda: reader.num_rows() > 5, "some rows")
    reader.page.keyboard.press("Alt+P")
    expect(reader.page.locator("#pause")).to_have_text("Continue")
    reader.page.wait_for_timeout(150)
    rows = reader.num_rows()
    reader.page.keyboard.press("Alt+S")
    reader.until(lambda: reader.num_rows() == rows + 1, "one more row")
    reader.page.wait_for_timeout(150)
    assert reader.num_rows() == rows + 1
    reader.page.click("#pause")
    reader.turn_is_over()
    assert reader.words("User") == QUESTION


def test_held_reply_stays_silent_while_it_thinks(read: Read) -> None:
    letters = "".join(random.Random(1).choices(string.ascii_lowercase, k=400))
    server = scripted_server(
        {"Output": "...." + letters, "Think": "...hm$"}, USER, OUTPUT, thought("Think")
    )
    try:
        reader = read(server.url).open()
        reader.set_knob("Pace", 40)
        reader.page.keyboard.press("Alt+H")
        expect(reader.page.locator("#hold")).to_have_text("Release")
        reader.say("hi")
        reader.until(lambda: reader.words("Think") == "hm", "a thought")
        reader.page.wait_for_timeout(200)
        assert reader.words("Output") == ""
        reader.page.keyboard.press("Alt+H")
        reader.until(lambda: reader.words("Output") != "", "a reply")
        assert reader.words("Output")[:5] in letters
        reader.expects_refusals = True  # the server stops before the page is closed
    finally:
        server.stop()


def test_words_are_put_into_a_thought(reader: Reader) -> None:
    reader.set_knob("Pace", 30)
    reader.say(QUESTION)
    reader.until(lambda: reader.words("User") != "", "the first word")
    reader.page.select_option("#aim", "Think")
    reader.say("47+38=91.")
    given = reader.page.locator('.part[aria-label="Think"] .given')
    expect(given).to_contain_text("91", timeout=10000)


def test_rewind_and_fork_from_the_score(reader: Reader) -> None:
    reader.say("What is 6 times 7?")
    reader.turn_is_over()
    rows = reader.num_rows()
    reader.set_knob("Pace", 20)
    reader.page.focus("#score-body")
    for _ in range(5):
        reader.page.keyboard.press("ArrowLeft")
    expect(reader.page.locator("#readout")).to_contain_text(f"Row {rows - 5}:")
    original = reader.page.url
    reader.page.click("#fork-here")
    expect(reader.page).not_to_have_url(original)
    reader.is_connected()
    expect(reader.page.locator("#notices")).to_contain_text("This is the copy")
    reader.until(lambda: reader.num_rows() >= rows - 5, "the copy's rows")
    reader.turn_is_over()
    assert reader.words("User") == "What is 6 times 7?"

    reader.set_knob("Pace", 1)  # what was cut comes back slowly
    canvas = reader.page.locator("#staves").bounding_box()
    assert canvas is not None
    reader.page.focus("#score-body")
    reader.page.keyboard.press("Home")
    reader.page.keyboard.press("ArrowRight")
    reader.page.mouse.click(canvas["x"] + 220, canvas["y"] + 60)
    row = re.search(r"Row (\d+):", reader.page.locator("#readout").inner_text())
    assert row is not None
    seen: list[str] = []
    reader.page.on("websocket", lambda _: seen.append("reconnected"))
    reader.page.keyboard.press("Alt+R")
    reader.until(lambda: reader.num_rows() <= int(row[1]) + 5, "fewer rows")
    assert seen == []


def test_cut_connection_comes_back_and_misses_nothing(read: Read, served: Served) -> None:
    with wire_to(served.port) as wire:
        reader = read(f"http://127.0.0.1:{wire.port}")
        reader.expects_refusals = True
        reader.open()
        reader.set_knob("Pace", 30)
        reader.say(QUESTION)
        reader.until(lambda: reader.words("User") != "", "the first word")
        wire.cut()
        expect(reader.page.locator("#connection")).to_contain_text("lost")
        reader.say("What is 2 + 3?")  # typed while nobody listens
        expect(reader.page.locator(".leaving")).to_have_text("What is 2 + 3?\n")
        wire.mend()
        reader.is_connected()
        reader.until(lambda: "What is 2 + 3?" in reader.all_words("User"), "the late words", 12)
        reader.turn_is_over()
        assert reader.all_words("User").count("What is 2 + 3?") == 1
        indices = reader.page.locator("#score-body").get_attribute("aria-valuemax")
        wire.cut()
        wire.mend()
        reader.page.reload()  # everything from the journal, from the beginning
        reader.is_connected()
        reader.until(lambda: reader.num_rows() == int(indices or 0) + 1, "the same rows")
        assert reader.words("User", 0) == QUESTION
        reader.page.wait_for_timeout(50)


def test_second_window_takes_the_conversation_over(reader: Reader) -> None:
    reader.say("What is 6 times 7?")
    reader.turn_is_over()
    other = reader.context.new_page()
    other.goto(reader.page.url)
    expect(other.locator("#connection")).to_have_text("connected")
    expect(reader.page.locator("#notices")).to_contain_text("another window")
    reader.page.get_by_role("button", name="Take it back").click()
    reader.is_connected()
    expect(other.locator("#notices")).to_contain_text("another window")


def test_sessions_are_listed_exported_opened_and_deleted(reader: Reader) -> None:
    reader.say("What is 6 times 7?")
    reader.turn_is_over()
    first = reader.page.url
    reader.page.keyboard.press("Alt+N")
    expect(reader.page).not_to_have_url(first)
    reader.is_connected()
    reader.page.keyboard.press("Alt+L")
    item = reader.page.locator("#session-list li", has_text="What is 6 times 7?").first
    for form in ("text", "json", "grid"):
        with reader.page.expect_download() as download:
            item.get_by_role("button", name=f"as {form}").click()
        content = download.value.path().read_bytes()
        assert (b"What is 6 times 7?" in content) == (form != "grid")
    item.locator("button.title").click()
    expect(reader.page).to_have_url(first)
    reader.until(lambda: reader.words("User") == "What is 6 times 7?", "the old words")
    reader.page.keyboard.press("Alt+L")
    remove = reader.page.locator("#session-list li", has_text="What is 6 times 7?").first.locator(
        ".remove"
    )
    remove.click()
    remove.click()
    expect(reader.page).not_to_have_url(first)


def test_knob_shows_what_is_in_force_and_a_refusal_is_said(reader: Reader) -> None:
    reader.set_knob("Temperature", 1.5)
    reader.set_knob("Silence penalty, reply", 3)
    reader.page.reload()
    reader.is_connected()
    reader.page.click("#toggle-sampling")
    expect(reader.page.locator("#knob-temperature")).to_have_value("1.5")
    expect(reader.page.locator("#knob-silence_penalty_output")).to_have_value("3")
    reader.set_knob("Top p", 7)
    expect(reader.page.locator("#notices")).to_contain_text("top_p")
    reader.page.click("#toggle-sampling")
    expect(reader.page.get_by_label("Top p, exactly")).to_have_value("0.95")
