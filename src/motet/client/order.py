"""Each numbered event once and in order, across as many connections as it takes.

A session's events are numbered 1, 2, ...; some are of the moment, repeat a number and are not
sent again. After a lost connection the server is asked for what comes after the last
number that was seen, so a number that was seen already is a repetition, and a number that was
jumped over is a fault.
"""

from __future__ import annotations

from motet.errors import ProtocolError
from motet.protocol.server_events import (
    ErrorEvent,
    GoingAway,
    Heartbeat,
    Metrics,
    ServerEvent,
    SessionClosed,
    SessionCreated,
    SessionWaiting,
)  # fmt: skip
from motet.protocol.wire import PROTOCOL_VERSION

__all__ = ["OF_THE_MOMENT", "Order"]

OF_THE_MOMENT = (ErrorEvent, GoingAway, Heartbeat, Metrics, SessionClosed, SessionWaiting)


class Order:
    """Follows the numbers of one session. last_seq: of the newest numbered event that was seen."""

    def __init__(self, last_seq: int = 0) -> None:
        self.last_seq = last_seq

    def begin(self, created: SessionCreated) -> None:
        """A connection to the session begins; ProtocolError if it can't be the same session."""
        if created.protocol != PROTOCOL_VERSION:
            raise ProtocolError(
                "protocol", expected=f"version {PROTOCOL_VERSION}", got=created.protocol,
                fix="use a client and a server of the same release",
            )  # fmt: skip
        if created.is_new:
            self.last_seq = 0
        elif created.seq < self.last_seq:
            raise ProtocolError(
                "resume", expected=f"a session of {self.last_seq} events", got=created.seq,
                fix="its journal has been cut; open a new session",
            )  # fmt: skip

    def admits(self, event: ServerEvent) -> bool:
        """Whether `event` is news; False for a repetition; ProtocolError if some are missing."""
        if isinstance(event, OF_THE_MOMENT):
            return True
        if event.seq > self.last_seq + 1:
            raise ProtocolError("event", expected=f"seq {self.last_seq + 1}", got=event.seq)
        is_news = event.seq == self.last_seq + 1
        self.last_seq = max(self.last_seq, event.seq)
        return is_news
