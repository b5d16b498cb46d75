"""Figures of a load as a table for people and as JSON values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from motet.bench.hardware import Hardware
from motet.bench.serve.engine_steps import EngineSteps
from motet.bench.serve.figures import Figures
from motet.bench.serve.load import Load

__all__ = ["Comparison", "compare", "facts", "latency_table", "to_json"]


@dataclass(frozen=True)
class Comparison:
    """The time of a row under load against the engine's own step of as many sessions."""

    row_s: float
    mean_batch: float
    context_rows: int
    engine_step_s: float

    @property
    def ratio(self) -> float:
        """How many times the engine's step a row takes."""
        return self.row_s / self.engine_step_s


def compare(figures: Figures, engine: EngineSteps | None) -> Comparison | None:
    """None without an engine to compare with, or without rows."""
    row_s = figures.row_s.mean
    if engine is None or row_s is None:
        return None
    return Comparison(row_s, engine.batch, engine.context_rows, engine.at(engine.batch))


def latency_table(figures: Figures) -> Table:
    """Times in milliseconds, a line a kind of time."""
    table = Table(box=None, pad_edge=False)
    table.add_column("ms")
    for name in ("p50", "p95", "p99", "mean", "n"):
        table.add_column(name, justify="right")
    for name, values in (
        ("to the first visible token (TTFT)", figures.ttft_s),
        ("between visible arrivals (ITL)", figures.gap_s),
        ("a visible token, mean of a request (TPOT)", figures.tpot_s),
        ("a row", figures.row_s),
    ):
        if values.n:
            cells = (_ms(value) for value in (values.p50, values.p95, values.p99, values.mean))
            table.add_row(name, *cells, f"{values.n:,}")
    return table


def facts(figures: Figures, comparison: Comparison | None) -> list[tuple[str, str]]:
    """What is no percentile, as lines of a name and a value."""
    lines = [
        ("counted", f"{figures.num_requests:,} requests asked in {figures.seconds:.1f} s"),
        ("requests/s", f"{figures.requests_per_s:.2f}"),
        ("spoken tok/s", f"{figures.all_spoken_per_s:,.1f}, all users"),
    ]
    if figures.all_rows_per_s:
        lines.append(("rows/s", f"{figures.all_rows_per_s:,.1f}, all users"))
    if figures.spoken:
        spoken = ", ".join(f"{name} {count:,}" for name, count in figures.spoken.items())
        lines.append(("spoken tokens", spoken))
    if figures.num_slow or figures.num_killed:
        lines.append(
            ("other users", f"{figures.num_slow} slow requests, {figures.num_killed} killed")
        )
    failures = ", ".join(f"{kind} {count}" for kind, count in figures.failures.items())
    lines.append(("failures", failures or "none"))
    if comparison is not None:
        row_ms, engine_ms = comparison.row_s * 1e3, comparison.engine_step_s * 1e3
        batch = f"{comparison.mean_batch:.1f} sessions of {comparison.context_rows} rows in a step"
        alone = f"the engine alone {engine_ms:.3g} ms: {comparison.ratio:.2f} times"
        lines.append(("a row under load", f"{row_ms:.3g} ms with {batch}; {alone}"))
    return lines


def to_json(
    load: Load, figures: Figures, engine: EngineSteps | None, hardware: Hardware,
    target: dict[str, str | None], run: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Everything as JSON values. run: the command, the date, the version."""
    comparison = compare(figures, engine)
    return {
        **run,
        "hardware": hardware.to_json(),
        "target": target,
        "load": asdict(load),
        "measured": asdict(figures),
        "engine": None if engine is None else asdict(engine) | {"step_s": dict(engine.step_s)},
        "comparison": None
        if comparison is None
        else asdict(comparison) | {"ratio": comparison.ratio},
    }


def _ms(seconds: float | None) -> str:
    return (
        "-"
        if seconds is None
        else f"{seconds * 1e3:,.3g}"
        if seconds < 1
        else f"{seconds * 1e3:,.0f}"
    )
