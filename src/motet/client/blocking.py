"""A talk for code without async: the same methods, each waiting for its answer.

An event loop in a thread of its own runs the talk.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, TypeVar

from motet.client.conversation import Conversation
from motet.client.talk import Talk
from motet.protocol.knobs import SettingsChange
from motet.protocol.row import Row
from motet.protocol.server_events import (
    InputQueued,
    SessionCreated,
    SessionForked,
    SessionRewound,
    SessionUpdated,
)  # fmt: skip

__all__ = ["BlockingTalk"]

ValueT = TypeVar("ValueT")


class BlockingTalk:
    """`Talk` without async; see there what each method means."""

    def __init__(self, opening: AbstractAsyncContextManager[Talk]) -> None:
        """Open the talk; ServerError if the server is not there or refuses."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="motet-client", daemon=True
        )
        self._thread.start()
        self._opening = opening
        try:
            self._talk = self._run(opening.__aenter__())
        except BaseException:
            self._stop()
            raise

    @property
    def conversation(self) -> Conversation:
        """What is known of the session, after all that was heard."""
        return self._talk.conversation

    @property
    def session(self) -> SessionCreated:
        """What the server said of the session; its `resume_token` opens it again."""
        return self._talk.session

    def text(self, channel: str) -> str:
        """What a channel has said so far."""
        return self._talk.text(channel)

    def say(self, text: str, feed: Literal["live", "prefill"] | None = None) -> InputQueued:
        """Queue a message to the model."""
        return self._run(self._talk.say(text, feed))

    def interrupt(self, text: str | None = None) -> None:
        """Drop what is queued and start this message now; without one, end the turn now."""
        self._run(self._talk.interrupt(text))

    def clear(self) -> None:
        """Drop what is queued."""
        self._run(self._talk.clear())

    def inject(self, channel: str, text: str) -> InputQueued:
        """Put words into a thought channel."""
        return self._run(self._talk.inject(channel, text))

    def update(self, settings: SettingsChange) -> SessionUpdated:
        """Change settings from the next row on."""
        return self._run(self._talk.update(settings))

    def pause(self) -> SessionUpdated:
        """Stop the rows until `go_on` or `step`."""
        return self._run(self._talk.pause())

    def go_on(self) -> SessionUpdated:
        """Go on after `pause`, or with a turn that a limit ended."""
        return self._run(self._talk.go_on())

    def step(self, num_rows: int = 1) -> list[Row]:
        """Let so many rows come, and pause."""
        return self._run(self._talk.step(num_rows))

    def hold(self) -> SessionUpdated:
        """Keep the visible channel silent until `release`."""
        return self._run(self._talk.hold())

    def release(self) -> SessionUpdated:
        """Let the visible channel speak again."""
        return self._run(self._talk.release())

    def rewind(self, row: int) -> SessionRewound:
        """Cut the session back to its first `row` rows."""
        return self._run(self._talk.rewind(row))

    def fork(self) -> SessionForked:
        """Copy the session."""
        return self._run(self._talk.fork())

    def rows(self) -> Iterator[Row]:
        """Rows as they come, until nothing goes on and nothing waits, or the session pauses."""
        rows = self._talk.rows()
        while (row := self._run(_next(rows))) is not None:
            yield row

    def close(self) -> None:
        """Leave; the session stays with the server."""
        try:
            self._run(self._opening.__aexit__(None, None, None))
        finally:
            self._stop()

    def _run(self, work: Coroutine[Any, Any, ValueT]) -> ValueT:
        waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waiting.result()
        except BaseException:  # Ctrl-C too: nothing may go on behind the caller's back
            waiting.cancel()
            raise

    def _stop(self) -> None:
        self._run(self._loop.shutdown_asyncgens())  # `rows` may have been left in the middle
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(rows: AsyncIterator[Row]) -> Row | None:
    return await anext(rows, None)
