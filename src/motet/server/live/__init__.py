"""Live sessions: what a client says becomes orders, what comes of them numbered events."""

from motet.server.live.cursor import Frames
from motet.server.live.hub import Hub
from motet.server.live.session import LiveSession

__all__ = ["Frames", "Hub", "LiveSession"]
