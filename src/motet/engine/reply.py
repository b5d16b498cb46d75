"""What a finished turn said: one value for the command line, for files and for Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from motet.engine.session import Session
from motet.runtime.protocol import StateT


@dataclass(frozen=True)
class Reply:
    """All channels of a session after a turn, and how long it took.

    channels: text of each channel by name. grid: per row, the text that each cell completed.
    ttft_rows: rows from the start of the message to Output's first token, None if it was mute.
    """

    model: str
    seed: int
    rows: int
    channels: dict[str, str]
    grid: list[list[str]]
    ttft_rows: int | None
    seconds: float
    stopped_by: str

    @property
    def rows_per_s(self) -> float:
        """Rows a second, from the message to the end of the turn."""
        return self.rows / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """The document that `motet run --json` prints."""
        return {
            "model": self.model,
            "seed": self.seed,
            "rows": self.rows,
            "channels": self.channels,
            "grid": self.grid,
            "ttft_rows": self.ttft_rows,
            "seconds": round(self.seconds, 4),
            "rows_per_s": round(self.rows_per_s, 2),
            "stopped_by": self.stopped_by,
        }


def reply_of(session: Session[StateT], model: str, seconds: float) -> Reply:
    """The reply that a session has given by now."""
    channels = {name: session.text(name) for name in session.layout.names}
    grid = [list(row.deltas) for row in session.rows]
    if session.chat is not None:  # the words of a chat's user stand in the one channel too
        grid = [[""] if row.given[0] else list(row.deltas) for row in session.rows]
        channels = {name: "".join(cells[0] for cells in grid).lstrip("\n") for name in channels}
    for channel, text in enumerate(channels.values() if session.chat is None else ()):
        shown = "".join(cells[channel] for cells in grid)
        if text != shown:  # the turn was cut off inside a character
            grid[-1][channel] += text[len(shown) :]
    return Reply(
        model=model,
        seed=session.settings.seed,
        rows=len(session.rows),
        channels=channels,
        grid=grid,
        ttft_rows=session.turn.ttft_rows,
        seconds=seconds,
        stopped_by="" if session.stopped_by is None else session.stopped_by.value,
    )
