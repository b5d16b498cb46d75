"""What a session has to read: messages as they are, or as turns of a chat.

A message is checked against the limits of a turn and the room that is left before it is queued. A
turn of a chat waits for the reply before it, and what closes that reply is read first if a limit
has ended it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from motet.engine.message import Message, check_message
from motet.engine.settings import Feed, Settings
from motet.engine.view import View
from motet.engine.waiting import given_block
from motet.errors import InputError, MotetError
from motet.runtime.protocol import StateT
from motet.streams.grid import TOKEN_DTYPE, Tokens
from motet.streams.layout import Role

if TYPE_CHECKING:  # Jinja takes its time to be imported
    from motet.engine.chat import Chat


class Queueing(View[StateT]):
    """The part of a session that queues what is to be read."""

    settings: Settings
    is_stopping: bool

    def queue_rest(self, chat: Chat, text: str, num_read: int) -> Message:
        """Queue a turn of which so many tokens of its words were read before; 0: all of it."""
        turn = chat.turn(text, self.num_messages - bool(num_read))
        start = turn.words.start + num_read if num_read else 0
        column = list(turn.ids[start:])
        reads = range(max(turn.words.start - start, 0), turn.words.stop - start)
        first = self.num_read + len(self.waiting.prompt_ids)
        block = given_block(column_rows(column), () if num_read else (0,), reads)
        self.waiting.prefills.append(block)
        return Message(tuple(column[row] for row in reads), first)

    def _queue(self, ids: list[int], feed: Feed | None) -> Message:
        feed = self.settings.feed_for(self.layout, feed)
        before = self._ids_before_message()
        self._check_length(len(ids) + len(before))
        self._check_room(len(ids) + len(before))
        first = self.num_read + len(self.waiting.prompt_ids) + len(before)
        if feed is Feed.LIVE:
            self.waiting.append([*before, *ids])
        else:
            self.waiting.append_prefill([*before, *ids])
        return Message(tuple(ids), first)

    def _queue_turn(self, chat: Chat, text: str, feed: Feed | None) -> Message:
        self.settings.feed_for(self.layout, feed)
        check_message(text)
        before = self.waiting.copy()
        if self.num_messages == 0:  # of what a chat begins with, a rewind may have taken back some
            opening_RC = np.concatenate([self.layout.opening_RC(), chat.beginning_RC])
            num_there = len(self.rows) + self.waiting.num_rows
            if len(missing_RC := opening_RC[num_there:]):
                self.waiting.prefills.append(given_block(missing_RC))
        message = self.queue_rest(chat, text, 0)
        num_new = self.waiting.num_rows - before.num_rows
        try:
            self._check_length(num_new)
            self.context.check_room(
                len(self.rows), before.num_rows, num_new + len(chat.closing_ids)
            )
        except MotetError:
            self.waiting = before
            raise
        return message

    @property
    def _reads_first(self) -> bool:
        """Whether blocks are read next: a turn of a chat waits for the reply before it."""
        if not self.waiting.prefills or self.chat is None or not self.is_replying:
            return bool(self.waiting.prefills)
        return 0 not in self.waiting.prefills[0].turn_starts

    def _closing_ids(self) -> list[int]:
        """What closes the reply of a chat: nothing if it has ended itself."""
        assert self.chat is not None
        has_ended = self.rows[-1].token_ids[0] in self.codec.end_ids
        return [] if has_ended else self.chat.closing_ids

    def _close_reply(self) -> None:
        """Let what closes a reply that a limit has ended be read before the next turn."""
        if self.chat is None or not self.turn_starts or self.is_replying:
            return
        closing, waiting = self._closing_ids(), self.waiting
        if closing and 0 in waiting.prefills[0].turn_starts:
            waiting.prefills.insert(0, given_block(column_rows(closing)))

    def _check_length(self, num_tokens: int) -> None:
        if num_tokens >= self.settings.max_rows:
            raise InputError(
                "message", expected=f"fewer tokens than max_rows = {self.settings.max_rows}",
                got=num_tokens, fix="shorten it or raise max_rows",
            )  # fmt: skip

    def _ids_before_message(self) -> list[int]:
        """The end token if the User has begun a message that nothing which waits will close."""
        channel, end_id = self.layout.prompt_index, self.codec.end_id
        is_input = self.layout.channels[channel].role is Role.INPUT
        if end_id is None or not is_input or self.is_stopping or self.waiting.will_close:
            return []
        return [end_id] if self.turn.speaking[channel] else []

    def _check_room(self, num_new_rows: int) -> None:
        self.context.check_room(len(self.rows), self.waiting.num_rows, num_new_rows)


def column_rows(column: list[int]) -> Tokens:
    """Rows of one channel."""
    return np.array(column, TOKEN_DTYPE).reshape(-1, 1)
