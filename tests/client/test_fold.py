"""Folding equals a slow reference that looks at the whole history for every question."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.client import Conversation, InputState, fold
from motet.client.connection import CONNECTED, ConnectionState
from motet.errors import ProtocolError, SessionError
from motet.protocol import client_events as client
from motet.protocol import server_events as server
from tests.client.legal import LegalSession, created, legal_session

Events = list[server.ServerEvent]


def folded(events: Events) -> Conversation:
    conversation = Conversation()
    for event in events:
        conversation = fold(conversation, event)
    return conversation


def cuts_after(events: Events, position: int) -> list[int]:
    """Rows to which the session was rewound after the event at `position`."""
    return [e.to_row for e in events[position + 1 :] if isinstance(e, server.SessionRewound)]


def rows_of(events: Events) -> list[server.RowFrame]:
    """Rows that no later rewind has taken away."""
    return [
        row
        for position, event in enumerate(events)
        if isinstance(event, server.Rows)
        for row in event.rows
        if all(row.index < cut for cut in cuts_after(events, position))
    ]


def inputs_of(events: Events) -> list[tuple[int, str, int, InputState]]:
    """Each text with the characters that were read of it, and its state."""
    return [
        (event.input_id, event.text, *_fate(events, position, event.input_id))
        for position, event in enumerate(events)
        if isinstance(event, server.InputQueued)
    ]


def _fate(events: Events, queued_at: int, input_id: int) -> tuple[int, InputState]:
    standing = [
        (position, e)
        for position, e in enumerate(events)
        if isinstance(e, server.InputRead) and e.input_id == input_id
        if all(e.to_row < cut for cut in cuts_after(events, position))
    ]
    chars = standing[-1][1].chars if standing else 0
    if any(
        isinstance(e, server.InputCleared) and input_id in e.input_ids for e in events[queued_at:]
    ):
        return chars, InputState.DROPPED
    for position, e in enumerate(events):
        if position > queued_at and isinstance(e, server.SessionRewound):
            was_read = any(
                read.is_done and at < position and read.to_row < e.to_row for at, read in standing
            )
            if not was_read:
                return chars, InputState.DROPPED
    if not standing:
        return 0, InputState.QUEUED
    return chars, InputState.READ if standing[-1][1].is_done else InputState.READING


def turns_of(events: Events) -> list[tuple[int, int, str | None]]:
    """Number, first row, and how it ended: None if a rewind or a row has opened it again."""
    turns = []
    for position, event in enumerate(events):
        if not isinstance(event, server.TurnStarted):
            continue
        if any(event.from_row >= cut for cut in cuts_after(events, position)):
            continue
        fates = [
            e.reason if isinstance(e, server.TurnEnded) else None
            for at, e in enumerate(events)
            if at in range(position, _next_start(events, position, event.turn))
            if isinstance(e, server.TurnEnded | server.TurnContinued) and e.turn == event.turn
            if all(e.row <= cut for cut in cuts_after(events, at))
        ]
        turns.append((event.turn, event.from_row, fates[-1] if fates else None))
    return turns


def _next_start(events: Events, position: int, turn: int) -> int:
    """Where a turn of the same number begins, after this one was cut away."""
    for at, event in enumerate(events):
        if at > position and isinstance(event, server.TurnStarted) and event.turn == turn:
            return at
    return len(events)


@given(seed=st.integers(0, 2**32), num_deeds=st.integers(0, 60))
def test_a_folded_conversation_is_what_the_whole_history_says(seed: int, num_deeds: int) -> None:
    events = legal_session(seed, num_deeds).events
    after = folded([created(is_new=True), *events])
    rows = rows_of(events)
    assert list(after.rows) == rows
    for channel, name in enumerate(["User", "Output", "Think"]):
        text = "".join(row.text[channel] for row in rows)
        assert after.text(name) == text
        pieces = list(after.segments(channel))
        assert "".join(piece.text for piece in pieces) == text
        assert all(text[piece.start :].startswith(piece.text) for piece in pieces)
    assert [(i.input_id, i.text, i.num_chars_read, i.state) for i in after.inputs] == inputs_of(
        events
    )
    assert [(t.number, t.from_row, t.ending and t.ending.reason) for t in after.turns] == turns_of(
        events
    )
    updates = [e for e in events if isinstance(e, server.SessionUpdated)]
    assert (after.settings, after.is_paused, after.is_held) == (
        updates[-1].settings, updates[-1].is_paused, updates[-1].is_held,
    )  # fmt: skip
    assert len(after.forks) == sum(isinstance(e, server.SessionForked) for e in events)
    assert after.seq == len(events)
    assert 0 <= after.first_row <= after.num_rows


@given(seed=st.integers(0, 2**32), data=st.data())
def test_a_view_that_comes_back_is_the_view_that_stayed(seed: int, data: st.DataObject) -> None:
    """A resume puts `session.created` between two events, and changes nothing but that."""
    session = legal_session(seed, 30)
    cut = data.draw(st.integers(0, len(session.events)))
    stayed = folded([created(is_new=True), *session.events])
    back = created(len(session.events), session.num_rows, is_new=False)
    came_back = folded([created(is_new=True), *session.events[:cut], back, *session.events[cut:]])
    assert came_back.rows == stayed.rows
    assert came_back.inputs == stayed.inputs
    assert came_back.turns == stayed.turns
    assert came_back.texts == stayed.texts
    assert not came_back.is_catching_up
    if cut:
        opened_late = folded([back, *session.events])
        assert opened_late.rows == stayed.rows
        assert opened_late.settings == stayed.settings


def test_what_is_behind_is_catching_up() -> None:
    session = legal_session(1, 20)
    back = created(len(session.events), session.num_rows, is_new=False)
    assert folded([back]).is_catching_up
    assert folded([back, *session.events[:-1]]).is_catching_up
    assert not folded([back, *session.events]).is_catching_up


def test_typed_queued_reading_read() -> None:
    session = LegalSession(Random(0))
    view = fold(Conversation(), created(is_new=True))
    view = fold(view, client.InputAppend(text="Hello", event_id="1"))
    assert [typed.text for typed in view.typed] == ["Hello"]
    assert not view.is_at_rest
    session.queue("Hello")
    view = folded([created(is_new=True), *session.events])
    assert view.typed == ()
    assert view.inputs[0].state is InputState.QUEUED
    assert (view.waiting, view.is_at_rest) == (view.inputs, False)
    seen = []
    while view.waiting:
        session.read()
        view = folded([created(is_new=True), *session.events])
        seen.append((view.inputs[0].num_chars_read, view.inputs[0].state))
    assert seen[-1] == (5, InputState.READ)
    assert all(state is InputState.READING for _, state in seen[:-1])
    assert view.text("User") == "Hello"
    session.end()
    assert folded([created(is_new=True), *session.events]).is_at_rest


def test_a_refusal_takes_back_what_was_typed() -> None:
    view = fold(Conversation(), created(is_new=True))
    view = fold(view, client.InputAppend(text="a", event_id="1"))
    view = fold(view, client.Interrupt(text="b", event_id="2"))
    error = server.ErrorEvent(seq=0, row=0, code="input", message="too long", event_id="1")
    view = fold(view, error)
    assert [typed.text for typed in view.typed] == ["b"]
    assert view.error is error
    view = fold(view, server.ErrorEvent(seq=0, row=0, code="x", message="not about a text"))
    assert [typed.text for typed in view.typed] == ["b"]


def test_events_of_the_moment() -> None:
    view = fold(Conversation(), created(is_new=True))
    view = fold(view, ConnectionState(is_connected=False, reason="the line broke"))
    view = fold(view, server.GoingAway(seq=0, row=0, drain_s=2.0))
    view = fold(view, server.SessionClosed(seq=0, row=0, reason="shutdown"))
    view = fold(view, server.SessionWaiting(seq=0, row=0, position=3))
    assert (view.connection.reason, view.going_away_s) == ("the line broke", 2.0)
    assert (view.closed_by, view.waiting_position) == ("shutdown", 3)
    view = fold(fold(view, CONNECTED), created(0, 0, is_new=False))
    assert (view.connection.is_connected, view.going_away_s) == (True, None)
    assert (view.closed_by, view.waiting_position) == (None, None)


def test_context_use() -> None:
    session = LegalSession(Random(0))
    session.queue("abcde")
    while session.num_rows < 5:
        session.read()
    view = folded([created(is_new=True), *session.events])
    assert view.context_used_rows == 5
    metrics = server.Metrics(
        seq=9, row=5, rows_per_s=9.0, ttft_s=None, context_used_rows=4, context_rows=100,
        running=1, waiting=0,
    )  # fmt: skip
    assert fold(view, metrics).context_used_rows == 4
    rolled = fold(view, server.ContextRolled(seq=99, row=5, first_row=3))
    assert (rolled.first_row, rolled.context_used_rows) == (3, 2)
    back = fold(rolled, server.SessionRewound(seq=100, row=1, to_row=1))
    assert (back.first_row, back.context_used_rows, back.num_rows) == (1, 0, 1)


def test_rows_that_can_not_follow() -> None:
    session = LegalSession(Random(0))
    session.queue("a")
    session.read()
    view = folded([created(is_new=True), *session.events])
    again = next(event for event in session.events if isinstance(event, server.Rows))
    with pytest.raises(ProtocolError, match="expected row 1 or later, 3 channels, got row 0"):
        fold(view, again)
    narrow = server.RowFrame(index=1, ids=(1,), text=("",), silent=(True,), given=(True,))
    with pytest.raises(ProtocolError, match="3 channels, got row 1, 1 channels"):
        fold(view, server.Rows(seq=9, row=2, rows=(narrow,)))


def test_an_unknown_channel() -> None:
    with pytest.raises(SessionError, match="expected User or Output or Think, got Nobody"):
        fold(Conversation(), created(is_new=True)).text("Nobody")
