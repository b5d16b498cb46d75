"""The command `motet`.

A command is imported when it is the one that was asked for: `motet chat` shows its first frame
before anything of the engine is read.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from motet import __version__
from motet.errors import MotetError
from motet.protocol.printable import printable

INTERRUPTED = 130
_MISTAKE = MotetError.exit_code
_UsageError: Any = typer.BadParameter.__base__  # of the click that typer carries

_COMMANDS = {
    "run": "motet.cli.run:run",
    "chat": "motet.cli.chat:chat",
    "serve": "motet.cli.serve:serve",
    "inspect": "motet.cli.inspect:inspect",
    "convert": "motet.cli.convert:convert",
    "bench": "motet.cli.bench:bench",
    "eval": "motet.cli.eval:evaluate",
    "memory": "motet.cli.memory:memory",
    "data": "motet.cli.data:data",
    "train": "motet.cli.train:train",
    "sessions": "motet.cli.sessions:sessions",
}
"""Where each command is; a module is imported only for its own command, or to list them all."""


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"motet {__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Run multi-stream language models: one token per channel in every row."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _app_for(arguments: Sequence[str]) -> typer.Typer:
    """The command line with the command that `arguments` name, or with all of them."""
    app = typer.Typer(
        name="motet",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(_options)
    is_known = bool(arguments) and arguments[0] in _COMMANDS
    for name in arguments[:1] if is_known else _COMMANDS:
        module, _, attribute = _COMMANDS[name].partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    """Run the command line of this process, without what libraries warn about."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack characters
            stream.reconfigure(errors="replace")
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run one command; its exit code.

    0 success, 1 whoever read the output has gone, 2 a mistake told in one line, 130 interrupted.
    """
    try:
        code = _app_for(arguments)(list(arguments), prog_name="motet", standalone_mode=False)
    except MotetError as error:
        return _fail(str(error), error.exit_code)
    except _UsageError as error:
        command = error.ctx.command_path if error.ctx else "motet"
        return _fail(f"{error.format_message().rstrip('.')}; see {command} --help", _MISTAKE)
    except OSError as error:  # a full disk, a folder that may not be read
        return _fail(str(error), _MISTAKE)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        return _fail("interrupted", INTERRUPTED)
    return code or 0


def _fail(reason: str, code: int) -> int:
    typer.echo("motet: " + printable(" ".join(reason.split())), err=True)
    return code
