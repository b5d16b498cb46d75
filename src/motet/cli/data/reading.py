"""Who reads a dataset: processes of this machine, or a cluster; the result is the same."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from motet.data.shardwise import EachShard

ReadersOption = Annotated[
    int,
    typer.Option("--processes", min=1, help="How many processes read it; the result is the same."),
]
RayReadersOption = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", show_default=False,
        help="Read it on the Ray cluster at ADDRESS, or 'local'; needs the extra [ray].",
    ),
]  # fmt: skip


def readers(num_processes: int, ray: str | None) -> EachShard:
    """Whoever reads the shards."""
    if ray is None:
        from motet.data.shardwise import each_shard

        return partial(each_shard, num_processes=num_processes)
    from motet.data.shards_on_cluster import each_shard_on_cluster

    return partial(each_shard_on_cluster, address=None if ray == "local" else ray)
