"""The options that all commands share which ask questions; a command gets them as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from motet.cli.model_options import DeviceOption
from motet.engine import Feed, Settings
from motet.errors import InputError
from motet.runtime.opening import CacheType, Dtype, RuntimeName
from motet.streams.layout import ConvMode

__all__ = ["API_KEY", "AskingOptions", "ServerApi", "with_asking_options"]

API_KEY = "MOTET_API_KEY"
_USUAL = Settings()
_MODELS_OWN = "the model's own"


class ServerApi(StrEnum):
    """How a server is asked: `live` sees every row, `chat` is OpenAI's chat completions."""

    LIVE = "live"
    CHAT = "chat"


@dataclass(frozen=True)
class AskingOptions:
    """What to ask how often, and how the model decodes. None: the model's own, or the usual."""

    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSONL that trials are appended to; started again, it goes on from there.",
        ),
    ] = None
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with plots.")
    ] = None
    limit: Annotated[
        int | None, typer.Option(min=1, help="The first so many questions.", show_default="all")
    ] = None
    samples: Annotated[int, typer.Option(min=1, help="Times that each is asked.")] = 1
    seed: Annotated[int, typer.Option(min=0, help="Of all samples.")] = 0
    batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Sessions at once.")] = 32
    prompt: Annotated[
        str, typer.Option(metavar="TEXT", help="What to ask, with {question} in it.")
    ] = "{question}"
    answer_after: Annotated[
        str | None,
        typer.Option(metavar="MARK", help="The reply is what Output says behind this mark."),
    ] = None
    json_only: Annotated[bool, typer.Option("--json", help="Print only the JSON line.")] = False
    max_rows: Annotated[int, typer.Option(min=1, help="Rows of a turn at most.")] = _USUAL.max_rows
    feed: Annotated[
        Feed | None,
        typer.Option(
            help="Read questions a token a row, or all at once.",
            show_default="live if the model has an input channel",
        ),
    ] = None
    ablate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL",
            help="Keep a channel silent. Repeatable.",
        ),
    ] = None
    temperature: Annotated[
        float | None,
        typer.Option(help="0 is greedy.", show_default=_MODELS_OWN),
    ] = None
    top_k: Annotated[int | None, typer.Option(show_default=_MODELS_OWN)] = None
    top_p: Annotated[float | None, typer.Option(show_default=_MODELS_OWN)] = None
    min_p: Annotated[float | None, typer.Option(show_default=_MODELS_OWN)] = None
    repetition_penalty: Annotated[float | None, typer.Option(show_default=_MODELS_OWN)] = None
    sampling: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL:KNOB=VALUE,...",
            help="Knobs of one channel. Repeatable.",
        ),
    ] = None
    silence_penalty_output: Annotated[
        float | None,
        typer.Option(show_default=f"{_USUAL.silence_penalty_output}"),
    ] = None
    silence_penalty_thought: Annotated[
        float | None,
        typer.Option(show_default=f"{_USUAL.silence_penalty_thought}"),
    ] = None
    quiet_rows: Annotated[
        int | None,
        typer.Option(min=1, show_default=f"{_USUAL.quiet_rows}"),
    ] = None
    mute_rows: Annotated[
        int | None,
        typer.Option(min=1, show_default=f"{_USUAL.mute_rows}"),
    ] = None
    plain: Annotated[
        bool,
        typer.Option(
            "--plain",
            help="Ask a one-channel model the text as it is, not through its chat template.",
        ),
    ] = False
    runtime: Annotated[RuntimeName, typer.Option(help="What computes.")] = RuntimeName.AUTO
    dtype: Annotated[
        Dtype | None,
        typer.Option(show_default=Dtype.FLOAT32.value),
    ] = None
    cache: Annotated[
        CacheType | None,
        typer.Option(show_default=CacheType.F16.value),
    ] = None
    threads: Annotated[int | None, typer.Option(min=1, show_default="all cores")] = None
    device: DeviceOption = None
    conv_mode: Annotated[
        ConvMode | None,
        typer.Option(show_default="what the layout says"),
    ] = None
    api: Annotated[
        ServerApi | None,
        typer.Option(help="How a server is asked.", show_default=ServerApi.LIVE.value),
    ] = None
    model_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of the model to ask a server for, with --api chat.",
            show_default="the server's first",
        ),
    ] = None
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            envvar=API_KEY,
            help="For a server that wants one.",
        ),
    ] = None

    def __post_init__(self) -> None:
        if "{question}" not in self.prompt:
            raise InputError("--prompt", expected="{question} in it", got=repr(self.prompt))
        if self.answer_after == "":
            raise InputError("--answer-after", expected="a mark", got="nothing")
        if self.report is not None and self.report.suffix != ".html":
            raise InputError("--report", expected="a file ending in .html", got=self.report)
        for option, file in (("--output", self.output), ("--report", self.report)):
            if file is not None and not file.parent.is_dir():
                raise InputError(
                    option, expected="a file in a folder that exists", got=f"no {file.parent}"
                )
            if file is not None and file.exists() and not file.is_file():
                raise InputError(option, expected="a file", got=f"{file}: no regular file")


def with_asking_options(
    command: Callable[..., None], without: Collection[str] = ()
) -> Callable[..., None]:
    """The command with all options of `AskingOptions`, which it gets as its argument `options`.

    without: fields that are no options of this command and keep their defaults.
    """
    hints = get_type_hints(AskingOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name]
        )
        for f in fields(AskingOptions)
        if f.name not in without
    ]
    own_hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=own_hints[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "options"
    ]

    def run(**given: Any) -> None:
        options = AskingOptions(**{p.name: given.pop(p.name) for p in shared})
        command(**given, options=options)

    signature: Any = inspect.Signature([*own, *shared])
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    run.__signature__ = signature  # type: ignore[attr-defined]
    return run
