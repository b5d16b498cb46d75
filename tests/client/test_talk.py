"""Talking from Python: answers, rows, refusals, and tasks that share one talk."""

from __future__ import annotations

import asyncio

import pytest

from motet.client import Patience, connect
from motet.errors import ServerError
from motet.protocol import client_events as client
from motet.protocol.knobs import SettingsChange
from tests.client.parrot import Parrot
from tests.client.scripted import Fault, Kind, ScriptedServer

QUICK = Patience(first_s=0.001, most_s=0.01, give_up_s=20)


async def test_a_question_and_its_rows() -> None:
    async with Parrot().running() as url, connect(url) as talk:
        queued = await talk.say("Hello")
        assert (queued.text, talk.session.model) == ("Hello", "dice")
        rows = [row async for row in talk.rows()]
        assert [row.index for row in rows] == list(range(10))
        assert "".join(row.deltas[1] for row in rows) == talk.text("Output") == "Hello"
        assert all(row.given[0] for row in rows)
        assert [row async for row in talk.rows()] == []
        await talk.say(" again")
        assert len([row async for row in talk.rows()]) == 12
        assert talk.text("Output") == "Hello again"
        assert talk.conversation.turns[-1].number == 2


async def test_lines_break_and_the_talk_goes_on() -> None:
    faults = [Fault(Kind.ABORT, n) for n in (1, 0, 2, 1)]
    async with Parrot(faults=faults).running() as url, connect(url, patience=QUICK) as talk:
        await talk.say("Hello")
        assert len([row async for row in talk.rows()]) == 10
        await talk.say("you")
        assert len([row async for row in talk.rows()]) == 6
        assert talk.text("Output") == "Helloyou"


async def test_every_way_to_steer() -> None:
    scripted = ScriptedServer()
    async with scripted.running() as url, connect(url) as talk:
        assert not (await talk.hold()).is_paused
        await talk.release()
        assert (await talk.update(SettingsChange(seed=3))).settings.seed == 0
        assert (await talk.pause()).is_paused
        assert [row async for row in talk.rows()] == []
        await talk.go_on()
        assert (await talk.fork()).resume_token == "copy"
        assert (await talk.rewind(0)).to_row == 0
        await talk.clear()
        assert (await talk.inject("Think", "2+2")).text == "2+2"
        await talk.interrupt("stop")
        await talk.interrupt()
    assert [event.type for event in scripted.heard] == [
        "hold", "release", "session.update", "pause", "continue", "fork", "rewind", "input.clear",
        "inject", "interrupt", "interrupt",
    ]  # fmt: skip


async def test_a_refusal_is_raised_where_it_was_caused() -> None:
    async with ScriptedServer().running() as url, connect(url) as talk:
        with pytest.raises(ServerError, match=r"^no$"):
            await talk.say("refuse me")
        assert talk.conversation.typed == ()
        assert (await talk.say("and go on")).text == "and go on"


async def test_two_tasks_share_a_talk() -> None:
    """Whoever hears an answer, it reaches the task that asked."""
    async with ScriptedServer().running() as url, connect(url) as talk:

        async def ask(number: int) -> str:
            return (await talk.say(f"text {number}")).text

        heard = await asyncio.gather(*(ask(number) for number in range(8)))
        assert heard == [f"text {number}" for number in range(8)]


async def test_a_session_that_was_closed_by_somebody_else() -> None:
    scripted = ScriptedServer()
    async with scripted.running() as url, connect(url) as talk:
        await talk._connection.send(client.Close(delete=True))
        with pytest.raises(ServerError, match="expected an open one, got it was deleted"):
            await talk.say("are you there?")


async def test_a_known_session_is_read_again_from_its_beginning() -> None:
    scripted = Parrot()
    async with scripted.running() as url:
        async with connect(url) as talk:
            await talk.say("Hello")
            before = [row async for row in talk.rows()]
            token = talk.session.resume_token
        async with connect(url, token=token) as talk:
            assert talk.text("Output") == "Hello"
            assert len(talk.conversation.rows) == len(before)
            assert [row async for row in talk.rows()] == []


async def test_without_async() -> None:
    scripted = Parrot()

    def talk_in_a_thread(url: str) -> str:
        with connect(url) as talk:
            talk.say("Hello")
            assert next(talk.rows()).index == 0  # and leave the others
            assert [row.index for row in talk.rows()] == list(range(1, 10))
            assert talk.pause().is_paused
            assert not talk.go_on().is_paused
            assert not talk.hold().is_held
            talk.release()
            talk.update(SettingsChange(seed=1))
            talk.clear()
            talk.interrupt()
            assert talk.fork().session_id == "s2"
            assert talk.rewind(3).to_row == 3
            assert len(talk.conversation.rows) == 3
            assert talk.session.session_id == "s1"
            with pytest.raises(ServerError, match=r"^no$"):
                talk.say("refuse me")
            return talk.text("User")

    async with scripted.running() as url:
        assert await asyncio.to_thread(talk_in_a_thread, url) == "Hel"
    assert [thread for thread in _threads() if thread == "motet-client"] == []


async def test_nobody_there_without_async() -> None:
    async with ScriptedServer().running() as url:
        pass

    def open_in_a_thread() -> None:
        with pytest.raises(ServerError, match="expected a Motet server"), connect(url):
            pass

    await asyncio.to_thread(open_in_a_thread)
    assert "motet-client" not in _threads()


def _threads() -> list[str]:
    import threading

    return [thread.name for thread in threading.enumerate()]
