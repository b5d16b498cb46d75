"""This process as the place of conversations: engine, decode loop and hub, opened on first use.

The engine is imported and the model read in a thread, while the terminal is already there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.cli.local_connection import LocalConnection
from motet.cli.token_book import TokenBook
from motet.errors import JournalError
from motet.protocol.client_events import SessionCreate, SessionResume
from motet.tui.venue import Kept

if TYPE_CHECKING:
    from motet.engine import Engine
    from motet.server.decoding import DecodeLoop
    from motet.server.journal import Journal
    from motet.server.live import Hub

_PLACES = 8  # sessions in memory at once: the one that is open, forks, those left a moment ago
_KEPT_AT_ONCE = 200


@dataclass(frozen=True)
class _Parts:
    """What runs behind the terminal."""

    decoding: DecodeLoop
    hub: Hub
    journal: Journal


class LocalVenue:
    """A model in this process.

    load: opens it; called once, in a thread. journal: the file that keeps conversations, None for
    memory only. is_default: nobody asked for that file, so one that another process writes is done
    without, and the name says so.
    """

    def __init__(
        self,
        load: Callable[[], Engine[Any]],
        journal: Path | None,
        book: TokenBook,
        *,
        is_default: bool = False,
    ) -> None:
        self.name = "this process"
        self.notice = "The model is being opened. You can write already."
        self._load = load
        self._path = journal
        self._is_default = is_default
        self._book = book
        self._opening: asyncio.Task[_Parts] | None = None
        self._unsaved: dict[str, Kept] = {}
        if journal is None:
            self._do_without("")

    def connect(self, opening: SessionCreate | SessionResume) -> LocalConnection:
        """A connection that opens when it is first read."""
        return LocalConnection(self._hub, opening)

    async def kept(self) -> tuple[Kept, ...]:
        """The conversations in the journal whose tokens this user has."""
        if self._path is None:
            return tuple(sorted(self._unsaved.values(), key=lambda kept: -kept.changed_s))
        parts = await self._all()
        summaries = await asyncio.to_thread(parts.journal.sessions, _KEPT_AT_ONCE)
        known = {summary.record.id: summary for summary in summaries}
        kept = [
            replace(
                one, title=known[one.session_id].record.title or one.title,
                changed_s=known[one.session_id].changed_s,
                num_rows=known[one.session_id].num_rows,
            )
            for one in await asyncio.to_thread(self._book.all, self.place)
            if one.session_id in known
        ]  # fmt: skip
        return tuple(sorted(kept, key=lambda one: -one.changed_s))

    async def keep(self, conversation: Kept) -> None:
        """Remember a conversation's token; the rest is in the journal."""
        if self._path is None:
            self._unsaved[conversation.session_id] = conversation
        else:
            await asyncio.to_thread(self._book.keep, self.place, conversation)

    async def forget(self, conversation: Kept) -> None:
        """Delete a conversation from the journal."""
        await (await self._all()).hub.delete(conversation.session_id)
        self._unsaved.pop(conversation.session_id, None)
        if self._path is not None:
            await asyncio.to_thread(self._book.forget, self.place, conversation.session_id)

    async def close(self) -> None:
        """End everything that runs; what was said is in the journal then."""
        if self._opening is None:
            return
        (parts,) = await asyncio.gather(self._opening, return_exceptions=True)
        if isinstance(parts, _Parts):
            await parts.hub.close()
            await asyncio.to_thread(parts.decoding.close)
            await asyncio.to_thread(parts.journal.close)

    @property
    def place(self) -> str:
        """What the token book calls this place."""
        return str(self._path)

    def _do_without(self, why: str) -> None:
        self._path = None
        self.name = f"this process, not saved{why}"

    async def _hub(self) -> Hub:
        return (await self._all()).hub

    async def _all(self) -> _Parts:
        """Everything, opened by whoever asks first; the MotetError that stood in the way."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> _Parts:
        parts = await asyncio.to_thread(self._make)
        parts.decoding.start()
        parts.hub.start()
        return parts

    def _make(self) -> _Parts:
        """Import and read everything: in a thread."""
        from motet.server.config import ServerConfig
        from motet.server.decoding import DecodeLoop
        from motet.server.live import Hub
        from motet.server.metrics import ServerMetrics

        engine = self._load()
        config = ServerConfig(max_sessions=_PLACES, max_waiting=0)
        metrics = ServerMetrics(engine.codec.layout.names)
        decoding = DecodeLoop(engine, max_sessions=_PLACES, max_waiting=0, observe=metrics.step)
        journal = self._open_journal()
        hub = Hub(
            decoding, journal, config.limits(engine.runtime.context_rows),
            context_rows=config.context_rows, context_policy=config.context_policy,
            idle_s=config.idle_s, metrics=metrics,
        )  # fmt: skip
        return _Parts(decoding, hub, journal)

    def _open_journal(self) -> Journal:
        from motet.server.journal import Journal

        try:
            return Journal(self._path)
        except JournalError:
            if not self._is_default:
                raise
            self._do_without(" (another one is saving)")
            return Journal(None)
