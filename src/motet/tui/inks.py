"""One ink a channel, the same in its pane and in the score; the stylesheet has the colours."""

from __future__ import annotations

from collections.abc import Sequence

from motet.protocol.server_events import ChannelInfo

__all__ = ["INKS", "inks_of"]

_NUM_THOUGHT_INKS = 5
INKS = ("input", "output", *(f"thought-{n}" for n in range(_NUM_THOUGHT_INKS)))


def inks_of(channels: Sequence[ChannelInfo]) -> tuple[str, ...]:
    """The name of each channel's ink; thoughts take turns with theirs."""
    inks, thoughts = [], 0
    for channel in channels:
        if channel.role == "thought":
            inks.append(f"thought-{thoughts % _NUM_THOUGHT_INKS}")
            thoughts += 1
        else:
            inks.append(channel.role)
    return tuple(inks)
