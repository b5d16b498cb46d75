"""The list of conversations: reopen one, delete one, or begin anew."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.cells import set_cell_size
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from motet.errors import MotetError
from motet.protocol.printable import printable
from motet.tui.venue import Kept, Venue

__all__ = ["Reopening", "ago"]

_TITLE = 32
_MODEL = 12


class Reopening(ModalScreen[Kept | None]):
    """Closed with the conversation that was chosen, or None. current_id: the one that is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+o", "dismiss", "Back"),
        Binding("delete,d", "delete", "Delete", show=False),
    ]

    def __init__(self, venue: Venue, current_id: str | None) -> None:
        super().__init__()
        self._venue = venue
        self._current_id = current_id
        self._kept: tuple[Kept, ...] = ()
        self._doomed: Kept | None = None

    def compose(self) -> ComposeResult:
        """The list, and a line below it."""
        with Vertical(id="reopening") as box:
            box.border_title = "conversations"
            box.border_subtitle = "enter reopens  d deletes  esc back"
            yield OptionList(markup=False)
            yield Static(id="said", markup=False)

    async def on_mount(self) -> None:
        """Read the list."""
        await self._read()
        self.query_one(OptionList).focus()

    async def _read(self) -> None:
        options, said = self.query_one(OptionList), self.query_one("#said", Static)
        try:
            self._kept = await self._venue.kept()
        except MotetError as error:
            said.update(printable(str(error)))
            return
        now_s = time.time()
        options.clear_options()
        for kept in self._kept:
            options.add_option(Option(_line(kept, kept.session_id == self._current_id, now_s)))
        options.highlighted = 0 if self._kept else None
        said.update("" if self._kept else "No conversation is kept here yet.")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Reopen it."""
        self.dismiss(self._kept[event.option_index])

    async def action_delete(self) -> None:
        """Delete the conversation under the cursor, if asked twice."""
        index, said = self.query_one(OptionList).highlighted, self.query_one("#said", Static)
        if index is None or index >= len(self._kept):
            return
        kept = self._kept[index]
        if kept.session_id == self._current_id:
            said.update("This one is open; begin another one first (Ctrl+N).")
        elif self._doomed is not kept:
            self._doomed = kept
            said.update("Press d again: it is deleted for good.")
        else:
            try:
                await self._venue.forget(kept)
            except MotetError as error:
                said.update(printable(str(error)))
                return
            await self._read()


def _line(kept: Kept, is_current: bool, now_s: float) -> Text:
    title = printable(kept.title).replace("\n", " ") or "(nothing said yet)"
    rows = "" if kept.num_rows is None else f"{kept.num_rows:,} rows"
    line = Text("▸ " if is_current else "  ", no_wrap=True)
    line.append(set_cell_size(title, _TITLE))
    line.append(f"  {set_cell_size(printable(kept.model), _MODEL)}", "dim")
    return line.append(f"  {rows:>10}  {ago(now_s - kept.changed_s)}", "dim")


def ago(seconds: float) -> str:
    """How long ago, in a word or two."""
    for limit, divisor, unit in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h")):
        if seconds < limit:
            return f"{max(int(seconds / divisor), 0)} {unit} ago"
    return f"{int(seconds / 86_400)} d ago"
