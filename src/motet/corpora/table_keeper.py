"""Rollouts as tables, where the texts of rows are known but not the tokenizer.

Rows before the question begins are what opens a session, and are left out. A character of several
tokens stands in the row that completes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from motet.corpora.attempts import Attempt, Attempts
from motet.corpora.collecting import write_dataset
from motet.data.building import Written
from motet.data.dataset import MadeBy, TableDescription
from motet.data.table import Cell, Table
from motet.data.tables import table_description, write_tables
from motet.protocol.row import Row
from motet.streams.layout import Channel, Role

__all__ = ["TableKeeper"]


@dataclass(frozen=True)
class TableKeeper:
    """Tables of these channels. is_end: whether a token that adds no text ends a message."""

    channels: tuple[Channel, ...]
    is_end: Callable[[int], bool]

    @property
    def form(self) -> str:
        """See `Keeper`."""
        return "tables"

    def keep(self, id_: str, rows: Sequence[Row], meta: Mapping[str, Any]) -> Any:
        """See `Keeper`."""
        inputs = [i for i, channel in enumerate(self.channels) if channel.role is Role.INPUT]
        speaks = (n for n, row in enumerate(rows) if not all(row.silent[i] for i in inputs))
        first = next(speaks, len(rows)) if inputs else 0
        columns = [self._column(rows[first:], channel) for channel in range(len(self.channels))]
        return Table(id_, self.channels, tuple(zip(*columns, strict=True)), meta).to_json()

    def table(self, kept: Any, where: str) -> Table:
        """See `Keeper`."""
        return Table.from_json(kept, self.channels, where)

    def collect(
        self,
        attempts: Attempts,
        numbers: Sequence[int],
        left_out: Mapping[str, int],
        path: Path,
        made_by: MadeBy,
    ) -> TableDescription:
        """See `Keeper`."""

        def write(file: BinaryIO, kept: Iterator[Attempt]) -> Written:
            tables = (
                self.table(one.kept, f"{attempts.path}: attempt {one.number}") for one in kept
            )
            return write_tables(file, tables)

        description = table_description(self.channels, made_by)
        return write_dataset(path, description, attempts, numbers, write, left_out=left_out)

    def _column(self, rows: Sequence[Row], channel: int) -> list[Cell | None]:
        """The cells of a channel, without the newlines that part messages in the rows' texts."""
        column: list[Cell | None] = []
        is_after_end = False
        for row in rows:
            text = row.deltas[channel]
            if text and is_after_end:
                text, is_after_end = text.removeprefix("\n"), False
            is_end = not (text or row.silent[channel]) and self.is_end(row.token_ids[channel])
            is_after_end = is_after_end or is_end
            column.append(Cell(text, is_end) if text or is_end else None)
        return column
