"""What the engine alone needs for a row step, by how many sessions are in it.

Measured in this process before a server runs. Under load the number of sessions in a step varies,
so it is measured at several numbers and read off between them.
"""

from __future__ import annotations

from dataclasses import dataclass

from motet.errors import BenchError

__all__ = ["EngineSteps", "measure_engine"]

_NUM_ROWS = 48


@dataclass(frozen=True)
class EngineSteps:
    """Seconds of a row step, by the number of sessions in it, rising; medians."""

    step_s: tuple[tuple[int, float], ...]

    def at(self, num_sessions: float) -> float:
        """Seconds of a step of so many sessions, on the line between the measured ones."""
        (low, low_s), *others = self.step_s
        for high, high_s in others:
            if num_sessions <= high:
                share = max(0.0, num_sessions - low) / (high - low)
                return low_s + share * (high_s - low_s)
            low, low_s = high, high_s
        return low_s


def measure_engine(model: str, num_sessions: int, threads: int | None) -> EngineSteps:
    """Row steps of 1 to `num_sessions` sessions; BenchError for a model of the torch runtime."""
    from motet.bench.ours import engine_time  # loads ggml, which users of a URL do without
    from motet.engine import load
    from motet.runtime.native.runtime import NativeRuntime

    engine = load(model, threads=threads)
    if not isinstance(engine.runtime, NativeRuntime):
        raise BenchError("bench serve", expected="a model that the native runtime opens", got=model)
    counts = sorted({max(1, num_sessions * quarter // 4) for quarter in range(5)})
    return EngineSteps(
        tuple((count, engine_time(engine, count, _NUM_ROWS).step_s) for count in counts)
    )
