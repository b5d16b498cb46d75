"""What the panes show: text as it comes, what waits, rests, any channels, and nothing harmful."""

from __future__ import annotations

import pytest

from motet.tui.tape import Tape
from motet.tui.voice import PLAYHEAD
from tests.tui.conftest import Stage, on_stage
from tests.tui.scripted import FOUR


def style_of(stage: Stage, pane: int, text: str) -> str:
    """The name of the style in which `text` stands in a pane."""
    for line in stage.pane(pane)._lines:
        for piece, style in line:
            if text in piece:
                return style
    raise AssertionError(f"{text!r} not in {stage.pane(pane).text()!r}")


async def test_a_pane_a_channel_and_text_as_it_comes() -> None:
    async with on_stage() as stage:
        for name, _ in FOUR:
            await stage.until_shown(name)
        stage.line.turn()
        stage.line.rows(("Hel", None, None, None), ("lo", "Good", "hm", None))
        await stage.until(lambda: "Hello" in stage.pane(0).text())
        assert stage.pane(1).text() == "Good"
        assert stage.pane(2).text() == "hm"
        assert stage.pane(3).text() == ""
        assert "rests 2" in stage.screen()
        assert stage.pane(1).has_class("-speaking")
        assert not stage.pane(3).has_class("-speaking")


async def test_typed_queued_and_read_text_differ_part_by_part() -> None:
    async with on_stage() as stage:
        await stage.write("Tom has")
        assert stage.composer.text == "Tom has"
        await stage.press("enter")
        await stage.until_said()
        await stage.until(lambda: "… Tom has" in stage.pane(0).text())
        assert style_of(stage, 0, "Tom") == "sent"
        assert stage.composer.text == ""

        text = stage.line.queue("Tom has")
        await stage.until(lambda: stage.pane(0).text() == f"{PLAYHEAD}Tom has")
        assert style_of(stage, 0, "Tom") == "queued"
        assert "1 queued" in stage.screen()

        stage.line.turn()
        stage.line.rows(("Tom", None, None, None))
        stage.line.read(text, 3)
        await stage.until(lambda: stage.pane(0).text() == f"Tom{PLAYHEAD} has")
        assert style_of(stage, 0, "Tom") == "read"
        assert style_of(stage, 0, "has") == "queued"
        assert "reading 42 %" in stage.screen()

        stage.line.rows((" has", None, None, None))
        stage.line.read(text, 7, is_done=True)
        await stage.until(lambda: stage.pane(0).text() == "Tom has")
        assert style_of(stage, 0, "has") == "read"


async def test_words_that_were_put_there_differ_from_sampled_ones() -> None:
    async with on_stage() as stage:
        stage.line.turn()
        stage.line.rows((None, None, "own", None), given=(0,))
        stage.line.rows((None, None, " put", None), given=(0, 2))
        await stage.until(lambda: stage.pane(2).text() == "own put")
        assert style_of(stage, 2, "own") == "sampled"
        assert style_of(stage, 2, "put") == "given"


async def test_silence_is_a_rest_in_the_score() -> None:
    async with on_stage() as stage:
        stage.line.turn()
        stage.line.rows(("Hi", None, "x", None))
        await stage.until_shown("Hi ")
        lines = [strip.text.split() for strip in stage.app.query_one(Tape)._strips]
        assert lines == [
            ["0"], ["User", "│", "Hi"], ["Output", "│", "·"], ["Think", "│", "x"],
            ["Skeptical", "│", "·"],
        ]  # fmt: skip


async def test_turns_are_ruled_off_and_rewound_rows_are_gone() -> None:
    async with on_stage() as stage:
        for _ in range(2):
            stage.line.turn()
            stage.line.rows(("a", "b", None, None), (None, "c", None, None), (None,) * 4)
        await stage.until(lambda: "─ 2" in stage.pane(1).text())
        assert stage.pane(1).text().split("\n")[0] == "bc"
        assert stage.pane(0).text().split("\n")[0] == "a"
        stage.line.rewind(4)
        await stage.until(lambda: stage.pane(1).text().endswith("\nb"))
        stage.line.rewind(1)
        await stage.until(lambda: stage.pane(1).text() == "b")


async def test_who_speaks_when_a_turn_begins_ends_the_sentence_first() -> None:
    async with on_stage() as stage:
        stage.line.turn()
        stage.line.rows((None, "one", None, None))
        stage.line.turn()
        stage.line.rows(("And", " two", None, None), (None,) * 4, (None, "three", None, None))
        await stage.until(lambda: "three" in stage.pane(1).text())
        assert [line[:3] for line in stage.pane(1).text().split("\n")] == ["one", "─ 2", "thr"]
        assert stage.pane(1).text().startswith("one two\n")
        assert stage.pane(0).text().startswith("─ 2")


