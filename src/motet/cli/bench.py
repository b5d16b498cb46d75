"""`motet bench`: how fast a model runs here, against its floor and llama.cpp, and under load."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motet import __version__
from motet.bench.cost import Work
from motet.bench.hardware import num_cores, read_hardware
from motet.bench.measurement import ROOM_ROWS, Plan
from motet.bench.peer import NAME, is_installed
from motet.bench.random import cache_file, open_random, with_channels
from motet.bench.record import to_json
from motet.bench.report import Lines, implied_lines, measured_lines, setting_lines
from motet.bench.shape import SHAPES, shape_named
from motet.cli.bench_serve import serve
from motet.cli.bench_train import train
from motet.cli.json_line import json_line
from motet.errors import BenchError
from motet.formats.gguf import GGUFModel
from motet.formats.names import CHANNEL_EMBEDDING
from motet.formats.quantize import Quant
from motet.protocol.printable import printable
from motet.runtime.directory import ModelSource, name_of, numbers_of, read_source

bench = typer.Typer(help="Measure how fast models run here.", rich_markup_mode=None)
bench.command("serve")(serve)
bench.command("train")(train)
_MAX_CHANNELS = 64

Say = Callable[[str], None]


class Peer(StrEnum):
    """Whom to measure beside us; `auto`: llama.cpp, if it is installed and can read the model."""

    AUTO = "auto"
    LLAMA_CPP = NAME
    NONE = "none"


@bench.command()
def decode(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A GGUF file or a model directory."),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"Random weights instead: {', '.join(SHAPES)}."),
    ] = None,
    quant: Annotated[
        Quant | None,
        typer.Option(help="Type of the matrices, with --shape.", show_default=Quant.Q4_0.value),
    ] = None,
    embedding: Annotated[
        Quant | None,
        typer.Option(
            help="Type of the embedding and head, with --shape.", show_default="as in motet convert"
        ),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(
            min=1, max=_MAX_CHANNELS, help="Channels of a row, with --shape.", show_default="4"
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to keep the random weights.", show_default="in the cache"
        ),
    ] = None,
    sessions: Annotated[int, typer.Option(min=1, max=1024, help="Sessions in a forward.")] = 1,
    context: Annotated[
        int, typer.Option(min=0, help="Measure also after so many rows; 0 does not.")
    ] = 0,
    prefill: Annotated[
        int, typer.Option(min=0, help="Measure also a prefill of so many rows; 0 does not.")
    ] = 64,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, show_default="all cores there are")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Turns of each side.")] = 5,
    peer: Annotated[
        Peer, typer.Option(help="Whom to measure beside us, turn by turn.")
    ] = Peer.AUTO,
    json_only: Annotated[
        bool, typer.Option("--json-only", help="Print only the JSON line.")
    ] = False,
) -> None:
    """Measure rows of a model: what its architecture implies, what they take, one line of JSON."""

    def say(text: str) -> None:
        if not json_only:
            typer.echo(f"motet: {printable(text)}", err=True)

    if shape is not None and model is None:
        kind = quant or Quant.Q4_0
        path = weights or cache_file(shape, kind, embedding)
        numbers = shape_named(shape)
        file = open_random(path, shape, numbers, kind, embedding=embedding, say=say)
        source: ModelSource = with_channels(file, channels or 4)
    elif model is not None and shape is None:
        for option, value in (
            ("--quant", quant), ("--embedding", embedding), ("--channels", channels),
            ("--weights", weights),
        ):  # fmt: skip
            if value is not None:
                raise BenchError(option, expected="--shape with it, not a model", got=model)
        source = read_source(model)
    else:
        raise BenchError("bench decode", expected="MODEL or --shape", got="both or neither")
    plan = Plan(
        name=shape or name_of(source),
        source=source,
        is_random=shape is not None,
        work=Work(sessions, source.layout.num_channels, len(source.layout.sampled_indices)),
        context_rows=context,
        prefill_rows=prefill,
        num_threads=threads or num_cores(),
        num_repeats=repeats,
        has_peer=_has_peer(peer, source, say),
    )
    _check(plan)
    _run(plan, say, json_only=json_only)


def _has_peer(asked: Peer, source: ModelSource, say: Say) -> bool:
    """Whether there is a peer to measure; BenchError if it was asked for and there is none."""
    if not isinstance(source, GGUFModel):
        missing = "a directory, and it reads files: see motet convert"
    elif CHANNEL_EMBEDDING in source.tensors:
        missing = "a model with a channel embedding, which it does not know"
    elif not is_installed():
        missing = "none: pip install llama-cpp-python"
    else:
        return asked is not Peer.NONE
    if asked is Peer.LLAMA_CPP:
        raise BenchError(f"peer {NAME}", expected="one that can read the model", got=missing)
    if asked is Peer.AUTO:
        say(f"no peer {NAME}: {missing}")
    return False


def _check(plan: Plan) -> None:
    """BenchError if a number of rows is beyond what the model's positions reach."""
    most = numbers_of(plan.source).context_rows - ROOM_ROWS
    for option, num_rows in (("--context", plan.context_rows), ("--prefill", plan.prefill_rows)):
        if num_rows > most:
            raise BenchError(option, expected=f"at most {most} rows", got=num_rows)


def _run(plan: Plan, say: Say, *, json_only: bool) -> None:
    """Print what is implied, then what is measured, then all of it as JSON."""
    from motet.bench.decode import measure  # loads ggml, which other commands do without
    from motet.runtime.native.kernels import read_bandwidth

    hardware = read_hardware()
    bandwidth = read_bandwidth(plan.num_threads)

    def show(title: str, lines: Lines) -> None:
        if not json_only:
            width = max(len(name) for name, _ in lines)
            rows = [f"  {name:<{width}}  {printable(value)}" for name, value in lines]
            typer.echo("\n".join([title, *rows, ""]))

    show("Setting", setting_lines(plan, hardware))
    implied = implied_lines(plan.cost, bandwidth, plan.num_threads)
    show("Implied by the architecture, for a forward at the first row", implied)
    measured = measure(plan, say)
    title = f"Measured, medians of {plan.num_repeats} turns"
    show(title, measured_lines(plan, measured))
    run = {
        "command": shlex.join(["motet", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "motet": __version__,
    }
    typer.echo(json_line(to_json(plan, measured, hardware, bandwidth, run)))
