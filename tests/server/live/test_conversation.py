"""What a client says and hears: one session through a hub, with the real thread and journal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from motet.engine.rolling import Rolling
from motet.errors import ProtocolError, ServerError, SessionError, SettingError
from motet.protocol import client_events as client
from motet.protocol.knobs import KnobsChange, SettingsChange
from motet.protocol.server_events import (
    ContextFilling,
    ContextRolled,
    ErrorEvent,
    InputCleared,
    InputQueued,
    InputRead,
    Metrics,
    SessionCreated,
    SessionForked,
    SessionUpdated,
    TurnEnded,
)  # fmt: skip
from tests.engine.scripted import WITHOUT_END, dreaming_engine
from tests.server.decoding.loops import talker
from tests.server.live.hubs import Reader, creation, ids_of, serving

HI = client.InputAppend(text="hi")


async def test_a_turn_from_first_to_last() -> None:
    engine = talker()
    async with serving(engine) as hub:
        me = Reader(await hub.create(creation()))
        await me.say(HI)
        await me.until("turn.ended")
    types = [event.type for event in me.events if event.type != "metrics"]
    firsts = list(dict.fromkeys(types))
    assert firsts == [
        "session.created", "session.updated", "input.queued", "rows", "turn.started", "input.read",
        "turn.ended",
    ]  # fmt: skip
    created = me.events[0]
    assert isinstance(created, SessionCreated)
    assert (created.seq, created.is_new, created.context_rows) == (0, True, 400)
    assert {"inject", "hold", "rewind"} <= set(created.capabilities)
    alone = engine.open(engine.settings(max_rows=200, quiet_rows=3, mute_rows=12))
    alone.give("hi")
    assert ids_of(me.events) == [row.token_ids for row in engine.stream(alone)]
    end = me.events[-1]
    assert isinstance(end, TurnEnded)
    assert (end.reason, end.rows, end.ttft_rows) == ("end", len(alone.rows) - 1, 4)
    reads = [event for event in me.events if isinstance(event, InputRead)]
    assert (reads[0].from_row, reads[-1].to_row) == (1, 3)
    assert [event.is_done for event in reads] == [False] * (len(reads) - 1) + [True]
    assert reads[-1].chars == 2


async def test_settings_change_and_are_echoed() -> None:
    async with serving(talker()) as hub:
        me = Reader(await hub.create(creation(seed=5)))
        change = SettingsChange(
            sampling=KnobsChange(top_k=7), channel_sampling={"Think": KnobsChange(min_p=0.5)},
            silence_penalty_thought=2.5, pace=90.0, ablate=("Think",),
        )  # fmt: skip
        await me.say(
            client.SessionUpdate(settings=change),
            client.SessionUpdate(settings=SettingsChange(max_rows=0), event_id="bad"),
            client.SessionUpdate(settings=SettingsChange(ablate=("Nobody",)), event_id="worse"),
            client.Pause(),
            client.Hold(),
        )
        last = await me.until(lambda e: isinstance(e, SessionUpdated) and e.is_held)
    assert isinstance(last, SessionUpdated)
    settings = last.settings
    assert (settings.seed, settings.pace, settings.ablate) == (5, 90.0, ("Think",))
    assert (settings.sampling.top_k, settings.channel_sampling["Think"].top_k) == (7, 7)
    assert (settings.channel_sampling["Think"].min_p, settings.max_rows) == (0.5, 200)
    assert last.is_paused
    errors = [event for event in me.events if isinstance(event, ErrorEvent)]
    assert [error.event_id for error in errors] == ["bad", "worse"]
    assert errors[0].code == "setting"


async def test_texts_wait_and_are_dropped() -> None:
    async with serving(talker()) as hub:
        me = Reader(await hub.create(creation()))
        await me.say(
            client.Pause(), HI, client.InputAppend(text="ho", feed="live"),
            client.Inject(channel="Think", text="hm"), client.InputClear(), client.InputClear(),
            client.InputAppend(text="a"), client.Interrupt(text="b"), client.Interrupt(),
            client.InputAppend(text=" "), client.InputAppend(text="x" * 5000),
            client.Inject(channel="Output", text="x"),
        )  # fmt: skip
        await me.until(lambda e: isinstance(e, ErrorEvent) and "Output" in e.message)
    queued = [event for event in me.events if isinstance(event, InputQueued)]
    assert [(e.input_id, e.text, e.channel, e.feed) for e in queued] == [
        (1, "hi", "User", "live"), (2, "ho", "User", "live"), (3, "hm", "Think", "live"),
        (4, "a", "User", "live"), (5, "b", "User", "live"),
    ]  # fmt: skip
    cleared = [event.input_ids for event in me.events if isinstance(event, InputCleared)]
    assert cleared == [(1, 2, 3), (), (4,), (5,)]
    assert sum(isinstance(event, ErrorEvent) for event in me.events) == 3


async def test_rewind_into_a_turn_and_out_of_it() -> None:
    async with serving(talker()) as hub:
        me = Reader(await hub.create(creation()))
        await me.say(HI)
        end = await me.until("turn.ended")
        first = ids_of(me.events)
        await me.say(client.Rewind(row=8))
        await me.until("turn.ended")
        assert ids_of(me.events) == first
        types = [event.type for event in me.events[me.events.index(end) + 1 :]]
        assert [t for t in types if t not in ("rows", "metrics")] == [
            "session.rewound", "turn.continued", "turn.ended",
        ]  # fmt: skip
        await me.say(client.Rewind(row=len(first)))
        again = await me.until("turn.ended")
        assert isinstance(again, TurnEnded)
        assert again.reason == "end"
        await me.say(client.Rewind(row=1), client.Rewind(row=0, event_id="no"), HI)
        await me.until("turn.ended")
        assert ids_of(me.events) == first


async def test_a_fork_has_its_parents_past(tmp_path: Path) -> None:
    async with serving(talker(), tmp_path / "journal") as hub:
        me = Reader(await hub.create(creation()))
        await me.say(HI)
        await me.until("turn.ended")
        await me.say(client.Fork())
        forked = await me.until("session.forked")
        assert isinstance(forked, SessionForked)
        twin = Reader(await hub.resume(forked.resume_token, 0))
        await twin.say(client.Rewind(row=6), client.InputAppend(text="you"))
        await me.say(client.InputAppend(text="me"))
        await twin.until(lambda e: isinstance(e, TurnEnded) and e.turn == 2)
        await me.until(lambda e: isinstance(e, TurnEnded) and e.turn == 2)
        common = [event for event in me.numbered if event.seq < forked.seq]
        assert twin.numbered[: len(common)] == common
        assert ids_of(twin.events) != ids_of(me.events)


async def test_context_fills_and_ends() -> None:
    async with serving(talker(end=False)) as hub:
        create = creation(max_rows=1000, mute_rows=1000)
        me = Reader(await hub.create(create.model_copy(update={"context_rows": 60})))
        await me.say(HI)
        end = await me.until("turn.ended")
        assert isinstance(end, TurnEnded)
        assert (end.reason, end.row) == ("context", 60)
        [filling] = [event for event in me.events if isinstance(event, ContextFilling)]
        assert filling.used_rows >= 45
        await me.say(client.InputAppend(text="more", event_id="full"))
        error = await me.until("error")
        assert isinstance(error, ErrorEvent)
        assert (error.code, error.event_id) == ("context_length_exceeded", "full")


def rolled_alone() -> list[int]:
    """The first row in context after each roll of the next test's session, by the engine alone."""
    engine = dreaming_engine(WITHOUT_END)
    settings = engine.settings(max_rows=200, mute_rows=1000, quiet_rows=1000)
    session = engine.open(settings, context_rows=60, rolling=Rolling())
    session.give("hi")
    first_rows = [0]
    for _ in engine.stream(session):
        if session.first_row != first_rows[-1]:
            first_rows.append(session.first_row)
    return first_rows[1:]


