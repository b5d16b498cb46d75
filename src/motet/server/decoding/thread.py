"""The decode thread's work: it owns the engine and all sessions, and nobody else touches them.

    orders in -> what they change -> one batched row step of all that are awake -> mail out

It waits for nobody: mail is handed to the event loop, and whoever reads slowly reads later. With
nothing to decode it sleeps on the queue of orders; a parked session is not even looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic

from motet.engine import Engine, Session
from motet.engine.engine import Stepped
from motet.errors import MotetError, ServerError
from motet.runtime.protocol import StateT
from motet.server.decoding.attempt import attempt
from motet.server.decoding.mail import Letter
from motet.server.decoding.member import Member
from motet.server.decoding.messages import Close, Fork, Open, Order, Reply, Rewind, Taken
from motet.server.decoding.orders import obey
from motet.server.decoding.report import Observer, StepReport
from motet.server.decoding.revival import open_member

ORDERS_AT_ONCE = 256
UPDATES_PER_S = 640  # of all sessions together: with 64 of them, ten a second each

Post = Callable[[list[tuple[int, list[Letter]]]], None]


class DecodeThread(Generic[StateT]):
    """All sessions, by key. post: takes mail away, (key, letters in order) for each session.

    Put (key, order) into `orders`; None ends the work.
    """

    def __init__(self, engine: Engine[StateT], post: Post, observe: Observer | None) -> None:
        self.orders: SimpleQueue[tuple[int, Order] | None] = SimpleQueue()
        self.num_awake = 0
        self._engine = engine
        self._post = post
        self._observe = observe
        self._members: dict[int, Member[StateT]] = {}
        self._awake: dict[int, Member[StateT]] = {}
        self._unsent: dict[int, Member[StateT]] = {}

    def run(self) -> None:
        """Decode until told to end."""
        try:
            while self._take_orders():
                self._send()
                self._step()
                self._send()
        finally:
            self._end()

    def _take_orders(self) -> bool:
        patience_s = self._patience_s()
        try:
            item = self.orders.get(patience_s != 0.0, patience_s)
            num_done = 0
            while item is not None:
                self._carry_out(*item)
                num_done += 1
                if num_done == ORDERS_AT_ONCE:
                    return True
                item = self.orders.get_nowait()
        except Empty:
            return True
        return False

    def _patience_s(self) -> float | None:
        """How long to sleep if no order comes; None: until one does."""
        due = [member.pace.due_at for member in self._awake.values()]
        due += [m.mail.due_s for m in self._unsent.values() if m.mail.due_s is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _carry_out(self, key: int, order: Order) -> None:
        member = self._members.get(key)
        result: tuple[Taken, ...] | MotetError
        if isinstance(order, Open):
            opened = attempt(lambda: open_member(self._engine, key, order.request))
            if isinstance(opened, MotetError):
                self._post([(key, [Reply(order, None, error=opened)])])
                return
            member, result = opened
            self._members[key] = member
        elif member is None:
            gone = None if isinstance(order, Close) else ServerError("the session is closed")
            self._post([(key, [Reply(order, None, error=gone)])])
            return
        elif isinstance(order, Close):
            result = ()
        elif isinstance(order, Fork):
            result = attempt(lambda: self._fork(member, order.key))
        else:
            result = attempt(lambda: obey(self._engine, member, order))
        error = result if isinstance(result, MotetError) else None
        taken = () if isinstance(result, MotetError) else result
        member.settle(time.monotonic())
        member.mail.answer(Reply(order, member.standing, taken, error))
        if isinstance(order, Rewind) and error is None:
            member.end_again()
        if isinstance(order, Close):
            self._drop(member)  # first: whoever reads the reply finds nothing left of it
            self._post([(key, member.mail.take(time.monotonic()))])
        else:
            self._look_at(member)

    def _fork(self, member: Member[StateT], key: int) -> tuple[Taken, ...]:
        session = self._engine.fork(member.session)
        self._members[key] = member.fork(key, session, time.monotonic())
        self._look_at(self._members[key])
        return ()

    def _step(self) -> None:
        start_s = time.monotonic()
        ready = [member for member in self._awake.values() if member.pace.due_at <= start_s]
        if not ready:
            return
        before = [member.before_step() for member in ready]
        stepped = {id(one.session): one for one in self._read([m.session for m in ready])}
        end_s = time.monotonic()
        spoken = [0] * self._engine.codec.layout.num_channels
        report = StepReport(end_s, end_s - start_s, len(ready), spoken)
        for member, what in zip(ready, before, strict=True):
            error = self._take(member, stepped[id(member.session)], what, report)
            if error is None:
                self._look_at(member)
            else:
                member.fail(error, end_s)
                self._drop(member)
                self._post([(member.key, member.mail.take(end_s))])
        if self._observe is not None:
            self._observe(report)

    def _take(
        self,
        member: Member[StateT],
        stepped: Stepped[StateT],
        before: tuple[int, list[int]],
        report: StepReport,
    ) -> MotetError | None:
        """Let a member tell what a step made of it; the error that broke it, if one did."""
        told = attempt(lambda: member.take(stepped.rows, before, report))
        return stepped.error if told is None else told

    def _read(self, sessions: Sequence[Session[StateT]]) -> list[Stepped[StateT]]:
        """A step; if it fails as a whole, one by one, so that only the guilty ones fail."""
        stepped = attempt(lambda: self._engine.step(sessions))
        if not isinstance(stepped, MotetError):
            return stepped
        if len(sessions) == 1:
            return [Stepped(sessions[0], [], stepped)]
        return [one for session in sessions for one in self._read([session])]

    def _look_at(self, member: Member[StateT]) -> None:
        """Note whether a member has rows to decode, and mail."""
        if member.is_awake:
            self._awake[member.key] = member
        else:
            self._awake.pop(member.key, None)
        if member.mail.due_s is not None:
            self._unsent[member.key] = member
        self.num_awake = len(self._awake)

    def _drop(self, member: Member[StateT]) -> None:
        for where in (self._members, self._awake, self._unsent):
            where.pop(member.key, None)
        self.num_awake = len(self._awake)

    def _send(self) -> None:
        now = time.monotonic()
        due = [m for m in self._unsent.values() if m.mail.due_s is not None and m.mail.due_s <= now]
        if due:
            for member in due:
                del self._unsent[member.key]
            every_s = self.num_awake / UPDATES_PER_S
            self._post([(member.key, member.mail.take(now, every_s)) for member in due])

    def _end(self) -> None:
        """Tell everybody who still hopes for something that nothing comes."""
        error = ServerError("the server has stopped decoding")
        for member in self._members.values():
            member.fail(error, time.monotonic())
        self._post([(m.key, m.mail.take(time.monotonic())) for m in self._members.values()])
        self._members, self._awake, self._unsent, self.num_awake = {}, {}, {}, 0
        while True:
            try:
                item = self.orders.get_nowait()
            except Empty:
                return
            if item is not None:
                self._post([(item[0], [Reply(item[1], None, error=error)])])
