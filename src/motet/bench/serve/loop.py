"""The closed loop: so many users at once, each asking again as soon as it was answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from motet.bench.serve.completions import CompletionUser, model_served
from motet.bench.serve.figures import Window
from motet.bench.serve.live import LiveUser
from motet.bench.serve.load import Api, Load
from motet.bench.serve.prompts import Prompts
from motet.bench.serve.request import Kind, Request
from motet.client.address import http_url
from motet.errors import BenchError

__all__ = ["Target", "run_load"]

_FAILED_S = 0.2
"""A user rests so long after a failure: a server that is gone is not hammered."""


@dataclass(frozen=True)
class Target:
    """A server. model: its name there, for the OpenAI endpoints; None: the first it names."""

    url: str
    api_key: str | None = None
    model: str | None = None


class User(Protocol):
    """Asks one thing after the other."""

    async def ask(self, record: Callable[[Request], None]) -> None:
        """One request from its beginning to its end."""

    async def leave(self) -> None:
        """Ask no more."""


def kinds_of(load: Load) -> list[Kind]:
    """The kind of each user."""
    steady = load.num_users - load.num_slow - load.num_killed
    return [Kind.SLOW] * load.num_slow + [Kind.KILLED] * load.num_killed + [Kind.STEADY] * steady


async def run_load(target: Target, load: Load, prompts: Prompts) -> tuple[list[Request], Window]:
    """Run `load`; all its requests, and the time that counts."""
    limits = httpx.Limits(max_connections=None)
    headers = {} if target.api_key is None else {"Authorization": f"Bearer {target.api_key}"}
    async with httpx.AsyncClient(
        base_url=http_url(target.url), headers=headers, limits=limits, timeout=load.timeout_s
    ) as client:
        users: list[User] = []
        model = target.model
        if load.api is not Api.LIVE and model is None:
            model = await model_served(client)
        for number, kind in enumerate(kinds_of(load)):
            seed = load.seed * 100_003 + number
            if load.api is Api.LIVE:
                users.append(LiveUser(target.url, target.api_key, load, kind, seed, prompts))
            else:
                users.append(CompletionUser(client, model or "", load, kind, seed, prompts))
        return await _Loop(load, users).run()


class _Loop:
    """Users and the clock. The window begins when there are as many answers as steady users."""

    def __init__(self, load: Load, users: Sequence[User]) -> None:
        self._load = load
        self._users = users
        self._requests: list[Request] = []
        self._refused: str | None = None
        self._start: float | None = None
        self._end: float | None = None

    async def run(self) -> tuple[list[Request], Window]:
        """Until the load has ended and every request that ran then has finished."""
        async with asyncio.TaskGroup() as group:
            for user in self._users:
                group.create_task(self._repeat(user))
        if self._refused is not None:
            raise BenchError("load", expected="a server that answers", got=self._refused)
        assert self._start is not None
        assert self._end is not None
        return self._requests, Window(self._start, self._end)

    async def _repeat(self, user: User) -> None:
        try:
            while not self._is_over():
                asked: list[Request] = []
                await user.ask(asked.append)
                self._finish(asked)
                if any(request.failure for request in asked):
                    await asyncio.sleep(_FAILED_S)
        finally:
            await user.leave()

    def _finish(self, asked: list[Request]) -> None:
        """Count the requests of steady users: they begin the window and may end it."""
        self._requests += asked
        steady = [request for request in self._requests if request.kind is Kind.STEADY]
        num_users = kinds_of(self._load).count(Kind.STEADY)
        now = time.perf_counter()
        if self._start is None and len(steady) >= num_users:
            if all(request.failure for request in steady):
                self._refused = steady[-1].reason
            self._start = now
        wanted = self._load.num_requests
        if self._end is None and wanted and len(steady) >= num_users + wanted:
            self._end = now

    def _is_over(self) -> bool:
        seconds = self._load.seconds
        if self._start is not None and self._end is None and seconds is not None:
            end = self._start + seconds
            self._end = end if time.perf_counter() >= end else None
        return self._end is not None or self._refused is not None
