"""What was said to the server and is not yet known to have arrived.

A line can break between a frame that was sent and the event that shows that it was taken. When
the client has caught up after a resume, what no event answered has not arrived and is sent again:
nothing typed is lost, nothing is said twice. The server takes events in order, so the answer to
one shows that all before it have arrived too.
"""

from __future__ import annotations

from motet.protocol.client_events import (
    ClientEvent,
    Continue,
    Fork,
    Hold,
    Inject,
    InputAppend,
    Interrupt,
    Pause,
    Release,
    Rewind,
    SessionUpdate,
    Step,
)  # fmt: skip
from motet.protocol.server_events import (
    ErrorEvent,
    InputQueued,
    ServerEvent,
    SessionForked,
    SessionRewound,
    SessionUpdated,
)  # fmt: skip

__all__ = ["Unanswered"]

_UPDATING = SessionUpdate | Pause | Continue | Step | Hold | Release


class Unanswered:
    """Events in the order in which they were said, oldest first."""

    def __init__(self) -> None:
        self._said: list[ClientEvent] = []

    def say(self, event: ClientEvent) -> None:
        """Remember `event` until an answer comes."""
        self._said.append(event)

    def left(self, event: ClientEvent) -> None:
        """`event` went out on a good line: forget it if nothing would ever answer it."""
        if not _has_answer(event):
            self._said = [said for said in self._said if said is not event]

    def hear(self, event: ServerEvent) -> None:
        """Forget what `event` answers, and all that was said before that."""
        for index, said in enumerate(self._said):
            if _answers(event, said):
                del self._said[: index + 1]
                return

    def all(self) -> tuple[ClientEvent, ...]:
        """What is not answered."""
        return tuple(self._said)


def _has_answer(said: ClientEvent) -> bool:
    if isinstance(said, Interrupt):
        return said.text is not None
    return isinstance(said, InputAppend | Inject | Fork | Rewind | _UPDATING)


def _answers(event: ServerEvent, said: ClientEvent) -> bool:
    match event:
        case ErrorEvent():
            return event.event_id is not None and event.event_id == said.event_id
        case InputQueued():
            return isinstance(said, InputAppend | Interrupt | Inject) and said.text == event.text
        case SessionUpdated():
            return isinstance(said, _UPDATING)
        case SessionForked():
            return isinstance(said, Fork)
        case SessionRewound():
            return isinstance(said, Rewind) and said.row == event.to_row
        case _:
            return False
