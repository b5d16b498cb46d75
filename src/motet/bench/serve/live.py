"""A user of the live socket: sessions of some turns, one message after the other.

What comes back is checked: rows in order without a gap, and in the User's column the very text
that was sent. A row of somebody else would show.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random

from motet.bench.serve.load import Load
from motet.bench.serve.prompts import Prompts
from motet.bench.serve.request import Kind, Request
from motet.client import SocketConnection
from motet.client.connection import ConnectionState, Heard
from motet.client.refusals import LaterError
from motet.errors import MotetError, ServerError
from motet.protocol.client_events import InputAppend, SessionCreate
from motet.protocol.knobs import SettingsChange
from motet.protocol.server_events import ErrorEvent, InputQueued, InputRead, Rows, TurnEnded

__all__ = ["LiveUser"]

SLOW_S = 0.25
"""How long a slow reader rests after each event."""


class LiveUser:
    """Asks message after message; `ask` is one of them."""

    def __init__(
        self, url: str, api_key: str | None, load: Load, kind: Kind, seed: int, prompts: Prompts
    ) -> None:
        self._url, self._api_key, self._load, self._kind = url, api_key, load, kind
        self._dice = Random(seed)
        self._prompts = prompts
        self._connection: SocketConnection | None = None
        self._turns_left = 0
        self._num_rows = 0

    async def ask(self, record: Callable[[Request], None]) -> None:
        """Send one message and hear its turn to the end; `record` gets the request at once."""
        request = Request(self._kind, time.perf_counter())
        record(request)
        try:
            async with asyncio.timeout(self._load.timeout_s):
                connection = await self._open()
                request.asked_at = time.perf_counter()
                await self._turn(connection, request)
        except TimeoutError:
            request.fail("timeout")
        except LaterError as error:
            request.fail("not reached", str(error))
        except MotetError as error:
            request.fail("refused", str(error))
        request.ended_at = time.perf_counter()
        if self._turns_left == 0 or request.failure or self._kind is Kind.KILLED:
            await self.leave()

    async def leave(self) -> None:
        """Close the session, for good; a user who is killed only drops the line."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._kind is Kind.KILLED:
            connection.drop()
        else:
            await connection.close(delete=True)

    async def _open(self) -> SocketConnection:
        if self._connection is None:
            settings = SettingsChange(max_rows=self._load.max_rows, seed=self._dice.getrandbits(31))
            opening = SessionCreate(settings=settings)
            self._connection = SocketConnection(self._url, opening, api_key=self._api_key)
            self._turns_left, self._num_rows = self._load.turns, 0
            await self._connection.open()
        self._turns_left -= 1
        return self._connection

    async def _turn(self, connection: SocketConnection, request: Request) -> None:
        text = self._prompts.draw()
        killed_after = self._dice.randint(0, 6) if self._kind is Kind.KILLED else None
        await connection.send(InputAppend(text=text, event_id="ask"))
        request.rows_before = self._num_rows
        hearing = _Hearing(connection, request, text, self._num_rows)
        num_events = 0
        async for heard in connection:
            if num_events == killed_after:
                return
            if hearing.take(heard):
                self._num_rows = hearing.num_rows
                return
            num_events += 1
            if self._kind is Kind.SLOW:
                await asyncio.sleep(SLOW_S)
        raise ServerError("closed by the server")


class _Hearing:
    """Follows one turn and notes in its request what came when."""

    def __init__(
        self, connection: SocketConnection, request: Request, text: str, num_rows: int
    ) -> None:
        assert connection.session is not None
        self._channels = connection.session.channels
        self._visible = [c.role for c in self._channels].index("output")
        self._request = request
        self._text = text
        self._prompt: int | None = None
        self._input_id: int | None = None
        self._given: dict[int, str] = {}
        self._from_row: int | None = None
        self.num_rows = num_rows

    def take(self, heard: Heard) -> bool:
        """Note one event; whether it is the end of the turn. MotetError if something is wrong."""
        match heard:
            case ConnectionState(is_connected=False):
                self._fail("lost line", heard.reason)
            case ErrorEvent():
                self._fail(heard.code, heard.message)
            case InputQueued():
                self._input_id = heard.input_id
                self._prompt = [c.name for c in self._channels].index(heard.channel)
            case Rows():
                self._rows(heard)
            case InputRead() if heard.input_id == self._input_id:
                self._from_row = heard.from_row if self._from_row is None else self._from_row
                if heard.is_done:
                    self._check_read(self._from_row, heard.to_row)
            case TurnEnded():
                if heard.reason == "error":
                    self._fail("turn failed", "the server could not go on with the turn")
                return True
            case _:
                pass
        return False

    def _rows(self, rows: Rows) -> None:
        now = time.perf_counter()
        num_visible = 0
        for row in rows.rows:
            if row.index != self.num_rows:
                self._fail("lost rows", f"expected row {self.num_rows}, got {row.index}")
            self.num_rows += 1
            for channel, silent, given in zip(self._channels, row.silent, row.given, strict=True):
                if not silent and not given:
                    self._request.spoken[channel.name] += 1
            num_visible += not row.silent[self._visible] and not row.given[self._visible]
            if self._prompt is not None and row.given[self._prompt]:
                self._given[row.index] = row.text[self._prompt]
        self._request.arrivals.append((now, num_visible))
        self._request.rows_at.append((now, len(rows.rows)))

    def _check_read(self, from_row: int, to_row: int) -> None:
        """What the User's column says in the rows that read the message is the message."""
        if self._prompt is None or self._channels[self._prompt].role != "input":
            return  # a chat template stands around the text
        read = "".join(self._given.get(row, "") for row in range(from_row, to_row + 1))
        if read.removeprefix("\n") != self._text.removeprefix("\n"):
            self._fail("mixed up", f"sent {self._text!r}, read {read!r}")

    def _fail(self, kind: str, message: str) -> None:
        self._request.fail(kind, message)
        raise ServerError(message)
