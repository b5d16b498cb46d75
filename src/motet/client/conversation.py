"""A conversation as a client sees it: one value, made from events alone by `fold`.

    typed --> queued --> reading --> read          what becomes of a text
                  \\--------\\--> dropped

Nothing in it changes: each event makes the next one. Rows keep their absolute index; rows that
were rewound are gone, and come again as new ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from motet.client.connection import CONNECTED, ConnectionState
from motet.errors import SessionError
from motet.protocol.knobs import SettingsEcho
from motet.protocol.server_events import (
    ChannelInfo,
    ErrorEvent,
    Metrics,
    RowFrame,
    SessionCreated,
    SessionForked,
)  # fmt: skip

__all__ = ["Conversation", "Ending", "Input", "InputState", "Read", "Segment", "Turn", "Typed"]


class InputState(StrEnum):
    """How far a text has come."""

    QUEUED = "queued"
    READING = "reading"
    READ = "read"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Read:
    """Rows from_row to to_row (both included) have read a text up to character `chars`."""

    from_row: int
    to_row: int
    chars: int
    is_done: bool


@dataclass(frozen=True)
class Input:
    """A text that the server has taken, and how it is fed. reads: what has been read, in order."""

    input_id: int
    channel: str
    text: str
    num_tokens: int
    feed: Literal["live", "prefill"]
    reads: tuple[Read, ...] = ()
    is_dropped: bool = False

    @property
    def num_chars_read(self) -> int:
        """How many characters of the text have been read."""
        return self.reads[-1].chars if self.reads else 0

    @property
    def state(self) -> InputState:
        """Queued, reading, read or dropped; a dropped text may have been read in part."""
        if self.is_dropped:
            return InputState.DROPPED
        if not self.reads:
            return InputState.QUEUED
        return InputState.READ if self.reads[-1].is_done else InputState.READING


@dataclass(frozen=True)
class Typed:
    """A text that was sent and that the server has not answered yet."""

    text: str
    event_id: str | None


@dataclass(frozen=True)
class Ending:
    """How a turn ended: reason as in `turn.ended`. at_row: rows that the session had then."""

    reason: str
    at_row: int
    rows: int
    ttft_rows: int | None
    seconds: float


@dataclass(frozen=True)
class Turn:
    """A turn, which began in row `from_row`. ending: None while it goes on."""

    number: int
    from_row: int
    ending: Ending | None = None


@dataclass(frozen=True)
class Segment:
    """What one cell added to its channel's text, which it follows at character `start`."""

    row: int
    start: int
    text: str
    given: bool


@dataclass(frozen=True)
class Conversation:
    """Everything that a view shows of one session.

    session: the newest `session.created`, None before it. seq: of the newest event. rows: oldest
    first. texts: of each channel, in the order of `channels`. typed: sent but not yet queued.
    first_row: the first row that the model still sees. settings: in force. waiting_position: in
    the line of a full server. going_away_s: how long a stopping server still finishes turns.
    closed_by: why the connection has ended. error: the newest refusal.
    """

    session: SessionCreated | None = None
    seq: int = 0
    rows: tuple[RowFrame, ...] = ()
    texts: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    typed: tuple[Typed, ...] = ()
    turns: tuple[Turn, ...] = ()
    settings: SettingsEcho | None = None
    is_paused: bool = False
    is_held: bool = False
    metrics: Metrics | None = None
    first_row: int = 0
    context_used_rows: int = 0
    is_context_filling: bool = False
    forks: tuple[SessionForked, ...] = ()
    waiting_position: int | None = None
    going_away_s: float | None = None
    closed_by: str | None = None
    error: ErrorEvent | None = None
    connection: ConnectionState = CONNECTED

    @property
    def channels(self) -> tuple[ChannelInfo, ...]:
        """The channels of the layout; none before the session is there."""
        return () if self.session is None else self.session.channels

    @property
    def num_rows(self) -> int:
        """Rows of the session so far."""
        return self.rows[-1].index + 1 if self.rows else 0

    @property
    def turn(self) -> Turn | None:
        """The turn that goes on, or the last one."""
        return self.turns[-1] if self.turns else None

    @property
    def is_in_turn(self) -> bool:
        """Whether a turn goes on."""
        return self.turn is not None and self.turn.ending is None

    @property
    def waiting(self) -> tuple[Input, ...]:
        """Texts that wait to be read, or are being read."""
        return tuple(i for i in self.inputs if i.state in (InputState.QUEUED, InputState.READING))

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing goes on and nothing waits: no rows come until something is said."""
        return not (self.is_in_turn or self.typed or self.waiting)

    @property
    def is_catching_up(self) -> bool:
        """Whether events of before the connection are still to come."""
        return self.session is not None and self.seq < self.session.seq

    def channel_index(self, name: str) -> int:
        """The place of the channel called `name`; SessionError if there is none."""
        names = [channel.name for channel in self.channels]
        if name not in names:
            raise SessionError("channel", expected=" or ".join(names) or "a session", got=name)
        return names.index(name)

    def text(self, channel: str) -> str:
        """What a channel has said so far."""
        return self.texts[self.channel_index(channel)]

    def segments(self, channel: int, from_row: int = 0) -> Iterator[Segment]:
        """The pieces that cells from row `from_row` on have added to the text of a channel."""
        first = bisect_left(self.rows, from_row, key=lambda row: row.index)
        start = sum(len(row.text[channel]) for row in self.rows[:first])
        for row in self.rows[first:]:
            if row.text[channel]:
                yield Segment(row.index, start, row.text[channel], row.given[channel])
                start += len(row.text[channel])
