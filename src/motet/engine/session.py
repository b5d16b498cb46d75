"""A session: one live conversation, as a value beside the runtime's state.

It holds its rows so far, what waits to be read, and the logits that predict the next row. It says
which rows come next (`next_block`, which changes no row) and takes in what the runtime made of
them (`advance`); the engine does the reading, for many sessions at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from motet.engine.context import Context
from motet.engine.draws import Wish
from motet.engine.marks import Marks
from motet.engine.message import Message, check_ids, check_message, message_tokens
from motet.engine.queueing import Queueing, column_rows
from motet.engine.sampler import Sampler
from motet.engine.sampling import Logits
from motet.engine.settings import Feed, Settings
from motet.engine.transcript import Transcript, rows_of
from motet.engine.turn import StopReason
from motet.engine.waiting import Block, Waiting, given_block
from motet.errors import MotetError, SessionError
from motet.protocol.row import Row
from motet.runtime.protocol import StateT
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Grid, Tokens
from motet.streams.layout import Role

if TYPE_CHECKING:  # Jinja takes its time to be imported
    from motet.engine.chat import Chat


class Session(Queueing[StateT]):
    """One conversation. Made by `Engine.open`, `Engine.fork` and `Engine.resume`.

    logits_XV: logits of the sampled channels that predict the next row; None before any row.
    stopped_by: why the last turn is over, None while one goes on. is_stopping: `stop` was called
    and the row that closes what the channels were saying has not been read yet. is_opening:
    nothing was read yet but what was given beforehand. shared_rows: those that another session had
    read already.
    """

    def __init__(
        self,
        codec: StreamCodec,
        settings: Settings,
        context: Context[StateT],
        beginning: Tokens | None = None,
        chat: Chat | None = None,
    ) -> None:
        """beginning: given rows [R, C] that are read after what opens every session.

        chat: writes messages as turns of a chat, and closes replies.
        """
        settings.check_against(codec.layout)
        self.codec = codec
        self.settings = settings
        self.context = context
        self.chat = chat
        self.stopped_by: StopReason | None = None
        self.is_stopping = False
        self.logits_XV: Logits | None = None
        self.waiting = Waiting(codec.layout)
        self.restore([], Marks())
        self.sampler = Sampler(codec, settings)
        opening = self.layout.opening_RC()
        self.is_opening = True
        self.shared_rows = 0
        if beginning is not None:
            self._check_room(len(opening) + len(beginning))
            opening = np.concatenate([opening, beginning])
        if len(opening):
            self.waiting.prefills.append(given_block(opening))

    def give(self, text: str, *, feed: Feed | None = None) -> Message:
        """Queue a message to the model; it starts after what is already queued.

        In a chat it is the user's next turn, and begins when the reply to the one before is over.
        Raises InputError for a text that cannot be a message of one turn, ContextFullError if its
        tokens do not fit behind what is there; then nothing is queued.
        """
        if self.chat is not None:
            return self._queue_turn(self.chat, text, feed)
        return self._queue(message_tokens(text, self.codec), feed)

    def give_ids(self, ids: Sequence[int], *, feed: Feed | None = None) -> Message:
        """Queue a message by its tokens, just as they are; errors are those of `give`."""
        check_ids(ids, self.codec)
        return self._queue(list(ids), feed)

    def interrupt(self, text: str, *, feed: Feed | None = None) -> Message:
        """Drop what waits to be read from the User, and start this message now."""
        before = self.waiting
        self.waiting = before.copy()
        self.waiting.clear_messages()
        try:
            message = self.give(text, feed=feed)
        except MotetError:
            self.waiting = before
            raise
        if self.chat is not None and self.is_replying:
            del self.waiting.prefills[:-1]  # what was still to be read of the turn before
            self._stop_replying()
        return message

    def put(self, channel: str, text: str) -> None:
        """Put words into a thought channel: its next cells are set instead of sampled."""
        index = self.layout.index(channel)
        if self.layout.channels[index].role is not Role.THOUGHT:
            raise SessionError("put", expected="a thought channel", got=repr(channel))
        check_message(text)
        ids = self.codec.encode(text)
        self._check_room(len(ids))
        self.waiting.put(index, ids)

    def clear(self) -> None:
        """Drop all messages that wait to be read; the rest of one that was begun, too."""
        self.waiting.clear_messages()

    def stop(self) -> None:
        """Drop what waits and end the turn now; the session then parks.

        A channel in the middle of a message closes it in one more row, with the end token, or with
        silence where the layout has none.
        """
        self.waiting.clear()
        if not self.is_replying:
            return
        if self.chat is not None:
            self.waiting.prefills.clear()
            self._stop_replying()
            return
        can_close = self.codec.end_id is not None or self.codec.silence_id is not None
        if can_close and any(self.turn.speaking):
            self.is_stopping = True
        else:
            self._be_interrupted()

    def hold(self) -> None:
        """Keep the visible channel silent until `release`; meanwhile it does not count as mute."""
        if self.codec.silence_id is None:
            raise SessionError("hold", expected="a model with a silence token", got="none")
        if not self.is_held:
            self.marks.change_hold(len(self.rows))

    def release(self) -> None:
        """Let the visible channel speak again."""
        if self.is_held:
            self.marks.change_hold(len(self.rows))

    def update(self, settings: Settings) -> None:
        """Go on under these settings from the next row on; another seed starts other dice.

        Settings are no part of the past: a session that is cut back keeps the ones it has now.
        """
        settings.check_against(self.layout)
        self.settings = settings
        self.sampler.update(settings)
        self.transcript.update(settings)

    def continue_turn(self) -> None:
        """Let a turn that was stopped by a limit go on, with all its limits counted anew."""
        if not self.turn_starts:
            raise SessionError("continue", expected="a message given before", got="none")
        row = len(self.rows)
        self.marks.interrupted_at = [at for at in self.marks.interrupted_at if at != row]
        self.marks.continued_at.append(row)
        self.turn.go_on()
        self.stopped_by, self.is_stopping = None, False

    def wishes(self) -> dict[int, Wish]:
        """By channel, what the next row has to draw; nothing if it is no row to be sampled."""
        if self.is_stopping or self._reads_first or self.logits_XV is None or self.is_behind:
            return {}
        return self.sampler.wishes(self.logits_XV, self.transcript, self.waiting)

    def next_prefill(self, max_rows: int) -> Block:
        """The next rows of what is read at once; in a chat, of one turn."""
        if self.chat is None:
            return self.waiting.next_prefill(max_rows)
        return self.waiting.next_of_turn(max_rows, is_begun=self.is_replying)

    def next_block(self, max_rows: int) -> Block | None:
        """The rows to read next, of a long prefill at most `max_rows`.

        None if they do not fit: the turn then ends by `context`. SessionError if the logits are no
        numbers that can be sampled from.
        """
        if self.is_stopping:
            block = self._closing_row()
        elif self._reads_first:
            self._close_reply()
            block = self.next_prefill(max_rows)
        else:
            assert self.logits_XV is not None, "a session decodes only after it has read a row"
            block = self.sampler.next_row(self.logits_XV, self.transcript, self.waiting)
        if self.num_context_rows + len(block.tokens_RC) > self.context.room:
            self.stopped_by = StopReason.INTERRUPTED if self.is_stopping else StopReason.CONTEXT
            self.is_stopping, self.waiting = False, Waiting(self.layout)
            return None
        return block

    def advance(self, block: Block, logits_XV: Logits | None) -> list[Row]:
        """Take in that `block` was read and what it predicts; returns its rows."""
        if not self.is_stopping and (self._reads_first or not self.waiting.prefills):
            self.waiting.drop_read(len(block.tokens_RC))
        first = len(self.rows)
        self.marks.read_at.extend(first + row for row in block.reads)
        if block.turn_starts:
            self.turn_starts.extend(first + start for start in block.turn_starts)
            self.stopped_by = None
        last = len(block.tokens_RC) - 1
        cells = zip(block.tokens_RC.tolist(), block.given_RC.tolist(), strict=True)
        rows = [
            self.transcript.take(
                tuple(tokens), tuple(given), block.logprobs if row == last else None
            )
            for row, (tokens, given) in enumerate(cells)
        ]
        self.logits_XV = logits_XV
        self.is_opening = self.is_opening and bool(self.waiting.prefills)
        if self.is_stopping:
            self.is_stopping = False
            self._be_interrupted()
        elif self.turn_starts and not (self._reads_first or any(self.waiting.queues)):
            self.stopped_by = self.turn.stop_reason()
        return rows

    def restore(self, rows: list[Row], marks: Marks) -> None:
        """Make `rows` the session's past, and derive all that follows from them and `marks`."""
        is_chat = self.chat is not None
        self.transcript = Transcript(self.codec, self.settings, marks, rows, is_chat=is_chat)

    def cut(self, num_rows: int) -> None:
        """Forget all rows but the first `num_rows`, and what waits; the state is the caller's."""
        self.waiting, self.is_stopping, self.is_opening = Waiting(self.layout), False, False
        self.restore(self.rows[:num_rows], self.marks.cut(num_rows))
        self.stopped_by = self.turn.stop_reason() if self.turn_starts else None
        if num_rows in self.marks.interrupted_at:
            self.stopped_by = StopReason.INTERRUPTED
        self.context.cut(num_rows)

    def recall(self, grid: Grid, marks: Marks, stopped_by: StopReason | None) -> None:
        """Take over a past that no state has read yet; ContextFullError if it does not fit."""
        self.waiting, self.is_opening = Waiting(self.layout), False
        self.restore(rows_of(grid), marks)
        self.stopped_by = stopped_by
        self.context.start_again(grid.num_rows)

    def _be_interrupted(self) -> None:
        self.stopped_by = StopReason.INTERRUPTED
        self.marks.interrupted_at.append(len(self.rows))

    def _stop_replying(self) -> None:
        if self._closing_ids():
            self.is_stopping = True
        else:
            self._be_interrupted()

    def _closing_row(self) -> Block:
        if self.chat is not None:
            return given_block(column_rows(self.chat.closing_ids))
        silence_id, end_id = self.codec.silence_id, self.codec.end_id
        closing = silence_id if end_id is None else end_id
        resting = closing if silence_id is None else silence_id
        ids = [closing if speaks else resting for speaks in self.turn.speaking]
        return given_block(np.array([ids], TOKEN_DTYPE))
