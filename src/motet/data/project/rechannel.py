"""Tables of ours with other channels: chosen, renamed, in another order; cells as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from motet.data.building import Building, Written
from motet.data.dataset import DATASET_FILE, MadeBy, TableDescription, file_sha256
from motet.data.project.choice import Choice
from motet.data.project.columns import number_of
from motet.data.table import Table
from motet.data.tables import TableDataset, table_description, write_tables
from motet.data.tokenize import UNLEARNED

__all__ = ["Rechanneling", "begin_rechanneling"]


@dataclass(frozen=True)
class Rechanneling:
    """Makes shard i out of shard i of other tables (a `motet.data.spread.Part`)."""

    tables: Path
    choices: tuple[Choice, ...]

    def __call__(self, index: int, file: BinaryIO) -> Written:
        """See `motet.data.spread.Part`."""
        left_out: Counter[str] = Counter()
        written = write_tables(file, self._tables(index, left_out))
        return replace(written, left_out=left_out)

    def _tables(self, index: int, left_out: Counter[str]) -> Iterator[Table]:
        dataset = TableDataset.open(self.tables)
        for table in dataset.read_shard(dataset.description.shards[index]):
            chosen = self._rechannel(table)
            if any(cell for row in chosen.rows for cell in row):
                yield chosen
            else:
                left_out["nothing is said"] += 1

    def _rechannel(self, table: Table) -> Table:
        names = [channel.name for channel in table.channels]
        numbers = [number_of(names, choice.source, str(self.tables)) for choice in self.choices]
        renamed = {names[n]: c.channel.name for n, c in zip(numbers, self.choices, strict=True)}
        rows = tuple(tuple(row[n] for n in numbers) for row in table.rows)
        meta = dict(table.meta)
        if UNLEARNED in meta:
            kept = [(renamed[name], *span) for name, *span in meta[UNLEARNED] if name in renamed]
            meta[UNLEARNED] = [list(span) for span in kept]
        channels = tuple(choice.channel for choice in self.choices)
        return Table(table.id, channels, rows, meta)


def begin_rechanneling(
    tables: Path, target: Path, choices: tuple[Choice, ...]
) -> tuple[Building[TableDescription], int, Rechanneling]:
    """The dataset to build, its number of shards and what makes them."""
    dataset = TableDataset.open(tables)
    names = [channel.name for channel in dataset.channels]
    for choice in choices:
        number_of(names, choice.source, str(tables))
    command = ("motet", "data", "project", "streams", "--channels", ",".join(map(str, choices)))
    source = {"dataset": tables.resolve().name, "sha256": file_sha256(tables / DATASET_FILE)}
    made_by = MadeBy(command=command, sources=(source,))
    description = table_description([choice.channel for choice in choices], made_by)
    building = Building.begin(target, description)
    return building, len(dataset.description.shards), Rechanneling(tables.resolve(), choices)
