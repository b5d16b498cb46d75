"""Texts that were queued and are not yet read to their end: which rows read how much of which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from motet.server.decoding import Read, Taken


@dataclass(frozen=True)
class Input:
    """A queued text: its id (1, 2, ... in a session) and which tokens of its channel it is."""

    input_id: int
    taken: Taken


@dataclass
class ReadRun:
    """Rows from_row to to_row, both included, have read a text up to its character `chars`."""

    input_id: int
    from_row: int
    to_row: int
    chars: int
    is_done: bool


class Inputs:
    """The texts of one session that wait, in order."""

    def __init__(self, last_id: int = 0) -> None:
        self.last_id = last_id
        self._waiting: list[Input] = []

    @property
    def is_waiting(self) -> bool:
        """Whether there is any."""
        return bool(self._waiting)

    def take(self, taken: Taken) -> Input:
        """A text was queued."""
        self.last_id += 1
        return self.put_back(self.last_id, taken)

    def put_back(self, input_id: int, taken: Taken) -> Input:
        """A text that had been queued before was queued again."""
        self._waiting.append(Input(input_id, taken))
        return self._waiting[-1]

    def clear(self, channel: int | None = None) -> tuple[int, ...]:
        """The texts of a channel, or all, were dropped: their ids."""
        dropped = [w for w in self._waiting if channel in (None, w.taken.channel)]
        self._waiting = [w for w in self._waiting if w not in dropped]
        return tuple(one.input_id for one in dropped)

    def read(self, reads: Sequence[Read]) -> list[ReadRun]:
        """Tokens were read: which texts' they were, a run for rows that follow each other."""
        runs: list[ReadRun] = []
        for channel in dict.fromkeys(read.channel for read in reads):
            last: ReadRun | None = None
            for read in reads:
                if read.channel != channel or (one := self._of(read)) is None:
                    continue
                at = read.number - one.taken.first
                is_done = at + 1 == len(one.taken.ends)
                is_next = last and last.input_id == one.input_id and last.to_row + 1 == read.row
                if last is None or not is_next:
                    last = ReadRun(one.input_id, read.row, read.row, 0, is_done)
                    runs.append(last)
                last.to_row, last.chars, last.is_done = read.row, one.taken.ends[at], is_done
                if is_done:
                    self._waiting.remove(one)
        return runs

    def copy(self) -> Inputs:
        """An independent copy, for a fork."""
        twin = Inputs(self.last_id)
        twin._waiting = list(self._waiting)
        return twin

    def _of(self, read: Read) -> Input | None:
        for one in self._waiting:
            number = read.number - one.taken.first
            if one.taken.channel == read.channel and 0 <= number < len(one.taken.ends):
                return one
        return None
