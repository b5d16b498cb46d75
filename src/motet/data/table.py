"""A table: one conversation as text, for people. A row is a time step, a column a channel.

    {"id": "a", "rows": [["Hi", null], [{"text": "!", "end": true}, null], [null, "Hello."]],
     "meta": {"source": "example"}}

A cell is what its channel says in that row, `null` says nothing. The cells of a message concatenate
to it exactly: spaces belong to the cells. A message is a run of speaking cells; a cell with
`"end": true` closes it, also where the next one follows at once. The text of a closing cell may be
empty: nothing is said any more but that this was all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeAlias

from motet.errors import DataError
from motet.streams.layout import Channel

__all__ = ["Cell", "Message", "Row", "Table"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What a channel says in one row; `end` if its message ends with it."""

    text: str
    end: bool = False


Row: TypeAlias = "tuple[Cell | None, ...]"


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel says without a pause. Cell i of it is in row rows[i] from text[starts[i]] on.

    is_ended: whether its last cell closes it.
    """

    text: str
    rows: tuple[int, ...]
    starts: tuple[int, ...]
    is_ended: bool

    @classmethod
    def of_cells(cls, cells: Sequence[tuple[int, Cell]]) -> Message:
        """Of its cells, each with its row."""
        texts = [cell.text for _, cell in cells]
        starts = tuple(accumulate(map(len, texts[:-1]), initial=0))
        return cls("".join(texts), tuple(r for r, _ in cells), starts, cells[-1][1].end)

    def row_of(self, character: int) -> int:
        """The row of the cell that character number `character` of the text is in."""
        return self.rows[bisect_right(self.starts, character) - 1]


@dataclass(frozen=True, slots=True)
class Table:
    """One conversation: rows [R][C] of cells, None where a channel is silent.

    meta: JSON values. `source` says where it comes from; `question`, `answer`, `planted` (rows in
    which a planted wrong step ends) and `unlearned` ([channel name, first row, last row] of what is
    said but not to be learned) are there if it has such.
    """

    id: str
    channels: tuple[Channel, ...]
    rows: tuple[Row, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.rows)

    def column(self, name: str) -> list[Cell | None]:
        """The cells of the channel called `name`, by row."""
        index = [channel.name for channel in self.channels].index(name)
        return [row[index] for row in self.rows]

    def said(self, channel: int) -> list[Message]:
        """The messages of channel number `channel`, in order."""
        messages: list[list[tuple[int, Cell]]] = []
        is_open = False
        for r, row in enumerate(self.rows):
            cell = row[channel]
            if cell is not None:
                if not is_open:
                    messages.append([])
                messages[-1].append((r, cell))
            is_open = cell is not None and not cell.end
        return [Message.of_cells(cells) for cells in messages]

    def messages(self, name: str) -> list[str]:
        """What the channel called `name` says, one text a message."""
        index = [channel.name for channel in self.channels].index(name)
        return [message.text for message in self.said(index)]

    def to_json(self) -> dict[str, Any]:
        """The line of the file, without its channels, which stand in `dataset.json`."""
        return {
            "id": self.id,
            "rows": [[_cell_to_json(cell) for cell in row] for row in self.rows],
            "meta": dict(self.meta),
        }

    @classmethod
    def from_json(cls, data: object, channels: tuple[Channel, ...], where: str) -> Table:
        """Check one line; DataError that names the field, after `where`."""
        keys = {"id", "rows", "meta"}
        if not isinstance(data, dict) or data.keys() != keys:
            got = sorted(data) if isinstance(data, dict) else type(data).__name__
            raise DataError(where, expected="an object with id, rows, meta", got=str(got)[:80])
        if not isinstance(data["id"], str) or not data["id"]:
            raise DataError(f"{where}: id", expected="a text", got=repr(data["id"])[:60])
        if not isinstance(data["meta"], dict):
            raise DataError(f"{where}: meta", expected="an object", got=repr(data["meta"])[:60])
        if not isinstance(data["rows"], list):
            raise DataError(f"{where}: rows", expected="a list", got=repr(data["rows"])[:60])
        rows = []
        for r, row in enumerate(data["rows"]):
            if not isinstance(row, list) or len(row) != len(channels):
                got = f"{len(row)} cells" if isinstance(row, list) else repr(row)[:60]
                raise DataError(f"{where}: rows[{r}]", expected=f"{len(channels)} cells", got=got)
            rows.append(tuple(_cell(cell, where, r, c) for c, cell in enumerate(row)))
        return cls(data["id"], channels, tuple(rows), data["meta"])


def _cell(data: object, where: str, r: int, c: int) -> Cell | None:
    if data is None:
        return None
    text, end = data, False
    if isinstance(data, dict) and data.keys() == {"text", "end"}:
        text, end = data["text"], data["end"]
    if not isinstance(text, str) or not isinstance(end, bool) or not (text or end):
        raise DataError(
            f"{where}: rows[{r}][{c}]",
            expected='null, a text that is not empty, or {"text": ..., "end": true}',
            got=repr(data)[:60],
        )  # fmt: skip
    return Cell(text, end)


def _cell_to_json(cell: Cell | None) -> Any:
    if cell is None:
        return None
    return {"text": cell.text, "end": True} if cell.end else cell.text
