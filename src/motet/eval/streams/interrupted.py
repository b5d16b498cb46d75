"""Does Output change when the User cuts in, and in how many rows?

When Output has said its first words the conversation is copied. One copy goes on; in the other the
User says something. The reaction is the first row in which Output differs between the two, counted
from the row of the User's first token (which a model can answer two rows later at best).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from motet.engine import Engine, Feed, Session, Settings
from motet.eval.intervals import Interval, wilson
from motet.eval.streams.asked import Asked, asked

WITHIN_ROWS = 8


@dataclass(frozen=True)
class Reactions:
    """rows: of each interruption, how many until Output changed; None where it never did."""

    rows: tuple[int | None, ...]

    @property
    def num_quick(self) -> int:
        """Reactions within 8 rows."""
        return sum(rows is not None and rows <= WITHIN_ROWS for rows in self.rows)

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the share of reactions within 8 rows."""
        return wilson(self.num_quick, len(self.rows)) if self.rows else None

    @property
    def median_rows(self) -> float | None:
        """Of those that came."""
        came = [rows for rows in self.rows if rows is not None]
        return median(came) if came else None


def measure_reactions(
    engine: Engine[Any],
    settings: Settings,
    texts: Sequence[str],
    remark: str,
    advance: Callable[[], None],
) -> Reactions:
    """Cut in with `remark` as soon as Output speaks; where it is mute nothing is measured."""
    reactions: list[int | None] = []
    for sessions in asked(engine, settings, texts):
        speaking = []
        while waiting := [s for s in sessions if s.is_active and s not in speaking]:
            for session, rows, error in engine.step(waiting):
                if error is not None:
                    raise error
                if rows and session.turn.ttft_rows is not None:
                    speaking.append(session)
        pairs = [(session, engine.fork(session)) for session in speaking if session.is_active]
        for session, _ in pairs:
            session.interrupt(remark, feed=Feed.LIVE)
        starts = [len(session.rows) for session, _ in pairs]
        engine.finish([one for pair in pairs for one in pair])
        for (cut, alone), start in zip(pairs, starts, strict=True):
            reactions.append(_first_difference(cut, alone, start))
        for _ in sessions:
            advance()
    return Reactions(tuple(reactions))


def _first_difference(cut: Asked, alone: Session[Any], start: int) -> int | None:
    output = cut.layout.output_index
    rest = [0 if cut.codec.silence_id is None else cut.codec.silence_id]
    heard = [row.token_ids[output] for row in cut.rows[start:]]
    unheard = [row.token_ids[output] for row in alone.rows[start:]]
    unheard += rest * (len(heard) - len(unheard))
    pairs = enumerate(zip(heard, unheard, strict=False))
    return next((row for row, (a, b) in pairs if a != b), None)
