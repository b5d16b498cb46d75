"""Grids: conversations as tokens [R, C], for training, in Parquet.

    id        string
    num_rows  int32
    tokens    list<int32>     R * C, row-major
    learned   list<bool>      which cells are targets; null: every cell of a sampled channel
    weights   list<float>     how much a learned cell counts; null: all 1
    meta      string          JSON

A grid begins with the rows that open a session of its model (`Layout.opening_RC`); its first row is
never a target. `datasets.load_dataset("parquet")` reads the files as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from motet.data.building import Written
from motet.data.dataset import (
    GridDescription,
    MadeBy,
    Shard,
    channel_entries,
    check_hashes,
    check_shards,
    file_sha256,
)
from motet.data.grid_file import GridFile, write_grids
from motet.data.grid_group import GridGroup
from motet.data.sequential import SequentialWriter
from motet.data.token_grid import TokenGrid
from motet.errors import DataError
from motet.streams.codec import TOKENIZER_FILE
from motet.streams.layout import Layout

__all__ = [
    "GridDataset",
    "GridWriter",
    "TokenGrid",
    "grid_description",
    "tokenizer_sha256",
    "write_grids",
]

DEFAULT_SHARD_ROWS = 1 << 20
_OPEN_FILES = 64
_MOST_DECODED_BYTES = 1 << 28
"""Decoded groups are kept up to this size: a small dataset is decoded once, not in each epoch."""


class GridDataset(Sequence[TokenGrid]):
    """The grids of a finished dataset: `len`, `[i]` in any order, `read` for all in order.

    Files are mapped, and small groups of them decoded when asked for, and kept for a while. It may
    be pickled, without what it keeps.
    """

    def __init__(self, path: Path, description: GridDescription) -> None:
        self.path = path
        self.description = description
        self.channels = description.layout_channels
        self._starts = [0, *accumulate(s.num_conversations for s in description.shards)]
        self._forget()

    def _forget(self) -> None:
        self._files: OrderedDict[int, GridFile] = OrderedDict()
        self._groups: OrderedDict[tuple[int, int], GridGroup] = OrderedDict()
        self._num_decoded_bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        kept = ("path", "description", "channels", "_starts")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    @classmethod
    def open(cls, path: Path) -> GridDataset:
        """Read `dataset.json`; DataError if this is no finished dataset of grids."""
        description = GridDescription.read(path)
        check_shards(path, description)
        return cls(path, description)

    def check_hashes(self) -> None:
        """DataError if a shard was changed since it was made."""
        check_hashes(self.path, self.description)

    def check_fit(self, layout: Layout, tokenizer_sha256: str) -> None:
        """DataError if the grids are not in the tokens and channels of a model."""
        expected = [(c.name, c.role.value) for c in layout.channels]
        got = [(c.name, c.role.value) for c in self.channels]
        if got != expected:
            raise DataError(
                f"{self.path}: channels", expected=expected, got=got,
                fix="motet data project chooses and renames channels",
            )  # fmt: skip
        if tokenizer_sha256 != self.description.tokenizer_sha256:
            raise DataError(
                f"{self.path}: tokenizer", expected=f"{tokenizer_sha256[:12]}..., the model's",
                got=f"{self.description.tokenizer_sha256[:12]}...",
                fix="motet data tokenize makes grids for this model",
            )  # fmt: skip
        for meaning, token, there in (
            ("silence", layout.silence, self.description.silence_id),
            ("end", layout.end, self.description.end_id),
        ):
            if (expected_id := None if token is None else token.id) != there:
                raise DataError(f"{self.path}: {meaning}_id", expected=expected_id, got=there)

    @property
    def silence_id(self) -> int | None:
        """The token that says nothing."""
        return self.description.silence_id

    @property
    def end_id(self) -> int | None:
        """The token that ends a message."""
        return self.description.end_id

    @property
    def vocabulary(self) -> int:
        """Token ids are below this."""
        return self.description.vocabulary

    @property
    def tokenizer_sha256(self) -> str:
        """Digest of the tokenizer that made the tokens; see `tokenizer_sha256` of this module."""
        return self.description.tokenizer_sha256

    @property
    def num_opening_rows(self) -> int:
        """With how many rows, which open a session, every grid begins."""
        return self.description.num_opening_rows

    @cached_property
    def num_rows_N(self) -> NDArray[np.int32]:
        """R of every conversation, in order."""
        shards = range(len(self.description.shards))
        columns = [self._file(shard).num_rows() for shard in shards]
        return np.concatenate(columns) if columns else np.empty(0, np.int32)

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: Any) -> Any:
        """Conversation number `index`; DataError if it is broken, with file, number and field."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"conversation {index} of {len(self)}")
        shard = bisect_right(self._starts, number) - 1
        group, place = self._file(shard).group_of(number - self._starts[shard])
        key = (shard, group)
        if key not in self._groups:
            self._groups[key] = self._file(shard).read_group(group)
            self._num_decoded_bytes += self._groups[key].num_bytes
            while self._num_decoded_bytes > _MOST_DECODED_BYTES and len(self._groups) > 1:
                _, dropped = self._groups.popitem(last=False)
                self._num_decoded_bytes -= dropped.num_bytes
        self._groups.move_to_end(key)
        return self._groups[key][place]

    def read(self) -> Iterator[TokenGrid]:
        """All conversations in order."""
        for shard in self.description.shards:
            yield from self.read_shard(shard)

    def read_shard(self, shard: Shard) -> Iterator[TokenGrid]:
        """The conversations of one shard."""
        file = self._file(self.description.shards.index(shard))
        for number in range(file.num_groups):
            group = file.read_group(number)
            yield from (group[place] for place in range(len(group)))

    def _file(self, index: int) -> GridFile:
        if index not in self._files:
            shard = self.description.shards[index]
            path = self.path / shard.file
            file = GridFile(path, len(self.channels), self.description.vocabulary)
            if file.num_conversations != shard.num_conversations:
                raise DataError(
                    str(path), expected=f"{shard.num_conversations} conversations",
                    got=file.num_conversations,
                )  # fmt: skip
            self._files[index] = file
            if len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)
        self._files.move_to_end(index)
        return self._files[index]


