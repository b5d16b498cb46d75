"""The same work on every shard of a dataset on a cluster, with Ray Data; results in order.

The dataset is on a file system that all machines share. What `motet.data.shardwise` does here.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from motet.data.cluster import concurrency, ray_at
from motet.errors import DataError, MotetError

Result = TypeVar("Result")


def each_shard_on_cluster(
    work: Callable[[int], Result], num_shards: int, *, address: str | None = None
) -> Iterator[Result]:
    """As `each_shard`, on the Ray cluster at `address`; None: one of this machine."""
    if not num_shards:
        return
    ray = ray_at(address)
    rows = ray.data.from_items(
        [{"shard": shard} for shard in range(num_shards)], override_num_blocks=num_shards
    ).map(_Working, fn_constructor_args=(work,), concurrency=concurrency(ray))
    waiting: dict[int, bytes] = {}
    following = 0
    for row in rows.iter_rows():
        if row["error"]:
            raise DataError(row["error"])
        waiting[row["shard"]] = row["result"]
        while following in waiting:
            yield pickle.loads(waiting.pop(following))
            following += 1


class _Working:
    """An actor that does the work; mistakes come back as text, since Ray wraps exceptions."""

    def __init__(self, work: Callable[[int], Any]) -> None:
        self._work = work

    def __call__(self, row: dict[str, int]) -> dict[str, Any]:
        try:
            result = self._work(row["shard"])
        except MotetError as error:
            return {"shard": row["shard"], "error": str(error), "result": b""}
        return {"shard": row["shard"], "error": "", "result": pickle.dumps(result)}
