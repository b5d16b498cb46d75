"""Resuming: what was seen stays, what was not yet seen comes, nothing comes twice."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from motet.engine.opening import load
from motet.errors import JournalError, SessionError
from motet.protocol import client_events as client
from motet.protocol.server_events import (
    InputQueued,
    InputRead,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    TurnEnded,
)
from motet.server.journal import Journal, JournalReader
from motet.server.live import log as events
from tests.engine.scripted import dreaming_engine
from tests.server.decoding.loops import talker
from tests.server.live.hubs import Reader, creation, ids_of, killed, serving

HI = client.InputAppend(text="hi")


async def test_a_connection_breaks_at_every_event() -> None:
    async with serving(talker()) as hub:
        whole = Reader(await hub.create(creation()))
        await whole.say(HI)
        await whole.until("turn.ended")
        token = whole.live.token
        for seq in range(len(whole.numbered)):
            again = Reader(await hub.resume(token, seq), seq)
            created = await again.until("session.created")
            assert isinstance(created, SessionCreated)
            assert (created.is_new, created.seq) == (False, whole.numbered[-1].seq)
            await again.until("turn.ended")
            assert again.numbered == whole.numbered[seq:]


async def test_a_connection_breaks_while_rows_come() -> None:
    async with serving(talker(end=False)) as hub:
        me = Reader(await hub.create(creation(pace=300.0, max_rows=150)))
        await me.say(HI)
        seen: list[ServerEvent] = []
        for _ in range(12):
            await me.until("rows")
            me.frames.close()
            seen += me.numbered
            await asyncio.sleep(0.02)
            me = Reader(await hub.resume(me.live.token, seen[-1].seq), seen[-1].seq)
        await me.until("turn.ended")
        seen += me.numbered
        assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
        assert len(ids_of(seen)) == 151


@pytest.mark.parametrize("make", [talker, dreaming_engine])
async def test_a_killed_server_goes_on_at_the_same_row(make: Any, tmp_path: Path) -> None:
    """Its journal is copied as it is at some moments of a turn; each copy is served again."""
    settings = {"pace": 120.0, "seed": 3, "max_rows": 60, "quiet_rows": 60, "mute_rows": 60}
    snapshots: list[tuple[Path, int]] = []
    async with serving(make(), tmp_path / "journal") as hub:
        me = Reader(await hub.create(creation(**settings)))
        await me.say(client.Hold(), client.Inject(channel="Think", text="well"), HI)
        await me.say(client.InputAppend(text="and then?"))
        await me.until(lambda e: isinstance(e, InputQueued) and e.text == "and then?")
        for n in range(3):
            await me.until("rows")
            snapshots.append((killed(tmp_path / "journal", tmp_path / str(n)), me.numbered[-1].seq))
            await asyncio.sleep(0.03)
        await me.until(lambda e: isinstance(e, TurnEnded) and e.reason == "max_rows")
        token, whole = me.live.token, me.events
    rows = ids_of(whole)
    for journal, seen_seq in snapshots:
        async with serving(make(), journal) as hub:
            again = Reader(await hub.resume(token, seen_seq), seen_seq)
            created = await again.until("session.created")
            assert isinstance(created, SessionCreated)
            assert (created.is_held, created.settings.pace) == (True, 120.0)
            before = [e for e in me.numbered if e.seq <= seen_seq]
            await again.until(lambda e: isinstance(e, TurnEnded) and e.row == len(rows))
            assert ids_of([*before, *again.numbered]) == rows
            queued = {e.input_id for e in before if isinstance(e, InputQueued)}
            done = [
                e.input_id
                for e in [*before, *again.numbered]
                if isinstance(e, InputRead) and e.is_done
            ]
            assert sorted(done) == sorted(queued), "a text was lost or read twice"


async def test_a_long_text_is_killed_in_the_middle_of_its_prefill(tmp_path: Path) -> None:
    engine = talker()
    engine.prefill_rows = 16
    text = "many words " * 20
    async with serving(engine, tmp_path / "journal") as hub:
        me = Reader(await hub.create(creation(max_rows=390)))
        await me.say(client.Pause(), client.InputAppend(text=text, feed="prefill"))
        await me.say(client.Step(rows=40))
        await me.until("input.read")
        seen, token = me.live.seq, me.live.token
        journal = killed(tmp_path / "journal", tmp_path / "copy")
        await me.say(client.Continue())
        await me.until("turn.ended")
        rows = ids_of(me.events)
    async with serving(engine, journal) as hub:
        again = Reader(await hub.resume(token, 0))
        created = await again.until("session.created")
        assert isinstance(created, SessionCreated)
        assert created.is_paused
        with JournalReader(journal) as reader:  # what was written but not yet seen is there too
            written = [entry.seq for entry in reader.all_events(created.session_id)]
        assert created.seq == max(written) >= seen
        await again.say(client.Continue())
        await again.until("turn.ended")
        assert ids_of(again.events) == rows
        reads = [event for event in again.events if isinstance(event, InputRead)]
        assert reads[-1].chars == len(text)
        assert [r.from_row for r in reads[1:]] == [r.to_row + 1 for r in reads[:-1]]


async def test_a_system_text_is_not_lost_before_it_is_read(tmp_path: Path) -> None:
    engine = talker()
    token = ""
    for journal in ("journal", "journal"):
        async with serving(engine, tmp_path / journal) as hub:
            if not token:
                create = creation().model_copy(update={"system": "be brief"})
                token = (await hub.create(create)).token
                continue
            me = Reader(await hub.resume(token, 0))
            first = await me.until("session.updated")
            assert isinstance(first, SessionUpdated)
            assert first.system == "be brief"
            await me.say(HI)
            await me.until("turn.ended")
            column = [ids[0] for ids in ids_of(me.events)]
            assert engine.codec.text(column) == "be brief\nhi"


async def test_an_idle_session_leaves_memory_and_comes_back(tmp_path: Path) -> None:
    async with serving(talker(), tmp_path / "journal", idle_s=0.5) as hub:
        me = Reader(await hub.create(creation()))
        await me.say(HI)
        await me.until("turn.ended")
        me.frames.close()
        async with asyncio.timeout(10):
            while hub._sessions:
                await asyncio.sleep(0.1)
        assert hub.decoding.line.num_taken == 0
        again = Reader(await hub.resume(me.live.token, 0))
        await again.until("turn.ended")
        assert again.numbered == me.numbered
        await again.say(HI)
        end = await again.until(lambda e: isinstance(e, TurnEnded) and e.turn == 2)
        assert end.seq > me.numbered[-1].seq


async def test_a_turn_ends_while_nobody_is_there() -> None:
    async with serving(talker()) as hub:
        me = Reader(await hub.create(creation()))
        await me.say(HI)
        me.frames.close()
        live = me.live
        async with asyncio.timeout(10):
            while not live.is_resting:
                await asyncio.sleep(0.02)
        again = Reader(await hub.resume(live.token, 0))
        await again.until("turn.ended")


async def test_a_slow_reader_waits_in_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory of a session that nobody reads is bounded; its events are all there later."""
    monkeypatch.setattr(events, "TAIL_BYTES", 4000)
    monkeypatch.setattr(events, "FETCH_EVENTS", 3)
    async with serving(talker(end=False)) as hub:
        slow = await hub.create(creation(max_rows=390, pace=1000.0))
        quick = Reader(await hub.create(creation()))
        unread = slow.frames(0)
        await slow.receive(HI)
        await quick.say(HI)
        await quick.until("turn.ended")
        async with asyncio.timeout(20):
            while not slow.is_resting:
                await asyncio.sleep(0.05)
        await hub.keeper.flush()
        assert slow.story.log.newer(0) is None, "all of it is in memory"
        unread.close()
        later = Reader(slow)
        await later.until("turn.ended")
        assert len(ids_of(later.events)) == 391


