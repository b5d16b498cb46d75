"""The story of one session: letters from the decode thread become numbered events.

It keeps what the events have said so far, and nothing that they have not said: so a session can be
had again from its events.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from motet.engine import Settings, StopReason
from motet.protocol import server_events as server
from motet.protocol.wire import Message
from motet.server.decoding import Reply, Standing, Taken, TurnEnd, Update
from motet.server.decoding.messages import (
    Change,
    Clear,
    ContextPolicy,
    Give,
    GoOn,
    Hold,
    Inject,
    Interrupt,
    Pause,
    Release,
    Rewind,
    Step,
    Stop,
)  # fmt: skip
from motet.server.journal import Entry
from motet.server.live.frames import rows_json
from motet.server.live.inputs import Inputs
from motet.server.live.knobs import echo
from motet.server.live.log import EventLog
from motet.server.logs import log
from motet.server.metrics import ServerMetrics
from motet.streams.layout import Layout

FILLING = 0.75


class Story:
    """What was said of a session. keep: takes every event, in order, to the journal.

    row: rows so far. turn: number of the last turn. used_rows: rows in the model's context, those
    from first_row on.
    """

    def __init__(
        self,
        session_id: str,
        layout: Layout,
        context_rows: int,
        context_policy: ContextPolicy,
        events: EventLog,
        keep: Callable[[Entry], None],
        metrics: ServerMetrics,
    ) -> None:
        self.session_id = session_id
        self.context_rows = context_rows
        self.context_policy = context_policy
        self.log = events
        self.inputs = Inputs()
        self.row = 0
        self.turn = 0
        self.is_turning = False
        self.first_row = 0
        self.used_rows = 0
        self.settings = Settings()
        self.pace = 0.0
        self.is_paused = False
        self.is_held = False
        self.ttft_s: float | None = None
        self._is_filling = False
        self._layout = layout
        self._keep = keep
        self._metrics = metrics

    def stand(self, now: Standing) -> None:
        """Take in how the session stands."""
        self.obey(now)
        self.row, self.turn, self.is_turning = now.num_rows, now.turn, now.is_turning
        self.first_row, self.used_rows = now.first_row, now.used_rows
        self._is_filling = self._fills

    def obey(self, now: Standing) -> None:
        """Take in what it has been set to."""
        self.settings, self.pace = now.settings, now.pace
        self.is_paused, self.is_held = now.is_paused, now.is_held

    def copy(self, session_id: str, events: EventLog, keep: Callable[[Entry], None]) -> Story:
        """The story of a fork, which goes on where this one is."""
        twin = copy.copy(self)
        twin.session_id, twin.log, twin.inputs = session_id, events, self.inputs.copy()
        twin._keep = keep
        return twin

    def say(self, event: Callable[..., Message], **fields: Any) -> None:
        """Make a numbered event."""
        self._number(event(seq=self.log.seq + 1, row=self.row, **fields).model_dump_json())

    def _number(self, text: str) -> None:
        """Number an event that has become a text, and not one that failed to."""
        self._keep(Entry(self.session_id, self.log.number(), self.row, text))

    def say_settings(self, system: str | None = None) -> None:
        """Say what is in force."""
        self.say(
            server.SessionUpdated, settings=echo(self.settings, self.pace),
            is_paused=self.is_paused, is_held=self.is_held, system=system,
        )  # fmt: skip

    def say_back(self, turn_s: float) -> None:
        """Say that the turn goes on, which had taken so long when the session was put away."""
        self.say(server.TurnContinued, turn=self.turn, counts_anew=False, seconds=round(turn_s, 4))

    def hear_update(self, update: Update) -> None:
        """Tell of rows and turns."""
        if update.turn is not None:
            self.turn, self.is_turning, self.ttft_s = update.turn, True, None
            self.say(server.TurnStarted, turn=self.turn, from_row=update.rows[0].index)
        if update.rows:
            self.row = update.rows[-1].index + 1
            self._number(rows_json(self.log.seq + 1, self.row, update.rows))
            for run in self.inputs.read(update.reads):
                self.say(server.InputRead, **vars(run))
            self._hear_context(update)
        if update.ttft_s is not None:
            self.ttft_s = update.ttft_s
        if update.turn_end is not None:
            self._end_turn(update.turn_end)
        if update.is_continued:
            self._continue_turn(self.turn, counts_anew=False)

    def hear_reply(self, reply: Reply, text: str) -> None:
        """Tell of an order that was done; text: the one that it queued."""
        assert reply.now is not None
        was_turning, now = self.is_turning and self.turn == reply.now.turn, reply.now
        match reply.order:
            case Give() | Inject():
                self._queued(reply.taken[0], text)
            case Interrupt():
                self._dropped(self._layout.prompt_index)
                self._queued(reply.taken[0], text)
            case Stop():
                self._dropped()
            case Clear():
                self.say(server.InputCleared, input_ids=self.inputs.clear())
            case GoOn():
                if now.is_turning and not was_turning:
                    self._continue_turn(now.turn, counts_anew=True)
                self.obey(now)
                self.say_settings()
            case Change() | Pause() | Step() | Hold() | Release():
                self.obey(now)
                self.say_settings()
            case Rewind():
                self._dropped()
                self.stand(now)
                self.say(server.SessionRewound, to_row=now.num_rows)
                if now.is_turning and not was_turning:
                    self._continue_turn(now.turn, counts_anew=False)

    def _hear_context(self, update: Update) -> None:
        if update.first_row > self.first_row:
            self.say(server.ContextRolled, first_row=update.first_row)
            self._metrics.context_rolled()
        self.first_row, self.used_rows = update.first_row, update.used_rows
        was_filling, self._is_filling = self._is_filling, self._fills
        if self._is_filling and not was_filling:
            self.say(
                server.ContextFilling, used_rows=self.used_rows, context_rows=self.context_rows,
                policy=self.context_policy,
            )  # fmt: skip

    @property
    def _fills(self) -> bool:
        return self.used_rows >= FILLING * self.context_rows

    def _queued(self, taken: Taken, text: str) -> None:
        self.say(
            server.InputQueued, input_id=self.inputs.take(taken).input_id, text=text,
            num_tokens=len(taken.ends), channel=self._layout.names[taken.channel],
            feed=taken.feed.value,
        )  # fmt: skip

    def _dropped(self, channel: int | None = None) -> None:
        if dropped := self.inputs.clear(channel):
            self.say(server.InputCleared, input_ids=dropped)

    def _continue_turn(self, turn: int, *, counts_anew: bool) -> None:
        self.turn, self.is_turning = turn, True
        self.say(server.TurnContinued, turn=turn, counts_anew=counts_anew)

    def _end_turn(self, end: TurnEnd) -> None:
        self.is_turning = False
        reason = "error" if end.reason is None else end.reason.value
        if end.reason is StopReason.CONTEXT:
            self._dropped()
        self.say(
            server.TurnEnded, turn=end.turn, reason=reason, rows=end.num_rows,
            ttft_rows=end.ttft_rows, seconds=round(end.seconds, 4),
        )  # fmt: skip
        self._metrics.turn_ended(reason)
        log.info(
            "turn ended",
            session_id=self.session_id,
            turn=end.turn,
            reason=reason,
            rows=end.num_rows,
            seconds=round(end.seconds, 3),
        )
