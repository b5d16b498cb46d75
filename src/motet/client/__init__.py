"""Talk with a Motet server: a connection that survives, a view that is folded from its events.

    socket --> SocketConnection --> server events --> fold --> Conversation --> a terminal, a page

`connect` is the short way: `async with motet.client.connect(url) as talk`, or `with` without async.
"""

from motet.client.connection import Connection, ConnectionState, Heard
from motet.client.conversation import Conversation, Input, InputState, Segment, Turn
from motet.client.fold import fold
from motet.client.opening import connect
from motet.client.patience import Patience
from motet.client.socket import SocketConnection
from motet.client.talk import Talk

__all__ = [
    "Connection", "ConnectionState", "Conversation", "Heard", "Input", "InputState", "Patience",
    "Segment", "SocketConnection", "Talk", "Turn", "connect", "fold",
]  # fmt: skip
