"""Making the shards of a dataset on a cluster, with Ray Data: the same bytes as in one process.

Input and output are on a file system that all machines share. A shard that a lost machine had begun
is made again elsewhere; whole ones stay, as in `motet.data.spread`.
"""

from __future__ import annotations

from typing import Any

from motet.data.building import Building, Record
from motet.data.dataset import Description
from motet.data.spread import Advance, Part, make_shard
from motet.errors import DataError, MotetError


def spread_on_cluster(
    building: Building[Any],
    num_parts: int,
    part: Part,
    *,
    address: str | None = None,
    advance: Advance = lambda _: None,
) -> Description:
    """As `spread`, on the Ray cluster at `address`; None: one of this machine, for this work."""
    missing = [i for i in range(num_parts) if not building.is_finished and not building.record(i)]
    if missing:
        ray = ray_at(address)
        made = ray.data.from_items(
            [{"part": index} for index in missing], override_num_blocks=len(missing)
        ).map(_Making, fn_constructor_args=(building, part), concurrency=concurrency(ray))
        for row in made.iter_rows():
            if row["error"]:
                raise DataError(row["error"])
            advance(Record.model_validate_json(row["record"]))
    done: Description = building.finish(num_parts)
    return done


def ray_at(address: str | None) -> Any:
    """The module ray, connected to the cluster at `address`; DataError if it is not installed."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise DataError(
            "Ray", expected="the extra [ray]", got="not installed", fix='pip install "motet[ray]"'
        ) from None
    ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


def concurrency(ray: Any) -> tuple[int, int]:
    """How many actors at least and at most: one for every processor of the cluster."""
    return (1, max(1, int(ray.cluster_resources().get("CPU", 1))))


class _Making:
    """An actor that makes shards; mistakes come back as text, since Ray wraps exceptions."""

    def __init__(self, building: Building[Any], part: Part) -> None:
        self._building, self._part = building, part

    def __call__(self, row: dict[str, int]) -> dict[str, Any]:
        try:
            record = make_shard(self._building, self._part, row["part"])
        except MotetError as error:
            return {"error": str(error), "record": ""}
        return {"error": "", "record": record.model_dump_json()}
