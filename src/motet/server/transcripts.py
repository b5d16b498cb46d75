"""What was said in a session, resolved from its events: the rows that still hold, and those cut.

A rewind takes rows back; they stay in the journal, and here under `cuts`. A fork begins with the
events of its parent, so it needs nothing else.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from pydantic import ValidationError

from motet.errors import JournalError
from motet.protocol.server_events import (
    RowFrame,
    Rows,
    SessionRewound,
    TurnContinued,
    TurnEnded,
    TurnStarted,
    read_server_event,
)
from motet.server.journal import Entry, SessionRecord
from motet.streams.grid import TOKEN_DTYPE, Grid
from motet.streams.layout import Layout

__all__ = [
    "TRANSCRIPT_VERSION", "Cut", "Transcript", "TranscriptForm", "TurnSpan", "grid_bytes",
    "transcript_of",
]  # fmt: skip

TRANSCRIPT_VERSION = 1


class TranscriptForm(StrEnum):
    """text to read, json to work with, grid the tokens as an .npz file."""

    TEXT = "text"
    JSON = "json"
    GRID = "grid"


@dataclass(frozen=True)
class TurnSpan:
    """A turn: rows from_row to to_row, both included; reason is None while it goes on."""

    turn: int
    from_row: int
    to_row: int = -1
    reason: str | None = None


@dataclass(frozen=True)
class Cut:
    """Rows that a rewind took back, from `to_row` on."""

    to_row: int
    rows: tuple[RowFrame, ...]


@dataclass(frozen=True)
class Transcript:
    """A session's rows 0, 1, ..., which turns they belong to, and what was cut."""

    record: SessionRecord
    layout: Layout
    rows: tuple[RowFrame, ...]
    turns: tuple[TurnSpan, ...]
    cuts: tuple[Cut, ...]

    def rows_of(self, turn: TurnSpan) -> tuple[RowFrame, ...]:
        """The rows of a turn."""
        return self.rows[turn.from_row : turn.to_row + 1]

    def texts_of(self, turn: TurnSpan) -> dict[str, str]:
        """What each channel said in a turn, by name."""
        rows = self.rows_of(turn)
        return {
            name: "".join(row.text[channel] for row in rows)
            for channel, name in enumerate(self.layout.names)
        }

    @property
    def grid(self) -> Grid:
        """Tokens [R, C] of the rows, and which were given."""
        shape = (len(self.rows), self.layout.num_channels)
        tokens = np.array([row.ids for row in self.rows], TOKEN_DTYPE).reshape(shape)
        return Grid(tokens, np.array([row.given for row in self.rows], np.bool_).reshape(shape))

    def to_json(self) -> dict[str, Any]:
        """The document that is exported as JSON; docs/operating.md describes it."""
        record = self.record
        return {
            "version": TRANSCRIPT_VERSION,
            "session": {
                "id": record.id,
                "title": record.title,
                "model": record.model,
                "created_s": record.created_s,
                "context_rows": record.context_rows,
                "context_policy": record.context_policy,
                "layout": self.layout.to_json(),
            },
            "turns": [
                {
                    "turn": turn.turn,
                    "from_row": turn.from_row,
                    "to_row": turn.to_row,
                    "reason": turn.reason,
                    "channels": self.texts_of(turn),
                }
                for turn in self.turns
            ],
            "rows": [row.model_dump() for row in self.rows],
            "cuts": [
                {"to_row": cut.to_row, "rows": [row.model_dump() for row in cut.rows]}
                for cut in self.cuts
            ],
        }


@dataclass
class _Folding:
    rows: list[RowFrame] = field(default_factory=list)
    turns: list[TurnSpan] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Go on by one event; JournalError if rows are missing."""
        match read_server_event(entry.json):
            case Rows(rows=rows):
                for row in rows:
                    if row.index != len(self.rows):
                        raise JournalError(
                            f"session {entry.session_id}", expected=f"row {len(self.rows)}",
                            got=f"row {row.index} in event {entry.seq}",
                        )  # fmt: skip
                    self.rows.append(row)
            case TurnStarted(turn=turn, from_row=from_row):
                self.turns.append(TurnSpan(turn, from_row))
            case TurnEnded(reason=reason) if self.turns:
                self.turns[-1] = replace(self.turns[-1], reason=reason)
            case TurnContinued() if self.turns:
                self.turns[-1] = replace(self.turns[-1], reason=None)
            case SessionRewound(to_row=to_row):
                self._rewind(to_row)
            case _:
                pass

    def _rewind(self, to_row: int) -> None:
        self.cuts.append(Cut(to_row, tuple(self.rows[to_row:])))
        if to_row < len(self.rows) and self.turns:
            self.turns[-1] = replace(self.turns[-1], reason=None)
        del self.rows[to_row:]
        self.turns = [turn for turn in self.turns if turn.from_row < to_row]

    def spans(self) -> tuple[TurnSpan, ...]:
        starts = [turn.from_row for turn in self.turns] + [len(self.rows)]
        return tuple(
            replace(turn, to_row=end - 1) for turn, end in zip(self.turns, starts[1:], strict=True)
        )


def transcript_of(record: SessionRecord, entries: Iterable[Entry]) -> Transcript:
    """The transcript of a session from all its events; JournalError if they do not fit together."""
    folding = _Folding()
    try:
        layout = Layout.from_json(json.loads(record.layout_json))
        for entry in entries:
            folding.take(entry)
    except (ValidationError, ValueError) as error:
        raise JournalError(
            f"session {record.id}", expected="events of this version of Motet",
            got=type(error).__name__,
        ) from None  # fmt: skip
    return Transcript(record, layout, tuple(folding.rows), folding.spans(), tuple(folding.cuts))


def grid_bytes(transcript: Transcript) -> bytes:
    """The rows as an .npz file that `motet.streams.grid.Grid.load` reads."""
    grid, file = transcript.grid, io.BytesIO()
    np.savez_compressed(file, tokens=grid.tokens_RC, given=grid.given_RC)
    return file.getvalue()
