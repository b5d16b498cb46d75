"""Small tables to write and read."""

from __future__ import annotations

from pathlib import Path

from motet.data.dataset import MadeBy
from motet.data.tables import Cell, Row, Table, TableDataset, TableWriter
from motet.streams import Channel, Role

CHANNELS = (
    Channel("User", Role.INPUT),
    Channel("Output", Role.OUTPUT),
    Channel("Think", Role.THOUGHT),
)
MADE_BY = MadeBy(command=("test",), sources=({"file": "x", "num_bytes": 3},))


def hello(name: str, num_rows: int = 3) -> Table:
    """The User greets, the Output replies."""
    said: list[Row] = [
        (Cell("Hi", end=True), None, None),
        (None, None, Cell("a greeting")),
        (None, Cell("Hello", end=True), None),
    ]
    silent: Row = (None, None, None)
    padded = tuple([*said, *[silent] * num_rows][:num_rows])
    return Table(name, CHANNELS, padded, {"source": "test"})


def write_tables_to(path: Path, tables: list[Table], shard_rows: int = 1000) -> TableDataset:
    """A finished dataset."""
    with TableWriter(path, CHANNELS, MADE_BY, shard_rows=shard_rows) as writer:
        for table in tables[writer.num_done :]:
            writer.write(table)
    return TableDataset.open(path)


def contents(path: Path) -> dict[str, bytes]:
    """All files of a directory, by name."""
    return {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
