"""`motet bench serve`: a server under load, with the engine alone beside it."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from motet import __version__
from motet.bench.hardware import read_hardware
from motet.bench.serve.engine_steps import EngineSteps
from motet.bench.serve.figures import Figures, figures_of
from motet.bench.serve.load import Api, Load
from motet.bench.serve.report import Comparison, compare, facts, latency_table, to_json
from motet.cli.json_line import json_line
from motet.errors import BenchError
from motet.formats.directory import EMBEDDED
from motet.protocol.printable import printable

DEFAULT_SECONDS = 20.0
_KEY = "MOTET_API_KEY"
_ADDRESS = re.compile(r"[\w.-]+:\d+/?")


def serve(
    target: Annotated[
        str,
        typer.Argument(metavar="[URL | MODEL]", help="A server that runs, or a model to serve."),
    ] = EMBEDDED,
    api: Annotated[Api, typer.Option(help="How users talk with the server.")] = Api.LIVE,
    concurrency: Annotated[
        int, typer.Option(min=1, max=4096, help="Users at once; each asks again at once.")
    ] = 8,
    requests: Annotated[
        int | None, typer.Option(min=1, help="End after so many requests, not after a time.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="End after this time.", show_default=f"{DEFAULT_SECONDS:.0f}"),
    ] = None,
    slow: Annotated[int, typer.Option(min=0, help="Of the users: so many read slowly.")] = 0,
    kill: Annotated[
        int, typer.Option(min=0, help="Of the users: so many break the line in an answer.")
    ] = 0,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Rows of a turn (live) or tokens of an answer, at most.")
    ] = 128,
    turns: Annotated[
        int, typer.Option(min=1, help="Messages of a live session before a new one replaces it.")
    ] = 4,
    ignore_eos: Annotated[
        bool, typer.Option("--ignore-eos", help="Answers of --max-rows tokens; not live.")
    ] = False,
    prompts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A prompt a line, plain or as JSON objects with a text.",
            show_default="the questions of motet-tiny",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of prompts and sampling.")] = 0,
    api_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help=f"Key of the server, with a URL; better in {_KEY}."),
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Model to ask for, not live.", show_default="the server's first"
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Of the engine, with a MODEL.", show_default="all"),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="A request that takes longer has failed.")
    ] = 120.0,
    json_only: Annotated[
        bool, typer.Option("--json-only", help="Print only the JSON line.")
    ] = False,
) -> None:
    """Measure a server in a closed loop: latencies, rows and tokens a second, one line of JSON.

    With a MODEL the server is started for it, and the engine alone is measured after it.
    """
    from motet.bench.serve.loop import Target, run_load  # what other commands do without
    from motet.bench.serve.own import measure_own
    from motet.bench.serve.prompts import generated_prompts, read_prompts

    load = Load(
        api=api, num_users=concurrency, num_requests=requests,
        seconds=DEFAULT_SECONDS if seconds is None and requests is None else seconds,
        num_slow=slow, num_killed=kill, max_rows=max_rows, turns=turns, ignore_eos=ignore_eos,
        timeout_s=timeout, seed=seed,
    )  # fmt: skip
    if api is Api.LIVE and model_name is not None:
        raise BenchError("--model-name", expected="--api chat or completions", got="live")
    is_url = "://" in target or _ADDRESS.fullmatch(target) is not None
    for option, value, wants_url in (
        ("--api-key", api_key, True), ("--threads", threads, False),
    ):  # fmt: skip
        if value is not None and is_url is not wants_url:
            expected = "a URL" if wants_url else "a MODEL"
            raise BenchError(option, expected=f"{expected} with it", got=target)

    def say(text: str) -> None:
        if not json_only:
            typer.echo(f"motet: {printable(text)}", err=True)

    texts = generated_prompts(seed) if prompts is None else read_prompts(prompts, seed)
    engine: EngineSteps | None = None
    if is_url:
        say(f"{concurrency} users of {target}")
        server = Target(target, api_key or os.environ.get(_KEY), model_name)
        figures = figures_of(*asyncio.run(run_load(server, load, texts)))
    else:
        figures, engine = measure_own(target, load, texts, threads=threads, say=say)
    hardware = read_hardware()
    if not json_only:
        _show(target, load, figures, compare(figures, engine))
    run = {
        "command": shlex.join(_without(api_key, ["motet", *sys.argv[1:]])),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "motet": __version__,
    }
    kind = {"url": target if is_url else None, "model": model_name if is_url else target}
    typer.echo(json_line(to_json(load, figures, engine, hardware, kind, run)))


def _without(secret: str | None, words: list[str]) -> list[str]:
    """The words of a command line, with stars where the secret is."""
    hidden = {} if secret is None else {secret: "***", f"--api-key={secret}": "--api-key=***"}
    return [hidden.get(word, word) for word in words]


def _show(target: str, load: Load, figures: Figures, comparison: Comparison | None) -> None:
    """Print the figures for people."""
    console = Console(highlight=False)
    users = [f"{load.num_users} users at once"]
    users += [f"{load.num_slow} read slowly"] if load.num_slow else []
    users += [f"{load.num_killed} break the line"] if load.num_killed else []
    console.print(printable(f"{target}, {load.api}: {', '.join(users)}"), markup=False)
    console.print(latency_table(figures))
    lines = facts(figures, comparison)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        console.print(printable(f"{name:<{width}}  {value}"), markup=False, soft_wrap=True)
