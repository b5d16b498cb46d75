"""From attempts that were kept to the shards of a dataset; what was left out is counted in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, TypeVar

from motet.corpora.attempts import KEPT, Attempt, Attempts
from motet.data.building import Building, Written
from motet.data.dataset import Description
from motet.data.whole import whole_file

__all__ = ["write_dataset"]

_SHARD_CONVERSATIONS = 4_096

WriteAttempts = Callable[[BinaryIO, Iterator[Attempt]], Written]
AnyDescription = TypeVar("AnyDescription", bound=Description)


def write_dataset(
    path: Path,
    description: AnyDescription,
    attempts: Attempts,
    numbers: Sequence[int],
    write: WriteAttempts,
    *,
    beside: Mapping[str, bytes] = MappingProxyType({}),
    left_out: Mapping[str, int] = MappingProxyType({}),
) -> AnyDescription:
    """Make the dataset of the attempts `numbers`, in this order; goes on if it was begun.

    write: one shard. beside: other files of the dataset. left_out: kept attempts that are not among
    `numbers`, by reason; those that were not kept are counted here.
    """
    building = Building.begin(path, description, {"shard_conversations": _SHARD_CONVERSATIONS})
    parts = [
        numbers[start : start + _SHARD_CONVERSATIONS]
        for start in range(0, len(numbers), _SHARD_CONVERSATIONS)
    ]
    if not building.is_finished:
        for name, content in beside.items():
            with whole_file(path / name) as file:
                file.write(content)
        counts = Counter(left_out) + attempts.outcomes
        del counts[KEPT]
        for index, part in enumerate(parts):
            if building.record(index) is None:
                reasons = dict(counts) if index == len(parts) - 1 else {}
                building.make(index, _shard(attempts, part, write, reasons))
    return building.finish(len(parts))


def _shard(
    attempts: Attempts, numbers: Sequence[int], write: WriteAttempts, left_out: Mapping[str, int]
) -> Callable[[BinaryIO], Written]:
    return lambda file: replace(write(file, attempts.read(numbers)), left_out=left_out)
