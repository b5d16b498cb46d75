"""`motet run`: one message to a model and its channels as they come, or a file of messages."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from motet.cli.batch import decode_file
from motet.cli.knobs import channel_sampling, global_sampling
from motet.cli.show import LivePanels, PlainLines, summary
from motet.engine import Engine, Feed, Settings, load
from motet.engine.reply import reply_of
from motet.errors import InputError
from motet.runtime.directory import EMBEDDED
from motet.runtime.opening import Dtype, RuntimeName
from motet.streams.layout import ConvMode


def run(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL] TEXT", help="The message; - reads it from standard input."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    input_file: Annotated[
        Path | None, typer.Option("--input", help='JSONL of {"id", "text"} to decode in batches.')
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", help="JSONL to append results to; resumes.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Sessions at once with --input.")] = 32,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    max_rows: Annotated[int, typer.Option(min=1, help="Rows of the turn at most.")] = 512,
    feed: Annotated[
        Feed | None, typer.Option(help="Read the message live, or all at once first.")
    ] = None,
    ablate: Annotated[
        list[str] | None, typer.Option(help="Keep this channel silent (repeatable).")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy.")] = None,
    top_k: Annotated[int | None, typer.Option(help="0 is off.")] = None,
    top_p: Annotated[float | None, typer.Option(help="1 is off.")] = None,
    min_p: Annotated[float | None, typer.Option(help="0 is off.")] = None,
    repetition_penalty: Annotated[float | None, typer.Option(help="1 is off.")] = None,
    sampling: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL:KNOB=VALUE,...",
            help="Knobs of one channel, e.g. Think:temperature=0.3,top_k=5 (repeatable).",
        ),
    ] = None,
    silence_penalty_output: Annotated[float, typer.Option()] = 1.0,
    silence_penalty_thought: Annotated[float, typer.Option()] = 1.0,
    quiet_rows: Annotated[
        int, typer.Option(min=1, help="All silent for so many rows ends a turn.")
    ] = 8,
    mute_rows: Annotated[
        int, typer.Option(min=1, help="Nobody speaking for so many rows ends a turn.")
    ] = 64,
    runtime: Annotated[RuntimeName, typer.Option()] = RuntimeName.AUTO,
    dtype: Annotated[Dtype, typer.Option()] = Dtype.FLOAT32,
    conv_mode: Annotated[
        ConvMode | None, typer.Option(help="In place of what the model's layout says.")
    ] = None,
) -> None:
    """Give a model a message and show its channels as they come."""
    model, text = _model_and_text(arguments or [], has_file=input_file is not None)
    if (input_file is None) != (output_file is None):
        raise InputError("--input and --output", expected="both or neither", got="one")
    engine = load(model, runtime=runtime, dtype=dtype, conv_mode=conv_mode)
    knobs = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
    }
    base = global_sampling(engine.sampling, knobs)
    settings = Settings(
        sampling=base,
        channel_sampling=channel_sampling(base, sampling or []),
        silence_penalty_output=silence_penalty_output,
        silence_penalty_thought=silence_penalty_thought,
        seed=seed,
        max_rows=max_rows,
        quiet_rows=quiet_rows,
        mute_rows=mute_rows,
        feed=feed,
        ablate=frozenset(ablate or ()),
    )
    settings.check_against(engine.codec.layout)
    if input_file is not None and output_file is not None:
        decode_file(engine, settings, input_file, output_file, batch_size)
    elif as_json:
        reply = engine.ask(text, settings)
        typer.echo(json.dumps(reply.to_json(), ensure_ascii=False))
    else:
        _show(engine, settings, text)


def _show(engine: Engine[Any], settings: Settings, text: str) -> None:
    session = engine.open(settings)
    session.give(text)
    console = Console(highlight=False)
    screen_type = LivePanels if console.is_terminal else PlainLines
    start = time.perf_counter()
    with screen_type(console, engine.codec.layout) as screen:
        for row in engine.stream(session):
            screen.add(row)
    reply = reply_of(session, engine.name, time.perf_counter() - start)
    console.print(summary(reply), style="dim", soft_wrap=True)


def _model_and_text(arguments: list[str], *, has_file: bool) -> tuple[str, str]:
    if has_file:
        if len(arguments) > 1:
            raise InputError("arguments", expected="at most MODEL with --input", got=arguments)
        return (arguments[0] if arguments else EMBEDDED), ""
    if not 1 <= len(arguments) <= 2:
        raise InputError("arguments", expected='[MODEL] "TEXT"', got=f"{len(arguments)} arguments")
    text = arguments[-1]
    if text == "-":
        try:
            text = sys.stdin.buffer.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError("standard input", expected="UTF-8 text", got=error) from None
    return (arguments[0] if len(arguments) == 2 else EMBEDDED), text
