"""A transcript to read: per turn a line for each channel, then the score.

    Turn 1, rows 1 to 9, end

    User    What is 2+3?
    Output  5.

    1  User    What is 2+3?··
       Output  ·   ·  ·   5.

In the score time runs across: one column a row, as wide as its longest cell, so what stands above
each other was said in the same row. A dot is a rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.cells import cell_len

from motet.protocol.printable import printable
from motet.protocol.server_events import RowFrame
from motet.server.transcripts import Transcript, TurnSpan

__all__ = ["transcript_text"]

WIDTH = 100
REST = "\u00b7"
_SIGNS = {"\n": "\u23ce", "\t": "\u21e5", "\r": "\u240d"}


def transcript_text(transcript: Transcript) -> str:
    """The whole session as plain text that is safe to show and ends with a newline."""
    return printable("\n".join(_lines(transcript))) + "\n"


def _lines(transcript: Transcript) -> Iterator[str]:
    record = transcript.record
    made = datetime.fromtimestamp(record.created_s, UTC)
    yield record.title or f"Session {record.id}"
    yield f"{record.model}, {made:%Y-%m-%d %H:%M} UTC, {len(transcript.rows)} rows"
    gutter = max(map(cell_len, transcript.layout.names))
    for turn in transcript.turns:
        yield ""
        yield ""
        yield (
            f"Turn {turn.turn}, rows {turn.from_row} to {turn.to_row}, {turn.reason or 'not ended'}"
        )
        yield ""
        for name, text in transcript.texts_of(turn).items():
            if text.strip():
                yield _padded(name, gutter) + "  " + _indented(text.strip(), gutter + 2)
        yield from _score(transcript, turn, gutter)
    for cut in transcript.cuts:
        yield ""
        yield f"Taken back by a rewind: {len(cut.rows)} rows from row {cut.to_row} on."


def _score(transcript: Transcript, turn: TurnSpan, gutter: int) -> Iterator[str]:
    digits = len(str(turn.to_row))
    for system in _systems(transcript.rows_of(turn), WIDTH - gutter - digits - 4):
        yield ""
        widths = [_width(row) for row in system]
        for channel, name in enumerate(transcript.layout.names):
            first = str(system[0].index) if channel == 0 else ""
            cells = [
                _padded(_cell(row, channel), width)
                for row, width in zip(system, widths, strict=True)
            ]
            line = f"{first:>{digits}}  {_padded(name, gutter)}  {''.join(cells)}"
            yield line.rstrip()


def _systems(rows: Sequence[RowFrame], width: int) -> Iterator[list[RowFrame]]:
    """Rows in groups that fit into `width` columns; a wider row has a group of its own."""
    system: list[RowFrame] = []
    used = 0
    for row in rows:
        if system and used + _width(row) > width:
            yield system
            system, used = [], 0
        system.append(row)
        used += _width(row)
    if system:
        yield system


def _width(row: RowFrame) -> int:
    return max(1, *(cell_len(_cell(row, channel)) for channel in range(len(row.text))))


def _cell(row: RowFrame, channel: int) -> str:
    if row.silent[channel]:
        return REST
    return printable("".join(_SIGNS.get(sign, sign) for sign in row.text[channel]))


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _indented(text: str, width: int) -> str:
    return text.replace("\n", "\n" + " " * width)
