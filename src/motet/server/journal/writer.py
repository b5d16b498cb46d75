"""Group commit: what many sessions want to write goes into the journal together.

One thread takes all changes that have come since its last commit, makes them in one transaction,
and lets their writers go on. The busier the server, the larger the groups; nobody waits for a
timer. If a group is refused, its members are tried one by one, so that only the guilty one fails.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeAlias

from motet.errors import JournalError
from motet.server.journal.changes import Change, appending, copying, creation, deletion, updating
from motet.server.journal.record import Entry, SessionRecord
from motet.server.journal.store import Journal

Observe: TypeAlias = Callable[[float, int], None]


class _Work(NamedTuple):
    change: Change
    done: asyncio.Future[None]


class JournalWriter:
    """Writes a journal from an event loop; every method returns when its change is committed.

    Changes are made in the order of the calls. observe: called after every commit, in the
    writer's thread, with its seconds and how many changes it made.
    """

    def __init__(self, journal: Journal, observe: Observe | None = None) -> None:
        self.journal = journal
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="motet-journal", daemon=True)
        self._thread.start()

    async def write(self, entries: Sequence[Entry]) -> None:
        """Add events, all or none; see `Journal.append`."""
        await self._submit(appending(entries))

    async def create(self, record: SessionRecord) -> None:
        """Begin a session; see `Journal.create`."""
        await self._submit(creation(record))

    async def copy(self, source_id: str, last_seq: int, record: SessionRecord) -> None:
        """Begin a session with the events of another one; see `Journal.copy`."""
        await self._submit(copying(source_id, last_seq, record))

    async def update(
        self, session_id: str, *, title: str | None = None, is_open: bool | None = None
    ) -> None:
        """Change a session's record; see `Journal.update`."""
        await self._submit(updating(session_id, title=title, is_open=is_open))

    async def delete(self, session_id: str) -> None:
        """Forget a session; see `Journal.delete`."""
        await self._submit(deletion(session_id))
        await asyncio.to_thread(self.journal.clean)

    async def close(self) -> None:
        """Commit what was submitted and end the thread; the journal stays open."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _submit(self, change: Change) -> None:
        if self._is_closed:
            raise JournalError("journal", expected="an open one", got="a closed one")
        work = _Work(change, self._loop.create_future())
        self._queue.put(work)
        await work.done

    def _run(self) -> None:
        is_closing = False
        while not is_closing:
            group, is_closing = self._next_group()
            if group:
                self._commit(group)

    def _next_group(self) -> tuple[list[_Work], bool]:
        group: list[_Work] = []
        work = self._queue.get()
        while work is not None:
            group.append(work)
            try:
                work = self._queue.get_nowait()
            except Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Work]) -> None:
        started_s = time.perf_counter()
        try:
            self.journal.commit([work.change for work in group])
        except JournalError as error:
            if len(group) > 1:
                for work in group:
                    self._commit([work])
            else:
                self._tell(group, error)
            return
        if self._observe is not None:
            self._observe(time.perf_counter() - started_s, len(group))
        self._tell(group, None)

    def _tell(self, group: list[_Work], error: JournalError | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_finish, group, error)


def _finish(group: list[_Work], error: JournalError | None) -> None:
    for work in group:
        if work.done.cancelled():
            continue
        if error is None:
            work.done.set_result(None)
        else:
            work.done.set_exception(error)
