"""The decode loop: sessions of many tasks, one thread, and nothing left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from motet.engine import Feed, StopReason
from motet.engine.opening import load
from motet.errors import (
    InputError,
    LayoutError,
    MotetError,
    ServerError,
    ServerFullError,
    SessionError,
    SettingError,
)
from motet.server.decoding import DecodeLoop, OpenRequest, StepReport, Update
from motet.server.decoding.messages import Change
from tests.engine.scripted import OWN, ScriptedRuntime, dreaming_engine
from tests.server.decoding.loops import PATIENCE_S, decoding, request, rows_of, talker, turn


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What is logged of a bug is drawn for a terminal otherwise, which takes its time."""
    with capture_logs():
        yield


async def test_a_turn_is_what_the_engine_says() -> None:
    engine = talker()
    alone = engine.open(request(engine).settings, context_rows=400)
    alone.give("hi")
    expected = list(engine.stream(alone))
    async with decoding(engine) as loop:
        handle = await loop.open(request(engine))
        taken = await handle.give("hi")
        updates = await turn(handle)
    assert rows_of(updates) == expected
    assert taken.ends == (1, 2, 2)
    begun = next(update for update in updates if update.turn is not None)
    assert (begun.turn, begun.rows[0].index) == (1, 1)
    end = updates[-1].turn_end
    assert end is not None
    assert (end.turn, end.reason, end.ttft_rows) == (1, StopReason.END, alone.turn.ttft_rows)
    assert end.num_rows == len(expected) - 1
    reads = [read for update in updates for read in update.reads]
    assert [(read.channel, read.number, read.row) for read in reads] == [
        (0, 0, 1), (0, 1, 2), (0, 2, 3)
    ]  # fmt: skip


async def test_sessions_are_decoded_together() -> None:
    engine = talker()
    batches: list[int] = []
    async with decoding(engine, observe=lambda report: batches.append(report.num_sessions)) as loop:
        handles = [await loop.open(request(engine)) for _ in range(4)]
        for handle in handles:
            await handle.pause()
            await handle.give("hi")
        assert not batches, "a paused session was decoded"
        await asyncio.gather(*(handle.go_on() for handle in handles))
        together = await asyncio.gather(*(turn(handle) for handle in handles))
    assert max(batches) > 1
    texts = {tuple(row.token_ids for row in rows_of(updates)) for updates in together}
    assert len(texts) == 1


async def test_a_parked_session_costs_nothing() -> None:
    engine = talker()
    reports: list[StepReport] = []
    async with decoding(engine, observe=reports.append) as loop:
        handle = await loop.open(request(engine))
        await handle.give("hi")
        await turn(handle)
        assert loop.num_running == 0
        num_steps, used_s = len(reports), time.thread_time()
        await asyncio.sleep(0.2)
        assert len(reports) == num_steps
        assert time.thread_time() - used_s < 0.1


async def test_pause_step_and_continue() -> None:
    engine = talker()
    async with decoding(engine) as loop:
        handle = await loop.open(request(engine))
        await handle.pause()
        await handle.give("hi")
        await handle.step(4)
        while (now := await handle.snapshot()).num_rows < 4:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        assert (await handle.snapshot()).num_rows == 4
        assert now.is_paused
        await handle.go_on()
        assert (await turn(handle))[-1].stopped_by is StopReason.END
        with pytest.raises(SessionError, match="continue"):
            await handle.go_on()


async def test_a_turn_that_a_limit_ended_goes_on() -> None:
    engine = talker(end=False)
    async with decoding(engine) as loop:
        settings = engine.settings(max_rows=20)
        handle = await loop.open(request(engine, settings=settings))
        await handle.give("hi")
        assert (await turn(handle))[-1].stopped_by is StopReason.MAX_ROWS
        await handle.go_on()
        more = await turn(handle)
    assert more[-1].stopped_by is StopReason.MAX_ROWS
    assert more[-1].turn_end is not None
    assert (more[-1].turn_end.turn, len(rows_of(more))) == (1, 20)


async def test_pace_is_kept() -> None:
    engine = talker(end=False)
    async with decoding(engine) as loop:
        settings = engine.settings(max_rows=30)
        handle = await loop.open(request(engine, settings=settings, pace=100.0))
        start = time.monotonic()
        await handle.give("hi")
        rows = rows_of(await turn(handle))
        assert time.monotonic() - start >= (len(rows) - 3) / 100.0
        assert len(rows) == 31
        with pytest.raises(SettingError, match="pace"):
            await handle.do(Change(settings, -1.0))