async def test_context_rolls() -> None:
    async with serving(dreaming_engine(WITHOUT_END)) as hub:
        create = creation(max_rows=200, mute_rows=1000, quiet_rows=1000)
        rolling = {"context_rows": 60, "context_policy": "roll"}
        me = Reader(await hub.create(create.model_copy(update=rolling)))
        await me.say(HI)
        end = await me.until("turn.ended")
        assert isinstance(end, TurnEnded)
        assert end.reason == "max_rows"
        rolled = [event.first_row for event in me.events if isinstance(event, ContextRolled)]
        expected = rolled_alone()
        assert len(expected) > 3
        assert rolled == sorted(set(rolled) & set(expected))
        assert rolled[-1] == expected[-1]  # of rolls that come within one update the last is told
        assert len(ids_of(me.events)) == 201


async def test_one_connection_at_a_time() -> None:
    async with serving(talker()) as hub:
        me = Reader(await hub.create(creation()))
        await me.say(HI)
        await me.until("turn.ended")
        other = Reader(await hub.resume(me.live.token, 2), 2)
        assert (await me.rest())[-1].model_dump()["reason"] == "replaced"
        await other.until("turn.ended")
        assert other.numbered == me.numbered[2:]
        await other.say(client.Close())
        assert (await other.rest())[-1].model_dump()["reason"] == "client"
        assert not other.live.is_connected


