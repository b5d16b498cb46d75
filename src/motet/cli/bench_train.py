"""`motet bench train`: a step of training with LongCE and without, against its arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from motet.bench.hardware import num_cores
from motet.bench.shape import SHAPES, shape_named
from motet.bench.turns import take_turns
from motet.bench.vocabulary import channels_layout
from motet.cli.json_line import json_line
from motet.cli.measuring import provenance
from motet.errors import BenchError
from motet.formats.directory import EMBEDDED
from motet.formats.hyperparameters import Architecture, Hyperparameters
from motet.protocol.printable import printable
from motet.runtime.directory import name_of, numbers_of, read_source
from motet.streams.layout import Layout

if TYPE_CHECKING:
    from motet.train.speed import Comparison, Seconds, Setting

_TRAINABLE = (Architecture.LFM2_MOE, Architecture.LFM2, Architecture.QWEN3)


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
    from motet.train.speed import Setting  # loads torch

    if model is not None and shape is not None:
        raise BenchError("bench train", expected="MODEL or --shape", got="both")
    name, numbers, layout = _shape_of(model, shape)
    if numbers.architecture not in _TRAINABLE:
        raise BenchError(name, expected=" or ".join(_TRAINABLE), got=numbers.architecture)
    if rows > numbers.context_rows:
        raise BenchError("--rows", expected=f"at most {numbers.context_rows}", got=rows)
    if conversations > rows // 2:
        raise BenchError("--conversations", expected=f"at most {rows // 2}", got=conversations)
    setting = Setting(
        numbers=numbers,
        layout=layout if channels is None else channels_layout(channels),
        num_lines=lines,
        num_rows=rows,
        num_conversations=conversations,
        bfloat16=bfloat16,
        checkpointing=checkpointing,
        num_threads=threads or num_cores(),
    )
    compared = _compare(setting, repeats, quiet=json_only)
    if not json_only:
        facts = [("model", f"shape of {name}, RANDOM WEIGHTS, no model"), *compared.lines()]
        width = max(len(what) for what, _ in facts)
        for what, value in facts:
            typer.echo(f"{what:<{width}}  {printable(value)}")
    record = {"model": {"name": name, "is_random": True}} | compared.to_json()
    typer.echo(json_line(provenance() | record))


def _shape_of(model: str | None, shape: str | None) -> tuple[str, Hyperparameters, Layout]:
    """What to measure: its name, its numbers, its layout."""
    if shape is not None:
        return shape, shape_named(shape), channels_layout(4)
    source = read_source(model or EMBEDDED)
    return name_of(source), numbers_of(source), source.layout


def _compare(setting: Setting, repeats: int, *, quiet: bool) -> Comparison:
    """Two processes in turn, each with a model of its own; the first steps do not count."""
    from motet.train.objective.config import ObjectiveConfig
    from motet.train.speed import Comparison, Side, TrainingProcess, step_work

    def say(text: str) -> None:
        if not quiet:
            typer.echo(f"motet: {text}", err=True)

    work = step_work(setting)
    steps: dict[str, list[Seconds]] = {"long": [], "plain": []}
    say("making two models with random weights")
    with (
        TrainingProcess(setting, ObjectiveConfig()) as long,
        TrainingProcess(setting, ObjectiveConfig(mix=1.0)) as plain,
    ):

        def step(side: str, process: TrainingProcess) -> list[float]:
            steps[side].append(process.step())
            return [steps[side][-1].wall]

        product_s = plain.product_s()
        say(f"{repeats + 1} steps with LongCE and {repeats + 1} without, in turn")
        take_turns(lambda: step("long", long), lambda: step("plain", plain), repeats)
        product_s = min(product_s, plain.product_s(), key=lambda seconds: seconds.cpu)
        return Comparison(
            setting,
            work,
            long=Side(tuple(steps["long"][1:]), work.long, product_s, long.peak_bytes()),
            plain=Side(tuple(steps["plain"][1:]), work.plain, product_s, plain.peak_bytes()),
        )
