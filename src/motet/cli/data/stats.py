"""`motet data stats`: what a dataset is like, in numbers and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from motet.cli.data.attempting import following
from motet.cli.data.reading import RayReadersOption, ReadersOption, readers
from motet.cli.json_line import json_line
from motet.errors import SettingError
from motet.protocol.printable import printable

if TYPE_CHECKING:
    from collections import Counter

    from motet.data.stats.statistics import Statistics

_PLAIN_WIDTH = 100
_NUM_EXAMPLES = 4


def stats(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Tables or grids.")],
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Draw fill, who speaks when, lag and lengths as PNG files there.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        int, typer.Option(min=0, help="First conversation that is drawn as a score.")
    ] = 0,
    json_only: Annotated[bool, typer.Option("--json", help="Print only the JSON line.")] = False,
    processes: ReadersOption = 1,
    ray: RayReadersOption = None,
) -> None:  # fmt: skip
    """Measure how much each channel says, who speaks when, how long replies wait, and lengths.

    Ends with one line of JSON, in which the curves of the pictures stand too.
    """
    from motet.data.stats import measure, statistics_json
    from motet.data.stats.reading import num_shards

    with following("reading shards", num_shards(dataset), 0) as say:
        found = measure(
            dataset, each=readers(processes, ray),
            advance=lambda shards, number: say(shards, f"{number:,} conversations"),
        )  # fmt: skip
    drawn: list[Path] = []
    if pictures is not None:
        if example and example >= found.num_conversations:
            got = f"{example} of {found.num_conversations}"
            raise SettingError("--example", expected="a conversation that is there", got=got)
        drawn = _draw(found, dataset, example, pictures)
    if not json_only:
        _show(found, str(dataset))
        for path in drawn:
            typer.echo(f"drew {printable(str(path))}")
    typer.echo(json_line({"dataset": str(dataset), **statistics_json(found)}))


def _draw(found: Statistics, dataset: Path, example: int, folder: Path) -> list[Path]:
    from motet.data.stats.pictures import draw
    from motet.data.stats.reading import timelines_from

    return draw(found, timelines_from(dataset, example, _NUM_EXAMPLES), folder)


def _show(found: Statistics, name: str) -> None:
    """A line on the whole, and a table with a line for each channel."""
    typer.echo(
        f"{printable(name)}: {found.num_conversations:,} conversations, {found.num_rows:,} rows "
        f"({_spread(found.lengths)} each)"
    )
    sources = ", ".join(f"{printable(key)} {n:,}" for key, n in sorted(found.sources.items()))
    typer.echo(f"sources: {sources or 'none'}\n")
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for title in ("speaks in", "messages", "rows of one", "first in row", "mute in", "targets"):
        table.add_column(title, justify="right", no_wrap=True)
    for channel, one in zip(found.channels, found.by_channel, strict=True):
        fill = 100 * one.num_spoken / max(found.num_rows, 1)
        table.add_row(
            f"{printable(channel.name)} ({channel.role.value})", f"{fill:.1f} %",
            f"{one.num_messages:,}", _spread(one.lengths), _spread(one.starts), f"{one.num_mute:,}",
            f"{one.num_learned:,}" if one.num_learned else "-",
        )  # fmt: skip
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    console.print(table)
    output = printable(found.channels[found.output].name)
    typer.echo(
        f"\nrows from the end of a question to {output}: {_spread(found.lags)}; "
        f"{found.num_unanswered:,} of {found.lags.total() + found.num_unanswered:,} without a reply"
    )
    typer.echo("(median, and from the 10th to the 90th of 100)")


def _spread(counts: Counter[int]) -> str:
    from motet.data.stats.statistics import quantile

    low, middle, high = (quantile(counts, share) for share in (0.1, 0.5, 0.9))
    return "-" if middle is None else f"{middle} ({low} to {high})"
