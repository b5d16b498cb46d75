"""The command `motet`."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from motet import __version__
from motet.cli.bench import bench
from motet.cli.convert import convert
from motet.cli.eval import evaluate
from motet.cli.inspect import inspect
from motet.cli.printable import printable
from motet.cli.run import run
from motet.errors import MotetError

INTERRUPTED = 130
_MISTAKE = MotetError.exit_code
_UsageError: Any = typer.BadParameter.__base__  # of the click that typer carries

app = typer.Typer(
    name="motet",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(inspect)
app.command()(convert)
app.add_typer(bench, name="bench")
app.add_typer(evaluate, name="eval")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"motet {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def options(
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
        code = app(list(arguments), prog_name="motet", standalone_mode=False)
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
