"""The score as a tape: one system, the newest row at its right end."""

from __future__ import annotations

from textual.strip import Strip

from motet.client import Conversation
from motet.tui.notation import Notation
from motet.tui.score import Column, columns_of
from motet.tui.systems import margin_of, space_of, staves

__all__ = ["Tape"]


class Tape(Notation, can_focus=False):
    """The last rows of a conversation, as many as fit."""

    def __init__(self) -> None:
        super().__init__(id="tape")
        self._strips: list[Strip] = []

    def show(self, conversation: Conversation) -> None:
        """Draw the newest rows."""
        self.conversation = conversation
        lines = staves(self.names, self._fitting(), self.bars)
        self._strips = [
            self.strip_of(line, number - 1 if number else None) for number, line in enumerate(lines)
        ]
        self.styles.height = len(lines) + 1  # its border
        self.refresh()

    def on_resize(self) -> None:
        """Another number of rows fits."""
        self.show(self.conversation)

    def _fitting(self) -> list[Column]:
        rows, bars = self.conversation.rows, self.bars
        room = self.size.width - margin_of(self.names)
        columns: list[Column] = []
        for index in range(len(rows) - 1, -1, -1):
            (column,) = columns_of(rows, index, index + 1)
            room -= space_of(column, bars)
            if room < 0:
                break
            columns.append(column)
        return columns[::-1]

    def render_line(self, y: int) -> Strip:
        """A line of the system."""
        strip = self._strips[y] if y < len(self._strips) else Strip([])
        return strip.crop_extend(0, self.size.width, self.rich_style)
