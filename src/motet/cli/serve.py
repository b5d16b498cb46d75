"""`motet serve`: a model for live sockets, OpenAI clients and the browser, until it is stopped."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from motet.cli.model_options import (
    CacheOption,
    ConvModeOption,
    DeviceOption,
    DtypeOption,
    RuntimeOption,
)
from motet.cli.opening import open_engine
from motet.errors import SettingError
from motet.formats.directory import EMBEDDED
from motet.protocol.printable import printable
from motet.runtime.opening import RuntimeName, spare_a_core
from motet.server.journal import default_journal
from motet.server.logs import LogForm, LogLevel, configure_logs


class ContextPolicy(StrEnum):
    """What a session does when its context is full."""

    END = "end"
    ROLL = "roll"


def serve(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=f"{EMBEDDED}, a model directory or a GGUF file.")
    ] = EMBEDDED,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Beyond loopback it takes an API key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")
    ] = 8440,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="A key that clients must show. Repeatable; better in MOTET_API_KEYS, with commas "
            "between, or in a file: other users of this machine can read a command line.",
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with a key a line.")
    ] = None,
    allow_open: Annotated[
        bool, typer.Option("--allow-open", help="Listen beyond loopback without a key.")
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Let pages of https://host[:port] in. Repeatable."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name this server is reached by. Repeatable."),
    ] = None,
    max_sessions: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Sessions that decode at the same time.")
    ] = 64,
    max_waiting: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Sessions that may wait in line for that.")
    ] = 64,
    context_rows: Annotated[
        int | None,
        typer.Option(
            min=2, help="Rows of a session that asks for none.", show_default="2048, or all"
        ),
    ] = None,
    max_context_rows: Annotated[
        int | None,
        typer.Option(
            min=2, help="Rows that a session may ask for.", show_default="what the model can hold"
        ),
    ] = None,
    context_policy: Annotated[
        ContextPolicy, typer.Option(help="When the context is full: end, or roll on.")
    ] = ContextPolicy.ROLL,
    idle: Annotated[
        float,
        typer.Option(min=1, metavar="S", help="Sessions without a client leave memory after this."),
    ] = 300.0,
    journal: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Where conversations are kept; none keeps them in memory only.",
            show_default="motet/journal.sqlite in the state directory",
        ),
    ] = None,
    drain: Annotated[
        float, typer.Option(min=0, metavar="S", help="How long turns may go on once stopped.")
    ] = 10.0,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests a second of one client; 0 is without limit.")
    ] = 100.0,
    runtime: RuntimeOption = RuntimeName.AUTO,
    dtype: DtypeOption = None,
    cache: CacheOption = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads (native runtime).",
            show_default="all cores, for a small model all but one",
        ),
    ] = None,
    device: DeviceOption = None,
    conv_mode: ConvModeOption = None,
    log_format: Annotated[
        LogForm, typer.Option(help="Of the log on stderr; auto is text in a terminal, else JSON.")
    ] = LogForm.AUTO,
    log_level: Annotated[LogLevel, typer.Option(help="What is logged: this and graver.")] = (
        LogLevel.INFO
    ),
) -> None:
    """Serve a model: live sockets at /v1/live, the OpenAI API at /v1, a page at /.

    SIGTERM or Ctrl-C: turns that run may end within --drain seconds, then it exits with 0.
    """
    from motet.server.config import DEFAULT_CONTEXT_ROWS, ServerConfig
    from motet.server.running import LiveServer, listen, url_of
    from motet.server.safety_keys import read_keys
    from motet.server.safety_origin import check_host_name, check_origin, is_loopback

    keys = read_keys(api_key or [], api_key_file, os.environ)
    console, complaints = Console(highlight=False), Console(stderr=True, highlight=False)
    if not (is_loopback(host) or keys or allow_open):
        raise SettingError(
            f"--host {host}", expected="an API key, as others can reach this address", got="none",
            fix="set MOTET_API_KEYS or give --allow-open",
        )  # fmt: skip
    config = ServerConfig(
        host=host, port=port, api_keys=keys, allow_open=allow_open,
        allow_origins=tuple(map(check_origin, allow_origin or ())),
        allow_hosts=tuple(map(check_host_name, allow_host or ())),
        max_sessions=max_sessions, max_waiting=max_waiting,
        context_rows=DEFAULT_CONTEXT_ROWS if context_rows is None else context_rows,
        max_context_rows=max_context_rows,
        context_policy=context_policy.value,
        idle_s=idle, journal=_journal(journal), drain_s=drain, rate=rate,
    )  # fmt: skip
    configure_logs(log_format, log_level)
    with listen(config) as bound:
        engine = open_engine(
            model, runtime, dtype, conv_mode, cache=cache, threads=threads, device=device
        )
        spare_a_core(engine.runtime)
        server = LiveServer(config, engine, bound)

        def tell() -> None:
            if not is_loopback(host):
                danger = "all of it unencrypted without a TLS proxy" if keys else "by anybody"
                line = f"warning: this server can be used from other machines, {danger}"
                complaints.print(line, style="yellow", soft_wrap=True)
            line = f"{printable(engine.name)} is served at {url_of(bound)}"
            line += " (Ctrl-C stops it)" if console.is_terminal else ""
            console.print(line, soft_wrap=True)

        server.run_until_stopped(tell)


def _journal(option: str | None) -> Path | None:
    """Where the journal is: as asked, else in the state directory; None for `none`."""
    if option is not None:
        return None if option == "none" else Path(option)
    path = default_journal()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
