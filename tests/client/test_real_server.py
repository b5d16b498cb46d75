"""The client against `motet serve`, through a proxy that breaks every line after a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from urllib.parse import urlsplit

import pytest

from motet.bench.serve.process import served
from motet.client import Conversation, Patience, connect

QUICK = Patience(first_s=0.01, most_s=0.1, give_up_s=60)
TEXTS = ("What is 6 times 7?", "Spell cat backwards. 😀", "Who are you?")


@asynccontextmanager
async def breaking(url: str, dice: Random) -> AsyncIterator[str]:
    """A proxy before `url`: it aborts each line after some thousand bytes of the server's."""
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(host, port)
        left = dice.randint(2000, 9000)

        async def pass_on(
            source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: float
        ) -> None:
            while data := await source.read(256):
                most -= len(data)
                if most < 0:
                    return
                sink.write(data)

        ways = [
            asyncio.create_task(pass_on(reader, server_writer, float("inf"))),
            asyncio.create_task(pass_on(server_reader, writer, left)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, server_writer):
            end.transport.abort()

    proxy = await asyncio.start_server(join, "127.0.0.1", 0)
    async with proxy:
        yield f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"


async def converse(url: str) -> tuple[Conversation, Conversation]:
    """A conversation as it was heard on broken lines, and as the server tells it afterwards."""
    async with breaking(url, Random(0)) as broken, connect(broken, patience=QUICK) as talk:
        for text in TEXTS:
            await talk.say(text)
            indices = [row.index async for row in talk.rows()]
            assert indices == list(range(indices[0], indices[0] + len(indices)))
        heard, token = talk.conversation, talk.session.resume_token
        assert not talk.session.is_new  # the newest line has resumed it
    async with connect(url, token=token) as talk:
        return heard, talk.conversation


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_doubled() -> None:
    with served("motet-tiny", 4, ["--threads", "1"]) as url:
        heard, told = asyncio.run(converse(url))
    assert heard.rows == told.rows
    assert heard.inputs == told.inputs
    assert heard.turns == told.turns
    assert heard.seq == told.seq
    assert heard.text("User").splitlines() == list(TEXTS)
