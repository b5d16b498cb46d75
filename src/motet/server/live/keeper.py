"""What is to be kept goes into the journal in order, in one write for all sessions at a time.

    add(live, entry), add(live, entry), change(...)  ->  journal  ->  live.publish(entries)

Whatever comes while a write is under way goes into the next one. A session whose events the journal
refuses is told so and shows nothing more: it can be had again as far as the journal has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from motet.errors import JournalError
from motet.server.journal import Entry, JournalWriter
from motet.server.metrics import ServerMetrics

Change = Callable[[JournalWriter], Awaitable[None]]


class Kept(Protocol):
    """Whose events they are. is_lost: some were refused, so that none may come after them."""

    is_lost: bool

    def publish(self, entries: Sequence[Entry]) -> None:
        """The journal has these."""
        ...

    def lose(self, error: JournalError) -> None:
        """The journal does not take these, nor any after them."""
        ...


class Keeper:
    """Writes what it is given until it is closed; made in a running event loop."""

    def __init__(self, writer: JournalWriter, metrics: ServerMetrics) -> None:
        self._writer = writer
        self._metrics = metrics
        self._work: list[list[tuple[Kept, Entry]] | tuple[Change, asyncio.Future[None]]] = []
        self._has_work = asyncio.Event()
        self._is_closing = False
        self._task = asyncio.create_task(self._run(), name="motet-keeper")

    def add(self, owner: Kept, entry: Entry) -> None:
        """Keep an event; its owner publishes it when it is kept."""
        if not self._work or not isinstance(self._work[-1], list):
            self._work.append([])
        batch = self._work[-1]
        assert isinstance(batch, list)
        batch.append((owner, entry))
        self._has_work.set()

    def change(self, change: Change) -> asyncio.Future[None]:
        """Make another change after all events so far; JournalError if it is refused."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda it: it.cancelled() or it.exception())  # may be nobody waits
        self._work.append((change, done))
        self._has_work.set()
        return done

    async def flush(self) -> None:
        """Wait until all that was given so far is kept."""
        if not self._task.done():
            await self.change(_nothing)

    async def close(self) -> None:
        """Keep what was given, and end."""
        self._is_closing = True
        self._has_work.set()
        await self._task
        await self._writer.close()

    async def _run(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            work, self._work = self._work, []
            for piece in work:
                if isinstance(piece, list):
                    await self._write(piece)
                else:
                    await self._make(*piece)
            if self._is_closing and not self._work:
                return

    async def _write(self, batch: list[tuple[Kept, Entry]]) -> None:
        by_owner: dict[Kept, list[Entry]] = {}
        for owner, entry in batch:
            if not owner.is_lost:
                by_owner.setdefault(owner, []).append(entry)
        try:
            await self._writer.write([e for entries in by_owner.values() for e in entries])
        except JournalError:
            for owner, entries in by_owner.items():
                await self._write_alone(owner, entries)
            return
        for owner, entries in by_owner.items():
            owner.publish(entries)

    async def _write_alone(self, owner: Kept, entries: list[Entry]) -> None:
        try:
            await self._writer.write(entries)
        except JournalError as error:
            self._metrics.journal_error()
            owner.lose(error)
        else:
            owner.publish(entries)

    async def _make(self, change: Change, done: asyncio.Future[None]) -> None:
        try:
            await change(self._writer)
        except JournalError as error:
            self._metrics.journal_error()
            if not done.cancelled():
                done.set_exception(error)
        else:
            if not done.cancelled():
                done.set_result(None)


async def _nothing(_: JournalWriter) -> None:
    """A change that changes nothing: it is made when all before it has been."""