async def test_deleted_is_gone() -> None:
    async with serving(talker()) as hub:
        me = Reader(await hub.create(creation()))
        token, session_id = me.live.token, me.live.record.id
        await me.say(HI, client.Close(delete=True))
        assert (await me.rest())[-1].model_dump()["reason"] == "deleted"
        with pytest.raises(SessionError, match="token"):
            await hub.resume(token, 0)
        assert not await hub.delete(session_id)


async def test_metrics_and_heartbeats() -> None:
    async with serving(talker(end=False), heartbeat_s=0.5) as hub:
        me = Reader(await hub.create(creation(pace=40.0, max_rows=60)))
        await me.say(HI)
        metrics = await me.until("metrics")
        assert isinstance(metrics, Metrics)
        assert 5 < metrics.rows_per_s <= 60
        assert (metrics.running, metrics.waiting, metrics.context_rows) == (1, 0, 400)
        await me.until("turn.ended")
        await me.until("heartbeat")


async def test_drain_lets_turns_end() -> None:
    async with serving(talker(end=False)) as hub:
        quick = Reader(await hub.create(creation(max_rows=30, pace=100.0)))
        endless = Reader(await hub.create(creation(pace=20.0)))
        await quick.say(HI)
        await endless.say(HI)
        draining = asyncio.create_task(hub.drain(1.5))
        await quick.until("going_away")
        await quick.say(client.InputAppend(text="more", event_id="late"))
        with pytest.raises(ServerError):
            await hub.create(creation())
        await draining
        types = [event.type for event in await quick.rest()]
        assert types[-1] == "session.closed"
        assert types.index("turn.ended") < types.index("session.closed")
        assert "error" in types
        assert (await endless.rest())[-1].type == "session.closed"


async def test_refused_creations_and_resumes() -> None:
    async with serving(talker()) as hub:
        with pytest.raises(SettingError, match="context_rows"):
            await hub.create(client.SessionCreate(context_rows=10**6))
        with pytest.raises(SettingError):
            await hub.create(creation(max_rows=-1))
        with pytest.raises(SessionError, match="token"):
            await hub.resume("nobody's", 0)
        live = await hub.create(creation())
        with pytest.raises(ProtocolError, match="after_seq"):
            await hub.resume(live.token, 99)
        await live.receive(client.SessionCreate(event_id="again"))


async def test_idle_sessions_make_room() -> None:
    async with serving(talker(), places=1) as hub:
        first = Reader(await hub.create(creation()))
        positions: list[int] = []
        waiting = asyncio.create_task(hub.create(creation(), on_waiting=positions.append))
        await asyncio.sleep(0.1)
        assert positions == [1]
        first.frames.close()
        async with asyncio.timeout(10):
            second = Reader(await waiting)
        back = asyncio.create_task(hub.resume(first.live.token, 0))
        await asyncio.sleep(0.05)
        assert not back.done()
        second.frames.close()
        async with asyncio.timeout(10):
            assert (await back).record.id == first.live.record.id


async def test_nobody_takes_the_place_of_one_who_is_about_to_come() -> None:
    """Between the making of a session and its first frame others wait in line."""
    async with serving(talker(), places=1) as hub:
        live = await hub.create(creation())
        waiting = asyncio.create_task(hub.create(creation()))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        me = Reader(live)
        await me.say(client.InputAppend(text="go"))
        await me.until("turn.ended")
        me.frames.close()
        async with asyncio.timeout(10):
            back = asyncio.create_task(hub.resume((await waiting).token, 0))
            Reader(await back).frames.close()
