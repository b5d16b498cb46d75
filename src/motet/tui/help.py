"""The help screen: keys, and what the signs mean."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from motet.tui.keys import KEYS

__all__ = ["Help"]

_SIGNS = (
    ("plain text", "sampled by the model"),
    ("bold", "you wrote it, and the model has read it"),
    ("▸ italic", "queued: not read yet; the sign moves through it as it is read"),
    ("… dim", "sent, and not yet taken by the server"),
    ("underlined", "words that somebody put into a channel"),
    ("▮ ▯ ·", "below a pane, its last rows: spoken, given, at rest"),
    ("·", "in the score: silence, a rest"),
    ("‖", "in the score: the end of a message"),
    ("◦ ␣ ↵", "in the score: part of a character, a space, a new line"),
    ("│", "in the score: a turn begins"),
)
_INTRODUCTION = (
    "Every row is one step of time: each channel reads or says one token, or rests. "
    "You may write at any time; the model hears you while it speaks."
)


class Help(ModalScreen[None]):
    """Closed by Escape, F1 or q."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,enter", "dismiss", "Back")]

    def compose(self) -> ComposeResult:
        """One page that scrolls."""
        with VerticalScroll(id="help", can_focus=True) as page:
            page.border_title = "help"
            page.border_subtitle = "↑↓ scroll  esc back"
            yield Static(Group(Text(_INTRODUCTION), Text(), _table(KEYS), Text(), _table(_SIGNS)))

    def on_mount(self) -> None:
        """Let the keys scroll."""
        self.query_one("#help").focus()


def _table(rows: tuple[tuple[str, str], ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for sign, meaning in rows:
        table.add_row(Text(sign), Text(meaning))
    return table
