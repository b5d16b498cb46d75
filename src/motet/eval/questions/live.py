"""Questions to a running Motet server: each in a live session of its own, all rows of it seen.

A session is deleted when its answer is there. A line that breaks is taken up again by the client; a
server that is full is asked again, patiently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from motet.client import Patience, SocketConnection, Talk
from motet.client.refusals import LaterError
from motet.errors import InputError, MotetError, ServerError
from motet.eval.questions.asking import Hear, Refused
from motet.eval.questions.crowd import ask_many
from motet.eval.questions.hearing import ReplyMark, said_in
from motet.eval.questions.trial import Ask, Said
from motet.protocol.client_events import SessionCreate
from motet.protocol.knobs import SettingsChange
from motet.protocol.row import Row
from motet.streams.layout import Role

__all__ = ["LiveServer"]

_FAULTS_OF_QUESTIONS = ("input", "context_length_exceeded")


@dataclass(frozen=True)
class LiveServer:
    """A server's live socket. settings: what differs from the model's own; the seed is the ask's.

    mark: where a reply begins. patience: how long a server that is full or away is asked again.
    """

    url: str
    settings: SettingsChange
    api_key: str | None = None
    mark: ReplyMark = field(default_factory=ReplyMark)
    patience: Patience = field(default_factory=Patience)

    def ask(
        self, asks: Iterable[Ask], hear: Hear, at_once: int, refused: Refused | None = None
    ) -> None:
        """Ask everything, `at_once` at a time; ServerError if the server refuses or stays away.

        refused: see `EngineAsker.ask`.
        """
        asyncio.run(ask_many(self._ask, asks, hear, at_once, refused))

    async def _ask(self, ask: Ask) -> Said:
        settings = self.settings.model_copy(update={"seed": ask.seed})
        connection = await self._connected(SessionCreate(settings=settings))
        try:
            talk = Talk(connection)
            await talk.begin()
            try:
                await talk.say(ask.text)
            except ServerError as error:
                raise _refusal(talk, ask, str(error)) from None
            async for _ in talk.rows():
                pass
            ending = None if talk.conversation.turn is None else talk.conversation.turn.ending
            if ending is None or ending.reason == "error":
                raise _refusal(talk, ask, "the session failed")
            roles = {c.name: Role(c.role) for c in talk.session.channels}
            channels = {name: talk.text(name) for name in roles}
            rows = [
                Row(row.index, row.ids, row.text, row.silent, row.given)
                for row in talk.conversation.rows
            ]
            return said_in(rows, roles, channels, ending.reason, self.mark)
        finally:
            await connection.close(delete=True)

    async def _connected(self, opening: SessionCreate) -> SocketConnection:
        """An open session; tried again while the server is full or not there."""
        waited_s = 0.0
        for delay_s in self.patience.delays(Random()):
            connection = SocketConnection(
                self.url, opening, api_key=self.api_key, patience=self.patience
            )
            try:
                await connection.open()
            except LaterError:
                connection.drop()
                give_up_s = self.patience.give_up_s
                if give_up_s is not None and waited_s >= give_up_s:
                    raise
                await asyncio.sleep(delay_s)
                waited_s += delay_s
            except BaseException:
                connection.drop()
                raise
            else:
                return connection
        raise AssertionError("delays never end")


def _refusal(talk: Talk, ask: Ask, otherwise: str) -> MotetError:
    """What went wrong with an ask: InputError if it is the question's fault."""
    error = talk.conversation.error
    message = f"{ask.question.where}: {otherwise if error is None else error.message}"
    is_its_fault = error is not None and error.code in _FAULTS_OF_QUESTIONS
    return InputError(message) if is_its_fault else ServerError(message)
