"""Many sessions at once: how often they are told, and that nothing is left of those that leave."""

from __future__ import annotations

import asyncio
import time

from motet.protocol import client_events as client
from motet.protocol.server_events import Rows
from tests.server.decoding.loops import talker
from tests.server.live.hubs import Reader, creation, serving

HI = client.InputAppend(text="hi")


async def test_rows_come_together_thirty_times_a_second() -> None:
    async with serving(talker(end=False)) as hub:
        me = Reader(await hub.create(creation(max_rows=300, pace=400.0)))
        start = time.monotonic()
        await me.say(HI)
        await me.until("turn.ended")
        seconds = time.monotonic() - start
    rows = [event for event in me.events if isinstance(event, Rows)]
    assert sum(len(event.rows) for event in rows) == 301
    assert 3 < len(rows) <= 30 * seconds + 8, "and the first of a turn, and of Output, at once"


async def test_nothing_is_left_of_clients_that_leave_at_any_time() -> None:
    async with serving(talker(), places=3, waiting=100, idle_s=0.01) as hub:
        tokens: list[str] = []

        async def visit(n: int) -> None:
            live = await hub.create(creation())
            tokens.append(live.token)
            with live.frames(0) as frames:
                await live.receive(HI)
                if n % 4 == 0:
                    await live.receive(client.Fork())
                if n % 6 == 0:
                    await live.receive(client.Close(delete=True))
                async for _ in frames:
                    await asyncio.sleep(0.002 * (n % 5))

        async def come_back(n: int) -> None:
            while not tokens:
                await asyncio.sleep(0.01)
            live = await hub.resume(tokens[n % len(tokens)], 0)
            with live.frames(0) as frames:
                async for _ in frames:
                    await asyncio.sleep(0.001)

        visits = [asyncio.create_task(visit(n)) for n in range(24)]
        visits += [asyncio.create_task(come_back(n)) for n in range(8)]
        for n, task in enumerate(visits):
            await asyncio.sleep(0.02)
            if n % 3 == 0:
                task.cancel()
        for task in visits:
            task.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
        async with asyncio.timeout(30):
            while hub._sessions or hub.decoding.line.num_taken:
                await asyncio.sleep(0.1)
        assert hub.decoding.num_waiting == 0
        assert not hub.decoding._work._members
        assert not [task for task in hub._tasks if "_beat" not in repr(task)]
