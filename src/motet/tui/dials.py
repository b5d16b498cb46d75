"""The panel of live controls: they act while rows come, and show what the server has in force."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from motet.protocol.knobs import SettingsChange, SettingsEcho
from motet.tui.dialing import DIALS

__all__ = ["Dials"]

_BAR = 12
_TITLE = 18
_SHOWN = 10
_LEFT_END = _TITLE + 2


class Dials(Widget, can_focus=True):
    """A dial a line; up and down choose, left and right turn."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", "Dial above", show=False),
        Binding("down", "choose(1)", "Dial below", show=False),
        Binding("left,minus", "turn(-1)", "Less", show=False),
        Binding("right,plus", "turn(1)", "More", show=False),
        Binding("escape,enter", "leave", "Leave", show=False),
    ]
    chosen: reactive[int] = reactive(0)
    settings: reactive[SettingsEcho | None] = reactive(None)

    class Turned(Message):
        """A setting is to change."""

        def __init__(self, change: SettingsChange) -> None:
            super().__init__()
            self.change = change

    class Left(Message):
        """The panel may close."""

    def on_mount(self) -> None:
        """Say what it is."""
        self.border_title = "dials"
        self.border_subtitle = "↑↓ choose  ←→ turn  esc leave"

    def render(self) -> Text:
        """A line a dial: its name, its value, where it stands."""
        text = Text(no_wrap=True)
        if self.settings is None:
            return text.append("Not there yet.")
        for number, dial in enumerate(DIALS):
            is_chosen = number == self.chosen
            full = round(dial.share(self.settings) * _BAR)
            text.append("▸ " if is_chosen else "  ")
            text.append(f"{dial.title:<{_TITLE}}", "bold" if is_chosen else "")
            text.append(f"◂{dial.shown(self.settings):^{_SHOWN}}▸ ", "bold" if is_chosen else "")
            text.append("━" * full)
            text.append("─" * (_BAR - full), "dim")
            text.append("\n" if number < len(DIALS) - 1 else "")
        return text

    def action_choose(self, dials: int) -> None:
        """Go to another dial."""
        self.chosen = (self.chosen + dials) % len(DIALS)

    def action_turn(self, steps: int) -> None:
        """Turn the chosen dial."""
        if self.settings is not None:
            change = DIALS[self.chosen].turned(self.settings, steps)
            if change is not None:
                self.post_message(self.Turned(change))

    def action_leave(self) -> None:
        """Ask to close."""
        self.post_message(self.Left())

    def on_click(self, event: Click) -> None:
        """Choose the dial that was clicked, and turn it where there is an arrow."""
        place = event.get_content_offset(self)
        if place is None or not 0 <= place.y < len(DIALS):
            return
        self.chosen = place.y
        if place.x == _LEFT_END:
            self.action_turn(-1)
        elif place.x > _LEFT_END:
            self.action_turn(1)
