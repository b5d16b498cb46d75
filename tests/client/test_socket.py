"""A connection loses nothing and doubles nothing, wherever and however often its line breaks."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.client import Conversation, Patience, SocketConnection, fold
from motet.client.connection import ConnectionState, Heard
from motet.client.order import OF_THE_MOMENT
from motet.errors import InputError, MotetError, ProtocolError, ServerError
from motet.protocol import client_events as client
from motet.protocol import server_events as server
from tests.client.legal import created, legal_session
from tests.client.scripted import Fault, Kind, ScriptedServer

QUICK = Patience(first_s=0.001, most_s=0.01, give_up_s=20)
BREAKS = (
    Kind.ABORT, Kind.CLOSE, Kind.TWICE, Kind.JUMP, Kind.GARBAGE, Kind.SHUTDOWN, Kind.REFUSE,
    Kind.BUSY,
)  # fmt: skip
LATER = (Kind.REFUSE, Kind.BUSY)  # on the first line they are an answer


async def hear(connection: SocketConnection, num_events: int) -> list[Heard]:
    """Everything that is heard until the event of that number."""
    heard: list[Heard] = []
    async with asyncio.timeout(60):
        async for one in connection:
            heard.append(one)
            if numbered([one]) == [num_events]:
                break
    return heard


def numbered(heard: list[Heard]) -> list[int]:
    left_out = (ConnectionState, server.SessionCreated, *OF_THE_MOMENT)
    return [one.seq for one in heard if not isinstance(one, left_out)]


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32),
    faults=st.lists(st.builds(Fault, st.sampled_from(BREAKS), st.integers(0, 12)), max_size=5),
)
def test_each_event_once_whatever_happens_to_the_line(seed: int, faults: list[Fault]) -> None:
    while faults and faults[0].kind in LATER:
        del faults[0]
    session = legal_session(seed, 15)
    scripted = ScriptedServer(session.events, faults)

    async def run() -> list[Heard]:
        async with scripted.running() as url:
            connection = SocketConnection(url, patience=QUICK)
            heard = await hear(connection, len(session.events))
            await connection.close()
            return heard

    try:
        heard = asyncio.run(run())
    except ProtocolError:  # the same place was wrong on two lines one after the other
        kinds = [f.kind for f in faults]
        assert sum(kind in (Kind.JUMP, Kind.GARBAGE) for kind in kinds) >= 2
        return
    assert numbered(heard) == list(range(1, len(session.events) + 1))
    view, stayed = Conversation(), fold(Conversation(), created(is_new=True))
    for one in heard:
        view = fold(view, one)
    for event in session.events:
        stayed = fold(stayed, event)
    assert (view.rows, view.inputs, view.turns) == (stayed.rows, stayed.inputs, stayed.turns)
    assert view.connection.is_connected
    told = [one.is_connected for one in heard if isinstance(one, ConnectionState)]
    assert told == [False, True] * (len(told) // 2)


@settings(max_examples=20)
@given(
    faults=st.lists(
        st.builds(Fault, st.sampled_from([Kind.DEAF, Kind.MUTE, Kind.ABORT]), st.integers(0, 3)),
        max_size=4,
    )
)
def test_what_was_said_arrives_once_and_in_order(faults: list[Fault]) -> None:
    scripted = ScriptedServer([], faults)
    texts = [f"text {n}" for n in range(8)]

    async def run() -> None:
        async with scripted.running() as url:
            connection = SocketConnection(url, patience=QUICK)
            await connection.open()

            async def say() -> None:
                for text in texts:
                    await connection.send(client.InputAppend(text=text))
                    await asyncio.sleep(0.001)

            saying = asyncio.create_task(say())
            await hear(connection, len(texts))
            await saying
            await connection.close()

    asyncio.run(run())
    assert [event.text for event in scripted.heard] == texts
    assert [event.text for event in scripted.events] == texts


async def test_where_a_resume_goes_on() -> None:
    session = legal_session(4, 60)
    scripted = ScriptedServer(session.events, [Fault(Kind.ABORT, 4), Fault(Kind.ABORT, 2)])
    async with scripted.running() as url:
        connection = SocketConnection(url, api_key="secret", patience=QUICK)
        await hear(connection, len(session.events))
        await connection.close()
    first, *others = scripted.openings
    assert isinstance(first, client.SessionCreate)
    assert others == [
        client.SessionResume(token="token", after_seq=4),
        client.SessionResume(token="token", after_seq=6),
    ]
    assert scripted.keys == ["Bearer secret"] * 3


async def test_a_known_session_from_a_known_event() -> None:
    session = legal_session(4, 60)
    async with ScriptedServer(session.events).running() as url:
        opening = client.SessionResume(token="token", after_seq=5)
        connection = SocketConnection(url, opening)
        heard = await hear(connection, len(session.events))
        await connection.close()
    assert numbered(heard) == list(range(6, len(session.events) + 1))


async def test_a_silent_line_is_a_lost_line() -> None:
    session = legal_session(4, 60)
    scripted = ScriptedServer(session.events, [Fault(Kind.SILENT, 2)], heartbeat_s=0.05)
    async with scripted.running() as url:
        connection = SocketConnection(url, patience=QUICK)
        heard = await hear(connection, len(session.events))
        await connection.close()
    lost = next(one for one in heard if isinstance(one, ConnectionState))
    assert lost.reason.startswith("nothing came for")
    assert numbered(heard) == list(range(1, len(session.events) + 1))


async def test_nothing_is_lost_to_a_reader_that_is_cancelled() -> None:
    session = legal_session(4, 60)
    scripted = ScriptedServer(session.events, [Fault(Kind.ABORT, 3), Fault(Kind.ABORT, 3)])
    heard: list[Heard] = []
    wait_s = 0.001
    async with scripted.running() as url:
        connection = SocketConnection(url, patience=QUICK)
        while session.events[-1].seq not in numbered(heard):
            try:
                async with asyncio.timeout(wait_s):
                    heard.append(await anext(connection))
                wait_s = 0.001
            except TimeoutError:
                wait_s *= 1.3  # a slow machine takes long to open a line
        await connection.close()
    assert numbered(heard) == list(range(1, len(session.events) + 1))


async def test_a_fault_that_stays_is_told() -> None:
    session = legal_session(4, 60)
    scripted = ScriptedServer(session.events, [Fault(Kind.JUMP, 2), Fault(Kind.JUMP, 0)])
    async with scripted.running() as url:
        connection = SocketConnection(url, patience=QUICK)
        with pytest.raises(ProtocolError, match="event: expected seq 3, got 4"):
            await hear(connection, len(session.events))
        await connection.close()


async def test_a_journal_that_was_cut_is_told() -> None:
    session = legal_session(4, 60)
    scripted = ScriptedServer(session.events, [Fault(Kind.ABORT, 9)])
    async with scripted.running() as url:
        connection = SocketConnection(url, patience=QUICK)
        await hear(connection, 9)
        del session.events[3:]
        with pytest.raises(ProtocolError, match="resume: expected a session of 9 events, got 3"):
            await hear(connection, 10)
        await connection.close()


async def test_patience_ends() -> None:
    session = legal_session(4, 60)
    scripted = ScriptedServer(session.events, [Fault(Kind.ABORT, 2)])
    async with scripted.running() as url:
        connection = SocketConnection(url, patience=Patience(0.01, 0.02, give_up_s=0.1))
        await hear(connection, 2)
    with pytest.raises(ServerError, match=r"no answer for 0 s"):
        await hear(connection, 9)


@pytest.mark.parametrize("kind", LATER)
async def test_a_refusal_at_first(kind: Kind) -> None:
    async with ScriptedServer([], [Fault(kind)]).running() as url:
        with pytest.raises(ServerError, match=r"503 Service Unavailable|all places are taken"):
            await SocketConnection(url).open()


async def test_nobody_there() -> None:
    async with ScriptedServer().running() as url:
        pass
    with pytest.raises(ServerError, match=r"expected a Motet server, got .*; is `motet serve`"):
        await SocketConnection(url).open()


async def test_leaving() -> None:
    scripted = ScriptedServer()
    async with scripted.running() as url:
        connection = SocketConnection(url)
        await connection.open()
        reading = asyncio.create_task(hear(connection, 1))
        await asyncio.sleep(0.01)
        await connection.close()
        await asyncio.wait_for(reading, 5)
        with pytest.raises(ServerError, match="one that has ended"):
            await connection.send(client.Pause())


async def test_leaving_while_nobody_answers() -> None:
    scripted = ScriptedServer(legal_session(4, 60).events, [Fault(Kind.ABORT, 1)])
    async with scripted.running() as url:
        connection = SocketConnection(url, patience=Patience(first_s=60, most_s=60))
        await hear(connection, 1)
        reading = asyncio.create_task(hear(connection, 2))
        await asyncio.sleep(0.05)
        await connection.close()
        await asyncio.wait_for(reading, 5)


async def test_an_event_that_is_too_large() -> None:
    async with ScriptedServer().running() as url:
        connection = SocketConnection(url)
        await connection.open()
        with pytest.raises(InputError, match=r"input.append: expected at most 2000 bytes, got 3"):
            await connection.send(client.InputAppend(text="é" * 1500))
        await connection.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("localhost:8000", "ws://localhost:8000/v1/live"),
        ("http://127.0.0.1:8000/", "ws://127.0.0.1:8000/v1/live"),
        ("https://example.org/talk/v1", "wss://example.org/talk/v1/live"),
        ("ws://[::1]:80/v1/live", "ws://[::1]:80/v1/live"),
    ],
)
def test_addresses(url: str, expected: str) -> None:
    assert SocketConnection(url).url == expected


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "localhost:no", "http://a@b", "http://a?key=1", "http://[::"]
)
def test_no_addresses(url: str) -> None:
    with pytest.raises(MotetError, match="expected a URL like"):
        SocketConnection(url)
