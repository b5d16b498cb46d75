"""The decode loop as the event loop sees it: places for sessions, and the thread behind them."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import Any

from motet.engine import Engine
from motet.errors import MotetError, ServerError
from motet.server.decoding.attempt import attempt
from motet.server.decoding.handle import Listener, SessionHandle
from motet.server.decoding.line import Line, OnWaiting
from motet.server.decoding.mail import Letter
from motet.server.decoding.messages import Close, Open, OpenRequest, Order, Reply, Update
from motet.server.decoding.report import Observer
from motet.server.decoding.thread import DecodeThread


class DecodeLoop:
    """Decodes at most `max_sessions` sessions together; `max_waiting` may wait for a place.

    engine: belongs to the thread; others may read of it what never changes (name, codec, ...).
    Start it in the event loop that uses it. observe: called in the decode thread after each step.
    """

    def __init__(
        self,
        engine: Engine[Any],
        *,
        max_sessions: int,
        max_waiting: int,
        observe: Observer | None = None,
    ) -> None:
        self.engine = engine
        self.line = Line(max_sessions, max_waiting)
        self._work = DecodeThread(engine, self._post, observe)
        self._thread = threading.Thread(target=self._work.run, name="motet-decode", daemon=True)
        self._handles: dict[int, SessionHandle] = {}
        self._keys = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sending = threading.Lock()
        self._is_closed = False

    @property
    def num_running(self) -> int:
        """Sessions that have something to decode."""
        return self._work.num_awake

    @property
    def num_waiting(self) -> int:
        """Who waits for a place."""
        return self.line.num_waiting

    def start(self) -> None:
        """Begin to decode; to be called once, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        """End the thread; open sessions fail with ServerError. In any thread, more than once."""
        with self._sending:
            is_first, self._is_closed = not self._is_closed, True
        if is_first:
            self._work.orders.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    async def open(
        self,
        request: OpenRequest,
        *,
        waits: bool = False,
        on_waiting: OnWaiting | None = None,
        listener: Listener | None = None,
    ) -> SessionHandle:
        """Open a session; raises what it is refused with.

        If there is no place: ServerFullError, or the session `waits` in line and `on_waiting` is
        told its position. Whoever is cancelled leaves nothing behind.
        """
        await self.line.enter(waits=waits, on_waiting=on_waiting)
        handle = self._new_handle(listener)
        try:
            await handle.do(Open(request))
        except BaseException:
            handle.cancel()
            raise
        return handle

    async def place(self, listener: Listener | None) -> SessionHandle:
        """A handle with a place but without a session yet: for a fork."""
        await self.line.enter(waits=False)
        return self._new_handle(listener)

    def send(self, key: int, order: Order) -> None:
        """Hand an order to the decode thread; ServerError if it has ended."""
        with self._sending:
            if self._is_closed or self._loop is None:
                raise ServerError("order", expected="a decode loop that runs", got="none")
            self._work.orders.put((key, order))

    def send_close(self, handle: SessionHandle) -> None:
        """Let the decode thread forget a session; its place is free when that is done."""
        try:
            self.send(handle.key, Close())
        except ServerError:
            self._forget(handle)

    def _new_handle(self, listener: Listener | None) -> SessionHandle:
        handle = SessionHandle(self, next(self._keys), listener)
        self._handles[handle.key] = handle
        return handle

    def _post(self, mail: list[tuple[int, list[Letter]]]) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, mail)

    def _deliver(self, mail: list[tuple[int, list[Letter]]]) -> None:
        for key, letters in mail:
            handle = self._handles.get(key)
            if handle is None:
                continue
            failed = attempt(lambda: handle.receive(letters))  # noqa: B023 - called at once
            if isinstance(failed, MotetError):  # whoever listens has a bug: that one is told
                broken: list[Letter] = [Update(error=failed)]
                attempt(lambda: handle.receive(broken))  # noqa: B023 - called at once
                handle.cancel()
            last = letters[-1]
            if isinstance(last, Reply) and isinstance(last.order, Close):
                self._forget(handle)

    def _forget(self, handle: SessionHandle) -> None:
        if self._handles.pop(handle.key, None) is not None:
            self.line.leave()
            handle.close_up()
