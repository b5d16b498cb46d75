"""What the requests of a load say together; percentiles only where there is enough to say them.

A 99th percentile of 20 requests is the slowest one under another name. So p95 needs 20 values and
p99 needs 100; what there are fewer of is None.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from motet.bench.serve.request import Kind, Request

__all__ = ["Figures", "Percentiles", "Window", "figures_of", "percentiles"]


@dataclass(frozen=True)
class Percentiles:
    """Of `n` values; the mean too. None where n is too small."""

    n: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


def percentiles(values: Iterable[tuple[float, int]]) -> Percentiles:
    """Percentiles of weighted values: the least value that so many percent do not exceed."""
    ordered = sorted(values)
    n = sum(weight for _, weight in ordered)

    def at(percent: int, least: int) -> float | None:
        if n < least:
            return None
        rank = math.ceil(n * percent / 100)
        for value, weight in ordered:
            rank -= weight
            if rank <= 0:
                return value
        raise AssertionError("the ranks of all values make n")

    mean = sum(value * weight for value, weight in ordered) / n if n else None
    return Percentiles(n, mean, at(50, 1), at(95, 20), at(99, 100))


@dataclass(frozen=True)
class Window:
    """The time that counts, in seconds of the requests' clock; the warm-up was before."""

    start: float
    end: float

    def holds(self, at: float) -> bool:
        """Whether a moment counts."""
        return self.start <= at < self.end

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True)
class Figures:
    """Seconds, rows and tokens of the steady users; of all users where the name says so.

    row_s: time of a row as one session meets it. mean_batch: sessions in a row step, the mean: the
    time that all users spent between rows by the time there was; None without rows.
    mean_context_rows: rows of a session before each of its rows, the mean; None likewise.
    failures: of all users, by kind.
    """

    seconds: float
    num_requests: int
    requests_per_s: float
    ttft_s: Percentiles
    gap_s: Percentiles
    tpot_s: Percentiles
    row_s: Percentiles
    all_rows_per_s: float
    all_spoken_per_s: float
    spoken: dict[str, int]
    mean_batch: float | None
    mean_context_rows: float | None
    num_slow: int
    num_killed: int
    failures: dict[str, int]


def figures_of(requests: Sequence[Request], window: Window) -> Figures:
    """The figures of what counts: requests asked in the window, rows that came in it."""
    counted = [request for request in requests if window.holds(request.asked_at)]
    steady = [r for r in counted if r.kind is Kind.STEADY and r.is_answered]
    rows = percentiles(gap for request in steady for gap in request.row_gaps)
    num_rows = sum(n for r in requests for at, n in r.rows_at if window.holds(at))
    rows_before = sum(_rows_before(request, window) for request in requests)
    active_s = sum(
        at - before
        for r in requests
        for (before, _), (at, _) in pairwise(r.rows_at)
        if window.holds(at)
    )
    ended = [r for r in requests if r.ended_at is not None and window.holds(r.ended_at)]
    num_ended = sum(r.kind is Kind.STEADY and r.failure is None for r in ended)
    spoken: Counter[str] = Counter()
    for request in ended:
        spoken.update(request.spoken)
    return Figures(
        seconds=window.seconds,
        num_requests=len(steady),
        requests_per_s=num_ended / window.seconds,
        ttft_s=percentiles((r.ttft_s, 1) for r in steady if r.ttft_s is not None),
        gap_s=percentiles((gap, 1) for r in steady for gap in r.gaps_s),
        tpot_s=percentiles((r.tpot_s, 1) for r in steady if r.tpot_s is not None),
        row_s=rows,
        all_rows_per_s=num_rows / window.seconds,
        all_spoken_per_s=sum(spoken.values()) / window.seconds,
        spoken=dict(spoken),
        mean_batch=active_s / window.seconds if rows.n else None,
        mean_context_rows=rows_before / num_rows if num_rows else None,
        num_slow=sum(r.kind is Kind.SLOW and r.is_answered for r in counted),
        num_killed=sum(r.kind is Kind.KILLED and r.is_answered for r in counted),
        failures=dict(Counter(r.failure for r in requests if r.failure is not None)),
    )


def _rows_before(request: Request, window: Window) -> float:
    """For each row that counts, the rows that its session had before it; their sum."""
    before, total = request.rows_before, 0.0
    for at, count in request.rows_at:
        if window.holds(at):
            total += count * (before + (count - 1) / 2)
        before += count
    return total
