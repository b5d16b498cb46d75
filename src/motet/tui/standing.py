"""What a channel is doing now, in two words and in marks: reading, speaking, resting, held back."""

from __future__ import annotations

from collections.abc import Sequence

from motet.client import Conversation
from motet.protocol.server_events import RowFrame

__all__ = ["marks", "standing"]

_REST, _SPOKEN, _GIVEN = "·", "▮", "▯"
_MOST_RESTS = 999


def marks(rows: Sequence[RowFrame], channel: int, room: int) -> str:
    """The last `room` rows of a channel, a mark each: at rest, spoken, given."""
    shown = rows[max(len(rows) - room, 0) :]
    return "".join(
        _REST if row.silent[channel] else _GIVEN if row.given[channel] else _SPOKEN for row in shown
    )


def standing(conversation: Conversation, channel: int) -> str:
    """What the channel does now."""
    info = conversation.channels[channel]
    waiting = [text for text in conversation.waiting if text.channel == info.name]
    if waiting:
        share = 100 * waiting[0].num_chars_read // max(len(waiting[0].text), 1)
        more = f", {len(waiting) - 1} more wait" if len(waiting) > 1 else ""
        return f"reading {share} %{more}" if share else f"{len(waiting)} queued"
    if info.role == "input":
        return "listens"
    if conversation.is_held and info.role == "output":
        return "held back"
    if not conversation.is_in_turn:
        return "rests"
    rests = _num_rests(conversation.rows, channel)
    return f"rests {rests}" if rests else "speaks" if info.role == "output" else "thinks"


def _num_rests(rows: Sequence[RowFrame], channel: int) -> int:
    for count in range(min(len(rows), _MOST_RESTS)):
        if not rows[-1 - count].silent[channel]:
            return count
    return min(len(rows), _MOST_RESTS)
