"""`motet run`: one message to a model and its channels as they come, or a file of messages."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from motet.cli.batch import check_files, decode_file
from motet.cli.json_line import json_line
from motet.cli.knobs import channel_sampling, global_sampling, silence_rules
from motet.cli.model_options import (
    CacheOption,
    ConvModeOption,
    DeviceOption,
    DtypeOption,
    RuntimeOption,
)
from motet.cli.opening import open_engine, open_session
from motet.cli.provenance import model_fingerprint
from motet.cli.show import Nothing, Screen, screen_for, summary
from motet.engine import Engine, Feed, Reply, Sampling, Settings
from motet.engine.message import check_message
from motet.engine.reply import reply_of
from motet.errors import InputError
from motet.formats.directory import EMBEDDED
from motet.runtime.directory import find, read_source
from motet.runtime.opening import RuntimeName
from motet.streams.layout import Layout

_BATCH_SIZE = 32
_USUAL = Settings()
_MODELS_OWN = "the model's own, else "


def run(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help=f"{EMBEDDED}, a model directory or a GGUF file; may be left out.",
            show_default=EMBEDDED,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            help="The message. A lone - reads it from standard input, without the newline that "
            "ends it. After -- it may begin with a dash.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="FILE",
            help='JSONL of {"id", "text"} to decode in batches, in place of TEXT.',
        ),
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="JSONL that results are appended to; started again, a run goes on from there.",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Sessions at once with --input.", show_default=str(_BATCH_SIZE)),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same rows.")
    ] = 0,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Rows of the turn at most, the message included.")
    ] = 512,
    feed: Annotated[
        Feed | None,
        typer.Option(
            help="Read the message live, a token a row, or all at once before anyone speaks.",
            show_default="live if the model has an input channel, else prefill",
        ),
    ] = None,
    ablate: Annotated[
        list[str] | None,
        typer.Option(metavar="CHANNEL", help="Keep a channel silent. Repeatable."),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="0 is greedy.", show_default=_MODELS_OWN + "0.6"),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            help="Draw from the k likeliest tokens; 0 is off.", show_default=_MODELS_OWN + "20"
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            help="Draw from the likeliest tokens that make up this share; 1 is off.",
            show_default=_MODELS_OWN + "0.95",
        ),
    ] = None,
    min_p: Annotated[
        float | None,
        typer.Option(
            help="Leave out tokens below this share of the likeliest one; 0 is off.",
            show_default=_MODELS_OWN + "0",
        ),
    ] = None,
    repetition_penalty: Annotated[
        float | None,
        typer.Option(
            help="Above 1, tokens a channel has said become less likely; 1 is off.",
            show_default=_MODELS_OWN + "1",
        ),
    ] = None,
    presence_penalty: Annotated[
        float | None,
        typer.Option(
            help="Taken off the logits of tokens that a channel has sampled; 0 is off.",
            show_default="0",
        ),
    ] = None,
    frequency_penalty: Annotated[
        float | None,
        typer.Option(help="Taken off them for each time that it has; 0 is off.", show_default="0"),
    ] = None,
    sampling: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL:KNOB=VALUE,...",
            help="Knobs of one channel, e.g. Think:temperature=0.3,top_k=5. Repeatable.",
        ),
    ] = None,
    silence_penalty_output: Annotated[
        float | None,
        typer.Option(
            help="Taken off Output's silence logit once the User is silent.",
            show_default=f"{_USUAL.silence_penalty_output}",
        ),
    ] = None,
    silence_penalty_thought: Annotated[
        float | None,
        typer.Option(
            help="The same for the thought channels.",
            show_default=f"{_USUAL.silence_penalty_thought}",
        ),
    ] = None,
    quiet_rows: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Output has spoken and all are silent for so many rows: the end.",
            show_default=f"{_USUAL.quiet_rows}",
        ),
    ] = None,
    mute_rows: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Nobody has spoken for so many rows: the end.",
            show_default=f"{_USUAL.mute_rows}",
        ),
    ] = None,
    runtime: RuntimeOption = RuntimeName.AUTO,
    dtype: DtypeOption = None,
    cache: CacheOption = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads (native runtime).", show_default="all cores"),
    ] = None,
    device: DeviceOption = None,
    conv_mode: ConvModeOption = None,
) -> None:
    """Give a model a message and show its channels as they come.

    With --input and --output, decode a file of messages instead.
    """
    if input_file is None and output_file is None:
        if batch_size is not None:
            raise InputError("--batch-size", expected="--input with it", got="none")
        model, message = _model_and_message(model, text)
    elif input_file is None or output_file is None:
        raise InputError("--input and --output", expected="both or neither", got="one")
    else:
        if text is not None or as_json:
            got = "a TEXT" if text is not None else "--json"
            raise InputError("arguments", expected="at most MODEL with --input", got=got)
        model = EMBEDDED if model is None else model
        check_files(input_file, output_file)
    knobs = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "presence_penalty": presence_penalty,
        "frequency_penalty": frequency_penalty,
    }
    rules = {
        "silence_penalty_output": silence_penalty_output,
        "silence_penalty_thought": silence_penalty_thought,
        "quiet_rows": quiet_rows,
        "mute_rows": mute_rows,
    }

    def settings_for(layout: Layout, usual: Sampling) -> Settings:
        """The settings asked for, on top of the usual sampling of a model of `layout`."""
        base = global_sampling(usual, knobs)
        settings = dataclasses.replace(
            _USUAL,
            sampling=base,
            channel_sampling=channel_sampling(base, sampling or []),
            seed=seed,
            max_rows=max_rows,
            feed=feed,
            ablate=frozenset(ablate or ()),
            **silence_rules(layout, rules),
        )
        settings.check_against(layout)
        return settings

    settings_for(read_source(model).layout, _USUAL.sampling)  # mistakes, before weights are read
    engine = open_engine(
        model, runtime, dtype, conv_mode, cache=cache, threads=threads, device=device
    )
    settings = settings_for(engine.codec.layout, engine.sampling)
    if input_file is not None and output_file is not None:
        decode_file(
            engine,
            settings,
            input_file,
            output_file,
            batch_size=_BATCH_SIZE if batch_size is None else batch_size,
            meta={
                "model": engine.name,
                "model_fingerprint": model_fingerprint(find(model)),
                "dtype": None if dtype is None else dtype.value,
                "cache": None if cache is None else cache.value,
                **({} if device is None else {"device": device}),
                "conv_mode": engine.runtime.layout.conv_mode.value,
                "settings": settings.to_json(),
            },
            console=Console(stderr=True),
        )
    elif as_json:
        reply = _answer(engine, settings, message, Nothing())
        typer.echo(json_line(reply.to_json(), ascii_only=sys.stdout.encoding.lower() != "utf-8"))
    else:
        console = Console(highlight=False)
        screen = screen_for(console, engine.codec.layout)
        reply = _answer(engine, settings, message, screen)
        console.print(summary(reply, engine.codec.layout), style="dim", soft_wrap=True)


def _answer(engine: Engine[Any], settings: Settings, message: str, screen: Screen) -> Reply:
    """Give the message to a new session and show its rows until the turn is over."""
    session = open_session(engine, settings)
    session.give(message)
    start = time.perf_counter()
    with screen:
        for row in engine.stream(session):
            screen.add(row)
    return reply_of(session, engine.name, time.perf_counter() - start)


def _model_and_message(first: str | None, second: str | None) -> tuple[str, str]:
    """MODEL and TEXT, of which MODEL may be left out; the text is read and checked."""
    model, text = (EMBEDDED, first) if second is None else (first or "", second)
    if text is None or (second is None and _names_a_model(text)):
        got = "none" if text is None else f"only the model {text!r}"
        raise InputError("arguments", expected="a TEXT", got=got, fix="see motet run --help")
    if text == "-":
        text = _standard_input()
    check_message(text)
    return model, text


def _names_a_model(argument: str) -> bool:
    try:
        return argument == EMBEDDED or (Path(argument) / "config.json").is_file()
    except OSError:  # a text that is too long for a path
        return False


def _standard_input() -> str:
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("standard input", expected="UTF-8 text", got=error) from None
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
