"""A terminal on a stage: the real application without a screen, a scripted server behind it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from textual.pilot import Pilot

from motet.protocol.client_events import ClientEvent, SessionCreate
from motet.tui.app import ChatApp
from motet.tui.composer import Composer
from motet.tui.themes import ThemeName
from motet.tui.voice import Voice
from tests.tui.scripted import FOUR, ScriptedConnection, ScriptedVenue

PATIENCE_S = 30.0


async def until(pilot: Pilot[None], holds: Callable[[], object], what: str = "") -> None:
    """Wait until it holds; a busy machine may take its time."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, what or "it did not come true"
        await pilot.pause(0.02)


@dataclass
class Stage:
    app: ChatApp
    pilot: Pilot[None]
    venue: ScriptedVenue

    @property
    def line(self) -> ScriptedConnection:
        return self.venue.line

    @property
    def said(self) -> list[ClientEvent]:
        return [event.model_copy(update={"event_id": None}) for event in self.line.said]

    @property
    def composer(self) -> Composer:
        return self.app.query_one(Composer)

    def screen(self) -> str:
        """What is on the screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips)

    def pane(self, index: int) -> Voice:
        return self.app.query_one(f"#voice-{index}", Voice)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        self.composer.focus()
        self.composer.insert(text)
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        await until(self.pilot, holds, what)

    async def until_shown(self, text: str) -> None:
        await self.until(lambda: text in self.screen(), f"{text!r} not in\n{self.screen()}")

    async def until_said(self, count: int = 1) -> ClientEvent:
        await self.until(lambda: len(self.line.said) >= count, "nothing was said")
        return self.said[-1]


@asynccontextmanager
async def on_stage(
    size: tuple[int, int] = (80, 24),
    channels: Sequence[tuple[str, str]] | None = FOUR,
    theme: ThemeName = "dark",
) -> AsyncIterator[Stage]:
    """The application with a session of `channels`, or without one if None."""
    venue = ScriptedVenue()
    app = ChatApp(venue, SessionCreate(), theme=theme)
    async with app.run_test(size=size, notifications=True) as pilot:
        stage = Stage(app, pilot, venue)
        if channels is not None:
            stage.line.create(channels)
            await stage.until(lambda: stage.app.query("Voice"), "no panes")
        yield stage
