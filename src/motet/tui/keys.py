"""What each key does, once: for bindings, the line of keys, the palette and the help screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding

__all__ = ["ACTIONS", "KEYS", "Action", "bindings"]


@dataclass(frozen=True)
class Action:
    """key: as Textual names it. short: for the line of keys, empty if not shown there."""

    key: str
    name: str
    title: str
    meaning: str
    short: str = ""

    @property
    def shown_key(self) -> str:
        """The key as people write it."""
        return "+".join(part.capitalize() for part in self.key.split("+"))


ACTIONS = (
    Action("escape", "interrupt", "Interrupt", "end the turn now; what is queued is dropped"),
    Action("f1", "help", "Help", "this page", "help"),
    Action("f2", "pause", "Pause, go on", "stop the rows where they are, and go on", "pause"),
    Action("f3", "step", "Step", "one row, then pause", "step"),
    Action("f4", "hold", "Hold, release", "keep the reply silent: let it think first", "hold"),
    Action("f5", "inject", "Inject", "write into a thought; again: the next one", "inject"),
    Action("f6", "rewind", "Rewind", "choose a row in the score; Enter goes back to it", "rewind"),
    Action("f7", "fork", "Fork", "keep a copy as it is now (Ctrl+O opens it)", "fork"),
    Action("f8", "dials", "Dials", "silence penalties, temperature, pace, ...", "dials"),
    Action("f9", "view", "View", "panes and score, panes, score", "view"),
    Action("ctrl+s", "say_now", "Say now", "interrupt and start with what you have written"),
    Action("ctrl+r", "unsay", "Unsay", "drop what is queued; the turn goes on"),
    Action("ctrl+o", "reopen", "Conversations", "reopen or delete an earlier conversation"),
    Action("ctrl+n", "begin", "New conversation", "leave this one; it is kept"),
    Action("ctrl+p", "command_palette", "Commands", "everything by name, and themes"),
    Action("ctrl+q", "quit", "Quit", "leave; the conversation is kept"),
)
_EDITING = (
    ("Enter", "say it, also while the model speaks"),
    ("Ctrl+J", "a new line (Shift+Enter where the terminal tells it apart)"),
    ("Tab", "to the panes and back; arrows and Page keys scroll"),
)
KEYS = (*_EDITING, *((action.shown_key, action.meaning) for action in ACTIONS))


def bindings() -> list[Binding]:
    """All actions as bindings that work wherever the focus is; Escape leaves what is open first."""
    return [
        Binding(
            action.key, action.name, action.short or action.title, show=bool(action.short),
            priority=action.key != "escape", key_display=action.shown_key,
        )
        for action in ACTIONS
    ]  # fmt: skip