async def test_a_full_disk_shows_nothing_that_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(talker(end=False), tmp_path / "journal") as hub:
        me = Reader(await hub.create(creation(pace=100.0)))
        await me.say(HI)
        await me.until("turn.started")
        commit = Journal.commit

        def refuse(self: Journal, changes: Any) -> None:
            raise JournalError("journal", got=sqlite3.OperationalError("disk is full"))

        monkeypatch.setattr(Journal, "commit", refuse)
        await me.rest()
        assert [event.type for event in me.events[-2:]] == ["error", "session.closed"]
        monkeypatch.setattr(Journal, "commit", commit)
        seen = me.numbered
        again = Reader(await hub.resume(me.live.token, 0))
        await again.until("turn.ended")
        assert again.numbered[: len(seen)] == seen
        assert len(ids_of(again.events)) == 201


async def test_another_model_does_not_take_a_session(tmp_path: Path) -> None:
    async with serving(talker(), tmp_path / "journal") as hub:
        token = (await hub.create(creation())).token
    async with serving(load(), tmp_path / "journal") as hub:
        with pytest.raises(SessionError, match="scripted"):
            await hub.resume(token, 0)


async def test_a_session_that_fails_comes_back() -> None:
    engine = talker(end=False)
    runtime: Any = engine.runtime
    predict = runtime.predict
    async with serving(engine) as hub:
        me = Reader(await hub.create(creation()))
        runtime.predict = lambda rows: predict(rows) * (float("nan") if len(rows) > 20 else 1.0)
        await me.say(HI)
        await me.rest()
        types = [event.type for event in me.events]
        assert types[-1] == "session.closed"
        assert {"error", "turn.ended"} <= set(types)
        runtime.predict = predict
        again = Reader(await hub.resume(me.live.token, 0))
        await again.say(client.InputAppend(text="go"))
        end = await again.until(lambda e: isinstance(e, TurnEnded) and e.turn == 2)
        assert again.numbered[: len(me.numbered)] == me.numbered
        assert end.row > 100
