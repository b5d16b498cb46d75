"""All panes: the dialogue (inputs and outputs) at the left, the thoughts at the right.

For any channels: without thoughts the dialogue has all the width, and so has a single channel.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll

from motet.client import Conversation
from motet.protocol.server_events import ChannelInfo
from motet.tui.inks import inks_of
from motet.tui.voice import Voice

__all__ = ["Voices"]


class Voices(Horizontal):
    """One pane a channel of a layout."""

    def __init__(self, channels: tuple[ChannelInfo, ...]) -> None:
        super().__init__(id="voices")
        self.channels = channels
        self._panes = [
            Voice(channel, index, ink)
            for index, (channel, ink) in enumerate(zip(channels, inks_of(channels), strict=True))
        ]

    def compose(self) -> ComposeResult:
        """The two columns."""
        thoughts = [pane for pane in self._panes if pane.channel.role == "thought"]
        dialogue = [pane for pane in self._panes if pane.channel.role != "thought"]
        if dialogue:
            with VerticalScroll(id="dialogue", can_focus=False):
                yield from dialogue
        if thoughts:
            with VerticalScroll(id="thoughts", can_focus=False):
                yield from thoughts

    def show(self, conversation: Conversation) -> None:
        """Take in what is new."""
        for pane in self._panes:
            pane.show(conversation)
