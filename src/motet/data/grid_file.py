"""One shard of grids: a Parquet file, in groups that are small enough to decode for one grid."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from motet.data.building import Written
from motet.data.grid_group import GridGroup, GroupPlace
from motet.data.token_grid import TokenGrid
from motet.errors import DataError

GROUP_CELLS = 1 << 13
"""Cells of a row group: what is decoded to read one grid out of the middle."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("num_rows", pa.int32()),
        pa.field("tokens", pa.list_(pa.int32())),
        pa.field("learned", pa.list_(pa.bool_())),
        pa.field("weights", pa.list_(pa.float32())),
        pa.field("meta", pa.string()),
    ]
)
_FORMAT: dict[str, Any] = {
    "compression": "zstd",
    "write_statistics": False,
    "write_page_checksum": True,
}
_BROKEN = (pa.ArrowException, OSError, ValueError)


def write_grids(file: BinaryIO, grids: Iterable[TokenGrid]) -> Written:
    """Write a shard; the same grids give the same bytes."""
    num_conversations = num_rows = 0
    with pq.ParquetWriter(file, SCHEMA, **_FORMAT) as writer:
        for group in _groups(grids):
            writer.write_batch(_batch(group), row_group_size=len(group))
            num_conversations += len(group)
            num_rows += sum(grid.num_rows for grid in group)
    return Written(num_conversations, num_rows)


def _groups(grids: Iterable[TokenGrid]) -> Iterator[list[TokenGrid]]:
    group: list[TokenGrid] = []
    num_cells = 0
    for grid in grids:
        group.append(grid)
        num_cells += grid.tokens_RC.size
        if num_cells >= GROUP_CELLS:
            yield group
            group, num_cells = [], 0
    if group:
        yield group


def _batch(grids: Sequence[TokenGrid]) -> pa.RecordBatch:
    columns = {
        "id": [grid.id for grid in grids],
        "num_rows": [grid.num_rows for grid in grids],
        "tokens": [_flat(grid.tokens_RC) for grid in grids],
        "learned": [_flat(grid.learned_RC) for grid in grids],
        "weights": [_flat(grid.weights_RC) for grid in grids],
        "meta": [
            json.dumps(dict(g.meta), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            for g in grids
        ],
    }
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA
    )


def _flat(array_RC: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if array_RC is None else array_RC.reshape(-1)


class GridFile:
    """Reads a shard, checking what it reads. Conversations are numbered from 0 in it."""

    def __init__(self, path: Path, num_channels: int, vocabulary: int) -> None:
        self.path = path
        self._num_channels = num_channels
        self._vocabulary = vocabulary
        try:
            self._file = pq.ParquetFile(path, memory_map=True, page_checksum_verification=True)
            schema = self._file.schema_arrow.remove_metadata()
        except _BROKEN as error:
            raise DataError(str(path), expected="a Parquet file", got=error) from None
        if not schema.equals(SCHEMA):
            got = ", ".join(f"{f.name} {f.type}" for f in schema)[:200]
            expected = ", ".join(f"{f.name} {f.type}" for f in SCHEMA)
            raise DataError(f"{path}: columns", expected=expected, got=got)
        metadata = self._file.metadata
        sizes = (metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
        self._starts: list[int] = [0, *accumulate(sizes)]

    @property
    def num_conversations(self) -> int:
        """How many there are."""
        return self._starts[-1]

    @property
    def num_groups(self) -> int:
        """How many row groups there are."""
        return len(self._starts) - 1

    def group_of(self, number: int) -> tuple[int, int]:
        """Which group conversation `number` is in, and its place there."""
        group = bisect_right(self._starts, number) - 1
        return group, number - self._starts[group]

    def num_rows(self) -> NDArray[np.int32]:
        """R of every conversation."""
        columns = self._read(lambda: self._file.read(["num_rows"], use_threads=False))
        column = columns.column("num_rows")
        if column.null_count:
            raise DataError(f"{self.path}: num_rows", expected="a number each", got="null")
        return np.asarray(column.to_numpy(), np.int32)

    def read_group(self, group: int) -> GridGroup:
        """The conversations of one row group."""
        columns = self._read(lambda: self._file.read_row_group(group, use_threads=False))
        where = GroupPlace(self.path, self._starts[group], self._num_channels, self._vocabulary)
        return GridGroup(columns, where)

    def _read(self, read: Callable[[], pa.Table]) -> pa.Table:
        try:
            return read().combine_chunks()
        except _BROKEN as error:
            raise DataError(str(self.path), expected="a whole Parquet file", got=error) from None
