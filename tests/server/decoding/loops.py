"""Decode loops for tests: the real thread on a scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from motet.engine import Engine
from motet.protocol.row import Row
from motet.server.decoding import DecodeLoop, OpenRequest, SessionHandle, Update
from motet.server.decoding.report import Observer
from tests.engine.scripted import OWN, scripted_engine

PATIENCE_S = 20.0
NO_LOOP = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"  # longer than a loop may be


def talker(*, end: bool = True) -> Engine[Any]:
    """Reads `hi` and its end in rows 1 to 3, thinks, and says ten letters; then, or never, ends."""
    says = {"Output": "....abcdefghij" + ("$" if end else ""), "Think": ".....xyz$"}
    return scripted_engine(OWN, says, otherwise="." if end else NO_LOOP)


@asynccontextmanager
async def decoding(
    engine: Engine[Any], *, places: int = 8, waiting: int = 4, observe: Observer | None = None
) -> AsyncIterator[DecodeLoop]:
    """A loop that runs; in the end nothing is left of what was opened in it."""
    loop = DecodeLoop(engine, max_sessions=places, max_waiting=waiting, observe=observe)
    loop.start()
    try:
        yield loop
    finally:
        loop.close()


async def turn(handle: SessionHandle) -> list[Update]:
    """Updates up to the one that ends a turn."""
    updates = []
    async with asyncio.timeout(PATIENCE_S):
        async for update in handle.updates():
            updates.append(update)
            if update.turn_end is not None and update.turn_end.reason is not None:
                return updates
    raise AssertionError("closed before the turn ended")


def rows_of(updates: list[Update]) -> list[Row]:
    return [row for update in updates for row in update.rows]


def request(engine: Engine[Any], **fields: Any) -> OpenRequest:
    """A session with small limits."""
    settings = engine.settings(max_rows=200, quiet_rows=3, mute_rows=12)
    return OpenRequest(**{"settings": settings, "context_rows": 400, "every_s": 0.005, **fields})
