"""The replies of one request, decoded together with everybody else's.

Every reply has a session of its own and begins as soon as there is a place for it. What they say
comes in one stream. Whoever stops listening cancels, at any time, also while waiting in line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from motet.engine import Settings
from motet.errors import MotetError, ServerError
from motet.server.decoding.messages import OpenRequest, Update
from motet.server.openai.prompt import Prompt
from motet.server.openai.voices import Piece, Voices

if TYPE_CHECKING:
    from motet.server.decoding import DecodeLoop

__all__ = ["Generation", "Order", "Shared"]

EVERY_S = 0.02


@dataclass
class Shared:
    """Rows of the prompt that had been read before, for another session."""

    num_rows: int = 0


@dataclass(frozen=True, eq=False)
class Order:
    """One reply to be made. context_rows: room that its session reserves. shared: filled in."""

    prompt: Prompt
    settings: Settings
    context_rows: int
    voices: Voices
    shared: Shared = field(default_factory=Shared)


class Generation:
    """Decodes the replies of `orders`; iterate over it to get (index, piece) as they come.

    The iteration raises the error of the first reply that fails. is_over: nothing more will come.
    """

    def __init__(self, decoding: DecodeLoop, orders: Sequence[Order]) -> None:
        self.orders = orders
        self._decoding = decoding
        self._said: asyncio.Queue[tuple[int, Piece] | MotetError] = asyncio.Queue()
        self._num_begun = 0
        self._begun = asyncio.Event()
        self._failed: MotetError | None = None
        self.is_over = False
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Wait until every reply has its place; the error of the first that gets none."""
        self._tasks = [asyncio.create_task(self._reply(index)) for index in range(len(self.orders))]
        await self._begun.wait()
        if self._failed is not None:
            self.cancel()
            raise self._failed

    def cancel(self) -> None:
        """End what still runs, without waiting for it."""
        for task in self._tasks:
            task.cancel()

    async def __aiter__(self) -> AsyncIterator[tuple[int, Piece]]:
        """What the replies say, until all have ended."""
        num_left = len(self.orders)
        while num_left:
            said = await self._said.get()
            if isinstance(said, MotetError):
                self.is_over = True
                self.cancel()
                raise said
            num_left -= said[1].end is not None
            self.is_over = num_left == 0
            yield said

    async def _reply(self, index: int) -> None:
        try:
            await self._speak(index)
        except MotetError as error:
            self._failed = self._failed or error
            self._begun.set()
            self._said.put_nowait(error)

    async def _speak(self, index: int) -> None:
        order = self.orders[index]
        handle = await self._decoding.open(
            OpenRequest(
                settings=order.settings, context_rows=order.context_rows,
                beginning=order.prompt.beginning_RC, every_s=EVERY_S,
            ),
            waits=True,
        )  # fmt: skip
        try:
            await handle.give_ids(order.prompt.ids, order.settings.feed)
            self._num_begun += 1
            if self._num_begun == len(self.orders):
                self._begun.set()
            async for update in handle.updates():
                if not isinstance(update, Update):
                    continue
                if update.error is not None:
                    raise update.error
                order.shared.num_rows = update.shared_rows
                if piece := order.voices.hear(update.rows, update.stopped_by):
                    self._said.put_nowait((index, piece))
                if order.voices.end is not None:
                    return
            raise ServerError("the reply", expected="an end", got="a server that stops")
        finally:
            handle.cancel()
