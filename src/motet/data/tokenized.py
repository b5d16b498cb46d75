"""A dataset of tables as one of grids: grid shard i holds what became of table shard i."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

from motet.data.building import Building, Written
from motet.data.dataset import DATASET_FILE, GridDescription, MadeBy, file_sha256
from motet.data.grids import grid_description, tokenizer_sha256, write_grids
from motet.data.tables import TableDataset
from motet.data.token_grid import TokenGrid
from motet.data.tokenize import check_channels, tokenize
from motet.errors import InputError
from motet.formats.directory import read_directory
from motet.streams.codec import StreamCodec

__all__ = ["Tokenizing", "begin_tokenizing"]

TOO_LONG = "too long"
NO_TOKENS = "characters without tokens"


@dataclass(frozen=True)
class Tokenizing:
    """Makes shard i of grids (a `motet.data.spread.Part`). Counts what it leaves out.

    model: its directory. max_rows: longer grids are left out; None: none is.
    """

    tables: Path
    model: Path
    max_rows: int | None

    def __call__(self, index: int, file: BinaryIO) -> Written:
        """See `motet.data.spread.Part`."""
        left_out: Counter[str] = Counter()
        written = write_grids(file, self._grids(index, left_out))
        return replace(written, left_out=left_out)

    def _grids(self, index: int, left_out: Counter[str]) -> Iterator[TokenGrid]:
        dataset = TableDataset.open(self.tables)
        codec = _codec(self.model)
        for table in dataset.read_shard(dataset.description.shards[index]):
            try:
                grid = tokenize(table, codec)
            except InputError:
                left_out[NO_TOKENS] += 1
                continue
            if self.max_rows is not None and grid.num_rows > self.max_rows:
                left_out[TOO_LONG] += 1
            else:
                yield grid


def begin_tokenizing(
    tables: Path, model: str, target: Path, max_rows: int | None
) -> tuple[Building[GridDescription], int, Tokenizing]:
    """The dataset to build, its number of shards and what makes them.

    DataError if the tables are none or have other channels than the model.
    """
    dataset = TableDataset.open(tables)
    directory = read_directory(model)
    check_channels(dataset.channels, directory.layout, str(tables))
    codec = _codec(directory.path)
    digest = tokenizer_sha256(directory.path)
    limit = () if max_rows is None else ("--max-rows", str(max_rows))
    made_by = MadeBy(
        command=("motet", "data", "tokenize", *limit),
        sources=({"dataset": tables.resolve().name, "sha256": file_sha256(tables / DATASET_FILE)},),
    )
    description = grid_description(directory.layout, codec.vocab_size, digest, made_by)
    building = Building.begin(target, description)
    part = Tokenizing(tables.resolve(), directory.path.resolve(), max_rows)
    return building, len(dataset.description.shards), part


@cache
def _codec(model: Path) -> StreamCodec:
    return StreamCodec.load(model, read_directory(model).layout)
