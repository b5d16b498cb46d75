"""A dataset while it is being made: finished shards stay, so work that was stopped goes on.

    .unfinished/plan.json    what is being made; going on with another plan is refused
    .unfinished/00003.json   shard 3 is whole: its hash, its counts

A shard appears under its name at once and is recorded afterwards, so whatever is recorded is
whole. `finish` writes `dataset.json` and removes `.unfinished`. Shards are numbered and
independent: any process may make any of them, and the dataset is the same.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from motet.data.dataset import (
    DATASET_FILE,
    Description,
    Kind,
    Shard,
    file_sha256,
    parse_strictly,
)
from motet.data.whole import whole_file
from motet.errors import DataError

UNFINISHED = ".unfinished"
_PLAN_FILE = "plan.json"
_SHARD_NAMES = {Kind.TABLES: "tables-{:05d}.jsonl.gz", Kind.GRIDS: "grids-{:05d}.parquet"}

AnyDescription = TypeVar("AnyDescription", bound=Description)


class Record(BaseModel):
    """What became of one part of the input. shard: None if all was left out; left_out: why."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    shard: Shard | None
    left_out: dict[str, int] = {}


@dataclass(frozen=True)
class Written:
    """What a shard writer says of what it wrote, and how many it left out for which reason."""

    num_conversations: int
    num_rows: int
    left_out: Mapping[str, int] = field(default_factory=dict)


WriteShard = Callable[[BinaryIO], Written]


class Building(Generic[AnyDescription]):
    """The directory of a dataset that is being made. A value of paths: it may be pickled."""

    def __init__(self, path: Path, description: AnyDescription) -> None:
        self.path = path
        self.description = description

    @classmethod
    def begin(
        cls, path: Path, description: AnyDescription, settings: Mapping[str, object] | None = None
    ) -> Building[AnyDescription]:
        """Open `path` for a dataset as `description` says, without shards; go on if it was begun.

        settings: what else decides where shards are cut. DataError if the directory holds
        something else, or a dataset that was begun or finished in another way.
        """
        building = cls(path, description)
        plan = _json({"description": description.model_dump(mode="json"), "settings": settings})
        if path.exists() and not path.is_dir():
            raise DataError("dataset", expected=f"a directory {path}", got="a file")
        if (path / DATASET_FILE).exists():
            building._check_finished()
            return building
        plan_file = path / UNFINISHED / _PLAN_FILE
        if plan_file.exists():
            building._check_begun(plan_file, plan)
            return building
        if path.exists() and any(entry.name != UNFINISHED for entry in path.iterdir()):
            raise DataError(
                str(path), expected="a new or empty directory", got="other files in it",
                fix="give another directory",
            )  # fmt: skip
        plan_file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(plan_file) as file:
            file.write(plan)
        return building

    @property
    def is_finished(self) -> bool:
        """Whether all is done already."""
        return (self.path / DATASET_FILE).exists()

    def shard_path(self, index: int) -> Path:
        """Where shard number `index` is, or will be."""
        return self.path / _SHARD_NAMES[self.description.format].format(index)

    def record(self, index: int) -> Record | None:
        """The record of a shard that is done; None if it is still to be made."""
        path = self._record_path(index)
        if not path.exists():
            return None
        return parse_strictly(Record, path.read_bytes(), str(path))

    def make(self, index: int, write: WriteShard) -> Record:
        """Let `write` fill shard number `index` and record it; nothing is kept if it fails."""
        path = self.shard_path(index)
        with whole_file(path) as file:
            written = write(file)
        shard = None
        if written.num_conversations:
            shard = Shard(
                file=path.name,
                num_conversations=written.num_conversations,
                num_rows=written.num_rows,
                sha256=file_sha256(path),
            )
        else:
            path.unlink()
        record = Record(shard=shard, left_out=dict(written.left_out))
        with whole_file(self._record_path(index)) as file:
            file.write(_json(record.model_dump(mode="json")))
        return record

    def finish(self, num_parts: int) -> AnyDescription:
        """Write `dataset.json` out of the records 0 to `num_parts` - 1, which must all be there."""
        if self.is_finished:
            return type(self.description).read(self.path)
        records = list(self._records(num_parts))
        shards = tuple(record.shard for record in records if record.shard is not None)
        left_out: Counter[str] = Counter()
        for record in records:
            left_out.update(record.left_out)
        update = {
            "shards": shards,
            "num_conversations": sum(shard.num_conversations for shard in shards),
            "left_out": dict(sorted(left_out.items())),
        }
        done = self.description.model_copy(update=update)
        done.write(self.path)
        shutil.rmtree(self.path / UNFINISHED)
        return done

    def _records(self, num_parts: int) -> Iterator[Record]:
        for index in range(num_parts):
            record = self.record(index)
            if record is None:
                raise DataError(f"{self.path}: shard {index}", expected="a record", got="none")
            yield record

    def _record_path(self, index: int) -> Path:
        return self.path / UNFINISHED / f"{index:05d}.json"

    def _check_begun(self, plan_file: Path, plan: bytes) -> None:
        try:
            earlier, now = json.loads(plan_file.read_bytes()), json.loads(plan)
        except ValueError as error:
            raise DataError(str(plan_file), expected="JSON", got=error) from None
        if earlier != now:
            raise DataError(
                str(self.path), expected="a dataset begun in the same way",
                got=f"another ({_difference(earlier, now)})",
                fix="give another directory, or remove this one",
            )  # fmt: skip

    def _check_finished(self) -> None:
        there = type(self.description).read(self.path)
        nothing = {"shards": (), "num_conversations": 0, "left_out": {}}
        bare = there.model_copy(update=nothing)
        if bare != self.description:
            old, new = (d.model_dump(mode="json") for d in (bare, self.description))
            raise DataError(
                str(self.path), expected="no dataset yet, or this one",
                got=f"another ({_difference(old, new)})", fix="give another directory",
            )  # fmt: skip
        shutil.rmtree(self.path / UNFINISHED, ignore_errors=True)


def _json(data: object) -> bytes:
    return json.dumps(data, indent=1, ensure_ascii=False).encode("utf-8") + b"\n"


def _difference(old: Any, new: Any, place: str = "") -> str:
    """The first place where two JSON values differ, and both of them there."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        pairs = [(f"{place}.{key}", old[key], new[key]) for key in old]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(f"{place}[{i}]", *both) for i, both in enumerate(zip(old, new, strict=True))]
    else:
        return f"{place.lstrip('.')}: {json.dumps(old)[:80]}, not {json.dumps(new)[:80]}"
    return next(_difference(a, b, at) for at, a, b in pairs if a != b)
