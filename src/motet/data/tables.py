"""Tables: conversations as text, for people. A row is a time step, a column a channel.

    {"id": "a", "rows": [["Hi", null], [{"text": "!", "end": true}, null], [null, "Hello."]],
     "meta": {"source": "example"}}

A cell is what its channel says in that row, `null` says nothing. The cells of a message concatenate
to it exactly: spaces belong to the cells. A message is a run of speaking cells; a cell with
`"end": true` closes it, also where the next one follows at once. The text of a closing cell may be
empty: nothing is said any more but that this was all.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeAlias

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
from motet.errors import DataError
from motet.streams.layout import Channel

__all__ = ["Cell", "Row", "Table", "TableDataset", "TableWriter", "write_tables"]

DEFAULT_SHARD_ROWS = 1 << 18
_BROKEN = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a channel says in one row; `end` if its message ends with it."""

    text: str
    end: bool = False


Row: TypeAlias = "tuple[Cell | None, ...]"


@dataclass(frozen=True, slots=True)
class Table:
    """One conversation: rows [R][C] of cells, None where a channel is silent.

    meta: JSON values; `source` says where it comes from, `question`, `answer` and `planted` (rows
    in which a planted wrong step ends) are there if it has such.
    """

    id: str
    channels: tuple[Channel, ...]
    rows: tuple[Row, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.rows)

    def column(self, name: str) -> list[Cell | None]:
        """The cells of the channel called `name`, by row."""
        index = [channel.name for channel in self.channels].index(name)
        return [row[index] for row in self.rows]

    def messages(self, name: str) -> list[str]:
        """What the channel called `name` says, one text a message."""
        messages: list[str] = []
        is_open = False
        for cell in self.column(name):
            if cell is not None:
                if not is_open:
                    messages.append("")
                messages[-1] += cell.text
            is_open = cell is not None and not cell.end
        return messages

    def to_json(self) -> dict[str, Any]:
        """The line of the file, without its channels, which stand in `dataset.json`."""
        return {
            "id": self.id,
            "rows": [[_cell_to_json(cell) for cell in row] for row in self.rows],
            "meta": dict(self.meta),
        }

    @classmethod
    def from_json(cls, data: object, channels: tuple[Channel, ...], where: str) -> Table:
        """Check one line; DataError that names the field, after `where`."""
        keys = {"id", "rows", "meta"}
        if not isinstance(data, dict) or data.keys() != keys:
            got = sorted(data) if isinstance(data, dict) else type(data).__name__
            raise DataError(where, expected="an object with id, rows, meta", got=str(got)[:80])
        if not isinstance(data["id"], str) or not data["id"]:
            raise DataError(f"{where}: id", expected="a text", got=repr(data["id"])[:60])
        if not isinstance(data["meta"], dict):
            raise DataError(f"{where}: meta", expected="an object", got=repr(data["meta"])[:60])
        if not isinstance(data["rows"], list):
            raise DataError(f"{where}: rows", expected="a list", got=repr(data["rows"])[:60])
        rows = []
        for r, row in enumerate(data["rows"]):
            if not isinstance(row, list) or len(row) != len(channels):
                got = f"{len(row)} cells" if isinstance(row, list) else repr(row)[:60]
                raise DataError(f"{where}: rows[{r}]", expected=f"{len(channels)} cells", got=got)
            rows.append(tuple(_cell(cell, where, r, c) for c, cell in enumerate(row)))
        return cls(data["id"], channels, tuple(rows), data["meta"])


def _cell(data: object, where: str, r: int, c: int) -> Cell | None:
    if data is None:
        return None
    text, end = data, False
    if isinstance(data, dict) and data.keys() == {"text", "end"}:
        text, end = data["text"], data["end"]
    if not isinstance(text, str) or not isinstance(end, bool) or not (text or end):
        raise DataError(
            f"{where}: rows[{r}][{c}]",
            expected='null, a text that is not empty, or {"text": ..., "end": true}',
            got=repr(data)[:60],
        )  # fmt: skip
    return Cell(text, end)


def _cell_to_json(cell: Cell | None) -> Any:
    if cell is None:
        return None
    return {"text": cell.text, "end": True} if cell.end else cell.text


def write_tables(file: BinaryIO, tables: Iterable[Table]) -> Written:
    """Write a shard; the same tables give the same bytes."""
    num_conversations = num_rows = 0
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed:
        for table in tables:
            line = json.dumps(table.to_json(), ensure_ascii=False, separators=(",", ":"))
            packed.write(line.encode("utf-8") + b"\n")
            num_conversations += 1
            num_rows += table.num_rows
    return Written(num_conversations, num_rows, {})


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
