"""The conversations of any dataset as text, shard by shard: tables as they are, grids read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from motet.data.dataset import Description, GridDescription, Kind, TableDescription, read_kind
from motet.data.grids import GridDataset, tokenizer_sha256
from motet.data.readable import table_of
from motet.data.tables import Table, TableDataset
from motet.errors import DataError
from motet.formats.directory import read_directory
from motet.streams.codec import StreamCodec

__all__ = ["Conversations"]


@dataclass(frozen=True)
class Conversations:
    """A dataset that is read as text. model: the directory whose tokenizer made the grids.

    It may be pickled.
    """

    path: Path
    model: str | None = None

    @cached_property
    def kind(self) -> Kind:
        """What the dataset holds."""
        return read_kind(self.path)

    @cached_property
    def description(self) -> Description:
        """Its `dataset.json`; DataError if it is broken."""
        if self.kind is Kind.TABLES:
            return TableDescription.read(self.path)
        return GridDescription.read(self.path)

    @property
    def num_shards(self) -> int:
        """How many files it has."""
        return len(self.description.shards)

    def check(self) -> None:
        """DataError if the dataset is broken, or there is nothing to read its tokens with."""
        if self.kind is Kind.GRIDS and self.num_shards:
            self._codec  # noqa: B018 - opening it is the check

    def tables(self, shard: int) -> Iterator[Table]:
        """The conversations of one shard; DataError with place where one is broken."""
        if self.kind is Kind.TABLES:
            tables = TableDataset.open(self.path)
            yield from tables.read_shard(tables.description.shards[shard])
            return
        grids = GridDataset.open(self.path)
        for grid in grids.read_shard(grids.description.shards[shard]):
            yield table_of(grid, self._codec)

    @cached_property
    def _codec(self) -> StreamCodec:
        """The tokenizer of the grids; DataError if there is none, or it is another one."""
        if self.model is None:
            raise DataError(
                f"{self.path}", expected="a model whose tokenizer can read its tokens", got="none",
                fix="name the model, or give the tables that the grids were made from",
            )  # fmt: skip
        directory = read_directory(self.model)
        grids = GridDataset.open(self.path)
        grids.check_fit(directory.layout, tokenizer_sha256(directory.path))
        return StreamCodec.load(directory.path, directory.layout)
