"""Where a person writes, at any time: also while the model speaks, and before it is there."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import TextArea

from motet.protocol.printable import printable

__all__ = ["Composer"]

_NEWLINE_KEYS = ("ctrl+j", "shift+enter", "alt+enter")


class Composer(TextArea):
    """Enter says the text, or puts it into the thought channel `target`; Ctrl+J breaks the line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.interrupt", "Interrupt", show=False),
    ]
    target: reactive[str | None] = reactive(None)

    class Said(Message):
        """A text is finished. target: the thought channel it is put into; None: it is said."""

        def __init__(self, text: str, target: str | None) -> None:
            super().__init__()
            self.text = text
            self.target = target

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
            compact=True,
        )

    def on_mount(self) -> None:
        """Say what it is for."""
        self.watch_target(self.target)

    def watch_target(self, target: str | None) -> None:
        """Say where the words go."""
        if target is None:
            self.border_title = Content("say")
            self.placeholder = "Write at any time. Enter says it, Esc interrupts, F1 is help."
        else:
            self.border_title = Content(f"put into {printable(target)}")
            self.placeholder = (
                f"Words for {printable(target)}. Enter puts them there, F5 the next channel."
            )
        self.set_class(target is not None, "-putting")

    def finish(self) -> str:
        """Take the text out."""
        text = self.text
        self.clear()
        return text

    async def _on_key(self, event: Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            if self.text.strip():
                target = self.target
                self.post_message(self.Said(self.finish(), target))
        elif event.key in _NEWLINE_KEYS:
            event.stop()
            event.prevent_default()
            self.insert("\n")
        else:
            await super()._on_key(event)
