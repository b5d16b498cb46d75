"""The decode loop: all sessions of a server in one thread, one batched row step at a time.

event loop  --orders-->  decode thread (owns the engine)
            <--letters--
"""

from motet.server.decoding.handle import Listener, SessionHandle
from motet.server.decoding.line import OnWaiting
from motet.server.decoding.loop import DecodeLoop
from motet.server.decoding.mail import Letter
from motet.server.decoding.messages import (
    Kept,
    OpenRequest,
    Read,
    Reply,
    Standing,
    Taken,
    TurnEnd,
    Unread,
    Update,
)
from motet.server.decoding.report import Observer, StepReport

__all__ = [
    "DecodeLoop", "Kept", "Letter", "Listener", "Observer", "OnWaiting", "OpenRequest", "Read",
    "Reply", "SessionHandle", "Standing", "StepReport", "Taken", "TurnEnd", "Unread", "Update",
]  # fmt: skip
