from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from motet.server.decoding.report import StepReport
from motet.server.metrics import ServerMetrics
from motet.server.metrics_routes import metrics_router

PAGE = Path(__file__).parents[3] / "docs" / "operating.md"


class _State:
    """What the route reads of a server."""

    def __init__(self, metrics: ServerMetrics) -> None:
        self.metrics = metrics


async def _read(metrics: ServerMetrics, accept: str = "text/plain") -> httpx.Response:
    app = FastAPI()
    app.include_router(metrics_router(_State(metrics)))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/metrics", headers={"accept": accept})


async def _values(metrics: ServerMetrics) -> dict[str, float]:
    """Samples by name and labels, without those of the process."""
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families((await _read(metrics)).text)
        for sample in family.samples
        if not sample.name.startswith("process_") and not sample.name.endswith("_created")
    }


async def test_the_table_in_the_docs_names_every_metric_as_it_is() -> None:
    families = text_string_to_metric_families((await _read(ServerMetrics(["Output"]))).text)
    kinds = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type, family.documentation
        )
        for family in families
        if not family.name.startswith("process_") and not family.name.endswith("_created")
    }  # fmt: skip
    rows = re.findall(r"^\| `(motet_\w+)(\{.*?\})?` \| (\w+) \| (.*) \|$", PAGE.read_text(), re.M)
    assert {name: (kind, what) for name, _, kind, what in rows} == kinds
    labels = {name: re.findall(r"\w+", label) for name, label, _, _ in rows if label}
    metrics = ServerMetrics(["Output"])
    collectors = metrics.registry._collector_to_names
    assert labels == {
        name: list(collector._labelnames)
        for collector, names in collectors.items()
        for name in labels
        if name in names
    }


async def test_a_step_is_counted_once_with_all_that_it_did() -> None:
    metrics = ServerMetrics(["User", "Output", "Think"])
    metrics.step(StepReport(
        at_s=9.0, seconds=0.004, num_sessions=3, num_rows=70, num_prefill_rows=68,
        spoken=[0, 2, 1], ttft_s=[0.2], itl_s=[0.01, 0.02],
    ))  # fmt: skip
    metrics.step(StepReport(at_s=9.1, seconds=0.006, num_sessions=1, num_rows=1, spoken=[0, 1, 0]))
    values = await _values(metrics)
    assert values["motet_row_seconds_count"] == 2
    assert values["motet_row_seconds_sum"] == pytest.approx(0.01)
    assert values["motet_batch_size_sum"] == 4
    assert values["motet_rows_total"] == 71
    assert values["motet_prefill_rows_total"] == 68
    assert values["motet_spoken_tokens_total[Output]"] == 3
    assert values["motet_spoken_tokens_total[Think]"] == 1
    assert values["motet_spoken_tokens_total[User]"] == 0
    assert values["motet_time_to_first_token_seconds_sum"] == pytest.approx(0.2)
    assert values["motet_inter_token_latency_seconds_count"] == 2


async def test_what_happens_around_the_rows_is_counted() -> None:
    metrics = ServerMetrics(["Output"])
    waiting = 0
    metrics.watch(lambda: 3, lambda: waiting)
    for _ in range(3):
        metrics.connected()
    metrics.disconnected(was_closed=True)
    metrics.disconnected(was_closed=False)
    metrics.cancelled()
    metrics.turn_ended("end")
    metrics.turn_ended("end")
    metrics.context_rolled()
    metrics.journal_commit(0.002, 5)
    metrics.journal_error()
    metrics.request("/v1/models", "GET", 200, 0.01)
    metrics.request("/v1/models", "other", 405, 0.01)
    waiting = 2
    values = await _values(metrics)
    assert values["motet_sessions_running"] == 3
    assert values["motet_sessions_waiting"] == 2
    assert values["motet_connections"] == 1
    assert values["motet_disconnects_total"] == 2
    assert values["motet_turns_total[end]"] == 2
    assert values["motet_context_rolls_total"] == 1
    assert values["motet_journal_commit_seconds_count"] == 1
    assert values["motet_journal_changes_total"] == 5
    assert values["motet_journal_errors_total"] == 1
    assert values["motet_http_requests_total[GET][/v1/models][200]"] == 1
    assert values["motet_http_requests_total[other][/v1/models][405]"] == 1
    assert values["motet_http_request_seconds_count[/v1/models]"] == 2


async def test_two_servers_in_one_process_count_apart() -> None:
    one, other = ServerMetrics(["Output"]), ServerMetrics(["Output"])
    one.context_rolled()
    assert (await _values(other))["motet_context_rolls_total"] == 0


async def test_a_reader_gets_the_format_that_it_asks_for() -> None:
    metrics = ServerMetrics(["Output"])
    plain = await _read(metrics)
    assert plain.headers["content-type"].startswith("text/plain; version=")
    modern = await _read(metrics, "application/openmetrics-text; version=1.0.0")
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")
    assert (await _read(metrics, "*/*;q=,,;;\x01")).status_code == 200
