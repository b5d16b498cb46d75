"""The numbered events of one session: the newest in memory, all of them in the journal.

number   an event gets the next seq when it is made
publish  it can be seen once the journal has it, never before
text     readers take it from memory, or from the journal when it is older
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from motet.server.journal import Entry, Journal
from motet.server.live.forks import with_token

TAIL_BYTES = 128 * 1024
FETCH_EVENTS = 256


class EventLog:
    """seq: the last event's number. published: the last one that may be seen."""

    def __init__(self, session_id: str, token: str, journal: Journal, seq: int = 0) -> None:
        """token: the session's, from which those of its forks follow."""
        self.seq = self.published = seq
        self._token = token
        self._session_id = session_id
        self._journal = journal
        self._tail: list[str] = []
        self._num_bytes = 0

    def number(self) -> int:
        """The number of an event that is being made."""
        self.seq += 1
        return self.seq

    def publish(self, entries: Sequence[Entry]) -> None:
        """The journal has these, the next ones in order."""
        for entry in entries:
            self._tail.append(entry.json)
            self._num_bytes += len(entry.json)
        self.published = entries[-1].seq
        num_old = 0
        while self._num_bytes > TAIL_BYTES and num_old < len(self._tail) - 1:
            self._num_bytes -= len(self._tail[num_old])
            num_old += 1
        del self._tail[:num_old]

    def newer(self, seq: int) -> list[str] | None:
        """Events after `seq` that may be seen; None if memory no longer has all of them."""
        num_newer = self.published - seq
        return None if num_newer > len(self._tail) else self._tail[len(self._tail) - num_newer :]

    async def fetch(self, seq: int) -> list[str]:
        """The next of the events after `seq`, from the journal."""
        return await asyncio.to_thread(self._read, seq, min(FETCH_EVENTS, self.published - seq))

    def _read(self, seq: int, num_events: int) -> list[str]:
        entries = self._journal.events(self._session_id, seq, num_events)
        return [with_token(entry.json, self._token, self._journal) for entry in entries]
