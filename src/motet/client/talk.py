"""A talk with a model in Python: say something, take the rows as they come, interrupt.

    async with motet.client.connect("http://localhost:8000") as talk:
        await talk.say("What is 6 times 7?")
        async for row in talk.rows():
            ...
        print(talk.text("Output"))

Every method that changes something returns when the server has answered it and raises ServerError
when the server refuses it; rows that come meanwhile are kept for `rows`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from motet.client.connection import Connection, Heard
from motet.client.conversation import Conversation
from motet.client.fold import fold
from motet.errors import ServerError
from motet.protocol import client_events as client
from motet.protocol.knobs import SettingsChange
from motet.protocol.row import Row
from motet.protocol.server_events import (
    ErrorEvent,
    InputQueued,
    RowFrame,
    Rows,
    SessionCreated,
    SessionForked,
    SessionRewound,
    SessionUpdated,
)  # fmt: skip

__all__ = ["Talk"]

AnswerT = TypeVar("AnswerT", InputQueued, SessionUpdated, SessionForked, SessionRewound)


@dataclass
class _Question:
    """Something that was asked of the server, and what it answered."""

    event_id: str
    kind: type[InputQueued | SessionUpdated | SessionForked | SessionRewound]
    answer: Heard | None = None

    def hear(self, heard: Heard) -> bool:
        """Whether `heard` is the answer."""
        is_refusal = isinstance(heard, ErrorEvent) and heard.event_id == self.event_id
        if is_refusal or isinstance(heard, self.kind):
            self.answer = heard
        return self.answer is not None


class Talk:
    """A session to talk in. conversation: what is known of it, after all that was heard."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._events = aiter(connection)
        self.conversation = Conversation()
        self._rows: deque[Row] = deque()
        self._questions: deque[_Question] = deque()
        self._reading = asyncio.Lock()
        self._event_ids = itertools.count(1)

    @property
    def session(self) -> SessionCreated:
        """What the server said of the session; its `resume_token` opens it again."""
        assert self.conversation.session is not None, "a talk begins with its session"
        return self.conversation.session

    def text(self, channel: str) -> str:
        """What a channel has said so far."""
        return self.conversation.text(channel)

    async def begin(self) -> None:
        """Wait for the session, and for all events of before if it is resumed."""
        await self._until(
            lambda: self.conversation.session is not None and not self.conversation.is_catching_up
        )
        self._rows.clear()

    async def say(self, text: str, feed: Literal["live", "prefill"] | None = None) -> InputQueued:
        """Queue a message to the model; it starts after what is queued already."""
        return await self._ask(client.InputAppend(text=text, feed=feed), InputQueued)

    async def interrupt(self, text: str | None = None) -> None:
        """Drop what is queued and start this message now; without one, end the turn now."""
        event = client.Interrupt(text=text)
        await (self._send(event) if text is None else self._ask(event, InputQueued))

    async def clear(self) -> None:
        """Drop what is queued."""
        await self._send(client.InputClear())

    async def inject(self, channel: str, text: str) -> InputQueued:
        """Put words into a thought channel."""
        return await self._ask(client.Inject(channel=channel, text=text), InputQueued)

    async def update(self, settings: SettingsChange) -> SessionUpdated:
        """Change settings from the next row on; the answer says what is in force."""
        return await self._ask(client.SessionUpdate(settings=settings), SessionUpdated)

    async def pause(self) -> SessionUpdated:
        """Stop the rows until `go_on` or `step`; `rows` then ends."""
        return await self._ask(client.Pause(), SessionUpdated)

    async def go_on(self) -> SessionUpdated:
        """Go on after `pause`, or with a turn that a limit ended."""
        return await self._ask(client.Continue(), SessionUpdated)

    async def step(self, num_rows: int = 1) -> list[Row]:
        """Let so many rows come, and pause; fewer if the turn ends before."""
        await self._ask(client.Step(rows=num_rows), SessionUpdated)
        await self._until(lambda: len(self._rows) >= num_rows or self.conversation.is_at_rest)
        return [self._rows.popleft() for _ in range(min(num_rows, len(self._rows)))]

    async def hold(self) -> SessionUpdated:
        """Keep the visible channel silent until `release`."""
        return await self._ask(client.Hold(), SessionUpdated)

    async def release(self) -> SessionUpdated:
        """Let the visible channel speak again."""
        return await self._ask(client.Release(), SessionUpdated)

    async def rewind(self, row: int) -> SessionRewound:
        """Cut the session back to its first `row` rows."""
        return await self._ask(client.Rewind(row=row), SessionRewound)

    async def fork(self) -> SessionForked:
        """Copy the session; `connect(url, token=...)` opens the copy."""
        return await self._ask(client.Fork(), SessionForked)

    async def rows(self) -> AsyncIterator[Row]:
        """Rows as they come, until nothing goes on and nothing waits, or the session pauses."""
        while True:
            await self._until(lambda: bool(self._rows) or self._is_quiet())
            if not self._rows:
                return
            yield self._rows.popleft()

    def _is_quiet(self) -> bool:
        return self.conversation.is_at_rest or self.conversation.is_paused

    async def _send(self, event: client.ClientEvent) -> str:
        event_id = f"t{next(self._event_ids)}"
        event = event.model_copy(update={"event_id": event_id})
        self.conversation = fold(self.conversation, event)
        await self._connection.send(event)
        return event_id

    async def _ask(self, event: client.ClientEvent, kind: type[AnswerT]) -> AnswerT:
        question = _Question(await self._send(event), kind)
        self._questions.append(question)
        await self._until(lambda: question.answer is not None)
        if isinstance(question.answer, ErrorEvent):
            raise ServerError(question.answer.message)
        assert isinstance(question.answer, kind)
        return question.answer

    async def _until(self, is_done: Callable[[], bool]) -> None:
        """Hear events until `is_done`, whichever of the tasks that wait hears them."""
        while not is_done():
            async with self._reading:
                if is_done():
                    return
                heard = await anext(self._events, None)
                if heard is None:
                    reason = self.conversation.closed_by or "closed"
                    raise ServerError("session", expected="an open one", got=f"it was {reason}")
                self._take(heard)

    def _take(self, heard: Heard) -> None:
        self.conversation = fold(self.conversation, heard)
        if isinstance(heard, Rows):
            self._rows.extend(map(_row, heard.rows))
        elif isinstance(heard, SessionRewound):
            self._rows = deque(row for row in self._rows if row.index < heard.to_row)
        for question in self._questions:
            if question.hear(heard):
                self._questions.remove(question)
                return


def _row(frame: RowFrame) -> Row:
    return Row(frame.index, frame.ids, frame.text, frame.silent, frame.given)
