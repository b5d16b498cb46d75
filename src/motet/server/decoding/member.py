"""One session in the decode thread: when it may go on, and what its reader is told of it.

The engine's session knows its rows; a member adds what a server needs around it: pause and pace,
which turn is open and since when, which row has read which queued token, and the mail that has not
been sent yet.
"""

from __future__ import annotations

from typing import Generic

from motet.engine import Session, StopReason
from motet.errors import MotetError
from motet.protocol.row import Row
from motet.runtime.protocol import StateT
from motet.server.decoding.clock import TurnClock
from motet.server.decoding.mail import Mail
from motet.server.decoding.messages import Read, Standing, TurnEnd
from motet.server.decoding.pace import Pace
from motet.server.decoding.report import StepReport


class Member(Generic[StateT]):
    """A session that the decode loop takes along. Lives in the decode thread.

    steps_left: steps that a paused session may still take. put_read: per channel, tokens that were
    read of words put into it. clock: of the last turn. now: seconds of the monotonic clock.
    """

    def __init__(self, key: int, session: Session[StateT], pace: Pace, every_s: float) -> None:
        self.key = key
        self.session = session
        self.pace = pace
        self.mail = Mail(every_s)
        self.is_paused = False
        self.steps_left = 0
        self.put_read = [0] * session.layout.num_channels
        self.clock = TurnClock()
        self._spoke_s: float | None = None
        self._open_turn: int | None = None
        self._turn = session.turn

    def fork(self, key: int, session: Session[StateT], now: float) -> Member[StateT]:
        """The same for a copy of the session."""
        twin = Member(key, session, Pace(self.pace.rows_per_s), self.mail.every_s)
        twin.is_paused, twin.steps_left = self.is_paused, self.steps_left
        twin.put_read = list(self.put_read)
        twin.clock, twin._spoke_s = self.clock.copy(), self._spoke_s
        twin.reopen(now)
        return twin

    @property
    def is_awake(self) -> bool:
        """Whether there are rows to decode, now or when its pace allows it."""
        return self.session.is_active and (not self.is_paused or self.steps_left > 0)

    @property
    def standing(self) -> Standing:
        """How it stands now."""
        session = self.session
        return Standing(
            settings=session.settings,
            pace=self.pace.rows_per_s,
            is_paused=self.is_paused,
            is_held=session.is_held,
            num_rows=len(session.rows),
            first_row=session.first_row,
            used_rows=session.num_context_rows,
            turn=len(session.turn_starts),
            is_turning=self._open_turn is not None,
            stopped_by=session.stopped_by,
        )

    def reopen(self, now: float) -> None:
        """Take up the session's last turn as far as it is going on."""
        is_turning = bool(self.session.turn_starts) and self.session.stopped_by is None
        self._open_turn = len(self.session.turn_starts) if is_turning else None
        self._turn = self.session.turn
        if is_turning:
            self.clock.go_on(now)
        else:
            self.clock.stop(now)

    def before_step(self) -> tuple[int, list[int]]:
        """What `take` has to know of the time before a step: tokens read, and still put."""
        return self.session.num_read, list(map(len, self.session.waiting.queues))

    def take(self, rows: list[Row], before: tuple[int, list[int]], report: StepReport) -> None:
        """Take in what a step made of the session, and tell it."""
        if rows:
            self.pace.count(report.at_s)
            self.steps_left = max(0, self.steps_left - len(rows))
            self._tell(rows, self._reads(rows, before), report)
            self._measure(rows, report)
        self.settle(report.at_s)
        if self.is_paused and not self.steps_left:
            self.mail.hurry()

    def settle(self, now: float) -> None:
        """Tell it if the turn has ended, or if one that had ended goes on by what was put in."""
        if self.session.stopped_by is not None:
            if self._open_turn is not None:
                self._end_turn(self.session.stopped_by, self.session.turn.num_rows, now)
        elif self._open_turn is None:
            self.reopen(now)
            if self._open_turn is not None:
                self.mail.update().is_continued = True
                self.mail.close_update()

    def end_again(self) -> None:
        """Tell, after a rewind, that the last turn is over there: it may have been another one."""
        turn, reason = self.session.turn, self.session.stopped_by
        if self.session.turn_starts and reason is not None:
            number = len(self.session.turn_starts)
            self.mail.end_turn(TurnEnd(number, reason, turn.num_rows, turn.ttft_rows, 0.0))
            self.clock = TurnClock()

    def fail(self, error: MotetError, now: float) -> None:
        """Tell that the session is broken: its turn ends, and nothing comes after."""
        if self._open_turn is not None:
            self._end_turn(None, self.session.turn.num_rows, now)
        self.mail.update().error = error
        self.mail.close_update()

    def _reads(self, rows: list[Row], before: tuple[int, list[int]]) -> list[Read]:
        session, (num_read, num_put) = self.session, before
        prompt, read_at = session.layout.prompt_index, session.marks.read_at
        reads = [Read(prompt, n, read_at[n]) for n in range(num_read, len(read_at))]
        for channel in session.layout.thought_indices:
            if len(session.waiting.queues[channel]) < num_put[channel]:
                reads.append(Read(channel, self.put_read[channel], rows[-1].index))
                self.put_read[channel] += 1
        return reads

    def _tell(self, rows: list[Row], reads: list[Read], report: StepReport) -> None:
        starts = self.session.turn_starts
        num_before = len(starts)
        while num_before and starts[num_before - 1] >= rows[0].index:
            num_before -= 1
        for turn in range(num_before + 1, len(starts) + 1):
            first = starts[turn - 1]
            earlier = [row for row in rows if row.index < first]
            self._add(earlier, reads)
            rows = rows[len(earlier) :]
            if self._open_turn is not None:
                self._end_turn(StopReason.INTERRUPTED, first - starts[turn - 2], report.at_s)
            self.mail.begin_turn(turn)
            self._open_turn, self.clock = turn, TurnClock()
            self.clock.go_on(report.at_s - report.seconds)
            self._spoke_s, self._turn = None, self.session.turn
        self._add(rows, reads)

    def _add(self, rows: list[Row], reads: list[Read]) -> None:
        if rows:
            update = self.mail.update()
            update.rows += rows
            update.reads += [r for r in reads if rows[0].index <= r.row <= rows[-1].index]
            update.first_row = self.session.first_row
            update.used_rows = self.session.num_context_rows
            update.shared_rows = self.session.shared_rows

    def _end_turn(self, reason: StopReason | None, num_rows: int, now: float) -> None:
        assert self._open_turn is not None
        seconds, ttft_rows = self.clock.stop(now), self._turn.ttft_rows
        self.mail.end_turn(TurnEnd(self._open_turn, reason, num_rows, ttft_rows, seconds))
        self._open_turn, self.steps_left = None, 0

    def _measure(self, rows: list[Row], report: StepReport) -> None:
        layout = self.session.layout
        end_ids, output = self.session.codec.end_ids, layout.output_index
        report.num_rows += len(rows)
        if len(rows) > 1:
            report.num_prefill_rows += len(rows)
        row = rows[-1]  # in blocks of several rows every cell is given
        for channel in layout.sampled_indices:
            if row.given[channel] or row.silent[channel] or row.token_ids[channel] in end_ids:
                continue
            report.spoken[channel] += 1
            if channel == output:
                self._spoke(report)

    def _spoke(self, report: StepReport) -> None:
        if self._spoke_s is None:
            update = self.mail.update()
            update.ttft_s = self.clock.seconds(report.at_s)
            report.ttft_s.append(update.ttft_s)
            self.mail.hurry()
        else:
            report.itl_s.append(report.at_s - self._spoke_s)
        self._spoke_s = report.at_s
