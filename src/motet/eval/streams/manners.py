"""Does a model speak when spoken to, wait, end, rest, and say what it thought?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from motet.engine import Engine, Settings, StopReason
from motet.eval.streams.asked import Asked, asked, last_input_row

REST_ROWS = 32
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Manners:
    """Counts of conversations of one message.

    num_spoke: Output said something. num_waited: nothing of it before the User had ended.
    num_ended: the turn ended by itself. num_rested: of those, nobody said anything in the 32 rows
    after it. num_agreed, num_with_numbers: the last number of Output is the last that was thought,
    of those where both said one.
    """

    num_asked: int
    num_spoke: int
    num_waited: int
    num_ended: int
    num_rested: int
    num_agreed: int
    num_with_numbers: int


def measure_manners(
    engine: Engine[Any],
    settings: Settings,
    texts: Sequence[str],
    thinker: str | None,
    advance: Callable[[], None],
) -> Manners:
    """Ask every text. thinker: the channel that Output is to agree with, if there is one."""
    counts = dict.fromkeys(
        ("num_asked", "num_spoke", "num_waited", "num_ended", "num_rested", "num_agreed",
         "num_with_numbers"), 0,
    )  # fmt: skip
    for sessions in asked(engine, settings, texts):
        engine.finish(sessions)
        output = sessions[0].layout.channels[sessions[0].layout.output_index].name
        for session in sessions:
            first = _first_spoken(session)
            counts["num_asked"] += 1
            counts["num_spoke"] += first is not None
            counts["num_waited"] += first is None or first > last_input_row(session)
            if thinker is not None:
                numbers = [_NUMBER.findall(session.text(name))[-1:] for name in (output, thinker)]
                counts["num_with_numbers"] += all(numbers)
                counts["num_agreed"] += all(numbers) and numbers[0] == numbers[1]
        ended = [session for session in sessions if session.stopped_by is StopReason.END]
        counts["num_ended"] += len(ended)
        counts["num_rested"] += sum(_rests(engine, ended))
        for _ in sessions:
            advance()
    return Manners(**counts)


def _first_spoken(session: Asked) -> int | None:
    output = session.layout.output_index
    return next((row.index for row in session.rows if not row.silent[output]), None)


def _rests(engine: Engine[Any], sessions: Sequence[Asked]) -> list[bool]:
    """Whether each says nothing, end tokens set aside, in its next rows."""
    starts = [len(session.rows) for session in sessions]
    for session in sessions:
        session.continue_turn()
    for _ in range(REST_ROWS):
        for session, _, error in engine.step(sessions):
            if error is not None:
                raise error
            if session.stopped_by is not None:
                session.continue_turn()
    return [
        all(not any(row.deltas) for row in session.rows[start:])
        for session, start in zip(sessions, starts, strict=True)
    ]