async def test_stop_ends_the_turn() -> None:
    engine = talker(end=False)
    async with decoding(engine) as loop:
        handle = await loop.open(request(engine, pace=500.0))
        await handle.give("hi")
        while (await handle.snapshot()).num_rows < 8:
            await asyncio.sleep(0.005)
        await handle.stop()
        updates = await turn(handle)
        assert updates[-1].stopped_by is StopReason.INTERRUPTED
        assert rows_of(updates)[-1].token_ids[1] == OWN.end.id if OWN.end else None
        assert loop.num_running == 0


async def test_a_paused_turn_can_be_stopped() -> None:
    engine = talker(end=False)
    async with decoding(engine) as loop:
        handle = await loop.open(request(engine))
        await handle.pause()
        await handle.give("hi")
        await handle.step(6)
        while (await handle.snapshot()).num_rows < 6:
            await asyncio.sleep(0.001)
        await handle.stop()
        assert (await turn(handle))[-1].stopped_by is StopReason.INTERRUPTED
        assert (await handle.snapshot()).is_paused


async def test_a_message_in_a_turn_ends_it() -> None:
    engine = talker(end=False)
    async with decoding(engine) as loop:
        handle = await loop.open(request(engine, pace=300.0))
        await handle.give("hi")
        while (await handle.snapshot()).num_rows < 8:
            await asyncio.sleep(0.005)
        await handle.interrupt("he")
        first = await turn(handle)
        assert first[-1].stopped_by is StopReason.INTERRUPTED
        ended_at = rows_of(first)[-1].index + 1
        async for update in handle.updates():
            if update.turn is not None:
                break
        assert (update.turn, update.rows[0].index) == (2, ended_at)


async def test_a_fork_is_a_session_of_its_own() -> None:
    engine = talker()
    async with decoding(engine, places=2) as loop:
        handle = await loop.open(request(engine))
        await handle.give("hi")
        rows = rows_of(await turn(handle))
        twin = await handle.fork()
        with pytest.raises(ServerFullError):
            await handle.fork()
        await twin.rewind(8)
        assert rows_of(await turn(twin)) == rows[8:]
        await twin.close()
        assert (await handle.snapshot()).num_rows == len(rows)
        await (await handle.fork()).close()


async def test_words_are_put_and_output_is_held() -> None:
    engine = talker()
    async with decoding(engine) as loop:
        handle = await loop.open(request(engine))
        await handle.hold()
        taken = await handle.inject("Think", "hey")
        await handle.give("hi")
        while (await handle.snapshot()).num_rows < 20:
            await asyncio.sleep(0.001)
        assert taken.ends == (2, 3), "two tokens, he and y"
        await handle.release()
        updates = await turn(handle)
    reads = [read for update in updates for read in update.reads if read.channel == taken.channel]
    assert [(read.number, read.row) for read in reads] == [(0, 1), (1, 2)]
    assert all(row.silent[1] for row in rows_of(updates)[:20])


async def test_refusals_are_the_engines_own() -> None:
    engine = talker()
    async with decoding(engine) as loop:
        handle = await loop.open(request(engine))
        with pytest.raises(InputError):
            await handle.give("")
        with pytest.raises(LayoutError):
            await handle.inject("Nobody", "x")
        with pytest.raises(SessionError):
            await handle.inject("User", "x")
        with pytest.raises(InputError):
            await handle.give_ids((OWN.silence.id if OWN.silence else 0,), Feed.PREFILL)
        with pytest.raises(MotetError):
            await loop.open(OpenRequest(context_rows=10**9))
        await handle.give("hi")
        assert (await turn(handle))[-1].stopped_by is StopReason.END


@pytest.mark.parametrize("sessions", [1, 3])
async def test_what_fails_fails_alone(sessions: int) -> None:
    engine = talker(end=False)
    runtime = engine.runtime
    assert isinstance(runtime, ScriptedRuntime)
    forward, broken = runtime.forward, set[int]()

    def breaking(states: Any, tokens: Any, **options: Any) -> Any:
        if any(id(state) in broken for state in states):
            raise RuntimeError("a bug")
        return forward(states, tokens, **options)

    runtime.forward = breaking  # type: ignore[method-assign]
    async with decoding(engine) as loop:
        others = [await loop.open(request(engine)) for _ in range(sessions - 1)]
        states = [member.session.state for member in loop._work._members.values()]
        handle = await loop.open(request(engine))
        [state] = [
            member.session.state
            for member in loop._work._members.values()
            if all(member.session.state is not other for other in states)
        ]
        broken.add(id(state))
        for one in (*others, handle):
            await one.give("hi")
        with pytest.raises(ServerError, match="RuntimeError: a bug"):
            await turn(handle)
        for one in others:
            assert (await turn(one))[-1].stopped_by is StopReason.MAX_ROWS
        with pytest.raises(ServerError):
            await handle.give("hi")
        await handle.close()
        assert loop.line.num_taken == len(others)


