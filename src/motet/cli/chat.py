"""`motet chat`: talk with a model in this process, or with one behind a server.

Nothing of the engine is imported here: the first frame comes before that.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from motet.cli.local_venue import LocalVenue
from motet.cli.remote_venue import RemoteVenue
from motet.cli.token_book import TokenBook
from motet.errors import InputError
from motet.folders import state_folder
from motet.protocol.client_events import SessionCreate, SessionResume
from motet.protocol.knobs import KnobsChange, SettingsChange
from motet.tui.app import ChatApp
from motet.tui.themes import ThemeName

if TYPE_CHECKING:
    from motet.engine import Engine

_ADDRESS = re.compile(
    r"(https?|wss?)://.+|(localhost|[\w.-]+\.[\w.-]+|\[[0-9a-fA-F:]+\]):\d+(/.*)?"
)
_PACE = 20.0


def chat(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL|URL",
            help="A model directory, a GGUF file, or the address of a server.",
            show_default="motet-tiny",
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", envvar="MOTET_API_KEY", help="For a server that wants one."),
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Reopen the newest conversation of this place.")
    ] = False,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What the model reads before anything else.")
    ] = None,
    pace: Annotated[
        float,
        typer.Option(min=0, max=100_000, help="Rows a second at most; 0 is as fast as it goes."),
    ] = _PACE,
    temperature: Annotated[
        float | None, typer.Option(help="0 is greedy.", show_default="the model's own")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same rows.")
    ] = None,
    context_rows: Annotated[
        int | None, typer.Option(min=2, help="Rows that the model can look back on.")
    ] = None,
    context_policy: Annotated[
        Literal["end", "roll"] | None,
        typer.Option(help="When these are full: end, or roll on.", show_default="roll"),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Where conversations are kept; none keeps them in memory only.",
            show_default="motet/chat.sqlite in the state directory",
        ),
    ] = None,
    theme: Annotated[
        ThemeName | None,
        typer.Option(help="Colours; plain are the terminal's own.", show_default="what it can do"),
    ] = None,
    runtime: Annotated[
        Literal["auto", "native", "torch"], typer.Option(help="What computes.")
    ] = "auto",
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="Precision of a directory's weights.", show_default="float32"),
    ] = None,
    cache: Annotated[
        Literal["f16", "f32", "q8_0"] | None,
        typer.Option(help="Precision of keys and values (native runtime).", show_default="f16"),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads (native runtime).", show_default="all cores"),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Compute on this device of ggml, e.g. gpu; motet inspect lists them.",
            show_default="our own kernels on the processor",
        ),
    ] = None,
) -> None:
    """Talk with a model while it talks: a pane per channel, the score, and live controls.

    F1 in it is help. Conversations are kept, and reopened with Ctrl+O or --continue.
    """
    _check_terminal()
    state = state_folder()
    book = TokenBook(state / "tokens.sqlite")
    venue: LocalVenue | RemoteVenue
    if model is not None and _ADDRESS.fullmatch(model):
        chosen = (runtime != "auto", dtype, cache, threads, device, journal)
        if any(option not in (None, False) for option in chosen):
            raise InputError(
                "--runtime, --dtype, --cache, --threads, --device, --journal",
                expected="a model in this process", got=f"the server {model}",
            )  # fmt: skip
        venue = RemoteVenue(model, api_key, book)
    else:
        if api_key is not None and "MOTET_API_KEY" not in os.environ:
            raise InputError("--api-key", expected="the address of a server", got=f"{model}")

        def load() -> Engine[Any]:
            from motet.engine import load

            _log_to(state / "chat.log")
            opened = load if model is None else partial(load, model)
            return opened(runtime=runtime, dtype=dtype, cache=cache, threads=threads, device=device)

        path = state / "chat.sqlite" if journal is None else Path(journal).absolute()
        venue = LocalVenue(
            load, None if journal == "none" else path, book, is_default=journal is None
        )
    fresh = SessionCreate(
        settings=SettingsChange(
            sampling=KnobsChange(temperature=temperature), seed=seed, pace=pace
        ),
        context_rows=context_rows, context_policy=context_policy, system=system,
    )  # fmt: skip
    opening: SessionCreate | SessionResume = _newest(venue, book) if go_on else fresh
    app = ChatApp(venue, opening, fresh=fresh, theme=theme or _theme())
    asyncio.run(_run(app, venue))
    if app.talk.failure is not None and app.talk.conversation.session is None:
        raise app.talk.failure


async def _run(app: ChatApp, venue: LocalVenue | RemoteVenue) -> None:
    try:
        await app.run_async()
    finally:
        await venue.close()


def _log_to(path: Path) -> None:
    """Write what goes wrong inside, never what is said, to a file: the screen is taken."""
    from motet.server.logs import LogForm, LogLevel, configure_logs

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    configure_logs(LogForm.JSON, LogLevel.WARNING, path.open("a", encoding="utf-8"))


def _newest(venue: LocalVenue | RemoteVenue, book: TokenBook) -> SessionResume:
    kept = book.all(venue.place)
    if not kept:
        raise InputError("--continue", expected="a conversation that was kept", got="none")
    return SessionResume(token=kept[0].token)


def _check_terminal() -> None:
    """InputError where there is no screen to draw on."""
    got = None
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        got = "a pipe or a file"
    elif os.environ.get("TERM", "") in ("dumb", "unknown"):
        got = f"TERM={os.environ['TERM']}, which has no cursor to move"
    if got is not None:
        raise InputError("motet chat", expected="a terminal", got=got, fix="motet run needs none")


def _theme() -> ThemeName:
    """Our colours where the terminal has enough of them, its own ones elsewhere, or none."""
    has_colours = Console().color_system in ("truecolor", "256") and "NO_COLOR" not in os.environ
    return "dark" if has_colours else "plain"
