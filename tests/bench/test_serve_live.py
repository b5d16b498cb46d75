"""Users of the live socket: what they note, and that they see when something is wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from motet.bench.serve.load import Load
from motet.bench.serve.loop import Target, run_load
from motet.bench.serve.prompts import Prompts
from motet.bench.serve.request import Request
from motet.errors import BenchError
from motet.protocol import client_events as client
from motet.protocol import server_events as server
from tests.client.parrot import Parrot
from tests.client.scripted import Fault, Kind


async def run(double: Parrot, **options: Any) -> list[Request]:
    load = Load(**({"num_users": 1, "num_requests": 2, "turns": 1} | options))
    async with double.running() as url, asyncio.timeout(60):
        requests, window = await run_load(Target(url), load, Prompts(["Hello", "you"], 0))
    assert window.seconds > 0
    return requests


class Fresh(Parrot):
    """Every `session.create` begins a session of its own, as far as one user can tell."""

    def begin(self) -> None:
        self.events.clear()


async def test_a_turn_and_its_tokens() -> None:
    double = Fresh()
    requests = await run(double)
    assert [request.failure for request in requests] == [None] * 3
    for request in requests:
        assert request.ttft_s is not None
        assert sum(count for _, count in request.arrivals) == request.spoken["Output"]
        assert sum(count for _, count in request.rows_at) == 2 * request.spoken["Output"]
    asked = [o for o in double.openings if isinstance(o, client.SessionCreate)]
    assert len(asked) == 3  # a session for each
    assert asked[0].settings.max_rows == 128
    assert len({opening.settings.seed for opening in asked}) == 3


async def test_several_turns_of_one_session() -> None:
    double = Fresh()
    requests = await run(double, turns=2, num_requests=3)
    assert [request.failure for request in requests] == [None] * 4
    assert len(double.openings) == 2


class Misheard(Fresh):
    """Reads what somebody else has said, once."""

    def take_turn(self, input_id: int, text: str) -> None:
        super().take_turn(input_id, "other" if len(self.heard) == 2 else text)


class Forgetful(Fresh):
    """Leaves a row out, once."""

    def take_turn(self, input_id: int, text: str) -> None:
        super().take_turn(input_id, text)
        if len(self.heard) == 2:
            at, rows = next((n, e) for n, e in enumerate(self.events) if isinstance(e, server.Rows))
            self.events[at] = rows.model_copy(update={"rows": rows.rows[1:]})


@pytest.mark.parametrize(
    ("double", "kind"), [(Misheard(), "mixed up"), (Forgetful(), "lost rows")], ids=str
)
async def test_what_is_wrong_is_seen(double: Parrot, kind: str) -> None:
    requests = await run(double)
    assert [request.failure for request in requests] == [None, kind, None]


async def test_a_line_that_breaks_is_a_failure() -> None:
    double = Fresh(faults=[Fault(), Fault(Kind.ABORT, 2)])
    requests = await run(double)
    assert [request.failure for request in requests] == [None, "lost line", None]


async def test_nobody_answers() -> None:
    async with Fresh().running() as url:
        pass
    load = Load(num_users=2, seconds=1.0)
    with pytest.raises(BenchError, match=r"expected a server that answers, got .*Motet server"):
        await run_load(Target(url), load, Prompts(["Hello"], 0))