async def test_logits_that_are_no_numbers_fail_one_session() -> None:
    engine = talker()
    runtime = engine.runtime
    assert isinstance(runtime, ScriptedRuntime)
    predict = runtime.predict
    runtime.predict = lambda rows: predict(rows) * (np.nan if len(rows) == 9 else 1.0)
    async with decoding(engine) as loop:
        handle = await loop.open(request(engine))
        await handle.give("hi")
        with pytest.raises(SessionError, match="logits"):
            await turn(handle)
        await handle.close()
        assert loop.line.num_taken == 0


async def test_a_listener_with_a_bug_is_told_and_the_others_hear_on() -> None:
    engine = talker()
    heard: list[Any] = []

    def broken(letter: Any) -> None:
        heard.append(letter)
        if isinstance(letter, Update) and letter.error is None:
            raise KeyError("a bug")

    async with decoding(engine) as loop:
        deaf = await loop.open(request(engine), listener=broken)
        other = await loop.open(request(engine))
        await deaf.give("hi")
        await other.give("hi")
        assert (await turn(other))[-1].stopped_by is StopReason.END
        await deaf.close()
        told = [str(letter.error) for letter in heard if isinstance(letter, Update)]
        assert any("KeyError" in error for error in told)
        assert loop.line.num_taken == 1


async def test_close_tells_those_who_still_hope() -> None:
    engine = talker(end=False)
    loop = DecodeLoop(engine, max_sessions=4, max_waiting=0)
    loop.start()
    handle = await loop.open(request(engine, pace=10.0))
    await handle.give("hi")
    reading = asyncio.create_task(turn(handle))
    await asyncio.sleep(0.02)
    await asyncio.to_thread(loop.close)
    with pytest.raises(ServerError):
        await reading
    with pytest.raises(ServerError):
        await loop.open(request(engine))
    await handle.close()
    assert loop.line.num_taken == 0


async def test_nothing_is_left_of_sessions_that_end_at_any_time() -> None:
    engine = talker(end=False)
    async with decoding(engine, places=6, waiting=100) as loop:

        async def live(n: int) -> None:
            handle = await loop.open(request(engine, pace=2000.0), waits=True)
            try:
                await handle.give("hi")
                twin = await handle.fork() if n % 5 == 0 and not loop.line.is_full else None
                await asyncio.sleep(0.003 * (n % 4))
                if twin is not None:
                    twin.cancel()
                await turn(handle)
            finally:
                handle.cancel()

        tasks = [asyncio.create_task(live(n)) for n in range(60)]
        for n in range(0, 60, 3):
            await asyncio.sleep(0.002)
            tasks[n - n % 7].cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        last = await loop.open(request(engine), waits=True)  # behind all that was still to close
        await last.close()
        assert (loop.line.num_taken, loop.num_waiting, loop.num_running) == (0, 0, 0)
        assert not loop._handles
        assert not loop._work._members


async def test_a_line_in_front_of_the_places() -> None:
    engine = talker()
    async with decoding(engine, places=1, waiting=2) as loop:
        first = await loop.open(request(engine))
        with pytest.raises(ServerFullError):
            await loop.open(request(engine))
        told: list[list[int]] = [[], []]
        waiting = [
            asyncio.create_task(loop.open(request(engine), waits=True, on_waiting=positions.append))
            for positions in told
        ]
        await asyncio.sleep(0.01)
        assert loop.num_waiting == 2
        with pytest.raises(ServerFullError) as full:
            await loop.open(request(engine), waits=True)
        assert full.value.position == 3
        waiting[0].cancel()
        await asyncio.sleep(0.01)
        await first.close()
        async with asyncio.timeout(PATIENCE_S):
            second = await waiting[1]
        assert told == [[1], [2, 1]]
        await second.close()
        assert loop.line.num_taken == 0


async def test_who_reads_later_reads_the_same() -> None:
    engine = dreaming_engine()
    async with decoding(engine) as loop:
        settings = engine.settings(max_rows=300, mute_rows=300, quiet_rows=300)
        slow, quick = [
            await loop.open(request(engine, settings=settings, every_s=0.0001)) for _ in range(2)
        ]
        await slow.give("hi")
        await quick.give("hi")
        seen = rows_of(await turn(quick))
        assert rows_of(await turn(slow)) == seen, "what was not taken waits"
    assert not [t for t in threading.enumerate() if t.name == "motet-decode"]


async def test_the_real_model_talks() -> None:
    engine = load()
    async with decoding(engine) as loop:
        handles = [await loop.open(OpenRequest(engine.settings(seed=n))) for n in range(3)]
        for handle in handles:
            await handle.give("What is 3 + 4?")
        together = [rows_of(await turn(handle)) for handle in handles]
    for seed, rows in enumerate(together):
        alone = engine.open(engine.settings(seed=seed))
        alone.give("What is 3 + 4?")
        assert [row.token_ids for row in engine.stream(alone)] == [row.token_ids for row in rows]
