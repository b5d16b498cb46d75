"""`motet bench train`: a step of training with LongCE and without, against its arithmetic."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.bench.hardware import num_cores
from motet.bench.shape import SHAPES, shape_named
from motet.bench.turns import Turns, take_turns
from motet.bench.vocabulary import channels_layout
from motet.cli.json_line import json_line
from motet.cli.measuring import provenance
from motet.errors import BenchError
from motet.formats.directory import EMBEDDED
from motet.protocol.printable import printable
from motet.runtime.directory import numbers_of, read_source

if TYPE_CHECKING:
    from motet.train.speed import Setting, StepWork


def train(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="A GGUF file or a model directory, of which only the shape is used.",
            show_default=EMBEDDED,
        ),
    ] = None,
    shape: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Another shape: {', '.join(SHAPES)}.")
    ] = None,
    rows: Annotated[int, typer.Option(min=2, help="Rows of a line.")] = 1024,
    lines: Annotated[int, typer.Option(min=1, help="Lines of the batch.")] = 1,
    conversations: Annotated[
        int, typer.Option(min=1, help="Conversations packed into each line.")
    ] = 1,
    channels: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Channels of a row.", show_default="the model's, or 4"),
    ] = None,
    bfloat16: Annotated[
        bool, typer.Option("--bfloat16", help="Compute in mixed precision.")
    ] = False,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Compute activations of layers again.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, show_default="all cores there are")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Steps of each side.")] = 3,
    json_only: Annotated[
        bool, typer.Option("--json-only", help="Print only the JSON line.")
    ] = False,
) -> None:
    """Measure a step of training with LongCE and without, in turn: seconds, memory, and the limit.

    Weights are random and every cell of a sampled channel is a target. Runs on the processor.
    """
    from motet.train.speed import Setting, step_work

    if model is not None and shape is not None:
        raise BenchError("bench train", expected="MODEL or --shape", got="both")
    if rows <= conversations:
        raise BenchError("--conversations", expected=f"fewer than {rows} rows", got=conversations)
    if shape is None:
        source = read_source(model or EMBEDDED)
        numbers, layout = numbers_of(source), source.layout
        name = model or EMBEDDED
    else:
        numbers, layout, name = shape_named(shape), channels_layout(4), shape
    if channels is not None:
        layout = channels_layout(channels)
    if rows > numbers.context_rows:
        raise BenchError("--rows", expected=f"at most {numbers.context_rows}", got=rows)
    setting = Setting(
        numbers=numbers,
        layout=layout,
        num_lines=lines,
        num_rows=rows,
        num_conversations=conversations,
        bfloat16=bfloat16,
        checkpointing=checkpointing,
        num_threads=threads or num_cores(),
    )
    measured = _measure(setting, repeats, quiet=json_only)
    work = step_work(setting)
    record = _record(name, setting, work, measured)
    if not json_only:
        typer.echo("\n".join(_lines(name, setting, work, record["measured"])))
    typer.echo(json_line(provenance() | record))


def _measure(setting: Setting, repeats: int, *, quiet: bool) -> dict[str, Any]:
    """Two processes in turn; ours is the side with LongCE."""
    from motet.train.objective.config import ObjectiveConfig
    from motet.train.speed import TrainingProcess

    def say(text: str) -> None:
        if not quiet:
            typer.echo(f"motet: {text}", err=True)

    say("making two models with random weights")
    long, plain = ObjectiveConfig(), ObjectiveConfig(mix=1.0)
    with TrainingProcess(setting, long) as with_long, TrainingProcess(setting, plain) as without:
        speed = with_long.products_per_s()
        say(f"{repeats + 1} steps with LongCE and {repeats + 1} without, in turn")
        turns = take_turns(lambda: [with_long.step()], lambda: [without.step()], repeats)
        speed = max(speed, with_long.products_per_s())
        return {
            "turns": turns,
            "products_per_s": speed,
            "long_peak_bytes": with_long.peak_bytes(),
            "plain_peak_bytes": without.peak_bytes(),
        }


def _record(
    name: str, setting: Setting, work: StepWork, measured: dict[str, Any]
) -> dict[str, Any]:
    turns: Turns = measured["turns"]
    plain_s = turns.theirs_s or 0.0
    plain_limit_s = work.plain / measured["products_per_s"]
    long_limit_s = work.long / measured["products_per_s"]
    return {
        "model": {"name": name, "is_random": True},
        "setting": {
            "channels": list(setting.layout.names),
            "num_lines": setting.num_lines,
            "num_rows": setting.num_rows,
            "num_conversations": setting.num_conversations,
            "num_cells": setting.num_cells,
            "num_targets": setting.num_targets,
            "bfloat16": setting.bfloat16,
            "checkpointing": setting.checkpointing,
            "num_threads": setting.num_threads,
            "repeats": len(turns.ours),
        },
        "implied": asdict(work) | {"plain": work.plain, "long": work.long, "ratio": work.ratio},
        "measured": {
            "products_per_s": measured["products_per_s"],
            "plain_s": plain_s,
            "long_s": turns.ours_s,
            "ratio": turns.ratio,
            "ratios": list(turns.ratios),
            "plain_limit_s": plain_limit_s,
            "long_limit_s": long_limit_s,
            "plain_times_limit": plain_s / plain_limit_s,
            "long_times_limit": turns.ours_s / long_limit_s,
            "rows_per_s": setting.num_lines * setting.num_rows / plain_s,
            "cells_per_s": setting.num_cells / plain_s,
            "plain_peak_bytes": measured["plain_peak_bytes"],
            "long_peak_bytes": measured["long_peak_bytes"],
            "memory_ratio": measured["long_peak_bytes"] / measured["plain_peak_bytes"],
        },
    }


def _lines(name: str, setting: Setting, work: StepWork, measured: dict[str, Any]) -> list[str]:
    ratios = measured["ratios"]
    facts = [
        ("model", f"shape of {name}, RANDOM WEIGHTS, no model"),
        (
            "a step",
            f"{setting.num_lines} x {setting.num_rows:,} rows of {setting.layout.num_channels} "
            f"channels, {setting.num_conversations} to a line; {setting.num_targets:,} targets",
        ),
        (
            "implied",
            f"{work.plain / 1e9:,.0f} billion multiply-adds, with LongCE {work.ratio:.2f} times",
        ),
        (
            "large products",
            f"{measured['products_per_s'] / 1e9:.0f} billion multiply-adds/s, "
            f"{setting.num_threads} threads",
        ),
        (
            "without LongCE",
            f"{measured['plain_s']:.2f} s: {measured['plain_times_limit']:.2f} times the limit "
            f"{measured['plain_limit_s']:.2f} s; {measured['rows_per_s']:,.0f} rows/s",
        ),
        (
            "with LongCE",
            f"{measured['long_s']:.2f} s: {measured['long_times_limit']:.2f} times the limit "
            f"{measured['long_limit_s']:.2f} s",
        ),
        (
            "LongCE costs",
            f"{measured['ratio']:.2f} times the time ({min(ratios):.2f} to {max(ratios):.2f}), "
            f"{measured['memory_ratio']:.3f} times the peak memory",
        ),
        (
            "peak resident",
            f"{measured['plain_peak_bytes'] / 1e6:,.0f} MB, "
            f"with LongCE {measured['long_peak_bytes'] / 1e6:,.0f} MB",
        ),
    ]
    width = max(len(what) for what, _ in facts)
    return [f"{what:<{width}}  {printable(value)}" for what, value in facts]
