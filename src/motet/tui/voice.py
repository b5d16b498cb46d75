"""The pane of one channel: its text as it comes, what waits to be read, and how it rests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from motet.client import Conversation
from motet.protocol.printable import printable
from motet.protocol.server_events import ChannelInfo, RowFrame
from motet.tui.flow import Flow, Line, Piece
from motet.tui.following import Following
from motet.tui.standing import marks, standing

__all__ = ["PLAYHEAD", "Voice"]

PLAYHEAD = "▸"
_UNTAKEN = "… "
_STYLES = ("sampled", "given", "read", "queued", "sent", "rule")


class Voice(ScrollView, can_focus=True):
    """One channel. It follows the end of its text unless somebody has scrolled up.

    Text that was set from outside looks different from sampled text; in the pane where messages
    arrive, what is read stands before the playhead, what is queued behind it.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"voice--{style}" for style in _STYLES}

    def __init__(self, channel: ChannelInfo, index: int, ink: str) -> None:
        super().__init__(id=f"voice-{index}", classes=f"ink-{ink}")
        self.channel = channel
        self._index = index
        self._conversation = Conversation()
        self._following = Following()
        self._flow = Flow(1)
        self._turn = self._ruled = 0  # turns that have begun, that were ruled off
        self._was_silent = True
        self._lines: list[Line] = []
        self._styles: dict[str, Style] = {}

    def on_resize(self, event: Resize) -> None:
        """Break all lines anew."""
        if self._flow.width != max(self.scrollable_content_region.width, 1):
            self._following.restart()
            self._restart()
        if self._conversation.channels:
            self.show(self._conversation)

    def notify_style_update(self) -> None:
        """Other colours."""
        super().notify_style_update()
        self._styles.clear()

    def show(self, conversation: Conversation) -> None:
        """Take in what is new."""
        self._conversation = conversation
        news = self._following.look(conversation)
        if news.is_again:
            self._restart()
        self._write(news.rows, news.turns)
        self._lines = self._flow.lines(after=self._pending(conversation))
        is_following = self.scroll_offset.y >= self.max_scroll_y
        self.virtual_size = Size(self._flow.width, len(self._lines))
        if is_following:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self._tell_standing(conversation)
        self.refresh()

    def text(self) -> str:
        """What the pane shows, line by line."""
        return "\n".join("".join(text for text, _ in line) for line in self._lines)

    def _write(self, rows: tuple[RowFrame, ...], turns: dict[int, int]) -> None:
        """Append rows. Who is in the middle of a sentence when a turn begins, ends it first."""
        index, is_input = self._index, self.channel.role == "input"
        for row in rows:
            text = row.text[index]
            self._turn = turns.get(row.index, self._turn)
            is_between = self._was_silent or row.silent[index] or text[:1] in ("", "\n")
            if self._turn > self._ruled and (is_input or is_between):
                self._ruled = self._turn
                if self._turn > 1:
                    self._flow.rule(f"─ {self._turn}", "rule")
            if text:
                given = "read" if is_input else "given"
                self._flow.add(text, given if row.given[index] else "sampled")
            self._was_silent = row.silent[index]

    def _restart(self) -> None:
        """Forget all that was written."""
        self._flow = Flow(self.scrollable_content_region.width)
        self._turn = self._ruled = 0
        self._was_silent = True

    def _pending(self, conversation: Conversation) -> Iterator[Piece]:
        """What waits to be read in this channel, and what the server has not taken yet."""
        name = self.channel.name
        waiting = [text for text in conversation.waiting if text.channel == name]
        for place, text in enumerate(waiting):
            is_begun = text.num_chars_read > 0
            newline = "" if is_begun or (place == 0 and not self._flow.has_open_line) else "\n"
            yield f"{newline}{PLAYHEAD}{text.text[text.num_chars_read :]}", "queued"
        if name == listening_channel(conversation):
            for typed in conversation.typed:
                yield f"\n{_UNTAKEN}{typed.text}", "sent"

    def _tell_standing(self, conversation: Conversation) -> None:
        has_more = self.scroll_offset.y < self.max_scroll_y
        self.border_title = Content.assemble(
            printable(self.channel.name),
            (f" {standing(conversation, self._index)}", "not bold dim"),
        )
        room = max(self.size.width - 6, 0)
        more = "↓ more " if has_more else ""
        self.border_subtitle = Content.assemble(
            (more, "bold"), (marks(conversation.rows, self._index, room - len(more)), "dim")
        )
        is_speaking = bool(conversation.rows) and not conversation.rows[-1].silent[self._index]
        self.set_class(is_speaking and conversation.is_in_turn, "-speaking")

    def render_line(self, y: int) -> Strip:
        """One line of the text."""
        width, number = self.size.width, y + self.scroll_offset.y
        base = self.rich_style
        if not 0 <= number < len(self._lines):
            return Strip.blank(width, base)
        segments = [Segment(text, self._style(style)) for text, style in self._lines[number]]
        return Strip(segments).crop_extend(0, width, base)

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = self.get_component_rich_style(f"voice--{name}")
        return style


def listening_channel(conversation: Conversation) -> str | None:
    """The channel that messages arrive in: the first input, or the first one of a chat model."""
    channels = conversation.channels
    inputs = [channel.name for channel in channels if channel.role == "input"]
    return next(iter([*inputs, *(channel.name for channel in channels)]), None)
