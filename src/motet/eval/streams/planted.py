"""Does the doubting voice object to wrong steps, and only to those?

A model works a problem out alone. The results in what it thought ("=" and digits, after the User
had ended) are places where it could have gone wrong. One of them is chosen by chance and the
conversation cut back to it, twice: in one copy a wrong number is put there, in the other what the
model itself had said. A copy counts as objected to if what the doubting voice then says has a word
of objection. So half of the steps are wrong; recall and precision refer to that mixture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from motet.engine import Engine, Settings
from motet.eval.intervals import Interval, wilson
from motet.eval.streams.asked import (
    Asked,
    asked,
    last_input_row,
    rows_of_characters,
    said_since,
)

_RESULT = re.compile(r"=\s*(\d+)")
_OBJECTION = re.compile(r"\b(no|not|wrong|incorrect|false|error|mistake|should be)\b", re.I)


@dataclass(frozen=True)
class Doubt:
    """num_planted wrong steps of which num_objected were objected to, and as many right ones of
    which num_false were. num_without: conversations that had no step to falsify.
    """

    num_planted: int
    num_objected: int
    num_false: int
    num_without: int

    @property
    def recall(self) -> float | None:
        """Share of the wrong steps that were objected to."""
        return self.num_objected / self.num_planted if self.num_planted else None

    @property
    def precision(self) -> float | None:
        """Share of the objections that were to wrong steps."""
        total = self.num_objected + self.num_false
        return self.num_objected / total if total else None

    @property
    def recall_interval(self) -> Interval | None:
        """95 %."""
        return wilson(self.num_objected, self.num_planted) if self.num_planted else None

    @property
    def precision_interval(self) -> Interval | None:
        """95 %."""
        total = self.num_objected + self.num_false
        return wilson(self.num_objected, total) if total else None


def measure_doubt(
    engine: Engine[Any],
    settings: Settings,
    texts: Sequence[str],
    *,
    thinker: str,
    doubter: str,
    seed: int,
    advance: Callable[[], None],
) -> Doubt:
    """Plant one wrong step in each conversation; `advance` is called after each."""
    rng = Random(f"planted/{seed}")
    wrong: list[bool] = []
    right: list[bool] = []
    num_without = 0
    for sessions in asked(engine, settings, texts):
        engine.finish(sessions)
        copies: list[tuple[Asked, Asked, int]] = []
        for session in sessions:
            place = _place(session, thinker, rng)
            if place is None:
                num_without += 1
                continue
            row, number = place
            falsified = str(int(number) + rng.choice([d for d in _SLIPS if int(number) + d >= 0]))
            pair = [engine.fork(session) for _ in range(2)]
            for copy, said in zip(pair, (falsified, number), strict=True):
                engine.rewind(copy, row)
                copy.put(thinker, said)
            copies.append((pair[0], pair[1], row))
        engine.finish([copy for planted, control, _ in copies for copy in (planted, control)])
        for planted, control, row in copies:
            wrong.append(_objects(planted, doubter, row))
            right.append(_objects(control, doubter, row))
        for _ in sessions:
            advance()
    return Doubt(len(wrong), sum(wrong), sum(right), num_without)


_SLIPS = (-10, -2, -1, 1, 2, 10)


def _place(session: Asked, thinker: str, rng: Random) -> tuple[int, str] | None:
    """A row where the digits of a result begin, and the digits; None if there is none.

    Digits that share a token with what stands before or after them can't be exchanged.
    """
    text, rows = rows_of_characters(session, thinker)
    heard = last_input_row(session)
    places = []
    for match in _RESULT.finditer(text):
        first, last = match.span(1)
        begins = rows[first] > max(heard, rows[first - 1])
        ends = last == len(text) or rows[last] > rows[last - 1]
        if begins and ends:
            places.append((rows[first], match.group(1)))
    return rng.choice(places) if places else None


def _objects(session: Asked, doubter: str, row: int) -> bool:
    return _OBJECTION.search(said_since(session, doubter, row)) is not None
