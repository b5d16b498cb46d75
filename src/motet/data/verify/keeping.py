"""A dataset without the conversations that have a fault: shard i is shard i, minus those."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from motet.data.building import Building, Written
from motet.data.conversations import Conversations
from motet.data.dataset import DATASET_FILE, Kind, MadeBy, file_sha256
from motet.data.grids import GridDataset, write_grids
from motet.data.tables import TableDataset, write_tables

FAULTY = "with a fault"
Conversation = TypeVar("Conversation")


@dataclass(frozen=True)
class Keeping:
    """Makes shard i (a `motet.data.spread.Part`). faulty: places to leave out, by shard."""

    path: Path
    kind: Kind
    faulty: Mapping[int, Collection[int]]

    def __call__(self, index: int, file: BinaryIO) -> Written:
        """See `motet.data.spread.Part`."""
        faulty = self.faulty.get(index, ())
        if self.kind is Kind.TABLES:
            tables = TableDataset.open(self.path)
            shard = tables.description.shards[index]
            written = write_tables(file, _without(tables.read_shard(shard), faulty))
        else:
            grids = GridDataset.open(self.path)
            shard = grids.description.shards[index]
            written = write_grids(file, _without(grids.read_shard(shard), faulty))
        return replace(written, left_out={FAULTY: len(faulty)} if faulty else {})


def begin_keeping(
    conversations: Conversations,
    target: Path,
    faulty: Mapping[int, Collection[int]],
    settings: Mapping[str, Any],
) -> tuple[Building[Any], Keeping]:
    """The dataset to build and what makes its shards. settings: what decided what is a fault."""
    description = conversations.description
    source = {
        "dataset": conversations.path.resolve().name,
        "sha256": file_sha256(conversations.path / DATASET_FILE),
        **settings,
    }
    made_by = MadeBy(command=("motet", "data", "verify", "--keep"), sources=(source,))
    bare = description.model_copy(
        update={"shards": (), "num_conversations": 0, "left_out": {}, "made_by": made_by}
    )
    part = Keeping(conversations.path.resolve(), conversations.kind, dict(faulty))
    places = json.dumps({str(shard): sorted(faulty[shard]) for shard in sorted(faulty)})
    digest = hashlib.sha256(places.encode()).hexdigest()
    return Building.begin(target, bare, {"faulty": digest}), part


def _without(
    conversations: Iterator[Conversation], places: Collection[int]
) -> Iterator[Conversation]:
    return (one for place, one in enumerate(conversations) if place not in places)
