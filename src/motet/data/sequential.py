"""Writing a dataset one conversation after the other, in shards of about equal size."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Generic, Protocol, Self, TypeVar

from motet.data.building import Building, Written
from motet.data.dataset import Description

AnyDescription = TypeVar("AnyDescription", bound=Description)


class _HasRows(Protocol):
    @property
    def num_rows(self) -> int: ...


Conversation = TypeVar("Conversation", bound=_HasRows)


class SequentialWriter(Generic[Conversation, AnyDescription]):
    """A context: conversations fill shard after shard, and the dataset is finished at its end.

    num_done: conversations that finished shards of an earlier, stopped attempt hold already; the
    caller leaves them out and goes on with the next.
    """

    def __init__(self, path: Path, description: AnyDescription, shard_rows: int) -> None:
        self._shard_rows = shard_rows
        self._open: list[Conversation] = []
        self._num_open_rows = 0
        self._num_shards = 0
        self.num_done = 0
        self.building = Building.begin(path, description, {"shard_rows": shard_rows})
        if self.building.is_finished:
            self.num_done = type(description).read(path).num_conversations
            return
        while (record := self.building.record(self._num_shards)) is not None:
            self._num_shards += 1
            self.num_done += record.shard.num_conversations if record.shard else 0

    def write(self, conversation: Conversation) -> None:
        """Add one conversation; DataError if it does not fit the dataset."""
        self._check(conversation)
        self._open.append(conversation)
        self._num_open_rows += conversation.num_rows
        if self._num_open_rows >= self._shard_rows:
            self._close_shard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is not None:
            return
        if self._open:
            self._close_shard()
        self.building.finish(self._num_shards)

    def _close_shard(self) -> None:
        conversations = self._open
        self.building.make(self._num_shards, lambda file: self._write_shard(file, conversations))
        self._open, self._num_open_rows = [], 0
        self._num_shards += 1

    def _write_shard(self, file: BinaryIO, conversations: list[Conversation]) -> Written:
        raise NotImplementedError

    def _check(self, conversation: Conversation) -> None:
        raise NotImplementedError
