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
_BROKEN = (pa.ArrowException, OSError, ValueError)


def write_grids(file: BinaryIO, grids: Iterable[TokenGrid]) -> Written:
    """Write a shard; the same grids give the same bytes."""
    num_conversations = num_rows = 0
    with pq.ParquetWriter(file, SCHEMA, compression="zstd", write_statistics=False) as writer:
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
            self._file = pq.ParquetFile(path, memory_map=True)
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
        column = self._read(lambda: self._file.read(["num_rows"])).column("num_rows")
        if column.null_count:
            raise DataError(f"{self.path}: num_rows", expected="a number each", got="null")
        return np.asarray(column.to_numpy(), np.int32)

    def read_group(self, group: int) -> list[TokenGrid]:
        """The conversations of one row group; DataError with number and field of what is wrong."""
        table = self._read(lambda: self._file.read_row_group(group))
        first = self._starts[group]
        texts = (table.column(name).to_pylist() for name in ("id", "num_rows", "meta"))
        lists = (self._lists(table, name) for name in ("tokens", "learned", "weights"))
        return [
            self._grid(f"{self.path}: conversation {first + i}", *fields)
            for i, fields in enumerate(zip(*texts, *lists, strict=True))
        ]

    def _read(self, read: Callable[[], pa.Table]) -> pa.Table:
        try:
            return read().combine_chunks()
        except _BROKEN as error:
            raise DataError(str(self.path), expected="a whole Parquet file", got=error) from None

    def _lists(self, table: pa.Table, name: str) -> list[NDArray[Any] | None]:
        """A column of lists as arrays, None where there is no list."""
        lists: list[NDArray[Any] | None] = []
        for chunk in table.column(name).chunks:
            if chunk.values.null_count:
                raise DataError(f"{self.path}: {name}", expected="no null in a list", got="null")
            array = chunk.values.to_numpy(zero_copy_only=False)
            offsets = chunk.offsets.to_numpy()
            for i, is_there in enumerate(chunk.is_valid().to_pylist()):
                lists.append(array[offsets[i] : offsets[i + 1]] if is_there else None)
        return lists

    def _grid(
        self,
        where: str,
        name: str | None,
        num_rows: int | None,
        meta: str | None,
        tokens: NDArray[Any] | None,
        learned: NDArray[Any] | None,
        weights: NDArray[Any] | None,
    ) -> TokenGrid:
        if not name:
            raise DataError(f"{where}: id", expected="a text", got=repr(name))
        if num_rows is None or num_rows < 0:
            raise DataError(f"{where}: num_rows", expected="0 or more", got=num_rows)
        if tokens is None:
            raise DataError(f"{where}: tokens", expected="a list", got="null")
        shape = (num_rows, self._num_channels)
        cells = [
            None if array is None else _shaped(array, shape, f"{where}: {column}")
            for column, array in (("learned", learned), ("weights", weights))
        ]
        tokens_RC = _shaped(tokens, shape, f"{where}: tokens")
        is_alien = (tokens < 0) | (tokens >= self._vocabulary)
        if is_alien.any():
            at = int(is_alien.argmax())
            raise DataError(
                f"{where}: tokens[{at}]", expected=f"0 to {self._vocabulary - 1}", got=tokens[at]
            )
        if weights is not None and not (np.isfinite(weights) & (weights >= 0)).all():
            raise DataError(f"{where}: weights", expected="0 or more each", got="others")
        return TokenGrid(name, tokens_RC, cells[0], cells[1], _meta(meta, where))


def _shaped(array: NDArray[Any], shape: tuple[int, int], where: str) -> NDArray[Any]:
    if array.size != shape[0] * shape[1]:
        expected = f"{shape[0] * shape[1]} cells = {shape[0]} rows of {shape[1]}"
        raise DataError(where, expected=expected, got=array.size)
    return array.reshape(shape)


def _meta(text: str | None, where: str) -> dict[str, Any]:
    try:
        meta = json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: meta", expected="JSON", got=error) from None
    if not isinstance(meta, dict):
        raise DataError(f"{where}: meta", expected="an object", got=type(meta).__name__)
    return meta
