"""The line of keys at the bottom: what they would do now. Each one can be clicked."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from motet.client import Conversation
from motet.tui.keys import ACTIONS

__all__ = ["KeyLine"]

_ROOMY = 90


class KeyLine(Static):
    """As many keys as there is room for."""

    def show(self, conversation: Conversation) -> None:
        """Draw the line."""
        now = {
            "pause": "go on" if conversation.is_paused else "pause",
            "hold": "release" if conversation.is_held else "hold",
        }
        text = Text(no_wrap=True, overflow="crop")
        gap = " " if self.app.size.width < _ROOMY else "  "
        for action in ACTIONS:
            if action.short:
                click = Style(meta={"@click": f"app.{action.name}"})
                text.append(gap if text else "").append(action.shown_key, click + Style(bold=True))
                text.append(f" {now.get(action.name, action.short)}", click + Style(dim=True))
        self.update(text)
