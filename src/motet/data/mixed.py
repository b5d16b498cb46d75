"""A mixture written down: one epoch of it as a dataset, shard i its places from i * n on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from motet.data.building import Building, Written
from motet.data.dataset import (
    DATASET_FILE,
    Description,
    GridDescription,
    Kind,
    MadeBy,
    TableDescription,
    file_sha256,
    read_kind,
)
from motet.data.grids import GridDataset, write_grids
from motet.data.mix import Mixture, Place
from motet.data.tables import Table, TableDataset, write_tables
from motet.data.token_grid import TokenGrid
from motet.errors import DataError

_MUST_AGREE = (
    "channels", "tokenizer_sha256", "vocabulary", "silence_id", "end_id", "num_opening_rows",
)  # fmt: skip


@dataclass(frozen=True)
class Mixing:
    """Makes shard i (a `motet.data.spread.Part`). Tables are held in memory, grids are mapped.

    names: of the datasets, put before the ids of their conversations.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    kind: Kind
    mixture: Mixture
    per_shard: int

    def __call__(self, index: int, file: BinaryIO) -> Written:
        """See `motet.data.spread.Part`."""
        start = index * self.per_shard
        places = self.mixture.epoch(0)[start : start + self.per_shard]
        if self.kind is Kind.TABLES:
            return write_tables(file, self._tables(places))
        return write_grids(file, self._grids(places))

    def _tables(self, places: Sequence[Place]) -> Iterator[Table]:
        for dataset, number in places:
            table = _tables(self.paths[dataset])[number]
            yield replace(table, id=f"{self.names[dataset]}/{table.id}")

    def _grids(self, places: Sequence[Place]) -> Iterator[TokenGrid]:
        for dataset, number in places:
            grid: TokenGrid = _grids(self.paths[dataset])[number]
            yield replace(grid, id=f"{self.names[dataset]}/{grid.id}")


def begin_mixing(
    paths: Sequence[Path],
    weights: Sequence[float],
    target: Path,
    *,
    seed: int,
    num_conversations: int | None,
    per_shard: int,
) -> tuple[Building[Any], int, Mixing]:
    """The dataset to build, its number of shards and what makes them; DataError if they differ."""
    descriptions = [_description(path) for path in paths]
    check_alike(paths, descriptions)
    sizes = [range(description.num_conversations) for description in descriptions]
    mixture = Mixture(sizes, weights, seed, num_places=num_conversations)
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):
        names = [f"{number}-{name}" for number, name in enumerate(names)]
    sources = tuple(
        {"dataset": name, "sha256": file_sha256(path / DATASET_FILE), "weight": weight}
        for name, path, weight in zip(names, paths, weights, strict=True)
    )
    command = ("motet", "data", "mix", "--seed", str(seed))
    made_by = MadeBy(command=(*command, "--num", str(mixture.num_places)), sources=sources)
    bare = descriptions[0].model_copy(
        update={"shards": (), "num_conversations": 0, "left_out": {}, "made_by": made_by}
    )
    building = Building.begin(target, bare, {"per_shard": per_shard})
    part = Mixing(
        tuple(path.resolve() for path in paths), tuple(names), descriptions[0].format, mixture,
        per_shard,
    )  # fmt: skip
    return building, -(-mixture.num_places // per_shard), part


def check_alike(paths: Sequence[Path], descriptions: Sequence[Description]) -> None:
    """DataError if datasets are not in the same channels and tokens."""
    first = descriptions[0]
    for path, other in zip(paths, descriptions, strict=True):
        if other.format is not first.format:
            raise DataError(
                f"{path}: format", expected=f"{first.format}, as {paths[0]}", got=other.format,
                fix="motet data tokenize makes grids of tables",
            )  # fmt: skip
        for name in _MUST_AGREE:
            expected, got = getattr(first, name, None), getattr(other, name, None)
            if expected != got:
                raise DataError(
                    f"{path}: {name}", expected=f"{_shown(expected)}, as {paths[0]}",
                    got=_shown(got),
                )  # fmt: skip


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{entry.name} ({entry.role.value})" for entry in value)
    return str(value)


def _description(path: Path) -> Description:
    if read_kind(path) is Kind.TABLES:
        return TableDescription.read(path)
    return GridDescription.read(path)


@cache
def _tables(path: Path) -> list[Table]:
    return list(TableDataset.open(path).read())


@cache
def _grids(path: Path) -> GridDataset:
    return GridDataset.open(path)
