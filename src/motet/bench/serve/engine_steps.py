"""What the engine alone needs for the row steps that a load was made of.

Measured in this process after the server has ended: with as many sessions in a step as the load
had in the mean, on either side of that number, and with as many rows behind each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from motet.bench.serve.figures import Figures
from motet.errors import BenchError

__all__ = ["EngineSteps", "measure_engine"]

_NUM_ROWS = 48


@dataclass(frozen=True)
class EngineSteps:
    """Seconds of a row step, by the number of sessions in it, rising; medians.

    context_rows: that each session had when the first of the timed steps was made.
    """

    step_s: tuple[tuple[int, float], ...]
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


def measure_engine(model: str, figures: Figures, threads: int | None) -> EngineSteps | None:
    """Row steps like those of a load; None if it had none.

    BenchError for a model of the torch runtime.
    """
    from motet.bench.ours import engine_time  # loads ggml, which users of a URL do without
    from motet.engine import load
    from motet.runtime.native.runtime import NativeRuntime

    if figures.mean_batch is None or figures.mean_context_rows is None:
        return None
    engine = load(model, threads=threads)
    if not isinstance(engine.runtime, NativeRuntime):
        raise BenchError("bench serve", expected="a model that the native runtime opens", got=model)
    engine.runtime.spare_a_core()  # as the server did
    batch, context_rows = figures.mean_batch, round(figures.mean_context_rows)
    counts = sorted({max(1, math.floor(batch)), max(1, math.ceil(batch))})
    past_rows = max(0, context_rows - _NUM_ROWS // 2)  # the timed rows lie around the mean
    steps = [
        (count, engine_time(engine, count, _NUM_ROWS, past_rows=past_rows).step_s)
        for count in counts
    ]
    return EngineSteps(tuple(steps), context_rows)
