"""Carrying out orders on one session."""

from __future__ import annotations

import time

from motet.engine import Engine, StopReason
from motet.errors import SessionError
from motet.runtime.protocol import StateT
from motet.server.decoding.member import Member
from motet.server.decoding.messages import (
    Change,
    Clear,
    Give,
    GoOn,
    Hold,
    Inject,
    Interrupt,
    Look,
    Order,
    Pause,
    Release,
    Rewind,
    Step,
    Stop,
    Taken,
)  # fmt: skip
from motet.server.decoding.pace import Pace
from motet.server.decoding.taking import give, inject, interrupt

LIMITS = (StopReason.MAX_ROWS, StopReason.MUTE, StopReason.REPETITION)


def obey(engine: Engine[StateT], member: Member[StateT], order: Order) -> tuple[Taken, ...]:
    """Do what an order says and return the texts that it queued.

    MotetError if it makes no sense now; then nothing has changed.
    """
    session = member.session
    match order:
        case Give(text, feed):
            return (give(session, text, feed),)
        case Interrupt(text, feed):
            return (interrupt(session, text, feed),)
        case Inject(channel, text):
            return (inject(member, session.layout.index(channel), text),)
        case Stop():
            session.stop()
            if member.is_paused and session.is_active:
                member.steps_left = 1
        case Clear():
            session.waiting.clear()
        case Change(settings, pace):
            paced = Pace(pace)
            session.update(settings)
            member.pace = paced
        case Pause():
            member.is_paused, member.steps_left = True, 0
        case Step(num_rows):
            member.is_paused, member.steps_left = True, num_rows
        case GoOn():
            _go_on(member)
        case Hold():
            session.hold()
        case Release():
            session.release()
        case Rewind(num_rows):
            engine.rewind(session, num_rows)
            member.steps_left = 0
            member.reopen(time.monotonic())
        case Look():
            pass
        case _:
            raise SessionError("order", expected="one for an open session", got=order)
    return ()


def _go_on(member: Member[StateT]) -> None:
    session = member.session
    is_limited = session.stopped_by in LIMITS
    if not member.is_paused and not is_limited:
        raise SessionError(
            "continue", expected="a pause, or a turn that a limit ended",
            got=session.stopped_by or "neither",
        )  # fmt: skip
    member.is_paused, member.steps_left = False, 0
    if is_limited:
        session.continue_turn()
        member.reopen(time.monotonic())
