"""What is worth a notice of what is heard, and when a conversation is worth keeping."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from motet.client import Conversation, Heard
from motet.protocol.server_events import (
    ContextFilling,
    ContextRolled,
    ErrorEvent,
    InputQueued,
    SessionClosed,
    SessionCreated,
    SessionForked,
    TurnEnded,
)  # fmt: skip
from motet.tui.venue import Kept

__all__ = ["Notice", "Notices"]

_CLOSED = {
    "client": "The conversation is closed.",
    "deleted": "The conversation was deleted.",
    "replaced": "This conversation was opened elsewhere; here it has ended.",
    "shutdown": "The server has stopped.",
    "error": "The conversation broke off.",
}
_NEXT = "Ctrl+O reopens one, Ctrl+N begins another."
_TITLE = 80


@dataclass(frozen=True)
class Notice:
    """A line to be shown for a moment."""

    text: str
    severity: Literal["information", "warning", "error"] = "information"


class Notices:
    """Of one conversation."""

    def __init__(self) -> None:
        self._title: str | None = None

    def of(self, heard: Heard, conversation: Conversation) -> list[Notice]:
        """What to tell about `heard`; conversation: what it has become."""
        match heard:
            case ErrorEvent():
                return [Notice(heard.message, "warning")]
            case SessionClosed():
                return [Notice(f"{_CLOSED[heard.reason]} {_NEXT}", "warning")]
        if conversation.is_catching_up:
            return []
        match heard:
            case ContextFilling(policy="roll"):
                return [Notice("The context is filling; the oldest rows will leave it.")]
            case ContextFilling():
                return [Notice("The context is filling; when it is full, it ends.", "warning")]
            case ContextRolled():
                return [Notice(f"The model now sees rows from {heard.first_row} on.")]
            case SessionForked() if heard.resume_token:
                return [Notice("A copy is kept; Ctrl+O opens it.")]
            case TurnEnded(reason="error"):
                return [Notice("The turn failed; say something to go on.", "warning")]
        return []

    def to_keep(self, heard: Heard, conversation: Conversation) -> Kept | None:
        """The conversation to remember after `heard`, if it changed what is remembered."""
        session = conversation.session
        match heard:
            case SessionForked() if session is not None and heard.resume_token:
                return Kept(
                    heard.session_id, heard.resume_token, f"{self._title or ''} (copy)".strip(),
                    session.model, time.time(), heard.row,
                )  # fmt: skip
            case SessionCreated(is_new=False):  # its title comes with its first text
                return None
            case TurnEnded() if conversation.is_catching_up:
                return None
            case SessionCreated() | InputQueued() | TurnEnded() if session is not None:
                first = conversation.inputs[0].text if conversation.inputs else ""
                title = " ".join(first.split())[:_TITLE]
                if title == self._title and isinstance(heard, InputQueued):
                    return None
                self._title = title
                return Kept(
                    session.session_id, session.resume_token, title, session.model, time.time(),
                    conversation.num_rows,
                )  # fmt: skip
        return None
