"""Any client events in any order: what is said is what is, and all of it can be had again."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from motet.protocol import client_events as client
from motet.protocol.knobs import KnobsChange, SettingsChange
from motet.server.decoding import OpenRequest
from motet.server.decoding.revival import open_member
from motet.server.live import LiveSession
from motet.server.live.past import read_past
from tests.engine.scripted import OWN, dreaming_engine
from tests.server.live.hubs import PATIENCE_S, Reader, creation, ids_of, serving

TEXTS = st.sampled_from(["hi", "he said", "what?", " -", "", "x" * 70, "né\n"])
CHANGES = st.sampled_from([
    SettingsChange(seed=9), SettingsChange(pace=150.0), SettingsChange(pace=0.0),
    SettingsChange(max_rows=12), SettingsChange(max_rows=0), SettingsChange(ablate=("Think",)),
    SettingsChange(ablate=()), SettingsChange(sampling=KnobsChange(temperature=0.0)),
    SettingsChange(feed="prefill"), SettingsChange(quiet_rows=2),
])  # fmt: skip
EVENTS = st.one_of(
    st.builds(client.InputAppend, text=TEXTS, feed=st.sampled_from([None, "live", "prefill"])),
    st.builds(client.Interrupt, text=st.one_of(st.none(), TEXTS)),
    st.builds(client.Inject, channel=st.sampled_from(["Think", "User", "No"]), text=TEXTS),
    st.builds(client.SessionUpdate, settings=CHANGES),
    st.builds(client.Rewind, row=st.integers(0, 60)),
    st.builds(client.Step, rows=st.integers(1, 12)),
    st.sampled_from([
        client.InputClear(), client.Pause(), client.Continue(), client.Hold(), client.Release(),
        client.Fork(), client.SessionCreate(), client.SessionResume(token="x"),
    ]),
)  # fmt: skip
ACTIONS = st.lists(st.tuples(EVENTS, st.sampled_from([0, 0, 0, 1, 8])), min_size=1, max_size=14)


async def act(actions: list[tuple[Any, int]], policy: str) -> None:
    engine = dreaming_engine()
    async with serving(engine, places=20) as hub:
        create = creation(max_rows=40).model_copy(
            update={"context_rows": 90, "context_policy": policy}
        )
        me = Reader(await hub.create(create))
        for event, milliseconds in actions:
            await me.say(event)
            await asyncio.sleep(milliseconds / 1000)
        await me.say(client.Pause(event_id="last"))
        async with asyncio.timeout(PATIENCE_S):
            await hub.keeper.flush()
        await me.until(lambda event: event.seq == me.live.story.log.seq)
        lives = list(hub._sessions.values())
        for live in lives:
            reader = me if live is me.live else Reader(live)
            await check(reader, hub, live)


async def check(reader: Reader, hub: Any, live: LiveSession) -> None:
    """What was told is what the engine has, and what is had again from the journal is the same."""
    assert live.handle is not None
    await live.receive(client.Pause())
    await hub.keeper.flush()
    if reader.numbered[-1:] == [] or reader.numbered[-1].seq < live.story.log.seq:
        await reader.until(lambda event: event.seq == live.story.log.seq)
    engine = hub.decoding.engine
    session = hub.decoding._work._members[live.handle.key].session
    assert ids_of(reader.events) == [row.token_ids for row in session.rows]
    assert live.row == len(session.rows)
    past = read_past(hub._journal, live.record.id, engine.codec.layout)
    kept = past.kept
    assert np.array_equal(kept.grid.tokens_RC, session.grid.tokens_RC)
    assert np.array_equal(kept.grid.given_RC, session.grid.given_RC)
    for name in ("turn_starts", "read_at", "continued_at", "hold_changes"):
        assert getattr(kept.marks, name) == getattr(session.marks, name), name
    assert (past.settings, past.seq) == (session.settings, live.seq)
    if session.turn_starts:
        assert kept.stopped_by == session.stopped_by
    request = OpenRequest(
        past.settings, context_rows=90, policy=live.record.context_policy, kept=kept
    )
    again, taken = open_member(engine, 1, request)
    assert len(taken) == len(kept.unread)
    if session.rows and not session.is_stopping:
        assert again.session.waiting.to_json() == session.waiting.to_json()
        assert again.session.is_active in (session.is_active, again.session.is_behind)


@example(actions=[(client.Inject(channel="Think", text="hi"), 8)], policy="end")
@example(
    actions=[
        (client.InputAppend(text="x" * 70), 1), (client.InputClear(), 8),
        (client.InputAppend(text="hi"), 0), (client.Interrupt(), 8), (client.Fork(), 0),
    ],
    policy="roll",
)  # fmt: skip
@given(actions=ACTIONS, policy=st.sampled_from(["end", "roll"]))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
def test_any_events_in_any_order(actions: list[tuple[Any, int]], policy: str) -> None:
    assert OWN.silence is not None
    asyncio.run(act(actions, policy))
