"""A session as the event loop sees it: orders go in, letters come out, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from motet.engine import Feed, Settings
from motet.errors import ServerError
from motet.server.decoding.mail import Letter
from motet.server.decoding.messages import (
    Change,
    Clear,
    Fork,
    Give,
    GoOn,
    Hold,
    Inject,
    Interrupt,
    Look,
    Order,
    Pause,
    Release,
    Reply,
    Rewind,
    Standing,
    Step,
    Stop,
    Taken,
    Update,
)  # fmt: skip

if TYPE_CHECKING:
    from motet.server.decoding.loop import DecodeLoop

Listener = Callable[[Letter], None]


class SessionHandle:
    """One open session. Made by `DecodeLoop.open` and `fork`; to be used in the event loop only.

    Orders raise the MotetError that they are refused with. With a listener every letter goes to
    it, synchronously and in order; without one, updates wait for `updates`.
    """

    def __init__(self, loop: DecodeLoop, key: int, listener: Listener | None) -> None:
        self.key = key
        self._loop = loop
        self._listener = listener
        self._asked: deque[asyncio.Future[Reply]] = deque()
        self._updates: deque[Update] = deque()
        self._arrived = asyncio.Event()
        self._closed = asyncio.Event()
        self._is_closing = False

    async def do(self, order: Order) -> Reply:
        """Give an order and wait until it is done."""
        reply = await self.ask(order)
        if reply.error is not None:
            raise reply.error
        return reply

    def ask(self, order: Order) -> asyncio.Future[Reply]:
        """Give an order; its reply will come. ServerError if the session is closed."""
        if self._is_closing:
            raise ServerError("order", expected="an open session", got="a closed one")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._loop.send(self.key, order)
        self._asked.append(future)
        return future

    async def give(self, text: str, feed: Feed | None = None) -> Taken:
        """Queue a message to the model."""
        return (await self.do(Give(text, feed))).taken[0]

    async def give_ids(self, ids: tuple[int, ...], feed: Feed | None = None) -> Taken:
        """Queue a message by its tokens, just as they are."""
        return (await self.do(Give(ids, feed))).taken[0]

    async def interrupt(self, text: str, feed: Feed | None = None) -> Taken:
        """Drop the messages that wait and start this one now."""
        return (await self.do(Interrupt(text, feed))).taken[0]

    async def inject(self, channel: str, text: str) -> Taken:
        """Put words into a thought channel."""
        return (await self.do(Inject(channel, text))).taken[0]

    async def stop(self) -> None:
        """Drop what waits and end the turn now."""
        await self.do(Stop())

    async def clear(self) -> None:
        """Drop what waits."""
        await self.do(Clear())

    async def update(self, settings: Settings, pace: float = 0.0) -> None:
        """Decode by these settings and at this pace from the next row on."""
        await self.do(Change(settings, pace))

    async def pause(self) -> None:
        """Decode no more rows."""
        await self.do(Pause())

    async def go_on(self) -> None:
        """Go on after a pause, and with a turn that a limit ended."""
        await self.do(GoOn())

    async def step(self, num_rows: int = 1) -> None:
        """Decode so many rows and pause."""
        await self.do(Step(num_rows))

    async def hold(self) -> None:
        """Keep Output silent until `release`."""
        await self.do(Hold())

    async def release(self) -> None:
        """Let Output speak again."""
        await self.do(Release())

    async def rewind(self, num_rows: int) -> None:
        """Cut the session back to its first `num_rows` rows."""
        await self.do(Rewind(num_rows))

    async def snapshot(self) -> Standing:
        """How the session stands."""
        now = (await self.do(Look())).now
        assert now is not None
        return now

    async def fork(self, listener: Listener | None = None) -> SessionHandle:
        """A copy of the session in a place of its own; ServerFullError if none is free."""
        twin = await self._loop.place(listener)
        try:
            await self.do(Fork(twin.key))
        except BaseException:
            twin.cancel()
            raise
        return twin

    async def close(self) -> None:
        """Forget the session; returns when its place is free. May be called twice."""
        self.cancel()
        await self._closed.wait()

    def cancel(self) -> None:
        """Forget the session without waiting for it."""
        if not self._is_closing:
            self._is_closing = True
            self._loop.send_close(self)

    async def updates(self) -> AsyncIterator[Update]:
        """Updates as they come, until the session is closed; raises the error if it failed."""
        while True:
            while self._updates:
                update = self._updates.popleft()
                yield update
                if update.error is not None:
                    raise update.error
            if self._closed.is_set():
                return
            self._arrived.clear()
            await self._arrived.wait()

    def receive(self, letters: list[Letter]) -> None:
        """Take in what came from the decode thread."""
        for letter in letters:
            if isinstance(letter, Reply) and self._asked:
                future = self._asked.popleft()
                if not future.done():
                    future.set_result(letter)
            if self._listener is not None:
                self._listener(letter)
            elif isinstance(letter, Update):
                self._updates.append(letter)
            if isinstance(letter, Update) and letter.error is not None:
                self.cancel()
        self._arrived.set()

    def close_up(self) -> None:
        """Nothing comes any more."""
        self._is_closing = True
        for future in self._asked:
            if not future.done():
                future.set_exception(ServerError("the session is closed"))
        self._asked.clear()
        self._closed.set()
        self._arrived.set()