class GridWriter(SequentialWriter[TokenGrid, GridDescription]):
    """Writes grids one after the other; as `motet.data.tables.TableWriter` writes tables."""

    def __init__(
        self,
        path: Path,
        layout: Layout,
        vocabulary: int,
        tokenizer_sha256: str,
        made_by: MadeBy,
        *,
        shard_rows: int = DEFAULT_SHARD_ROWS,
    ) -> None:
        description = grid_description(layout, vocabulary, tokenizer_sha256, made_by)
        super().__init__(path, description, shard_rows)

    def _write_shard(self, file: BinaryIO, conversations: list[TokenGrid]) -> Written:
        return write_grids(file, conversations)

    def _check(self, conversation: TokenGrid) -> None:
        check_grid(conversation, self.building.description)


def check_grid(grid: TokenGrid, description: GridDescription) -> None:
    """DataError if a grid cannot be in a dataset as described."""
    num_channels = len(description.channels)
    if grid.tokens_RC.shape[1] != num_channels:
        got = grid.tokens_RC.shape[1]
        raise DataError(f"grid {grid.id}: channels", expected=num_channels, got=got)
    if grid.tokens_RC.size and not (
        0 <= grid.tokens_RC.min() and grid.tokens_RC.max() < description.vocabulary
    ):
        raise DataError(
            f"grid {grid.id}: tokens", expected=f"ids from 0 to {description.vocabulary - 1}",
            got=f"{grid.tokens_RC.min()} to {grid.tokens_RC.max()}",
        )  # fmt: skip


def grid_description(
    layout: Layout, vocabulary: int, tokenizer_sha256: str, made_by: MadeBy
) -> GridDescription:
    """What a new dataset of grids says of itself before it has shards."""
    return GridDescription(
        channels=channel_entries(layout.channels),
        tokenizer_sha256=tokenizer_sha256,
        vocabulary=vocabulary,
        num_opening_rows=len(layout.opening_RC()),
        silence_id=None if layout.silence is None else layout.silence.id,
        end_id=None if layout.end is None else layout.end.id,
        made_by=made_by,
    )


def tokenizer_sha256(directory: Path) -> str:
    """The digest by which a dataset knows the tokenizer of a model directory."""
    return file_sha256(directory / TOKENIZER_FILE)
