"""The statistics of a dataset, shard by shard, in one process or in many: the same result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from motet.data.dataset import Description, GridDescription, Kind, TableDescription, read_kind
from motet.data.grids import GridDataset
from motet.data.shardwise import EachShard, each_shard
from motet.data.stats.statistics import Statistics
from motet.data.stats.timeline import Timeline
from motet.data.table import Table
from motet.data.tables import TableDataset
from motet.data.token_grid import TokenGrid
from motet.streams.layout import Role

Advance = Callable[[int, int], None]
"""Called after every shard: how many shards and conversations are done."""

UNNAMED = "unnamed"


def measure(
    path: Path, *, each: EachShard = each_shard, advance: Advance = lambda _, __: None
) -> Statistics:
    """Read a whole dataset; DataError with its place where it is broken."""
    description = _description(path)
    total = Statistics(description.layout_channels)
    work = _Measuring(path.resolve(), description.format)
    for shard, part in enumerate(each(work, len(description.shards))):
        total.add(part)
        advance(shard + 1, total.num_conversations)
    return total


def num_shards(path: Path) -> int:
    """How many files a dataset has; DataError if it is none."""
    return len(_description(path).shards)


def timelines_from(path: Path, start: int, number: int) -> list[tuple[str, Timeline]]:
    """Ids and timelines of `number` conversations from `start` on, or of as many as there are."""
    description = _description(path)
    work = _Measuring(path, description.format)
    found: list[tuple[str, Timeline]] = []
    before = 0
    for shard, entry in enumerate(description.shards):
        if before + entry.num_conversations > start and len(found) < number:
            skipped = max(start - before, 0)
            some = islice(work.timelines(shard), skipped, skipped + number - len(found))
            found += [(conversation.id, timeline) for conversation, timeline in some]
        before += entry.num_conversations
    return found


@dataclass(frozen=True)
class _Measuring:
    path: Path
    kind: Kind

    def __call__(self, shard: int) -> Statistics:
        statistics = Statistics(_description(self.path).layout_channels)
        is_sampled = np.array([c.role is not Role.INPUT for c in statistics.channels])
        for conversation, timeline in self.timelines(shard):
            num_learned_C = np.zeros(len(is_sampled), np.int64)
            if isinstance(conversation, TokenGrid):
                learned_RC = conversation.learned_RC
                num_targets = max(conversation.num_rows - 1, 0)
                if learned_RC is None:
                    num_learned_C = num_targets * is_sampled
                else:
                    num_learned_C = learned_RC[1:].sum(axis=0)
            source = str(conversation.meta.get("source", UNNAMED))
            statistics.count(timeline, source, num_learned_C.tolist())
        return statistics

    def timelines(self, shard: int) -> Iterator[tuple[Table | TokenGrid, Timeline]]:
        """The conversations of a shard, each with its timeline."""
        if self.kind is Kind.TABLES:
            tables = TableDataset.open(self.path)
            for table in tables.read_shard(tables.description.shards[shard]):
                yield table, Timeline.of_table(table)
            return
        grids = GridDataset.open(self.path)
        for grid in grids.read_shard(grids.description.shards[shard]):
            yield (
                grid,
                Timeline.of_grid(grid, grids.silence_id, grids.end_id, grids.num_opening_rows),
            )


def _description(path: Path) -> Description:
    if read_kind(path) is Kind.TABLES:
        return TableDescription.read(path)
    return GridDescription.read(path)
