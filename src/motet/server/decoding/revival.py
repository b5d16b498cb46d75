"""Opening a session: a new one, or one that was put away, from what was kept of it."""

from __future__ import annotations

import time

import numpy as np

from motet.engine import Engine, Session
from motet.engine.rolling import Rolling
from motet.engine.waiting import given_block
from motet.runtime.protocol import StateT
from motet.server.decoding.clock import TurnClock
from motet.server.decoding.member import Member
from motet.server.decoding.messages import OpenRequest, Taken
from motet.server.decoding.pace import Pace
from motet.server.decoding.taking import queue_again


def open_member(
    engine: Engine[StateT], key: int, request: OpenRequest
) -> tuple[Member[StateT], tuple[Taken, ...]]:
    """A session as asked for, and the texts that it still has to read if it was put away.

    MotetError if it cannot be: no such number of rows, settings that make no sense, no memory.
    """
    pace, kept = Pace(request.pace), request.kept
    session = _session(engine, request)
    member = Member(key, session, pace, request.every_s)
    if kept is None:
        return member, ()
    member.is_paused = kept.is_paused
    member.clock = TurnClock(kept.turn_s)
    member.reopen(time.monotonic())
    return member, tuple(queue_again(member, text) for text in kept.unread)


def _session(engine: Engine[StateT], request: OpenRequest) -> Session[StateT]:
    rolling = Rolling() if request.policy == "roll" else None
    kept = request.kept
    if kept is None or not len(kept.grid.tokens_RC):
        return engine.open(
            request.settings, context_rows=request.context_rows, beginning=request.beginning,
            pinned_rows=request.pinned_rows, rolling=rolling, chat=request.chat,
        )  # fmt: skip
    opening_RC = engine.codec.layout.opening_RC()
    session = engine.rebuild(
        request.settings or engine.settings(), kept.grid, kept.marks,
        context_rows=request.context_rows, stopped_by=kept.stopped_by,
        num_pinned=len(opening_RC) + request.pinned_rows, rolling=rolling, chat=request.chat,
    )  # fmt: skip
    if request.beginning is not None:
        opening_RC = np.concatenate([opening_RC, request.beginning])
    if len(rest_RC := opening_RC[len(session.rows) :]):
        session.waiting.prefills.append(given_block(rest_RC))
    return session
