"""What can be seen of a session; nothing here changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

import numpy as np

from motet.engine.context import Context
from motet.engine.marks import Marks
from motet.engine.transcript import Transcript
from motet.engine.turn import StopReason, Turn
from motet.engine.waiting import Waiting
from motet.protocol.row import Row
from motet.runtime.protocol import StateT
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Grid
from motet.streams.layout import Layout

if TYPE_CHECKING:  # Jinja takes its time to be imported
    from motet.engine.chat import Chat


class View(Generic[StateT]):
    """A session to look at.

    chat: how its turns are written, if a template does. stopped_by: why the last turn is over, None
    while one goes on.
    """

    codec: StreamCodec
    chat: Chat | None
    context: Context[StateT]
    waiting: Waiting
    transcript: Transcript
    stopped_by: StopReason | None

    @property
    def layout(self) -> Layout:
        """The layout of the session's model."""
        return self.codec.layout

    @property
    def state(self) -> StateT:
        """What the runtime keeps of the rows in context."""
        return self.context.state

    @property
    def first_row(self) -> int:
        """The oldest row in context after those that always stay in front."""
        return self.context.first_row

    @property
    def rows(self) -> list[Row]:
        """All rows so far."""
        return self.transcript.rows

    @property
    def marks(self) -> Marks:
        """Where messages began, were read, and so on."""
        return self.transcript.marks

    @property
    def turn(self) -> Turn:
        """The turn that is going on, or the last one."""
        return self.transcript.turn

    @property
    def turn_starts(self) -> list[int]:
        """The rows where messages to the model began."""
        return self.marks.turn_starts

    @property
    def num_messages(self) -> int:
        """Messages to the model that were begun or wait."""
        return len(self.turn_starts) + sum(len(b.turn_starts) for b in self.waiting.prefills)

    @property
    def is_replying(self) -> bool:
        """Whether a turn goes on."""
        return bool(self.turn_starts) and self.stopped_by is None

    @property
    def num_read(self) -> int:
        """Tokens of messages that were read so far; see `Message.num_read`."""
        return len(self.marks.read_at)

    @property
    def queued_ids(self) -> list[int]:
        """Tokens of messages that wait to be read."""
        return self.waiting.prompt_ids

    @property
    def is_held(self) -> bool:
        """Whether the visible channel is kept silent."""
        return self.marks.is_held

    @property
    def grid(self) -> Grid:
        """Tokens of all rows so far and which were given."""
        shape = (len(self.rows), self.layout.num_channels)
        tokens = np.array([row.token_ids for row in self.rows], TOKEN_DTYPE).reshape(shape)
        given = np.array([row.given for row in self.rows], np.bool_).reshape(shape)
        return Grid(tokens, given)

    @property
    def is_active(self) -> bool:
        """Whether the session has something to do; if not it is parked and costs nothing."""
        return self.is_replying or self.waiting.has_message or self.is_behind

    @property
    def num_context_rows(self) -> int:
        """Rows in context."""
        return self.context.num_rows(len(self.rows))

    @property
    def is_behind(self) -> bool:
        """Whether the state is still to read rows that the session has, before it goes on."""
        return self.state.num_rows < self.num_context_rows

    def text(self, channel: str) -> str:
        """What a channel has said so far."""
        index = self.layout.index(channel)
        if self.chat is not None:
            return "".join(row.deltas[index] for row in self.rows)
        return self.codec.text(row.token_ids[index] for row in self.rows)
