"""From what a client says to what the decode thread is told."""

from __future__ import annotations

from motet.engine import Feed
from motet.errors import InputError, ProtocolError
from motet.protocol.client_events import (
    ClientEvent,
    Continue,
    Hold,
    Inject,
    InputAppend,
    InputClear,
    Interrupt,
    Pause,
    Release,
    Rewind,
    SessionUpdate,
    Step,
)  # fmt: skip
from motet.server.decoding import messages
from motet.server.live.knobs import changed
from motet.server.live.story import Story


def order_of(event: ClientEvent, story: Story, max_text_bytes: int) -> messages.Order:
    """The order that carries out an event; MotetError for an event or value that makes no sense."""
    match event:
        case InputAppend():
            check_size(event.text, max_text_bytes)
            return messages.Give(event.text, None if event.feed is None else Feed(event.feed))
        case Interrupt():
            if event.text is None:
                return messages.Stop()
            check_size(event.text, max_text_bytes)
            return messages.Interrupt(event.text)
        case Inject():
            check_size(event.text, max_text_bytes)
            return messages.Inject(event.channel, event.text)
        case InputClear():
            return messages.Clear()
        case SessionUpdate():
            pace = story.pace if event.settings.pace is None else event.settings.pace
            return messages.Change(changed(story.settings, event.settings), pace)
        case Pause():
            return messages.Pause()
        case Continue():
            return messages.GoOn()
        case Step():
            return messages.Step(event.rows)
        case Hold():
            return messages.Hold()
        case Release():
            return messages.Release()
        case Rewind():
            return messages.Rewind(event.row)
        case _:
            raise ProtocolError(
                event.type, expected="an event for a session that is open", got=event.type
            )


def check_size(text: str, max_bytes: int) -> None:
    """InputError for a text that is too long."""
    if (num_bytes := len(text.encode("utf-8", "replace"))) > max_bytes:
        raise InputError("text", expected=f"at most {max_bytes} bytes", got=num_bytes)


def text_of(event: ClientEvent) -> str:
    """The text that an event carries, if it does."""
    return getattr(event, "text", None) or ""
