"""What a session reads before anybody speaks: its system text."""

from __future__ import annotations

from motet.engine.history import Past, history_rows
from motet.engine.message import check_message
from motet.streams.codec import StreamCodec
from motet.streams.grid import Tokens


def system_rows(system: str | None, codec: StreamCodec) -> Tokens | None:
    """Given rows [R, C] of a system text; InputError if it is none."""
    if system is None:
        return None
    check_message(system)
    return history_rows(codec, [Past("system", system)])
