"""Many users of a real server, some slow, some killed: nothing is lost, nothing stays behind."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

import motet.client
from motet.bench.serve.figures import figures_of
from motet.bench.serve.load import Api, Load
from motet.bench.serve.loop import Target, run_load
from motet.bench.serve.process import served
from motet.bench.serve.prompts import generated_prompts
from motet.bench.serve.request import Kind
from motet.errors import BenchError

NUM_USERS = 64
SECONDS = 12.0
LEFT_S = 60.0


async def sessions_left(url: str) -> int:
    """Sessions in the server's memory once those without a client have had time to go."""
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(LEFT_S):
        while num_sessions := (await client.get("/health")).json()["sessions"]:
            await asyncio.sleep(0.2)
    return int(num_sessions)


async def ask(url: str, text: str) -> str:
    async with motet.client.connect(url) as talk:
        await talk.say(text)
        rows = [row async for row in talk.rows()]
        assert [row.index for row in rows] == list(range(rows[0].index, rows[0].index + len(rows)))
        return talk.text("User")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server of the embedded model; sessions without a client leave after a second."""
    with served("motet-tiny", 4 * NUM_USERS, ["--threads", "1", "--idle", "1"]) as url:
        yield url


@pytest.mark.slow
def test_sixty_four_live_sessions(server: str) -> None:
    load = Load(
        num_users=NUM_USERS, seconds=SECONDS, num_slow=4, num_killed=4, max_rows=96, turns=3
    )
    requests, window = asyncio.run(run_load(Target(server), load, generated_prompts(0)))
    figures = figures_of(requests, window)
    assert figures.failures == {}
    assert {request.kind for request in requests} == set(Kind)
    assert all(request.is_answered for request in requests)
    assert asyncio.run(sessions_left(server)) == 0
    assert asyncio.run(ask(server, "What is 6 times 7?")) == "What is 6 times 7?"


@pytest.mark.slow
@pytest.mark.parametrize("api", [Api.CHAT, Api.COMPLETIONS])
def test_openai_users_of_a_real_server(server: str, api: Api) -> None:
    load = Load(api=api, num_users=4, num_requests=4, num_killed=1, max_rows=48)
    requests, window = asyncio.run(run_load(Target(server), load, generated_prompts(0)))
    assert figures_of(requests, window).failures == {}
    steady = [request for request in requests if request.kind is Kind.STEADY]
    assert all(request.spoken.total() for request in steady)
    assert asyncio.run(sessions_left(server)) == 0


@pytest.mark.slow
def test_the_command() -> None:
    """A server, then the engine of it alone; a table, and one line of JSON."""
    options = ["--concurrency", "2", "--requests", "2", "--threads", "1", "--max-rows", "128"]
    command = [sys.executable, "-m", "motet", "bench", "serve", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    text, _, last = result.stdout.rstrip("\n").rpartition("\n")
    data = json.loads(last)
    assert "to the first visible token (TTFT)" in text
    assert set(data["engine"]["step_s"]) <= {"1", "2"}
    assert data["engine"]["context_rows"] > 0
    assert data["measured"]["failures"] == {}
    assert data["measured"]["num_requests"] >= 1
    comparison = data["comparison"]
    assert comparison["ratio"] == comparison["row_s"] / comparison["engine_step_s"]


def test_a_server_that_can_not_start() -> None:
    with (
        pytest.raises(BenchError, match="expected a server that starts, got motet: "),
        served("no-such-model", 1),
    ):
        pass
