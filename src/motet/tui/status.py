"""The two lines that say where we are and how it goes."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.reactive import reactive
from textual.widgets import Static

from motet.client import Conversation
from motet.errors import MotetError
from motet.protocol.printable import printable

__all__ = ["Heading", "Status", "doing"]

_FULL, _EMPTY = "▰", "▱"
_BAR = 8


def doing(conversation: Conversation, failure: MotetError | None) -> str:
    """What goes on, with a sign before it."""
    turn = conversation.turn
    if failure is not None or conversation.closed_by is not None:
        return "✕ ended"
    if not conversation.connection.is_connected:
        return "✕ line lost, trying again"
    if conversation.waiting_position is not None:
        return f"… in line, place {conversation.waiting_position}"
    if conversation.session is None:
        return "… opening"
    if conversation.going_away_s is not None:
        return "! the server is stopping"
    if conversation.is_catching_up:
        return "… reading it again"
    if conversation.is_paused:
        return "‖ paused"
    if turn is None:
        return "○ at rest"
    if turn.ending is not None:
        return f"○ at rest, {_ENDS[turn.ending.reason]}"
    return f"◆ held, turn {turn.number}" if conversation.is_held else f"▶ turn {turn.number}"


_ENDS = {
    "end": "it has ended",
    "mute": "nobody spoke",
    "max_rows": "turn limit",
    "repetition": "it went in circles",
    "context": "context full",
    "interrupted": "interrupted",
    "error": "it failed",
}


class Heading(Static):
    """What model, where, and what goes on."""

    def show(self, conversation: Conversation, place: str, failure: MotetError | None) -> None:
        """Draw the line."""
        model = "" if conversation.session is None else conversation.session.model
        left = Text.assemble(("motet ", "bold"), no_wrap=True, overflow="ellipsis")
        left.append(printable(" · ".join(filter(None, (model, place)))), "dim")
        right = doing(conversation, failure)
        left.truncate(max(_room(self) - cell_len(right) - 1, 1), overflow="ellipsis", pad=True)
        self.update(left.append(" ").append(right, "bold"))


class Status(Static):
    """Rows a second, time to first token, context used, and the dials that matter most."""

    can_focus = False
    hint: reactive[str] = reactive("")

    def show(self, conversation: Conversation) -> None:
        """Draw the line: what does not fit is left out, the least important first."""
        if self.hint:
            self.update(Text(self.hint, no_wrap=True, overflow="ellipsis", style="bold"))
            return
        text = Text(no_wrap=True)
        for part in _parts(conversation):
            if cell_len(text.plain) + cell_len(part) + 3 > _room(self):
                break
            text.append(" │ " if text else "", "dim").append(part)
        self.update(text)


def _room(line: Static) -> int:
    """Cells of a line across the screen; known before the first layout too."""
    return line.app.size.width - 2


def _parts(conversation: Conversation) -> list[str]:
    """The parts of the status line, the most important first."""
    parts, metrics, session = [], conversation.metrics, conversation.session
    settings = conversation.settings
    pace = f" (pace {settings.pace:g})" if settings is not None and settings.pace else ""
    speed = 0.0 if metrics is None else metrics.rows_per_s
    parts.append(f"{speed:,.0f} rows/s{pace}")
    parts.append(f"TTFT {_ttft(conversation)}")
    if session is not None:
        used, room = conversation.context_used_rows, session.context_rows
        full = min(round(_BAR * used / max(room, 1)), _BAR)
        sign = "! " if conversation.is_context_filling else ""
        bar = _FULL * full + _EMPTY * (_BAR - full)
        parts.append(f"{sign}context {bar} {100 * used / max(room, 1):.0f} %")
    if settings is not None:
        parts.append(f"T {settings.sampling.temperature:g}")
        quiet = f"{settings.silence_penalty_output:g}/{settings.silence_penalty_thought:g}"
        parts.append(f"silence −{quiet}")
    if session is not None:
        parts.append(f"row {conversation.num_rows:,}")
        if metrics is not None and metrics.running > 1:
            parts.append(f"{metrics.running} sessions")
    return parts


def _ttft(conversation: Conversation) -> str:
    metrics = conversation.metrics
    endings = [turn.ending for turn in conversation.turns if turn.ending is not None]
    rows = endings[-1].ttft_rows if endings and not conversation.is_in_turn else None
    seconds = None if metrics is None else metrics.ttft_s
    parts = [f"{seconds:.2f} s"] if seconds is not None else []
    parts += [f"{rows} rows"] if rows is not None else []
    return ", ".join(parts) or "–"
