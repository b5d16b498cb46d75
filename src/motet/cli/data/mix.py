"""`motet data mix`: several datasets as one, by weight."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motet.cli.data.making import ProcessesOption, RayOption, TargetArgument, make
from motet.errors import SettingError


def mix(
    datasets: Annotated[
        list[Path],
        typer.Argument(metavar="DATASET...", help="Datasets of the same channels and tokens."),
    ],
    target: TargetArgument,
    weights: Annotated[
        str,
        typer.Option(
            metavar="2:1:0.5",
            help="Shares of the conversations, whatever the sizes.",
            show_default="as many as each has",
        ),
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the order.")] = 0,
    num_conversations: Annotated[
        int | None,
        typer.Option("--num", min=1, help="How many in all.", show_default="all together"),
    ] = None,
    per_shard: Annotated[int, typer.Option(min=1, help="Conversations a shard.")] = 10_000,
    processes: ProcessesOption = 1,
    ray: RayOption = None,
) -> None:
    """Write one epoch of a mixture: each dataset whole before one of its conversations repeats.

    `motet train` mixes while it reads and needs no such copy.
    """
    from motet.data.conversations import Conversations
    from motet.data.mixed import begin_mixing

    sizes = [float(Conversations(path).description.num_conversations) for path in datasets]
    building, num_parts, part = begin_mixing(
        datasets,
        _weights(weights) if weights else sizes,
        target,
        seed=seed,
        num_conversations=num_conversations,
        per_shard=per_shard,
    )
    make(building, num_parts, part, num_processes=processes, ray=ray)
    drawn = zip(part.names, part.mixture.quotas, part.mixture.sizes, strict=True)
    for name, quota, size in drawn:
        typer.echo(f"{name}: {quota:,} drawn of {size:,}, {quota / size:.2f} times each")


def _weights(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(":")]
    except ValueError:
        raise SettingError("--weights", expected="numbers, as 2:1:0.5", got=repr(text)) from None
