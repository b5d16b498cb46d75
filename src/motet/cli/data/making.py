"""What all commands that make datasets share: how many processes, progress, the last line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from motet.protocol.printable import printable

if TYPE_CHECKING:
    from motet.data.building import Building, Record
    from motet.data.spread import Advance, Part

TargetArgument = Annotated[
    Path, typer.Argument(metavar="OUT", help="The directory of the new dataset.")
]
ProcessesOption = Annotated[
    int, typer.Option(min=1, help="How many processes make it; the result is the same.")
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", show_default=False,
        help="Make it on the Ray cluster at ADDRESS, or 'local'; needs the extra [ray].",
    ),
]  # fmt: skip
_LINE_EVERY_S = 10.0


def make(
    building: Building[Any],
    num_parts: int,
    part: Part,
    *,
    num_processes: int,
    ray: str | None,
) -> None:
    """Make a dataset, follow it on stderr, and say on stdout what it became."""
    from motet.data.cluster import spread_on_cluster
    from motet.data.spread import spread

    start = time.monotonic()
    was_finished = building.is_finished
    with _following(building, num_parts) as advance:
        if ray is not None:
            address = None if ray == "local" else ray
            done = spread_on_cluster(building, num_parts, part, address=address, advance=advance)
        else:
            done = spread(building, num_parts, part, num_processes=num_processes, advance=advance)
    when = "there already" if was_finished else f"in {time.monotonic() - start:.1f} s"
    typer.echo(
        f"{printable(str(building.path))}: {done.num_conversations:,} conversations, "
        f"{done.num_rows:,} rows, shards: {len(done.shards)}, {when}"
    )
    for reason, count in done.left_out.items():
        typer.echo(f"left out, {printable(reason)}: {count:,}")


@contextmanager
def _following(building: Building[Any], num_parts: int) -> Iterator[Advance]:
    """Follow shards on stderr: a bar in a terminal, now and then a line elsewhere."""
    done = num_parts
    if not building.is_finished:
        done = sum(building.record(index) is not None for index in range(num_parts))
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(console, num_parts, done).advance
        return
    columns = [TextColumn("shards"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("shards", total=num_parts, completed=done)
        yield lambda _: bar.advance(task)


class _Lines:
    """`made 3 of 8 shards, 24,000 conversations, 40 s left`, at most every 10 seconds."""

    def __init__(self, console: Console, total: int, num_before: int) -> None:
        self._console = console
        self._total = total
        self._num_before = self._num_done = num_before
        self._num_conversations = 0
        self._start = self._last_line = time.monotonic()
        if 0 < num_before < total:
            self._print(f"{num_before} of {total} shards are there already")

    def advance(self, record: Record) -> None:
        """One more shard is done."""
        self._num_done += 1
        self._num_conversations += record.shard.num_conversations if record.shard else 0
        now = time.monotonic()
        if now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            each_s = (now - self._start) / (self._num_done - self._num_before)
            self._print(
                f"made {self._num_done} of {self._total} shards, {self._num_conversations:,} "
                f"conversations, {each_s * (self._total - self._num_done):.0f} s left"
            )

    def _print(self, text: str) -> None:
        self._console.file.write(f"motet: {text}\n")
        self._console.file.flush()
