"""The command `motet`."""

from __future__ import annotations

import sys

import typer

from motet import __version__
from motet.cli.inspect import inspect
from motet.cli.run import run
from motet.errors import MotetError

app = typer.Typer(
    name="motet",
    help="Run multi-stream language models: one token per channel in every row.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(inspect)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"motet {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Run multi-stream language models: one token per channel in every row."""


def main() -> None:
    """Run the command line: 0 success, 2 a user's mistake in one line, 130 interrupted."""
    try:
        app(standalone_mode=True)
    except MotetError as error:
        typer.echo(f"motet: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("motet: interrupted", err=True)
        sys.exit(130)
