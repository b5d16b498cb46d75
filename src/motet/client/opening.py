"""`connect`: from the address of a server to a talk, with `async with` or with `with`."""

from __future__ import annotations

from types import TracebackType
from typing import Literal

from motet.client.blocking import BlockingTalk
from motet.client.patience import Patience
from motet.client.socket import SocketConnection
from motet.client.talk import Talk
from motet.protocol.client_events import SessionCreate, SessionResume
from motet.protocol.knobs import SettingsChange

__all__ = ["Connecting", "connect"]


class Connecting:
    """A talk that opens where a `with` or `async with` begins and is left where it ends."""

    def __init__(
        self,
        url: str,
        opening: SessionCreate | SessionResume,
        api_key: str | None,
        patience: Patience | None,
    ) -> None:
        self._arguments = url, opening, api_key, patience
        self._connection: SocketConnection | None = None
        self._blocking: BlockingTalk | None = None

    async def __aenter__(self) -> Talk:
        """Open the session; ServerError if the server is not there or refuses."""
        url, opening, api_key, patience = self._arguments
        connection = SocketConnection(url, opening, api_key=api_key, patience=patience)
        talk = Talk(connection)
        try:
            await talk.begin()
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        return talk

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave; the session stays with the server."""
        assert self._connection is not None
        await self._connection.close()

    def __enter__(self) -> BlockingTalk:
        """The same without async: a thread of its own hears the server."""
        self._blocking = BlockingTalk(self)
        return self._blocking

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave; the session stays with the server."""
        assert self._blocking is not None
        self._blocking.close()


def connect(
    url: str,
    *,
    api_key: str | None = None,
    settings: SettingsChange | None = None,
    system: str | None = None,
    context_rows: int | None = None,
    context_policy: Literal["end", "roll"] | None = None,
    token: str | None = None,
    patience: Patience | None = None,
) -> Connecting:
    """A talk with the server at `url`, like `http://localhost:8000`.

    settings: what differs from the model's own. system: text that the model reads first.
    context_rows: room to reserve. context_policy: what happens when it is full. What is None is as
    the server has it. token: go on with
    the session that this resume token belongs to, under the settings that it has; the others of
    these must then be left out. patience: how a lost connection is sought again.
    """
    opening: SessionCreate | SessionResume
    if token is None:
        opening = SessionCreate(
            settings=settings or SettingsChange(),
            context_rows=context_rows,
            context_policy=context_policy,
            system=system,
        )
    else:
        opening = SessionResume(token=token)
    return Connecting(url, opening, api_key, patience)
