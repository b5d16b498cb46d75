"""The whole score on a sheet: systems one below the other, and a place in it to cut at.

Arrow keys and the mouse choose a row; Enter asks to go back to before it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from motet.client import Conversation
from motet.tui.following import Following
from motet.tui.notation import Notation
from motet.tui.score import Column, columns_of
from motet.tui.systems import margin_of, places_of, space_of, staves

__all__ = ["Sheet"]


class Sheet(Notation, can_focus=True):
    """All rows of a conversation. chosen: the place of a row in them, None without a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Row before", show=False),
        Binding("right", "move(1)", "Row after", show=False),
        Binding("up", "move_system(-1)", "System above", show=False),
        Binding("down", "move_system(1)", "System below", show=False),
        Binding("ctrl+left,pageup", "move_turn(-1)", "Turn before", show=False),
        Binding("ctrl+right,pagedown", "move_turn(1)", "Turn after", show=False),
        Binding("home", "move(-1000000000)", "First row", show=False),
        Binding("end", "move(1000000000)", "Last row", show=False),
        Binding("enter", "cut", "Go back to before this row", show=False),
    ]
    chosen: reactive[int | None] = reactive(None)

    class Cut(Message):
        """Rows from `row` on are to go."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    class Chose(Message):
        """Another row is chosen."""

    def __init__(self) -> None:
        super().__init__(id="sheet")
        self._following = Following()
        self._starts: list[int] = []  # of each system, in rows
        self._used = 0  # cells of the last system
        self._drawn: tuple[int, list[Strip]] | None = None

    @property
    def chosen_row(self) -> int | None:
        """The index of the chosen row."""
        rows = self.conversation.rows
        return None if self.chosen is None or not rows else rows[self.chosen].index

    def show(self, conversation: Conversation) -> None:
        """Take in what is new."""
        is_following = self.scroll_offset.y >= self.max_scroll_y and self.chosen is None
        self.conversation = conversation
        if self._width <= 0:  # not laid out yet
            return
        news = self._following.look(conversation)
        if news.is_again:
            self._starts = []
        self._lay_out(len(conversation.rows) - len(news.rows))
        self._drawn = None
        height = len(self._starts) * self._system_height
        self.virtual_size = Size(self._width, height)
        if self.chosen is not None:
            last = len(conversation.rows) - 1
            self.chosen = min(self.chosen, last) if last >= 0 else None
        if is_following:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self.refresh()

    def on_resize(self) -> None:
        """Break the systems anew."""
        self._following.restart()
        self._starts = []
        self.show(self.conversation)
        self._reveal()

    def choose_turn(self) -> None:
        """Put the cursor where the newest turn begins, or on the last row."""
        rows, turn = self.conversation.rows, self.conversation.turn
        if rows:
            start = rows[-1].index if turn is None else turn.from_row
            self.chosen = min(self._place(start), len(rows) - 1)

    def watch_chosen(self) -> None:
        """Show where the cursor is."""
        self._drawn = None
        self._reveal()
        self.post_message(self.Chose())
        self.refresh()

    def action_move(self, rows: int) -> None:
        """Move the cursor by rows."""
        last = len(self.conversation.rows) - 1
        if last >= 0:
            here = last if self.chosen is None else self.chosen
            self.chosen = max(0, min(here + rows, last))

    def action_move_turn(self, turns: int) -> None:
        """Move the cursor to where a turn begins."""
        rows = self.conversation.rows
        places = [self._place(start) for start in sorted(self.bars)]
        places = [place for place in places if place < len(rows)]
        here = len(rows) if self.chosen is None else self.chosen
        ahead = [p for p in places if (p > here if turns > 0 else p < here)]
        if ahead:
            self.chosen = ahead[0] if turns > 0 else ahead[-1]

    def action_move_system(self, systems: int) -> None:
        """Move the cursor to the row above or below."""
        if self.chosen is None:
            self.action_move(0)
            return
        here = self._system_of(self.chosen)
        there = here + systems
        if 0 <= there < len(self._starts):
            x = self._places(here)[self.chosen - self._starts[here]]
            self.chosen = self._at(there, x)

    def action_cut(self) -> None:
        """Ask to go back to before the chosen row."""
        if self.chosen_row is not None:
            self.post_message(self.Cut(self.chosen_row))

    def on_click(self, event: Click) -> None:
        """Choose the row that was clicked."""
        system = (event.y + self.scroll_offset.y) // self._system_height
        if system < len(self._starts):
            self.chosen = self._at(system, event.x)

    def render_line(self, y: int) -> Strip:
        """A line of the sheet."""
        system, line = divmod(y + self.scroll_offset.y, self._system_height)
        strips = self._drawing(system) if system < len(self._starts) else []
        strip = strips[line] if line < len(strips) else Strip([])
        return strip.crop_extend(0, self.size.width, self.rich_style)

    @property
    def _width(self) -> int:
        return self.size.width - self.styles.scrollbar_size_vertical

    @property
    def _system_height(self) -> int:
        return len(self.names) + 2  # the ruler, and a line between systems

    def _place(self, row_index: int) -> int:
        return bisect_right(self.conversation.rows, row_index - 1, key=lambda row: row.index)

    def _system_of(self, place: int) -> int:
        return bisect_right(self._starts, place) - 1

    def _columns(self, system: int) -> list[Column]:
        rows = self.conversation.rows
        ends = [*self._starts[1:], len(rows)]
        return columns_of(rows, self._starts[system], ends[system])

    def _places(self, system: int) -> list[int]:
        return places_of(self._columns(system), self.bars, margin_of(self.names))

    def _at(self, system: int, x: int) -> int:
        """The row of a system that stands at cell `x`."""
        return self._starts[system] + max(bisect_right(self._places(system), x) - 1, 0)

    def _lay_out(self, first: int) -> None:
        """Put rows from `first` on into systems."""
        rows, bars, margin = self.conversation.rows, self.bars, margin_of(self.names)
        for place in range(first, len(rows)):
            (column,) = columns_of(rows, place, place + 1)
            space = space_of(column, bars)
            if not self._starts or self._used + space > self._width:
                self._starts.append(place)
                self._used = margin
            self._used += space

    def _drawing(self, system: int) -> list[Strip]:
        if self._drawn is None or self._drawn[0] != system:
            lines = staves(self.names, self._columns(system), self.bars, self.chosen_row)
            strips = [
                self.strip_of(line, number - 1 if number else None)
                for number, line in enumerate(lines)
            ]
            self._drawn = system, strips
        return self._drawn[1]

    def _reveal(self) -> None:
        if self.chosen is not None and self._starts:
            y = self._system_of(self.chosen) * self._system_height
            region = Region(0, y, 1, self._system_height)
            self.scroll_to_region(region, animate=False, immediate=True)