MANY = [("In", "input"), ("Out", "output"), *((f"T{n}", "thought") for n in range(7))]


@pytest.mark.parametrize(
    ("channels", "size"),
    [
        ([("Assistant", "output")], (80, 24)),
        ([("In", "input"), ("Out", "output")], (30, 12)),
        (MANY, (80, 24)),
        (MANY, (30, 12)),
        ([("[b]In[/b]", "input"), ("Ünï 漢字", "output"), ("{x}", "thought")], (80, 24)),
    ],
)
async def test_any_channels_in_any_size(
    channels: list[tuple[str, str]], size: tuple[int, int]
) -> None:
    async with on_stage(size, channels) as stage:
        stage.line.turn()
        stage.line.rows(tuple(f"w{n}" for n in range(len(channels))))
        last = len(channels) - 1
        await stage.until(lambda: stage.pane(last).text() == f"w{last}")
        for index, (name, _) in enumerate(channels):
            assert name in str(stage.pane(index)._border_title)
        assert all(len(line) <= 2 * size[0] for line in stage.screen().split("\n"))
        await stage.write("hi")
        assert "hi" in stage.screen()


async def test_a_chat_model_shows_what_it_was_given_in_its_only_pane() -> None:
    async with on_stage(channels=[("Assistant", "output")]) as stage:
        text = stage.line.queue("Hello?", "Assistant")
        await stage.until(lambda: stage.pane(0).text() == f"{PLAYHEAD}Hello?")
        stage.line.turn()
        stage.line.rows(("Hello?",), given=(0,))
        stage.line.read(text, 6, is_done=True)
        stage.line.rows((" Yes.",), given=())
        await stage.until(lambda: stage.pane(0).text() == "Hello? Yes.")
        assert style_of(stage, 0, "Hello") == "given"
        assert style_of(stage, 0, "Yes") == "sampled"


async def test_model_text_is_only_text() -> None:
    async with on_stage() as stage:
        stage.line.turn()
        nasty = "[bold red]x[/] \x1b[2J\x07\u202eabc\x9b [link=a]"
        stage.line.rows((None, nasty, "e\u0301 漢字 👩‍👩‍👧", "[/]"))
        await stage.until(lambda: "[bold red]x[/]" in stage.pane(1).text())
        screen = stage.screen()
        assert "[bold red]x[/]" in screen
        assert "e\u0301 漢字" in screen
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(screen)
        stage.line.error("[oops] \x1b[31m")
        await stage.until_shown("[oops] \ufffd[31m")


async def test_a_pane_that_was_scrolled_up_stays() -> None:
    async with on_stage() as stage:
        stage.line.turn()
        stage.line.rows((None, "".join(f"line {n}\n" for n in range(40)), None, None))
        await stage.until(lambda: stage.pane(1).scroll_offset.y > 0)
        end = stage.pane(1).scroll_offset.y
        stage.pane(1).focus()
        await stage.press("pageup")
        await stage.until(lambda: stage.pane(1).scroll_offset.y < end)
        await stage.pilot.wait_for_scheduled_animations()
        here = stage.pane(1).scroll_offset.y
        stage.line.rows((None, "more\nand more\n", None, None))
        await stage.until(lambda: "and more" in stage.pane(1).text())
        assert stage.pane(1).scroll_offset.y == here
        await stage.until_shown("↓ more")
        await stage.press("end")
        await stage.until(lambda: stage.pane(1).scroll_offset.y > end)


async def test_whoever_writes_in_a_pane_means_the_composer() -> None:
    async with on_stage() as stage:
        stage.pane(2).focus()
        await stage.press("h", "i")
        assert stage.composer.text == "hi"
        assert stage.composer.has_focus


async def test_a_resize_breaks_lines_anew() -> None:
    async with on_stage((120, 40)) as stage:
        stage.line.turn()
        stage.line.rows((None, "word " * 30, None, None))
        await stage.until(lambda: "word" in stage.pane(1).text())
        before = len(stage.pane(1)._lines)
        await stage.pilot.resize_terminal(60, 20)
        await stage.until(lambda: len(stage.pane(1)._lines) > before)
        assert max(map(len, stage.pane(1).text().split("\n"))) <= 30
