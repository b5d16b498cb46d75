"""Small conversations for checks, written as one line of pieces a channel."""

from __future__ import annotations

from motet.data.table import Cell, Table
from motet.streams.layout import Channel, Role

CHANNELS = (
    Channel("User", Role.INPUT),
    Channel("Output", Role.OUTPUT),
    Channel("Think", Role.THOUGHT),
    Channel("Skeptical", Role.THOUGHT),
)


def table_of(*columns: str, name: str = "t", **meta: object) -> Table:
    """Pieces between bars, one a row: "What|is|47|?$". An empty piece is silence, "$" an end."""
    cells = [[_cell(piece) for piece in column.split("|")] for column in columns]
    cells += [[] for _ in CHANNELS[len(columns) :]]
    num_rows = max(map(len, cells))
    padded = [column + [None] * (num_rows - len(column)) for column in cells]
    return Table(name, CHANNELS, tuple(zip(*padded, strict=True)), meta)


def _cell(piece: str) -> Cell | None:
    text, end = piece.removesuffix("$"), piece.endswith("$")
    return Cell(text, end) if text or end else None


def silent(num_rows: int) -> str:
    """So many rows of silence, to be put in front of pieces."""
    return "|" * num_rows
