"""Figures of a load: what counts, and what is not said because there is too little of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.bench.serve.engine_steps import EngineSteps
from motet.bench.serve.figures import Window, figures_of, percentiles
from motet.bench.serve.report import Comparison, compare, facts, latency_table
from motet.bench.serve.request import Kind, Request

WINDOW = Window(10.0, 20.0)


def request(
    asked_at: float, ended_at: float | None = None, *, kind: Kind = Kind.STEADY,
    failure: str | None = None,
) -> Request:  # fmt: skip
    """Two rows at +1 s, then four at +2 s, two of them visible, and two more visible at +4 s."""
    return Request(
        kind, asked_at,
        arrivals=[(asked_at + 1, 0), (asked_at + 2, 2), (asked_at + 4, 2)],
        rows_at=[(asked_at + 1, 2), (asked_at + 2, 4), (asked_at + 4, 2)],
        spoken=Counter(Output=4, Think=6),
        ended_at=asked_at + 4 if ended_at is None else ended_at, failure=failure,
    )  # fmt: skip


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 5)), max_size=60))
def test_percentiles_are_values_that_so_many_percent_do_not_exceed(
    weighted: list[tuple[float, int]],
) -> None:
    found = percentiles(weighted)
    values = [value for value, weight in weighted for _ in range(weight)]
    assert found.n == len(values)
    for percent, least, got in ((50, 1, found.p50), (95, 20, found.p95), (99, 100, found.p99)):
        if len(values) < least:
            assert got is None
        else:
            assert got == np.percentile(values, percent, method="inverted_cdf")
    if values:
        assert found.mean == pytest.approx(np.mean(values))
    else:
        assert found.mean is None


def test_one_request() -> None:
    one = request(10.0)
    assert (one.ttft_s, one.gaps_s, one.tpot_s) == (2.0, [2.0], 1.0)
    assert one.row_gaps == [(0.25, 4), (1.0, 2)]
    one.num_visible = 10  # as a server's usage says: 2 came first, 8 in the 2 s after
    assert one.tpot_s == 0.25


def test_a_mute_request_has_no_times() -> None:
    mute = Request(Kind.STEADY, 1.0, arrivals=[(2.0, 0)], ended_at=3.0)
    assert (mute.ttft_s, mute.gaps_s, mute.tpot_s, mute.row_gaps) == (None, [], None, [])


def test_warm_up_and_others_do_not_count() -> None:
    requests = [
        request(5.0),  # asked before; its rows at 6, 7, 9 s too
        request(8.0),  # asked before, but two of its arrivals come in the window
        request(11.0),
        request(12.0),
        request(18.0),  # asked in the window, ends after it: counts, all but its last rows
        request(13.0, kind=Kind.SLOW),
        request(14.0, kind=Kind.KILLED),
        request(15.0, failure="timeout"),
    ]
    figures = figures_of(requests, WINDOW)
    assert figures.num_requests == figures.ttft_s.n == 3
    assert figures.requests_per_s == pytest.approx(3 / 10)  # asked at 8, 11 and 12 s
    assert (figures.num_slow, figures.num_killed) == (1, 1)
    assert figures.failures == {"timeout": 1}
    in_window = [6, 8, 8, 2, 8, 8, 8]  # rows: of those asked at 8, 11, 12, 18, 13, 14, 15 s
    assert figures.all_rows_per_s == pytest.approx(sum(in_window) / 10)
    assert figures.spoken == {"Output": 24, "Think": 36}
    assert figures.row_s.n == 18
    assert figures.row_s.mean == pytest.approx((0.25 * 4 + 1.0 * 2) / 6)
    assert figures.mean_batch == pytest.approx(6 * 3 / 10)  # of those that had rows in it


def test_how_many_rows_were_there_before() -> None:
    one = Request(Kind.STEADY, 10.0, rows_at=[(10.0, 2), (11.0, 3), (25.0, 9)], rows_before=100)
    figures = figures_of([one], WINDOW)
    assert figures.mean_context_rows == pytest.approx((100 + 101 + 102 + 103 + 104) / 5)


def test_nothing_counted() -> None:
    figures = figures_of([request(5.0)], WINDOW)
    assert (figures.num_requests, figures.ttft_s.p50, figures.mean_batch) == (0, None, None)
    assert compare(figures, EngineSteps(((1, 0.1),), 1.0, 0)) is None


def test_the_engine_between_two_measurements() -> None:
    engine = EngineSteps(((1, 1.0), (4, 4.0), (8, 5.0)), 4.0, 0)
    assert [engine.at(n) for n in (0.5, 1, 2.5, 4, 6, 8, 20)] == [1, 1, 2.5, 4, 4.5, 5, 5]


def test_a_row_under_load_against_the_engine() -> None:
    figures = figures_of([request(10.0 + n / 2) for n in range(10)], WINDOW)
    comparison = compare(figures, EngineSteps(((1, 0.1), (8, 0.4)), 5.0, 7))
    assert comparison is not None
    assert comparison.mean_batch == 5.0  # as the server counts, not as its users do
    assert figures.mean_batch == pytest.approx(10 * 3 / 10)
    assert comparison.engine_step_s == pytest.approx(0.1 + 4 / 7 * 0.3)
    assert comparison.context_rows == 7
    assert comparison.ratio == pytest.approx(0.5 / comparison.engine_step_s)
    assert compare(figures, None) is None


def test_what_people_read() -> None:
    figures = figures_of([request(10.0), request(11.0, failure="timeout")], WINDOW)
    lines = dict(facts(figures, Comparison(0.5, 4.0, 7, 0.25)))
    assert lines["failures"] == "timeout 1"
    assert lines["a row under load"] == (
        "500 ms with 4.0 sessions of 7 rows in a step; the engine alone 250 ms: 2.00 times"
    )
    table = latency_table(figures)
    assert [column.header for column in table.columns] == ["ms", "p50", "p95", "p99", "mean", "n"]
    assert list(table.columns[2].cells) == ["-"] * 4  # one request has no p95
    assert next(iter(table.columns[1].cells)) == "2,000"
