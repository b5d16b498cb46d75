"""The terminal with the real model in its own process: hub, journal and tokens included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from motet.cli.local_venue import LocalVenue
from motet.cli.token_book import TokenBook
from motet.engine import load
from motet.errors import CheckpointError
from motet.protocol.client_events import SessionCreate, SessionResume
from motet.protocol.knobs import SettingsChange
from motet.tui.app import ChatApp
from tests.tui.conftest import until

FRESH = SessionCreate(settings=SettingsChange(max_rows=60))


@asynccontextmanager
async def in_process(
    folder: Path, opening: SessionCreate | SessionResume = FRESH, *, is_default: bool = False
) -> AsyncIterator[tuple[ChatApp, LocalVenue, object]]:
    venue = LocalVenue(
        load, folder / "chat.sqlite", TokenBook(folder / "tokens.sqlite"),
        is_default=is_default,
    )  # fmt: skip
    app = ChatApp(venue, opening, fresh=FRESH)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            yield app, venue, pilot
    finally:
        await venue.close()


async def test_a_turn_is_kept_and_reopened_row_for_row(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (app, venue, pilot):
        await pilot.press(*"What is 2+3?", "enter")
        await until(pilot, lambda: app.talk.conversation.turn, "no turn began")
        await until(pilot, lambda: app.talk.conversation.is_at_rest, "no end")
        before = app.talk.conversation
        assert before.texts[0].strip() == "What is 2+3?"
        await until(pilot, lambda: app.query("Voice"))
        shown = [pane.text() for pane in app.query("Voice")]
        await pilot.press("ctrl+n")
        await until(pilot, lambda: app.talk.conversation.session and not app.talk.conversation.rows)
        kept = {one.session_id: one for one in await venue.kept()}
        assert kept[before.session.session_id].title == "What is 2+3?"
        assert kept[before.session.session_id].num_rows == before.num_rows

    token = next(one.token for one in TokenBook(tmp_path / "tokens.sqlite").all(venue.place)
                 if one.session_id == before.session.session_id)  # fmt: skip
    async with in_process(tmp_path, SessionResume(token=token)) as (app, venue, pilot):
        await until(pilot, lambda: app.talk.conversation.num_rows == before.num_rows)
        assert [row.ids for row in app.talk.conversation.rows] == [row.ids for row in before.rows]
        await until(pilot, lambda: [pane.text() for pane in app.query("Voice")] == shown)


async def test_a_second_terminal_says_that_it_does_not_save(tmp_path: Path) -> None:
    async with in_process(tmp_path) as (first, _, pilot):
        await until(pilot, lambda: first.talk.conversation.session)
        async with in_process(tmp_path, is_default=True) as (second, venue, pilot_2):
            await until(pilot_2, lambda: second.talk.conversation.session)
            assert venue.name == "this process, not saved (another one is saving)"
            assert len(await venue.kept()) == 1


async def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    venue = LocalVenue(lambda: load("no/such/model"), None, TokenBook(tmp_path / "t"))
    app = ChatApp(venue, FRESH)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.talk.failure is not None)
        assert isinstance(app.talk.failure, CheckpointError)
    await venue.close()


@pytest.mark.slow
async def test_controls_reach_the_real_session(tmp_path: Path) -> None:
    paced = SessionCreate(settings=SettingsChange(pace=40.0))
    async with in_process(tmp_path, paced) as (app, _, pilot):
        await pilot.press("f4", *"What is 20+30?", "enter")

        def now():
            return app.talk.conversation

        await until(pilot, lambda: now().is_held and now().num_rows > 5)
        await pilot.press("f2")
        await until(pilot, lambda: now().is_paused)
        rows = now().num_rows
        await pilot.press("f3")
        await until(pilot, lambda: now().num_rows == rows + 1)
        await pilot.press("f8", "right", "escape")
        await until(pilot, lambda: now().settings.sampling.temperature > 0)
        await pilot.press("f6", "home", "right", "right", "right", "enter")
        await until(pilot, lambda: now().num_rows == 3)
        await pilot.press("f7")
        await until(pilot, lambda: now().forks)
        await pilot.press("f4", "f2", "escape")
        await until(pilot, lambda: now().is_at_rest)
