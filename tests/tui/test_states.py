"""The heading, the status line and the notices tell every state, also without colour."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from textual.widgets import Static

from motet.client import ConnectionState
from motet.errors import ServerError
from motet.protocol import client_events as said
from tests.tui.conftest import Stage, on_stage


async def test_one_can_write_before_the_model_is_there() -> None:
    async with on_stage(channels=None) as stage:
        await stage.until_shown("… opening")
        await stage.until_shown("The model is being opened.")
        await stage.write("early")
        await stage.press("enter")
        assert await stage.until_said() == said.InputAppend(text="early")
        await stage.until_shown("… early")
        stage.line.create()
        await stage.until(lambda: stage.app.query("Voice"))
        await stage.until(lambda: "… early" in stage.pane(0).text())
        assert "○ at rest" in stage.screen()


async def test_the_status_line_says_how_it_goes() -> None:
    async with on_stage((140, 24)) as stage:
        stage.line.turn()
        stage.line.rows(*[(f"{n}", None, None, None) for n in range(9)])
        stage.line.end()
        stage.line.metrics(rows_per_s=19.6)
        await stage.until_shown("20 rows/s (pace 20)")
        for part in ("TTFT 0.31 s, 3 rows", "0 %", "T 0.6", "silence −1/1", "row 9"):
            assert part in stage.screen()
        assert "○ at rest, it has ended" in stage.screen()


async def test_a_lost_line_is_shown_and_what_is_said_is_kept() -> None:
    async with on_stage() as stage:
        stage.line.tell(ConnectionState(is_connected=False, reason="gone"))
        await stage.until_shown("✕ line lost, trying again")
        await stage.write("still here")
        await stage.press("enter")
        await stage.until_said()
        await stage.until(lambda: "… still here" in stage.pane(0).text())
        stage.line.tell(ConnectionState(is_connected=True))
        await stage.until_shown("○ at rest")


async def test_a_refusal_is_a_notice_and_the_text_comes_back() -> None:
    async with on_stage() as stage:
        stage.line.error("text: expected at most 3 tokens, got 5")
        await stage.until_shown("at most 3 tokens")
        stage.line.refusal = "it has ended"
        await stage.write("again")
        await stage.press("enter")
        await stage.until_shown("it has ended")
        await stage.until(lambda: stage.composer.text == "again")


async def test_a_server_that_is_not_there_is_told_calmly() -> None:
    async with on_stage(channels=None) as stage:
        stage.line.fail(ServerError("http://x", got="no answer"))
        await stage.until_shown("✕ ended")
        await stage.until(
            lambda: "no answer" in str(stage.app.query_one("#before", Static).render())
        )
        await stage.press("ctrl+n")
        await stage.until(lambda: len(stage.venue.connections) == 2)
        await stage.until_shown("… opening")


async def test_what_happens_to_the_session_is_told() -> None:
    async with on_stage() as stage:
        stage.line.turn()
        for happening, shown in (
            ("filling", "the oldest rows will leave"),
            ("rolled", "sees rows from 7 on"),
            ("failed", "The turn failed"),
            ("going_away", "the server is stopping"),
            ("waiting", "in line, place 3"),
            ("closed", "opened elsewhere"),
        ):
            stage.line.happen(happening)
            await stage.until_shown(shown)


def looks(stage: Stage) -> set[tuple[str, str]]:
    """The text styles, colours left out, of all that is on the screen."""
    found = set()
    for strip in stage.app.screen._compositor.render_strips():
        for text, style, _ in (Segment(*segment) for segment in strip):
            marks = [] if style is None else [
                name for name in ("bold", "dim", "italic", "underline", "reverse")
                if getattr(style, name)
            ]  # fmt: skip
            found.add((text.strip(), " ".join(marks)))
    return found


async def test_without_colour_every_state_still_looks_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with on_stage(theme="plain") as stage:
        text = stage.line.queue("readit waiting")
        stage.line.turn()
        stage.line.rows(("readit", "sampled", "putthere", None), given=(0, 2))
        stage.line.read(text, 6)
        await stage.write("typed")
        await stage.until(lambda: "▸ waiting" in stage.pane(0).text())
        await stage.pilot.pause(0.1)
        expected = {
            ("readit", "bold"), ("▸ waiting", "dim italic"), ("sampled", ""),
            ("putthere", "underline"), ("typed", ""),
        }  # fmt: skip
        assert expected <= looks(stage)
        from textual.filter import NoColor

        assert any(isinstance(one, NoColor) for one in stage.app._filters)
        stage.app.query_one("#sheet")
        await stage.press("f6")
        await stage.until_shown("Esc leaves")
        assert any("reverse" in marks for _, marks in looks(stage))


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (40, 12)])
async def test_every_size_has_a_composer_and_a_heading(size: tuple[int, int]) -> None:
    async with on_stage(size) as stage:
        stage.line.turn()
        stage.line.rows(*[("word ", "reply ", "thought ", None)] * 50)
        await stage.until_shown("turn 1")
        await stage.write("here")
        await stage.until_shown("here")
        for key in ("f9", "f9", "f9", "f8", "escape", "f1", "escape"):
            await stage.press(key)
        await stage.until_shown("here")
