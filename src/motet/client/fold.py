"""The one function that makes a conversation: what it was, and what was heard, give what it is.

`fold` also takes what the client itself says: a text that was sent is shown as typed until the
server has queued it or refused it.
"""

from __future__ import annotations

from dataclasses import replace

from motet.client.connection import ConnectionState, Heard
from motet.client.conversation import Conversation, Ending, Input, Read, Turn, Typed
from motet.client.rewinding import rewound
from motet.errors import ProtocolError
from motet.protocol import server_events as server
from motet.protocol.client_events import ClientEvent, Inject, InputAppend, Interrupt

__all__ = ["fold"]

_Numbered = (
    server.Rows | server.InputQueued | server.InputRead | server.InputCleared
    | server.TurnStarted | server.TurnEnded | server.TurnContinued | server.SessionUpdated
    | server.SessionRewound | server.SessionForked | server.ContextFilling | server.ContextRolled
)  # fmt: skip


def fold(before: Conversation, event: Heard | ClientEvent) -> Conversation:
    """The conversation after `event`; ProtocolError if the event can't follow."""
    if isinstance(event, _Numbered):
        return replace(_numbered(before, event), seq=event.seq)
    match event:
        case ConnectionState():
            return replace(before, connection=event)
        case InputAppend() | Inject():
            return replace(before, typed=(*before.typed, Typed(event.text, event.event_id)))
        case Interrupt():
            typed = () if event.text is None else (Typed(event.text, event.event_id),)
            return replace(before, typed=before.typed + typed)
        case server.SessionCreated():
            return _created(before, event)
        case server.SessionWaiting():
            return replace(before, waiting_position=event.position)
        case server.GoingAway():
            return replace(before, going_away_s=event.drain_s)
        case server.SessionClosed():
            return replace(before, closed_by=event.reason)
        case server.ErrorEvent():
            return replace(before, error=event, typed=_without(before.typed, event.event_id))
        case server.Metrics():
            return replace(before, metrics=event, context_used_rows=event.context_used_rows)
        case _:  # a heartbeat, and what else the client says: it shows in the server's answer
            return before


def _numbered(before: Conversation, event: _Numbered) -> Conversation:
    match event:
        case server.Rows():
            return _rows(before, event.rows)
        case server.InputQueued():
            new = Input(event.input_id, event.channel, event.text, event.num_tokens, event.feed)
            typed = _without_text(before.typed, event.text)
            return replace(before, inputs=(*before.inputs, new), typed=typed)
        case server.InputRead():
            read = Read(event.from_row, event.to_row, event.chars, event.is_done)
            return replace(
                before, inputs=tuple(_after(i, event.input_id, read) for i in before.inputs)
            )
        case server.InputCleared():
            ids = set(event.input_ids)
            inputs = tuple(
                replace(i, is_dropped=True) if i.input_id in ids else i for i in before.inputs
            )
            return replace(before, inputs=inputs)
        case server.TurnStarted():
            return replace(before, turns=(*before.turns, Turn(event.turn, event.from_row)))
        case server.TurnEnded():
            ending = Ending(event.reason, event.row, event.rows, event.ttft_rows, event.seconds)
            return replace(before, turns=_with_ending(before.turns, event.turn, ending))
        case server.TurnContinued():
            return replace(before, turns=_with_ending(before.turns, event.turn, None))
        case server.SessionUpdated():
            return replace(
                before, settings=event.settings, is_paused=event.is_paused, is_held=event.is_held
            )
        case server.SessionRewound():
            return rewound(before, event.to_row)
        case server.SessionForked():
            return replace(before, forks=(*before.forks, event))
        case server.ContextFilling():
            return replace(before, is_context_filling=True, context_used_rows=event.used_rows)
        case server.ContextRolled():
            used = before.num_rows - event.first_row
            return replace(
                before, first_row=event.first_row, is_context_filling=False, context_used_rows=used
            )


def _created(before: Conversation, event: server.SessionCreated) -> Conversation:
    same = before if not event.is_new else Conversation(typed=before.typed)
    return replace(
        same,
        session=event,
        texts=same.texts or ("",) * len(event.channels),
        settings=event.settings,
        is_paused=event.is_paused,
        is_held=event.is_held,
        waiting_position=None,
        going_away_s=None,
        closed_by=None,
        connection=before.connection,
    )


def _rows(before: Conversation, rows: tuple[server.RowFrame, ...]) -> Conversation:
    expected = before.num_rows
    for row in rows:
        if row.index < expected or len(row.text) != len(before.texts):
            raise ProtocolError(
                "row", expected=f"row {expected} or later, {len(before.texts)} channels",
                got=f"row {row.index}, {len(row.text)} channels",
            )  # fmt: skip
        expected = row.index + 1
    return replace(
        before,
        rows=before.rows + rows,
        texts=tuple(
            text + "".join(row.text[channel] for row in rows)
            for channel, text in enumerate(before.texts)
        ),
        context_used_rows=before.context_used_rows + len(rows),
    )


def _with_ending(turns: tuple[Turn, ...], number: int, ending: Ending | None) -> tuple[Turn, ...]:
    return tuple(replace(t, ending=ending) if t.number == number else t for t in turns)


def _after(text: Input, input_id: int, read: Read) -> Input:
    return replace(text, reads=(*text.reads, read)) if text.input_id == input_id else text


def _without(typed: tuple[Typed, ...], event_id: str | None) -> tuple[Typed, ...]:
    return tuple(t for t in typed if event_id is None or t.event_id != event_id)


def _without_text(typed: tuple[Typed, ...], text: str) -> tuple[Typed, ...]:
    """Without the oldest that says `text`, and what was said before it: all that was answered."""
    for index, one in enumerate(typed):
        if one.text == text:
            return typed[index + 1 :]
    return typed
