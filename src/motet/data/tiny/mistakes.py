"""Wrong lines planted in Think's working, so that Skeptical learns to object.

A slip falsifies one fact of the line; a mix-up does another operation or takes another number.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from motet.data.tiny.arithmetic import Slip, Step, evaluate, num_facts, write

__all__ = ["plant"]

_SHARE_OF_SLIPS = 0.65
_MAX_TRIES = 20


def plant(step: Step, numbers: Sequence[int], rng: Random) -> str:
    """A wrong way to write the line of `step`; `numbers` are those of the question."""
    if rng.random() < _SHARE_OF_SLIPS:
        return _slip(step, rng)
    for _ in range(_MAX_TRIES):
        wrong = _mixed_up(step, numbers, rng)
        try:
            evaluate(wrong)
        except ValueError:
            continue
        if wrong != step:
            return write(wrong)[0]
    return _slip(step, rng)


def _slip(step: Step, rng: Random) -> str:
    def falsify(value: int) -> int:
        return rng.choice([v for d in (1, 2, 10) for v in (value - d, value + d) if v >= 0])

    slip = Slip(rng.randrange(num_facts(step)), falsify)
    return write(step, slip)[0]


def _mixed_up(step: Step, numbers: Sequence[int], rng: Random) -> Step:
    if rng.random() < 0.5:
        return Step(step.x, rng.choice("+-*/"), step.y)
    other = rng.choice([*numbers, step.x + rng.choice((1, 10)), step.y + rng.choice((1, 10))])
    x, y = (other, step.y) if rng.random() < 0.5 else (step.x, other)
    return Step(x, step.op, y) if step.op != "*" or min(x, y) < 10 else step
