"""What an operator watches: Prometheus metrics of one server, under the field's names.

Counting is cheap and rare: once a batched step, a turn, a commit or a request, never once a cell.
The registry is the server's own, so that two servers in one process count apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)

from motet.server.decoding.report import StepReport

__all__ = ["METHODS", "ServerMetrics"]

_TTFT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60)
_ITL_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_STEP_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_REQUEST_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ServerMetrics:
    """All metrics of a server. Calls are thread-safe.

    channels: names of the model's channels, in the order of the layout.
    """

    def __init__(self, channels: Sequence[str]) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._decoding(channels)
        self._serving()

    def _decoding(self, channels: Sequence[str]) -> None:
        self._ttft = self._histogram(
            "time_to_first_token_seconds",
            "From the step before which a message began to the first token of Output.",
            _TTFT_S,
        )
        self._itl = self._histogram(
            "inter_token_latency_seconds", "Between consecutive tokens of Output.", _ITL_S
        )
        self._row_s = self._histogram(
            "row_seconds", "One batched step: the next row of every session in it.", _STEP_S
        )
        self._batch = self._histogram("batch_size", "Sessions in one batched step.", _BATCH)
        self._rows = self._counter("rows", "Rows of all sessions, given ones too.")
        self._prefill_rows = self._counter(
            "prefill_rows", "Rows that were given in one piece (history, system text, prefill)."
        )
        spoken = self._counter("spoken_tokens", "Tokens that the model itself said.", "channel")
        self._spoken = [spoken.labels(name) for name in channels]
        self._turns = self._counter("turns", "Turns that ended.", "reason")
        self._rolls = self._counter("context_rolls", "Contexts whose oldest rows were let go.")

    def _serving(self) -> None:
        self._running = self._gauge("sessions_running", "Sessions in memory, at rest or decoding.")
        self._waiting = self._gauge("sessions_waiting", "Sessions that wait in line for a place.")
        self._connections = self._gauge("connections", "Live sockets that are open.")
        self._disconnects = self._counter(
            "disconnects", "Live sockets and streams whose client went away without closing."
        )
        self._requests = self._counter(
            "http_requests", "Requests answered; a live socket counts when it ends, with 101.",
            "route", "method", "status",
        )  # fmt: skip
        self._request_s = self._histogram(
            "http_request_seconds", "From a request to the end of its answer.", _REQUEST_S, "route"
        )
        self._commit_s = self._histogram(
            "journal_commit_seconds", "One transaction of the journal.", _STEP_S
        )
        self._changes = self._counter("journal_changes", "Changes that the journal committed.")
        self._refusals = self._counter("journal_errors", "Changes that the journal refused.")

    def watch(self, running: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Ask these for the number of sessions whenever metrics are read."""
        self._running.set_function(running)
        self._waiting.set_function(waiting)

    def step(self, report: StepReport) -> None:
        """One batched step of the decode loop."""
        self._row_s.observe(report.seconds)
        self._batch.observe(report.num_sessions)
        self._rows.inc(report.num_rows)
        if report.num_prefill_rows:
            self._prefill_rows.inc(report.num_prefill_rows)
        for counter, num_tokens in zip(self._spoken, report.spoken, strict=True):
            if num_tokens:
                counter.inc(num_tokens)
        for seconds in report.ttft_s:
            self._ttft.observe(seconds)
        for seconds in report.itl_s:
            self._itl.observe(seconds)

    def turn_ended(self, reason: str) -> None:
        """A turn ended, as `turn.ended` says."""
        self._turns.labels(reason).inc()

    def context_rolled(self) -> None:
        """A session's oldest rows left its context."""
        self._rolls.inc()

    def connected(self) -> None:
        """A live socket was opened."""
        self._connections.inc()

    def disconnected(self, *, was_closed: bool) -> None:
        """A live socket ended; was_closed: one of the two sides closed it on purpose."""
        self._connections.dec()
        if not was_closed:
            self._disconnects.inc()

    def cancelled(self) -> None:
        """The client of an HTTP request went away before the answer was complete."""
        self._disconnects.inc()

    def journal_commit(self, seconds: float, num_changes: int) -> None:
        """The journal made a transaction."""
        self._commit_s.observe(seconds)
        self._changes.inc(num_changes)

    def journal_error(self) -> None:
        """The journal refused a change: a full disk, a session that is gone."""
        self._refusals.inc()

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered.

        route: its template, never its path; method: one of METHODS or `other`, so that both are
        few.
        """
        self._requests.labels(route, method, str(status)).inc()
        self._request_s.labels(route).observe(seconds)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"motet_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"motet_{name}", what, registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"motet_{name}", what, labels, buckets=buckets, registry=self.registry)
