"""Opening a session: a new one, or one that was put away, from what was kept of it."""

from __future__ import annotations

import time

from motet.engine import Engine, Session
from motet.protocol.row import Row
from motet.runtime.protocol import StateT, Wanted
from motet.server.decoding.member import Member
from motet.server.decoding.messages import Kept, OpenRequest, Taken
from motet.server.decoding.pace import Pace
from motet.server.decoding.taking import queue_again


def open_member(
    engine: Engine[StateT], key: int, request: OpenRequest
) -> tuple[Member[StateT], tuple[Taken, ...]]:
    """A session as asked for, and the texts that it still has to read if it was put away.

    MotetError if it cannot be: no such number of rows, settings that make no sense, no memory.
    """
    pace, kept = Pace(request.pace), request.kept
    session = engine.open(
        request.settings, context_rows=request.context_rows, beginning=request.beginning
    )
    if kept is not None and len(kept.grid.tokens_RC):
        _revive(engine, session, kept)
    member = Member(key, session, pace, request.every_s, time.monotonic())
    if kept is None:
        return member, ()
    member.is_paused = kept.is_paused
    return member, tuple(queue_again(member, text) for text in kept.unread)


def _revive(engine: Engine[StateT], session: Session[StateT], kept: Kept) -> None:
    """Give a session its past. What its opening still had to be read stays to be read."""
    tokens_RC, given_RC = kept.grid.tokens_RC, kept.grid.given_RC
    session.waiting.drop_read(len(tokens_RC))
    rows = [
        Row(index, tuple(tokens), (), (), tuple(given))
        for index, (tokens, given) in enumerate(
            zip(tokens_RC.tolist(), given_RC.tolist(), strict=True)
        )
    ]
    session.restore(rows, kept.marks)
    sampled = session.layout.sampled_indices
    for start in range(0, len(tokens_RC), engine.prefill_rows):
        chunk = tokens_RC[start : start + engine.prefill_rows]
        (logits,) = engine.runtime.forward(
            [session.state], [chunk], wanted=Wanted.LAST, channels=sampled
        )
        session.logits_XV = logits[-1]
    session.stopped_by = kept.stopped_by
