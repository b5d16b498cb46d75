"""A model of our own: a server of it under load, then the engine alone, never together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

from motet.bench.serve.engine_steps import EngineSteps, measure_engine
from motet.bench.serve.figures import Figures, figures_of
from motet.bench.serve.load import Load
from motet.bench.serve.loop import Target, run_load
from motet.bench.serve.process import served
from motet.bench.serve.prompts import Prompts

__all__ = ["measure_own"]

_BATCH = "motet_batch_size"
_METRICS_S = 30.0
_IDLE_S = "2"
"""Sessions that were left by a killed user leave the server's memory after this."""


def measure_own(
    model: str, load: Load, prompts: Prompts, *, threads: int | None, say: Callable[[str], None]
) -> tuple[Figures, EngineSteps | None]:
    """The figures of a load on a server of `model`, and the engine's steps of the same kind."""
    options = [] if threads is None else ["--threads", str(threads)]
    if load.num_killed:
        options += ["--idle", _IDLE_S]
    say("starting the server")
    with served(model, 4 * load.num_users, options) as url:
        say(f"{load.num_users} users of {url}")
        figures = figures_of(*asyncio.run(run_load(Target(url), load, prompts)))
        batch = _mean_batch(url)
    say("the engine alone")
    return figures, measure_engine(model, batch, figures.mean_context_rows, threads)


def _mean_batch(url: str) -> float | None:
    """Sessions in a row step of the server, the mean since it began; None without a step.

    More than there are users, where some have gone in the middle of an answer: that goes on.
    """
    found = dict(line.rsplit(" ", 1) for line in _metrics(url) if line.startswith(_BATCH))
    count = float(found.get(f"{_BATCH}_count", 0))
    return float(found[f"{_BATCH}_sum"]) / count if count else None


def _metrics(url: str) -> list[str]:
    answer = httpx.get(f"{url}/metrics", timeout=_METRICS_S)
    answer.raise_for_status()
    return answer.text.splitlines()
