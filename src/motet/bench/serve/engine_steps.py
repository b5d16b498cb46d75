"""What the engine alone needs for the row steps that a load was made of.

Measured in this process after the server has ended: with as many sessions in a step as the server
had in the mean, on either side of that number, and with as many rows behind each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from motet.errors import BenchError

__all__ = ["EngineSteps", "measure_engine"]

_NUM_ROWS = 48


@dataclass(frozen=True)
class EngineSteps:
    """Seconds of a row step, by the number of sessions in it, rising; medians.

    batch: how many were in a step of the load, the mean, also those whose user had gone.
    context_rows: that each session had when the first of the timed steps was made.
    """

    step_s: tuple[tuple[int, float], ...]
    batch: float
    context_rows: int

    def at(self, num_sessions: float) -> float:
        """Seconds of a step of so many sessions, on the line between the measured ones."""
        (low, low_s), *others = self.step_s
        for high, high_s in others:
            if num_sessions <= high:
                share = max(0.0, num_sessions - low) / (high - low)
                return low_s + share * (high_s - low_s)
            low, low_s = high, high_s
        return low_s


def measure_engine(
    model: str, batch: float | None, context: float | None, threads: int | None
) -> EngineSteps | None:
    """Row steps like those of a load; None if it had none.

    batch: sessions in a step of the server. context: rows behind each. BenchError for a model of
    the torch runtime.
    """
    from motet.bench.ours import engine_time  # loads ggml, which users of a URL do without
    from motet.engine import load
    from motet.runtime.native.runtime import NativeRuntime

    if batch is None or context is None:
        return None
    engine = load(model, threads=threads)
    if not isinstance(engine.runtime, NativeRuntime):
        raise BenchError("bench serve", expected="a model that the native runtime opens", got=model)
    engine.runtime.spare_a_core()  # as the server did
    context_rows = round(context)
    counts = sorted({max(1, math.floor(batch)), max(1, math.ceil(batch))})
    past_rows = max(0, context_rows - _NUM_ROWS // 2)  # the timed rows lie around the mean
    steps = [
        (count, engine_time(engine, count, _NUM_ROWS, past_rows=past_rows).step_s)
        for count in counts
    ]
    return EngineSteps(tuple(steps), batch, context_rows)
