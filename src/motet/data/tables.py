"""Datasets of tables: gzip-compressed JSON lines, one conversation a line (`motet.data.table`).

`datasets.load_dataset("json")` reads the files as well.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from motet.data.building import Written
from motet.data.dataset import (
    MadeBy,
    Shard,
    TableDescription,
    channel_entries,
    check_hashes,
    check_shards,
)
from motet.data.sequential import SequentialWriter
from motet.data.table import Cell, Message, Row, Table
from motet.errors import DataError
from motet.streams.layout import Channel

__all__ = [
    "Cell",
    "Message",
    "Row",
    "Table",
    "TableDataset",
    "TableWriter",
    "table_description",
    "write_tables",
]

DEFAULT_SHARD_ROWS = 1 << 18
_BROKEN = (OSError, EOFError, zlib.error)


def write_tables(file: BinaryIO, tables: Iterable[Table]) -> Written:
    """Write a shard; the same tables give the same bytes."""
    num_conversations = num_rows = 0
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed:
        for table in tables:
            packed.write(_line(table))
            num_conversations += 1
            num_rows += table.num_rows
    return Written(num_conversations, num_rows)


def _line(table: Table) -> bytes:
    separators = (",", ":")
    data = table.to_json()
    try:
        text = json.dumps(data, ensure_ascii=False, separators=separators, allow_nan=False)
        return text.encode("utf-8") + b"\n"
    except ValueError as error:  # half a character, or no number
        raise DataError(f"table {table.id}", expected="texts and JSON values", got=error) from None


class TableDataset:
    """The tables of a finished dataset, in order."""

    def __init__(self, path: Path, description: TableDescription) -> None:
        self.path = path
        self.description = description
        self.channels = description.layout_channels

    @classmethod
    def open(cls, path: Path) -> TableDataset:
        """Read `dataset.json`; DataError if this is no finished dataset of tables."""
        description = TableDescription.read(path)
        check_shards(path, description)
        return cls(path, description)

    def __len__(self) -> int:
        return self.description.num_conversations

    def check_hashes(self) -> None:
        """DataError if a shard was changed since it was made."""
        check_hashes(self.path, self.description)

    def read(self) -> Iterator[Table]:
        """All conversations; DataError with file, line and field where one is broken."""
        for shard in self.description.shards:
            yield from self.read_shard(shard)

    def read_shard(self, shard: Shard) -> Iterator[Table]:
        """The conversations of one shard."""
        path = self.path / shard.file
        num_lines = 0
        for num_lines, line in enumerate(_lines(path), start=1):
            where = f"{path}: line {num_lines}"
            yield Table.from_json(parse_line(line, where), self.channels, where)
        if num_lines != shard.num_conversations:
            raise DataError(str(path), expected=f"{shard.num_conversations} lines", got=num_lines)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            yield from file
    except _BROKEN as error:
        raise DataError(str(path), expected="a whole gzip file", got=error) from None


def parse_line(line: bytes, where: str) -> Any:
    """One line of JSON, strictly: no NaN, nothing that UTF-8 cannot carry."""
    try:
        data = json.loads(line, parse_constant=_refuse_constant)
        if b"\\ud" in line.lower():  # an escape may be half a character
            json.dumps(data, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise DataError(where, expected="JSON", got=error) from None
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class TableWriter(SequentialWriter[Table, TableDescription]):
    """Writes tables one after the other: `with TableWriter(...) as writer: writer.write(table)`.

    shard_rows: a shard is closed once it has so many rows. Work that was stopped goes on: skip
    `writer.num_done` conversations, they are in finished shards. The dataset is finished when the
    block ends, and can be gone on with if it fails.
    """

    def __init__(
        self,
        path: Path,
        channels: Sequence[Channel],
        made_by: MadeBy,
        *,
        shard_rows: int = DEFAULT_SHARD_ROWS,
    ) -> None:
        super().__init__(path, table_description(channels, made_by), shard_rows)

    def _write_shard(self, file: BinaryIO, conversations: list[Table]) -> Written:
        return write_tables(file, conversations)

    def _check(self, conversation: Table) -> None:
        if conversation.channels != self.building.description.layout_channels:
            raise DataError(
                f"table {conversation.id}: channels",
                expected=[entry.name for entry in self.building.description.channels],
                got=[channel.name for channel in conversation.channels],
            )


def table_description(channels: Sequence[Channel], made_by: MadeBy) -> TableDescription:
    """What a new dataset of tables says of itself before it has shards."""
    return TableDescription(channels=channel_entries(channels), made_by=made_by)
