"""What all measurements of `motet eval` share: progress on stderr, and how a figure was made."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from motet import __version__
from motet.bench.hardware import read_hardware

Begin = Callable[[str, int], Callable[[], None]]
"""Told what is about to be done in how many parts; what it returns is called after each."""


def provenance(*, secret: str | None = None) -> dict[str, Any]:
    """Command, date, version and hardware of the figures that stand beside them.

    secret: what of the command line is to be stars.
    """
    words = [word if secret is None else word.replace(secret, "***") for word in sys.argv[1:]]
    return {
        "command": shlex.join(["motet", *words]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "motet": __version__,
        "hardware": read_hardware().to_json(),
    }


@contextmanager
def measuring() -> Iterator[Begin]:
    """Say on stderr what is being measured: bars in a terminal, lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _say
        return
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    with Progress(*columns, console=console, transient=True) as bars:

        def begin(what: str, num_parts: int) -> Callable[[], None]:
            task = bars.add_task(what, total=num_parts)
            return lambda: bars.advance(task)

        yield begin


def _say(what: str, _: int) -> Callable[[], None]:
    typer.echo(f"motet: measuring {what}", err=True)
    return lambda: None
