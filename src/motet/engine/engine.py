"""The engine: reads the next rows of many sessions in one forward of the runtime.

    blocks = what each session wants read (a decoded row, or a prefill of many)
    logits = runtime.forward(states, blocks)          the only place where a model is called
    rows   = what each session makes of it

Sessions belong to their owner (a command, a server); any list of them may be stepped together and
may change from one step to the next. A parked session is skipped and costs nothing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic

from motet.engine.reply import Reply, reply_of
from motet.engine.saved import load_session, save_session
from motet.engine.session import Session
from motet.engine.settings import Sampling, Settings
from motet.errors import SessionError
from motet.protocol.row import Row
from motet.runtime.protocol import Runtime, StateT, Wanted
from motet.streams.codec import StreamCodec

DEFAULT_CONTEXT_ROWS = 2048


class Engine(Generic[StateT]):
    """A model ready to talk: a runtime, its codec, and the sampling that suits it.

    sampling: the defaults of `Settings.sampling` for this model, as its authors recommend.
    """

    def __init__(
        self, name: str, runtime: Runtime[StateT], codec: StreamCodec, sampling: Sampling
    ) -> None:
        self.name = name
        self.runtime = runtime
        self.codec = codec
        self.sampling = sampling
        self._sampled = codec.layout.sampled_indices

    def settings(self, **changes: object) -> Settings:
        """Default settings for this model with `changes`, fields of `Settings`."""
        return dataclasses.replace(Settings(sampling=self.sampling), **changes)  # type: ignore[arg-type]

    def open(
        self, settings: Settings | None = None, *, context_rows: int | None = None
    ) -> Session[StateT]:
        """A new session with room for `context_rows` rows (default: 2048, or all there are)."""
        if context_rows is None:
            context_rows = min(DEFAULT_CONTEXT_ROWS, self.runtime.context_rows)
        state = self.runtime.open(context_rows)
        return Session(self.codec, settings or self.settings(), state)

    def step(self, sessions: Sequence[Session[StateT]]) -> list[tuple[Session[StateT], list[Row]]]:
        """Read the next rows of all active sessions in one forward; what each of them got."""
        ready = [(s, block) for s in sessions if s.is_active and (block := s.next_block())]
        if not ready:
            return []
        try:
            logits = self.runtime.forward(
                [session.state for session, _ in ready],
                [block.tokens_RC for _, block in ready],
                wanted=Wanted.LAST,
                channels=self._sampled,
            )
        except BaseException:  # also Ctrl-C: a long prefill may have been read in part
            for session, _ in ready:
                self.runtime.truncate(session.state, len(session.rows))
            raise
        return [
            (session, session.advance(block, last[-1]))
            for (session, block), last in zip(ready, logits, strict=True)
        ]

    def stream(self, session: Session[StateT]) -> Iterator[Row]:
        """Rows of one session until it parks."""
        while session.is_active:
            for _, rows in self.step([session]):
                yield from rows

    def ask(self, text: str, settings: Settings | None = None) -> Reply:
        """Open a session, give it one message, and wait for the end of its turn."""
        session = self.open(settings)
        session.give(text)
        start = time.perf_counter()
        for _ in self.stream(session):
            pass
        return reply_of(session, self.name, time.perf_counter() - start)

    def fork(self, session: Session[StateT], settings: Settings | None = None) -> Session[StateT]:
        """An independent copy of a session, going on under `settings` (default: the same)."""
        twin = Session(self.codec, settings or session.settings, session.state.fork())
        twin.turn_starts = list(session.turn_starts)
        twin.continued_at = list(session.continued_at)
        twin.restore(session.rows)
        twin.stopped_by = session.stopped_by
        twin.logits_XV = session.logits_XV
        twin.queues = [queue.copy() for queue in session.queues]
        twin.prefills = list(session.prefills)
        return twin

    def rewind(self, session: Session[StateT], num_rows: int) -> None:
        """Cut a session back to its first `num_rows` rows; what was queued is dropped.

        Inside a turn the session goes on from there; before the first one it parks.
        """
        opening = len(self.codec.layout.opening_RC())
        if not max(opening, 1) <= num_rows <= len(session.rows):
            raise SessionError(
                "rewind", expected=f"row {max(opening, 1)} to {len(session.rows)}", got=num_rows
            )
        rows = session.rows[:num_rows]
        last_RC = session.grid.tokens_RC[num_rows - 1 : num_rows]
        self.runtime.truncate(session.state, num_rows - 1)
        (logits,) = self.runtime.forward([session.state], [last_RC], channels=self._sampled)
        session.logits_XV = logits[-1]
        session.queues = [type(queue)() for queue in session.queues]
        session.prefills = []
        session.restore(rows)
        session.stopped_by = session.turn.stop_reason() if session.turn_starts else None

    def save(self, session: Session[StateT], path: str | Path) -> None:
        """Write a session to one file, whole or not at all."""
        save_session(session, Path(path), self.runtime)

    def resume(self, path: str | Path) -> Session[StateT]:
        """The session that `save` wrote, ready to go on; StateError if the file is unfit."""
        return load_session(Path(path), self.runtime, self.codec)
