"""What both score views share: marks to strips, in the inks of the stylesheet."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.scroll_view import ScrollView
from textual.strip import Strip

from motet.client import Conversation
from motet.tui.inks import INKS, inks_of
from motet.tui.systems import Staff

__all__ = ["Notation"]

_CHOSEN = Style(reverse=True)
_PLAIN = ("ruler", "bar", "rest", "end", "gap")


class Notation(ScrollView):
    """A view of the score of one conversation."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"score--{name}" for name in (*_PLAIN, "given")),
        *(f"score--{ink}" for ink in INKS),
    }

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.conversation = Conversation()
        self._styles: dict[str, Style] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the channels."""
        return tuple(channel.name for channel in self.conversation.channels)

    @property
    def bars(self) -> set[int]:
        """The rows in which turns begin."""
        return {turn.from_row for turn in self.conversation.turns}

    def notify_style_update(self) -> None:
        """Other colours."""
        super().notify_style_update()
        self._styles.clear()

    def strip_of(self, staff: Staff, channel: int | None) -> Strip:
        """One line of a system; channel: whose line it is, None for the ruler."""
        segments = []
        for mark in staff:
            style = self._style(mark.style, channel)
            if mark.is_chosen:
                style += _CHOSEN
            segments.append(Segment(mark.text, style))
        return Strip(segments)

    def _style(self, name: str, channel: int | None) -> Style:
        ink, is_input = "ruler", True
        if channel is not None:
            ink = inks_of(self.conversation.channels)[channel]
            is_input = self.conversation.channels[channel].role == "input"
        key = name if name in _PLAIN else f"{ink} {name} {is_input}"
        style = self._styles.get(key)
        if style is None:
            style = self.get_component_rich_style(f"score--{name if name in _PLAIN else ink}")
            if name == "given" and not is_input:  # words that somebody put there
                style += self.get_component_rich_style("score--given", partial=True)
            self._styles[key] = style
        return style
