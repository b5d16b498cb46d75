"""How a task becomes a conversation: as streams or as a sequence, with or without doubt."""

from __future__ import annotations

from enum import StrEnum

from motet.data.tiny.conversation import CHANNELS
from motet.data.tiny.sequence import SEQUENCE_CHANNELS
from motet.streams.layout import Channel

__all__ = ["Arrangement"]


class Arrangement(StrEnum):
    """Streams side by side, or one column in which all is said one after the other."""

    STREAMS = "streams"
    STREAMS_UNDOUBTED = "streams-undoubted"
    SEQUENCE = "sequence"
    SEQUENCE_UNDOUBTED = "sequence-undoubted"

    @property
    def is_doubted(self) -> bool:
        """Whether there is a Skeptical."""
        return self in (Arrangement.STREAMS, Arrangement.SEQUENCE)

    @property
    def is_sequence(self) -> bool:
        """Whether there is one channel."""
        return self in (Arrangement.SEQUENCE, Arrangement.SEQUENCE_UNDOUBTED)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the grids."""
        if self.is_sequence:
            return SEQUENCE_CHANNELS
        return CHANNELS if self.is_doubted else CHANNELS[:-1]
