"""A session: one live conversation, as a value beside the runtime's state.

It holds its rows so far, what waits to be read, and the logits that predict the next row. It says
which rows come next (`next_block`, which changes nothing) and takes in what the runtime made of
them (`advance`); the engine does the reading, for many sessions at once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic

import numpy as np

from motet.engine.message import check_message, message_tokens
from motet.engine.sampling import Dice, Logits, penalise_repetition, penalise_silence, sample
from motet.engine.settings import Feed, Settings
from motet.engine.turn import StopReason, Turn
from motet.errors import ContextFullError, InputError, MotetError, SessionError
from motet.protocol.row import Row
from motet.runtime.protocol import StateT
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Grid, Mask, Tokens
from motet.streams.layout import Layout, Role


@dataclass(frozen=True, eq=False)
class Block:
    """Rows [R, C] to read next, which of their cells are given, and where in it messages begin."""

    tokens_RC: Tokens
    given_RC: Mask
    turn_starts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Queued:
    """A token that waits to be read on a channel; `starts_turn` if it opens a message."""

    token_id: int
    starts_turn: bool = False


class Session(Generic[StateT]):
    """One conversation. Made by `Engine.open`, `Engine.fork` and `Engine.resume`.

    logits_XV: logits of the sampled channels that predict the next row; None before any row.
    turn_starts, continued_at: the rows where messages began and where `continue_turn` was called.
    """

    def __init__(self, codec: StreamCodec, settings: Settings, state: StateT) -> None:
        settings.check_against(codec.layout)
        self.codec = codec
        self.settings = settings
        self.state = state
        self.rows: list[Row] = []
        self.turn_starts: list[int] = []
        self.continued_at: list[int] = []
        self.stopped_by: StopReason | None = None
        self.logits_XV: Logits | None = None
        self._silence_id = 0 if codec.silence_id is None else codec.silence_id
        self.queues: list[deque[Queued]] = [deque() for _ in self.layout.channels]
        self.prefills: list[Block] = []
        if len(opening := self.layout.opening_RC()):
            self.prefills.append(Block(opening, np.ones(opening.shape, np.bool_)))
        self._turn = Turn(self.layout, settings, [False] * self.layout.num_channels)
        self.restore([])

    @property
    def layout(self) -> Layout:
        """The layout of the session's model."""
        return self.codec.layout

    @property
    def grid(self) -> Grid:
        """Tokens of all rows so far and which were given."""
        shape = (len(self.rows), self.layout.num_channels)
        tokens = np.array([row.token_ids for row in self.rows], TOKEN_DTYPE).reshape(shape)
        given = np.array([row.given for row in self.rows], np.bool_).reshape(shape)
        return Grid(tokens, given)

    @property
    def turn(self) -> Turn:
        """The turn that is going on, or the last one."""
        return self._turn

    @property
    def is_active(self) -> bool:
        """Whether the session has something to do; if not it is parked and costs nothing."""
        is_deciding = bool(self.turn_starts) and self.stopped_by is None
        has_message = any(self.queues) or any(block.turn_starts for block in self.prefills)
        return is_deciding or has_message

    def text(self, channel: str) -> str:
        """What a channel has said so far."""
        index = self.layout.index(channel)
        return self.codec.text(row.token_ids[index] for row in self.rows)

    def give(self, text: str, *, feed: Feed | None = None) -> None:
        """Queue a message to the model; it starts after what is already queued.

        Raises InputError for a text that cannot be a message of one turn, ContextFullError if its
        tokens do not fit behind what is there; then nothing is queued.
        """
        ids = message_tokens(text, self.codec)
        feed = self.settings.feed_for(self.layout, feed)
        channel = self.layout.prompt_index
        if self.layout.channels[channel].role is Role.INPUT and self._is_inside_message(channel):
            ids = [*([] if self.codec.end_id is None else [self.codec.end_id]), *ids]
        if len(ids) >= self.settings.max_rows:
            raise InputError(
                "message", expected=f"fewer tokens than max_rows = {self.settings.max_rows}",
                got=len(ids), fix="shorten it or raise max_rows",
            )  # fmt: skip
        self._check_room(len(ids))
        if feed is Feed.LIVE:
            self.queues[channel].extend(Queued(id_, n == 0) for n, id_ in enumerate(ids))
        else:
            waiting = self.queues[channel]
            starts = [n for n, queued in enumerate(waiting) if queued.starts_turn]
            starts.append(len(waiting))
            ids = [*(queued.token_id for queued in waiting), *ids]
            waiting.clear()
            tokens = np.full((len(ids), self.layout.num_channels), self._silence_id, TOKEN_DTYPE)
            tokens[:, channel] = ids
            self.prefills.append(Block(tokens, np.ones(tokens.shape, np.bool_), tuple(starts)))

    def interrupt(self, text: str, *, feed: Feed | None = None) -> None:
        """Drop what waits to be read from the User, and start this message now."""
        dropped = list(self.queues[self.layout.prompt_index])
        kept_prefills = [block for block in self.prefills if not block.turn_starts]
        self.queues[self.layout.prompt_index].clear()
        self.prefills, prefills = kept_prefills, self.prefills
        try:
            self.give(text, feed=feed)
        except MotetError:
            self.queues[self.layout.prompt_index].extend(dropped)
            self.prefills = prefills
            raise

    def put(self, channel: str, text: str) -> None:
        """Put words into a thought channel: its next cells are set instead of sampled."""
        index = self.layout.index(channel)
        if self.layout.channels[index].role is not Role.THOUGHT:
            raise SessionError("put", expected="a thought channel", got=repr(channel))
        check_message(text)
        ids = self.codec.encode(text)
        self._check_room(len(ids))
        self.queues[index].extend(Queued(token_id) for token_id in ids)

    def continue_turn(self) -> None:
        """Let a turn that was stopped by a limit go on, with all its limits counted anew."""
        if not self.turn_starts:
            raise SessionError("continue", expected="a message given before", got="none")
        self.continued_at.append(len(self.rows))
        self._turn.go_on()
        self.stopped_by = None

    def next_block(self) -> Block | None:
        """The rows to read next, or None if they do not fit: the turn then ends by `context`."""
        block = self._joined_prefill() if self.prefills else self._decode_row()
        if len(self.rows) + len(block.tokens_RC) > self.state.max_rows:
            self.stopped_by = StopReason.CONTEXT
            self.prefills, self.queues = [], [deque() for _ in self.queues]
            return None
        return block

    def advance(self, block: Block, logits_XV: Logits) -> list[Row]:
        """Take in that `block` was read and what it predicts; returns its rows."""
        if self.prefills:
            self.prefills = []
        else:
            for queue in self.queues:
                if queue:
                    queue.popleft()
        if block.turn_starts:
            self.turn_starts.extend(len(self.rows) + start for start in block.turn_starts)
            self.stopped_by = None
        rows = [
            self._take(tuple(tokens), tuple(given))
            for tokens, given in zip(block.tokens_RC.tolist(), block.given_RC.tolist(), strict=True)
        ]
        self.logits_XV = logits_XV
        if not any(self.queues) and not self.prefills and self.turn_starts:
            self.stopped_by = self._turn.stop_reason()
        return rows

    def restore(self, rows: list[Row]) -> None:
        """Make `rows` the session's past, and derive all that follows from them."""
        self.rows = []
        self.turn_starts = [start for start in self.turn_starts if start < len(rows)]
        self.continued_at = [row for row in self.continued_at if row <= len(rows)]
        self._dice = Dice(self.settings.seed, self.layout.num_channels)
        self._said: list[set[int]] = [set() for _ in self.layout.channels]
        self._detokenizers = [self.codec.detokenizer() for _ in self.layout.channels]
        self._turn = Turn(self.layout, self.settings, [False] * self.layout.num_channels)
        for row in rows:
            if len(self.rows) in self.continued_at:
                self._turn.go_on()
            self._take(row.token_ids, row.given)
        if len(rows) in self.continued_at:
            self._turn.go_on()

    def _take(self, ids: tuple[int, ...], given: tuple[bool, ...]) -> Row:
        if len(self.rows) in self.turn_starts:
            self._turn = Turn(self.layout, self.settings, self._turn.speaking)
        for said, token_id in zip(self._said, ids, strict=True):
            if token_id not in (self.codec.silence_id, self.codec.end_id):
                said.add(token_id)
        row = Row(
            index=len(self.rows),
            token_ids=ids,
            deltas=tuple(d.push(i) for d, i in zip(self._detokenizers, ids, strict=True)),
            silent=tuple(token_id == self.codec.silence_id for token_id in ids),
            given=given,
        )
        self.rows.append(row)
        self._turn.hear(ids, given)
        return row

    def _joined_prefill(self) -> Block:
        blocks, starts, num_rows = self.prefills, [], 0
        for block in blocks:
            starts += [num_rows + start for start in block.turn_starts]
            num_rows += len(block.tokens_RC)
        return Block(
            np.concatenate([block.tokens_RC for block in blocks]),
            np.concatenate([block.given_RC for block in blocks]),
            tuple(starts),
        )

    def _decode_row(self) -> Block:
        C = self.layout.num_channels
        tokens, given, starts_turn = np.empty((1, C), TOKEN_DTYPE), np.ones((1, C), np.bool_), False
        for channel, (spec, queue) in enumerate(
            zip(self.layout.channels, self.queues, strict=True)
        ):
            if queue:
                tokens[0, channel] = queue[0].token_id
                starts_turn |= queue[0].starts_turn
            elif spec.role is Role.INPUT or spec.name in self.settings.ablate:
                tokens[0, channel] = self._silence_id
            else:
                tokens[0, channel] = self._draw(channel)
                given[0, channel] = False
        return Block(tokens, given, (0,) if starts_turn else ())

    def _draw(self, channel: int) -> int:
        assert self.logits_XV is not None, "a session decodes only after it has read a row"
        column = self.layout.sampled_indices.index(channel)
        logits_V = self.logits_XV[column, : self.codec.vocab_size]
        sampling = self.settings.sampling_of(self.layout.channels[channel].name)
        penalty = sampling.repetition_penalty
        logits_V = penalise_repetition(logits_V, self._said[channel], penalty)
        if self.codec.silence_id is not None:
            penalty = self._turn.silence_penalty(channel)
            logits_V = penalise_silence(logits_V, self.codec.silence_id, penalty)
        return sample(logits_V, sampling, self._dice.roll(len(self.rows), channel))

    def _is_inside_message(self, channel: int) -> bool:
        """Whether the channel has begun a message that nothing queued will close."""
        waits = self.queues[channel] or any(block.turn_starts for block in self.prefills)
        return not waits and self._turn.speaking[channel]

    def _check_room(self, num_new_rows: int) -> None:
        waiting = max(map(len, self.queues)) + sum(len(b.tokens_RC) for b in self.prefills)
        needed = len(self.rows) + waiting + num_new_rows
        if needed >= self.state.max_rows:
            raise ContextFullError(
                "message", expected=f"to fit into {self.state.max_rows} rows with room to answer",
                got=f"{num_new_rows} tokens after {needed - num_new_rows} rows",
                fix="shorten it or open the session with more rows",
            )  # fmt: skip
