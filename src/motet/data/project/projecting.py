"""A corpus as a dataset of tables: table shard i holds what became of slice i of the corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from motet.data.building import Building, Written
from motet.data.dataset import MadeBy, TableDescription
from motet.data.project.corpus import Entry, Slice, corpus_files, cut, read_slice, sources
from motet.data.table import Table
from motet.data.tables import table_description, write_tables
from motet.streams.layout import Channel

__all__ = ["LeftOut", "Projecting", "Projection", "begin_projecting"]


class LeftOut(Exception):  # noqa: N818 - no error: a record that is well-formed but cannot be used
    """Why a record becomes no table; counted by this text."""


class Projection(Protocol):
    """Makes a table of a record. A value that can be pickled."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the tables that it makes."""
        ...

    @property
    def command(self) -> tuple[str, ...]:
        """The command that it is, with what decides the result."""
        ...

    @property
    def tools(self) -> tuple[Path, ...]:
        """Files that decide the result, other than the corpus."""
        ...

    def __call__(self, entry: Entry) -> Table:
        """A function of the record alone; LeftOut, or DataError if it is malformed."""
        ...


@dataclass(frozen=True)
class Projecting:
    """Makes shard i of tables out of slice i (a `motet.data.spread.Part`)."""

    slices: tuple[Slice, ...]
    projection: Projection

    def __call__(self, index: int, file: BinaryIO) -> Written:
        """See `motet.data.spread.Part`."""
        left_out: Counter[str] = Counter()
        written = write_tables(file, self._tables(self.slices[index], left_out))
        return replace(written, left_out=left_out)

    def _tables(self, part: Slice, left_out: Counter[str]) -> Iterator[Table]:
        for entry in read_slice(part):
            try:
                yield self.projection(entry)
            except LeftOut as reason:
                left_out[str(reason)] += 1


def begin_projecting(
    paths: Sequence[Path], target: Path, projection: Projection, per_shard: int
) -> tuple[Building[TableDescription], int, Projecting]:
    """The dataset to build, its number of shards and what makes them."""
    files = [file.resolve() for file in corpus_files(paths)]
    slices = cut(files, per_shard)
    read = sources([*files, *projection.tools])
    made_by = MadeBy(command=projection.command, sources=read)
    settings: dict[str, Any] = {"per_shard": per_shard}
    description = table_description(projection.channels, made_by)
    building = Building.begin(target, description, settings)
    return building, len(slices), Projecting(tuple(slices), projection)
