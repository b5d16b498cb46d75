"""Two sides take turns in one run, so that both meet the same machine.

A shared machine drifts: what is measured a minute later is measured on another machine. So a turn
of ours is held only against the turn of theirs beside it, and who goes first changes from pair to
pair. What is reported is the median of these ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

PAUSE_S = 0.05
"""Between turns: threads of the side that has just worked spin for a moment before they sleep."""

Side = Callable[[], Sequence[float]]
"""One turn of a side: the seconds of each thing that it did in it."""


@dataclass(frozen=True)
class Turns:
    """Seconds of one thing, the median of each turn. theirs is empty without a peer."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...] = ()

    @property
    def ours_s(self) -> float:
        """Median over our turns."""
        return median(self.ours)

    @property
    def theirs_s(self) -> float | None:
        """Median over their turns."""
        return median(self.theirs) if self.theirs else None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Our time by theirs, for each pair of turns; none without a peer."""
        return tuple(a / b for a, b in zip(self.ours, self.theirs, strict=False))

    @property
    def ratio(self) -> float | None:
        """The median of the ratios."""
        return median(self.ratios) if self.theirs else None


def take_turns(ours: Side, theirs: Side | None, num_repeats: int) -> Turns:
    """Let both sides do their thing in turn, `num_repeats` times each after once to warm up."""
    sides = [ours] if theirs is None else [ours, theirs]
    seconds: list[list[float]] = [[] for _ in sides]
    for side in sides:
        side()
    for repeat in range(num_repeats):
        order = range(len(sides)) if repeat % 2 == 0 else reversed(range(len(sides)))
        for index in order:
            time.sleep(PAUSE_S)
            seconds[index].append(median(sides[index]()))
    return Turns(*map(tuple, seconds))
