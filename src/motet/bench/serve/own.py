"""A model of our own: first the engine alone, then a server of it under load, never together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from motet.bench.serve.engine_steps import EngineSteps, measure_engine
from motet.bench.serve.figures import Window
from motet.bench.serve.load import Load
from motet.bench.serve.loop import Target, run_load
from motet.bench.serve.process import served
from motet.bench.serve.prompts import Prompts
from motet.bench.serve.request import Request

__all__ = ["measure_own"]

_IDLE_S = "2"
"""Sessions that were left by a killed user leave the server's memory after this."""


def measure_own(
    model: str, load: Load, prompts: Prompts, *, threads: int | None, say: Callable[[str], None]
) -> tuple[EngineSteps, list[Request], Window]:
    """The engine's steps, then all requests of a load on a server of `model`, and its window."""
    say("the engine alone")
    engine = measure_engine(model, load.num_users, threads)
    options = [] if threads is None else ["--threads", str(threads)]
    if load.num_killed:
        options += ["--idle", _IDLE_S]
    say("starting the server")
    with served(model, 4 * load.num_users, options) as url:
        say(f"{load.num_users} users of {url}")
        requests, window = asyncio.run(run_load(Target(url), load, prompts))
    return engine, requests, window
