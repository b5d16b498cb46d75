"""How far attempts are, on stderr, and what came of them: shared by what asks models for data."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from motet.protocol.printable import printable

__all__ = ["Say", "following", "show_outcomes"]

LINE_EVERY_S = 10.0
_KEPT = "kept"

Say = Callable[[int, str], None]
"""Told after each attempt: how many are kept, and the rest in words."""


@contextmanager
def following(what: str, num_wanted: int, num_kept: int) -> Iterator[Say]:
    """Follow on stderr how many of `num_wanted` there are: a bar, or now and then a line."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(console, what, num_wanted)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[rest]}"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=num_wanted, completed=num_kept, rest="")
        yield lambda kept, rest: bar.update(task, completed=kept, rest=printable(rest))


class _Lines:
    """`keeping 12 of 500 (3 dropped, 40 requests)`, at most every 10 seconds."""

    def __init__(self, console: Console, what: str, num_wanted: int) -> None:
        self._console = console
        self._what = what
        self._num_wanted = num_wanted
        self._last_line = time.monotonic()

    def __call__(self, num_kept: int, rest: str) -> None:
        now = time.monotonic()
        if now - self._last_line < LINE_EVERY_S:
            return
        self._last_line = now
        line = f"motet: {self._what} {num_kept} of {self._num_wanted} ({printable(rest)})\n"
        self._console.file.write(line)
        self._console.file.flush()


def show_outcomes(outcomes: Counter[str], meanings: Mapping[str, str]) -> None:
    """A table of what came of all attempts, what was kept first, then by number."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_column(style="dim")
    order = sorted(outcomes.items(), key=lambda item: (item[0] != _KEPT, -item[1], item[0]))
    for outcome, number in order:
        table.add_row(f"{number:,}", outcome, meanings.get(outcome, ""))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 100
    console.print(table)
    typer.echo()
